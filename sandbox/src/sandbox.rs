//! A running sandbox: what it starts, in which order, and how it ends.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::gateway::{self, GatewayConfig};
use crate::ledger::{Ledger, LedgerConfig, LedgerThread};
use crate::postgres::{Postgres, PostgresConfig};
use crate::rpc;

/// How long connections may take to finish what they are at when the sandbox stops.
const GRACE: Duration = Duration::from_secs(5);

/// How often a free pair of ports is looked for.
const PORT_ATTEMPTS: u32 = 64;

/// Where a sandbox is reached. This is also the ready file, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The ledger's JSON-RPC, `http://...`.
    pub rpc: String,
    /// The ledger's subscriptions, `ws://...`; always on the port after that of `rpc`.
    pub ws: String,
    /// The Arweave gateway, for uploads and downloads, `http://...`.
    pub gateway: String,
    /// The database, `postgres://...` with the socket's folder as its host; null without Postgres.
    pub database: Option<String>,
    /// The sandbox's process.
    pub pid: u32,
    /// The hash that names this ledger, base58.
    pub genesis_hash: String,
}

/// A ledger, a gateway and, if wanted, a Postgres cluster, running. Dropping it without [`Sandbox::stop`] ends them too,
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
        let data = std::path::absolute(&config.data).map_err(Error::at(&config.data))?;
        std::fs::create_dir_all(&data).map_err(Error::at(&data))?;
        let lock = lock(&data)?;

        let (http, ws) = listen_pair(config.rpc_port).await?;
        let gateway = listen(config.gateway_port).await?;
        let url = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}");
        let ledger = Ledger::start(LedgerConfig {
            folder: data.clone(),
            programs: config.programs,
            upgrade_authority: config.upgrade_authority,
            slot_ms: config.slot_time_ms,
        });
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
        let (ledger, thread) = ledger?;
        let mut sandbox = Self {
            endpoints: Endpoints {
                rpc: url("http", http.port),
                ws: url("ws", ws.port),
                gateway: url("http", gateway.port),
                database: None,
                pid: std::process::id(),
                genesis_hash: ledger.genesis_hash().to_string(),
            },
            stop: CancellationToken::new(),
            servers: Vec::new(),
            ledger: Some(thread),
            postgres: None,
            _lock: lock,
        };
        sandbox.postgres = postgres?;
        sandbox.endpoints.database = sandbox.postgres.as_ref().map(|postgres| postgres.url().to_owned());
        let gateway_routes = gateway::router(&GatewayConfig {
            folder: data.clone(),
            max_item_bytes: config.max_item_bytes,
            max_uploads: config.max_uploads,
        })?;
        let rpc_routes = rpc::router(ledger, sandbox.stop.clone());
        sandbox.serve(http, rpc_routes.clone());
        sandbox.serve(ws, rpc_routes);
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

async fn listen(port: u16) -> Result<Bound, Error> {
    let bind = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Bound { listener, port })
    };
    bind.await.map_err(|source| Error::Port { port, source })
}

/// A port and the one after it: Solana's clients find the WebSocket by adding one.
async fn listen_pair(port: u16) -> Result<(Bound, Bound), Error> {
    let no_next = || Error::Port {
        port,
        source: std::io::Error::other("there is no port after it"),
    };
    if port != 0 {
        let next = port.checked_add(1).ok_or_else(no_next)?;
        return Ok((listen(port).await?, listen(next).await?));
    }
    for _ in 0..PORT_ATTEMPTS {
        let first = listen(0).await?;
        if let Some(next) = first.port.checked_add(1)
            && let Ok(second) = listen(next).await
        {
            return Ok((first, second));
        }
    }
    Err(Error::Port {
        port,
        source: std::io::Error::other("no two neighbouring ports are free"),
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
