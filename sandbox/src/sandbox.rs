//! A running sandbox: what it starts, in which order, and how it ends.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::folder;
use crate::gateway::{self, GatewayConfig};
use crate::ledger::{Ledger, LedgerConfig, LedgerThread};
use crate::postgres::{Postgres, PostgresConfig};
use crate::rpc;

/// How long connections may take to finish what they are at when the sandbox stops.
const GRACE: Duration = Duration::from_secs(5);

/// How often a free pair of ports is looked for.
const PORT_ATTEMPTS: u32 = 64;

/// Ports that nobody was asked for are taken from here on, and up to where the system takes those of connections that
/// go out: a later start on the same port must not find it taken by one of them.
const LOWEST_PORT: u16 = 10_000;
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// How long a port that was asked for may be taken still, as by a sandbox that is about to end.
const PORT_PATIENCE: Duration = Duration::from_secs(5);
const PORT_POLL: Duration = Duration::from_millis(100);

/// Where a sandbox is reached. This is also the ready file, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The ledger's JSON-RPC, `http://...`; null without a ledger.
    pub rpc: Option<String>,
    /// The ledger's subscriptions, `ws://...`; always on the port after that of `rpc`.
    pub ws: Option<String>,
    /// The Arweave gateway, for uploads and downloads, `http://...`.
    pub gateway: String,
    /// The database, `postgres://...` with the socket's folder as its host; null without Postgres.
    pub database: Option<String>,
    /// The sandbox's process.
    pub pid: u32,
    /// The hash that names this ledger, base58; null without one.
    pub genesis_hash: Option<String>,
}

/// A gateway and, if wanted, a ledger and a Postgres cluster, running. Dropping it without [`Sandbox::stop`] ends them too,
/// but without waiting for requests that are under way.
#[derive(Debug)]
pub struct Sandbox {
    endpoints: Endpoints,
    stop: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    ledger: Option<LedgerThread>,
    postgres: Option<Postgres>,
    // Held, not read: the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Sandbox {
    /// Starts everything and returns once all of it answers.
    ///
    /// # Errors
    /// Whatever keeps one part from starting; the others are stopped again.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let data = folder::data(&config.data)?;
        let lock = lock(&data)?;

        let ledger_ports = match config.ledger {
            true => Some(listen_pair(config.rpc_port).await?),
            false => None,
        };
        let gateway = listen(config.gateway_port).await?;
        let url = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}");
        let ledger = async {
            let Some(ports) = ledger_ports else { return Ok(None) };
            let started = Ledger::start(LedgerConfig {
                folder: data.clone(),
                programs: config.programs,
                upgrade_authority: config.upgrade_authority,
                slot_ms: config.slot_time_ms,
            });
            started.await.map(|started| Some((started, ports)))
        };
        let postgres = async {
            match config.postgres {
                true => Postgres::start(PostgresConfig {
                    folder: data.join("postgres"),
                })
                .await
                .map(Some),
                false => Ok(None),
            }
        };
        // Both to their ends, also if one fails, so that nothing goes on behind our back.
        let (ledger, postgres) = tokio::join!(ledger, postgres);
        let mut sandbox = Self {
            endpoints: Endpoints {
                rpc: None,
                ws: None,
                gateway: url("http", gateway.port),
                database: None,
                pid: std::process::id(),
                genesis_hash: None,
            },
            stop: CancellationToken::new(),
            servers: Vec::new(),
            ledger: None,
            postgres: None,
            _lock: lock,
        };
        let mut ledger_servers = None;
        if let Some(((ledger, thread), (http, ws))) = ledger? {
            sandbox.endpoints.rpc = Some(url("http", http.port));
            sandbox.endpoints.ws = Some(url("ws", ws.port));
            sandbox.endpoints.genesis_hash = Some(ledger.genesis_hash().to_string());
            sandbox.ledger = Some(thread);
            ledger_servers = Some((ledger, http, ws));
        }
        sandbox.postgres = postgres?;
        sandbox.endpoints.database = sandbox.postgres.as_ref().map(|postgres| postgres.url().to_owned());
        let gateway_routes = gateway::router(&GatewayConfig {
            folder: data.clone(),
            max_item_bytes: config.max_item_bytes,
            charge_above: config.charge_above,
            max_uploads: config.max_uploads,
        })?;
        if let Some((ledger, http, ws)) = ledger_servers {
            let rpc_routes = rpc::router(ledger, sandbox.stop.clone());
            sandbox.serve(http, rpc_routes.clone());
            sandbox.serve(ws, rpc_routes);
        }
        sandbox.serve(gateway, gateway_routes);

        if let Some(path) = &config.ready_file {
            write_ready_file(path, &sandbox.endpoints)?;
        }
        Ok(sandbox)
    }

    /// Where it is reached.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Waits until a part ends by itself, which only Postgres can, and says why. Never returns otherwise.
    pub async fn failed(&mut self) -> Error {
        match &mut self.postgres {
            Some(postgres) => postgres.ended().await.into(),
            None => std::future::pending().await,
        }
    }

    /// Stops taking requests, finishes those that are under way, and ends everything.
    ///
    /// # Errors
    /// If Postgres does not end in time; everything else is down then.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.stop.cancel();
        for mut server in std::mem::take(&mut self.servers) {
            if tokio::time::timeout(GRACE, &mut server).await.is_err() {
                tracing::warn!("connections did not finish in time and are cut");
                server.abort();
            }
        }
        if let Some(ledger) = self.ledger.take() {
            // It finishes one batch at most, which takes milliseconds.
            ledger.stop();
        }
        match self.postgres.take() {
            Some(postgres) => Ok(postgres.stop().await?),
            None => Ok(()),
        }
    }

    fn serve(&mut self, at: Bound, routes: Router) {
        let stop = self.stop.clone();
        self.servers.push(tokio::spawn(async move {
            let served = axum::serve(at.listener, routes)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await;
            if let Err(error) = served {
                tracing::error!(port = at.port, %error, "the server ended");
            }
        }));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(ledger) = self.ledger.take() {
            ledger.stop();
        }
    }
}

/// Takes the folder for this process.
fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("lock");
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(Error::at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(&path)
                .ok()
                .map(|pid| pid.trim().to_owned())
                .filter(|pid| !pid.is_empty());
            return Err(Error::Locked {
                folder: data.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(source)) => return Err(Error::Io { path, source }),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::at(&path))?;
    Ok(file)
}

/// A port that is ours.
struct Bound {
    listener: TcpListener,
    port: u16,
}

/// Takes a port, or with 0 any free one.
async fn listen(port: u16) -> Result<Bound, Error> {
    if port == 0 {
        return Ok(free_ports(1).await?.remove(0));
    }
    let begun = Instant::now();
    loop {
        match bind(port).await {
            Err(source) if source.kind() == ErrorKind::AddrInUse && begun.elapsed() < PORT_PATIENCE => {
                tokio::time::sleep(PORT_POLL).await;
            }
            bound => return bound.map_err(|source| Error::Port { port, source }),
        }
    }
}

async fn bind(port: u16) -> std::io::Result<Bound> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    Ok(Bound { listener, port })
}

/// A port and the one after it: Solana's clients find the WebSocket by adding one.
async fn listen_pair(port: u16) -> Result<(Bound, Bound), Error> {
    if port == 0 {
        let mut pair = free_ports(2).await?;
        let second = pair.remove(1);
        return Ok((pair.remove(0), second));
    }
    let no_next = || Error::Port {
        port,
        source: std::io::Error::other("there is no port after it"),
    };
    let next = port.checked_add(1).ok_or_else(no_next)?;
    Ok((listen(port).await?, listen(next).await?))
}

/// So many free ports in a row.
async fn free_ports(count: u16) -> Result<Vec<Bound>, Error> {
    let text = std::fs::read_to_string(EPHEMERAL).unwrap_or_default();
    let end = text.split_whitespace().next().and_then(|first| first.parse().ok());
    // Where connections take even the low ports there is nothing to keep clear of.
    let end = end.filter(|end| *end > LOWEST_PORT + 1_000).unwrap_or(u16::MAX);
    for _ in 0..PORT_ATTEMPTS {
        let mut dice = [0; 2];
        getrandom::fill(&mut dice).map_err(|e| Error::Port {
            port: 0,
            source: std::io::Error::other(e),
        })?;
        let first = LOWEST_PORT + u16::from_le_bytes(dice) % (end - LOWEST_PORT - count);
        let mut bound = Vec::new();
        for port in first..first + count {
            bound.extend(bind(port).await.ok());
        }
        if bound.len() == usize::from(count) {
            return Ok(bound);
        }
    }
    Err(Error::Port {
        port: 0,
        source: std::io::Error::other("no free ports were found"),
    })
}

/// Whoever waits for the file finds it whole.
fn write_ready_file(path: &Path, endpoints: &Endpoints) -> Result<(), Error> {
    let write = || {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let readable = Permissions::from_mode(0o644);
        let mut draft = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
        draft.write_all(serde_json::to_string_pretty(endpoints)?.as_bytes())?;
        draft.write_all(b"\n")?;
        draft.persist(path)?;
        Ok(())
    };
    write().map_err(|source| Error::ReadyFile {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_becomes_free_is_waited_for() {
        let other = listen(0).await.unwrap();
        let port = other.port;
        let waiting = tokio::spawn(listen(port));
        tokio::time::sleep(PORT_POLL).await;
        drop(other);
        assert_eq!(waiting.await.unwrap().unwrap().port, port);
    }

    #[tokio::test]
    async fn free_ports_are_neighbours_and_not_those_of_connections() {
        let (http, ws) = listen_pair(0).await.unwrap();
        assert_eq!(http.port + 1, ws.port);
        let text = std::fs::read_to_string(EPHEMERAL).unwrap();
        let first: u16 = text.split_whitespace().next().unwrap().parse().unwrap();
        assert!(first < LOWEST_PORT + 1_000 || ws.port < first);
    }
}
