//! How the project's services listen: over TLS, or to this machine only; to nobody who takes long to say what it wants; and
//! until they are told to end, when what is under way may end before them.

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum_server::{Address, Handle, Server, tls_rustls::RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is under way may end before the service does.
const GRACE: Duration = Duration::from_secs(10);

/// The certificate of a service that others reach, as options of its command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Certificate {
    /// The certificate chain, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

/// How many calls a wallet may make, as options of a service's command line.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Pace {
    /// Calls that a wallet may make in a second, in the long run.
    #[arg(long = "calls-per-second", default_value_t = Self::default().per_second, value_name = "N")]
    pub per_second: NonZeroU32,
    /// Calls that a wallet may make at once, after a rest: sharing a record with a ward takes one for each of its members.
    #[arg(long, default_value_t = Self::default().burst, value_name = "N")]
    pub burst: NonZeroU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            per_second: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
            burst: NonZeroU32::new(400).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// Where a service is reached, before it answers anybody.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

impl Door {
    /// Takes an address. Without a certificate only one that nobody else reaches.
    ///
    /// # Errors
    /// Where the address is taken, others could reach it, or the certificate cannot be read.
    pub async fn at(listen: SocketAddr, certificate: &Certificate) -> Result<Self> {
        let tls = match (&certificate.tls_certificate, &certificate.tls_key) {
            (Some(chain), Some(key)) => {
                // Two libraries of the programs bring a provider each, so one has to be named. It may be named already.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let tls = RustlsConfig::from_pem_file(chain, key).await;
                let tls = tls.context("cannot read the certificate or its key")?;
                let mut only_http1 = tls.get_inner().as_ref().clone();
                only_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some(RustlsConfig::from_config(Arc::new(only_http1)))
            }
            _ if listen.ip().is_loopback() => None,
            _ => bail!(
                "{listen} can be reached from elsewhere: name a certificate (--tls-certificate and --tls-key), or listen on \
                 127.0.0.1"
            ),
        };
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        listener.set_nonblocking(true).context("cannot listen")?;
        let address = listener.local_addr().context("cannot listen")?;
        Ok(Self { listener, address, tls })
    }

    /// The address, with the port that the system chose where none was named.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers until SIGTERM or Ctrl-C: see [`serve_until`](Self::serve_until).
    ///
    /// # Errors
    /// Where the system ends it.
    pub async fn serve(self, app: Router, patience: Duration) -> Result<()> {
        self.serve_until(app, patience, told_to_end()).await
    }

    /// Answers until `end` is there: for a service that is one part of a process, all of whose parts end together. Who takes longer than `patience` for the head of a request, or says nothing for so
    /// long, is not waited for. Requests know who sent them ([`axum::extract::ConnectInfo`]).
    ///
    /// # Errors
    /// Where the system ends it.
    pub async fn serve_until(
        self,
        app: Router,
        patience: Duration,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let handle = Handle::new();
        let ending = handle.clone();
        tokio::spawn(async move {
            end.await;
            ending.graceful_shutdown(Some(GRACE));
        });
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let ended = match self.tls {
            Some(tls) => {
                let server = axum_server::from_tcp_rustls(self.listener, tls)?.handle(handle);
                limited(server, patience).serve(app).await
            }
            None => {
                let server = axum_server::from_tcp(self.listener)?.handle(handle);
                limited(server, patience).serve(app).await
            }
        };
        ended.context("the service ended")
    }
}

/// Writes the log to standard error: `RUST_LOG` says how much of it, and `json` makes it an object a line.
pub fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.init();
    }
}

/// HTTP/1 only: there the clock runs from a connection's beginning and between its calls, and one connection has one call at a
/// time.
fn limited<A: Address, T>(server: Server<A, T>, patience: Duration) -> Server<A, T> {
    let mut server = server.http1_only().first_request_timeout(patience);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    server
}

/// Waits for SIGTERM or Ctrl-C.
async fn told_to_end() {
    let mut asked = match signal(SignalKind::terminate()) {
        Ok(asked) => asked,
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGTERM");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = asked.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("ending");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::routing::get;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn app() -> Router {
        Router::new().route("/", get(|| async { "here" }))
    }

    #[tokio::test]
    async fn without_a_certificate_only_this_machine_is_listened_to() {
        let elsewhere = "0.0.0.0:0".parse().unwrap();
        let refused = Door::at(elsewhere, &Certificate::default()).await.unwrap_err();
        assert!(refused.to_string().contains("--tls-certificate"), "{refused}");
        let here = Door::at("127.0.0.1:0".parse().unwrap(), &Certificate::default())
            .await
            .unwrap();
        let url = here.url();
        assert!(url.starts_with("http://127.0.0.1:") && here.address().port() != 0);
        tokio::spawn(here.serve(app(), PATIENCE));
        assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "here");
    }

    #[tokio::test]
    async fn it_ends_with_what_it_is_a_part_of() {
        let door = Door::at("127.0.0.1:0".parse().unwrap(), &Certificate::default())
            .await
            .unwrap();
        let url = door.url();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let service = tokio::spawn(door.serve_until(app(), PATIENCE, async {
            let _ = ended.await;
        }));
        assert_eq!(reqwest::get(&url).await.unwrap().text().await.unwrap(), "here");
        end.send(()).unwrap();
        service.await.unwrap().unwrap();
        assert!(reqwest::get(&url).await.is_err(), "nobody answers any more");
    }

    #[tokio::test]
    async fn with_a_certificate_it_is_tls_and_http_1() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = Certificate {
            tls_certificate: Some(folder.path().join("chain.pem")),
            tls_key: Some(folder.path().join("key.pem")),
        };
        std::fs::write(folder.path().join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let door = Door::at("127.0.0.1:0".parse().unwrap(), &certificate).await.unwrap();
        let url = format!("https://localhost:{}", door.address().port());
        tokio::spawn(door.serve(app(), PATIENCE));
        let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().add_root_certificate(root).build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_11);
        assert_eq!(answer.text().await.unwrap(), "here");
        assert!(reqwest::get(&url).await.is_err(), "nobody knows this certificate");
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_there_is_an_error() {
        let certificate = Certificate {
            tls_certificate: Some("no such chain".into()),
            tls_key: Some("no such key".into()),
        };
        let error = Door::at("127.0.0.1:0".parse().unwrap(), &certificate)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error:#}");
    }
}
