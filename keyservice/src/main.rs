//! `chartseal-keyservice`: see the library.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Address, Handle, Server};
use chartseal::store::FolderKeyStore;
use chartseal::store::keystore::remote::signature::now;
use chartseal_keyservice::{Doorman, Pace, Service, router};
use clap::Parser;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is under way may end before the service does.
const GRACE: Duration = Duration::from_secs(10);

/// Keeps wrapped keys for several machines, and releases one to a reader whom the chain allowed.
#[derive(Debug, Parser)]
#[command(name = "chartseal-keyservice", version, max_term_width = 100)]
struct Args {
    /// Where to listen. Without a certificate only on this machine.
    #[arg(
        long,
        env = "CHARTSEAL_KEYSERVICE_LISTEN",
        default_value = "127.0.0.1:8903",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
    /// What callers have in their address, as host or host:port [default: where it listens]. May be given several times: a
    /// call that was signed for another name is refused. One service at a time goes by a name: two would not know of each
    /// other which calls were made before.
    #[arg(
        long,
        env = "CHARTSEAL_KEYSERVICE_AUTHORITY",
        value_delimiter = ',',
        value_name = "HOST[:PORT]"
    )]
    authority: Vec<String>,
    /// The folder that keeps the envelopes.
    #[arg(long, env = "CHARTSEAL_KEY_STORE", value_name = "FOLDER")]
    key_store: PathBuf,
    /// The ledger's JSON-RPC address.
    #[arg(
        long,
        env = "CHARTSEAL_RPC_URL",
        default_value = "http://127.0.0.1:8899",
        value_name = "URL"
    )]
    rpc: String,
    /// An institution whose doctors, nurses, technicians and authority may store and rearrange envelopes, by its id. May be
    /// given several times.
    #[arg(long, env = "CHARTSEAL_KEYSERVICE_INSTITUTIONS", value_delimiter = ',', value_parser = id, value_name = "ID")]
    institution: Vec<[u8; 16]>,
    /// The certificate chain, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Calls that a wallet may make in a second, in the long run.
    #[arg(long, default_value_t = Pace::default().per_second, value_name = "N")]
    calls_per_second: NonZeroU32,
    /// Calls that a wallet may make at once, after a rest.
    #[arg(long, default_value_t = Pace::default().burst, value_name = "N")]
    burst: NonZeroU32,
    /// Envelopes and shares that may be stored in an hour, in the long run, for all patients together by those who are no
    /// staff: patients, delegates, and who shares or holds shares. A quarter of it for each patient; four hours' at once.
    /// What replaces something is not counted.
    #[arg(long, default_value = "2000", value_name = "N")]
    others_per_hour: NonZeroU32,
    /// Seconds that the head of a request may take, and then its body; and for which a connection may say nothing.
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    patience: NonZeroU32,
    /// One JSON object a line in the log.
    #[arg(long)]
    json: bool,
}

fn id(text: &str) -> Result<[u8; 16], String> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).map_err(|_| "an id has 32 hexadecimal digits".to_owned())?;
    Ok(id)
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if args.json {
        log.json().init();
    } else {
        log.init();
    }

    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            // Two libraries of this program bring a provider each, so one has to be named.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let tls = RustlsConfig::from_pem_file(certificate, key).await;
            let tls = tls.context("cannot read the certificate or its key")?;
            let mut only_http1 = tls.get_inner().as_ref().clone();
            only_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(RustlsConfig::from_config(Arc::new(only_http1)))
        }
        _ if args.listen.ip().is_loopback() => None,
        _ => bail!(
            "{} can be reached from elsewhere: name a certificate (--tls-certificate and --tls-key), or listen on 127.0.0.1",
            args.listen
        ),
    };
    let listener =
        std::net::TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    listener.set_nonblocking(true).context("cannot listen")?;
    let address = listener.local_addr().context("cannot listen")?;
    let authorities = if args.authority.is_empty() {
        vec![address.to_string()]
    } else {
        args.authority.clone()
    };
    let keys = FolderKeyStore::open(&args.key_store).context("cannot open the key store")?;
    let service = Service::new(keys, &args.rpc, args.institution.clone(), args.others_per_hour);
    let pace = Pace {
        per_second: args.calls_per_second,
        burst: args.burst,
    };
    let doorman = Doorman::new(&authorities, pace, now());
    let patience = Duration::from_secs(args.patience.get().into());
    let app = router(service, doorman, patience).into_make_service();

    let handle = Handle::new();
    tokio::spawn(end_with(handle.clone()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, scheme, names = authorities.join(", "), "listening");
    println!("{scheme}://{address}");
    match tls {
        Some(tls) => {
            let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
            limited(server, patience).serve(app).await
        }
        None => {
            let server = axum_server::from_tcp(listener)?.handle(handle);
            limited(server, patience).serve(app).await
        }
    }
    .context("the service ended")
}

/// Whoever takes long to say what it wants is not waited for. HTTP/1 only: there the clock runs from a connection's beginning
/// and between its calls, and one connection has one call at a time.
fn limited<A: Address, T>(server: Server<A, T>, patience: Duration) -> Server<A, T> {
    let mut server = server.http1_only().first_request_timeout(patience);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    server
}

/// Ends the service in good order when it is told to.
async fn end_with(handle: Handle<SocketAddr>) {
    let mut asked = match signal(SignalKind::terminate()) {
        Ok(asked) => asked,
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGTERM");
            return;
        }
    };
    tokio::select! {
        _ = asked.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("ending");
    handle.graceful_shutdown(Some(GRACE));
}
