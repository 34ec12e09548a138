//! `chartseal-relayer`: see the library.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Address, Handle, Server};
use chartseal::keys::{Identity, Passphrase, WalletKey};
use chartseal_relayer::{Limits, Pace, Service, router};
use clap::Parser;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

/// What is under way may end before the service does.
const GRACE: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
const HEADERS: Duration = Duration::from_secs(10);
/// The longest passphrase, in bytes.
const PASSPHRASE: u64 = 4_096;

/// Pays fee and rent of Chartseal's transactions for wallets that hold no SOL, within a budget.
#[derive(Debug, Parser)]
#[command(name = "chartseal-relayer", version, max_term_width = 100)]
struct Args {
    /// Where to listen. Without a certificate only on this machine.
    #[arg(
        long,
        env = "CHARTSEAL_RELAYER_LISTEN",
        default_value = "127.0.0.1:8904",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
    /// The ledger's JSON-RPC address.
    #[arg(
        long,
        env = "CHARTSEAL_RPC_URL",
        default_value = "http://127.0.0.1:8899",
        value_name = "URL"
    )]
    rpc: String,
    /// The keys of the wallet that pays: an identity, or a keypair file of the Solana CLI. Use a wallet that does nothing else,
    /// and give it little more than it spends.
    #[arg(long, env = "CHARTSEAL_RELAYER_KEY", value_name = "FILE")]
    key: PathBuf,
    /// Read the identity's passphrase from the first line of a file. Otherwise it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The most that a transaction may cost, rent included.
    #[arg(long, default_value_t = 50_000_000, value_name = "LAMPORTS")]
    max_lamports: u64,
    /// The most that is paid for one wallet in a day (UTC).
    #[arg(long, default_value_t = 1_000_000_000, value_name = "LAMPORTS")]
    lamports_per_signer: u64,
    /// The most that is paid in a day (UTC). Wallets cost nothing to make, so this bounds what strangers can take.
    #[arg(long, default_value_t = 10_000_000_000, value_name = "LAMPORTS")]
    lamports_per_day: u64,
    /// The highest priority fee for a compute unit, in millionths of a lamport.
    #[arg(long, default_value_t = 1_000_000, value_name = "PRICE")]
    max_price: u64,
    /// The certificate chain, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Calls that a wallet may make in a second, in the long run. An address may make ten times as many.
    #[arg(long, default_value_t = Pace::default().per_second, value_name = "N")]
    calls_per_second: NonZeroU32,
    /// Calls that a wallet may make at once, after a rest.
    #[arg(long, default_value_t = Pace::default().burst, value_name = "N")]
    burst: NonZeroU32,
    /// One JSON object a line in the log.
    #[arg(long)]
    json: bool,
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
            let mut config = (*tls.get_inner()).clone();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(RustlsConfig::from_config(Arc::new(config)))
        }
        _ if args.listen.ip().is_loopback() => None,
        _ => bail!(
            "{} can be reached from elsewhere: name a certificate (--tls-certificate and --tls-key), or listen on 127.0.0.1",
            args.listen
        ),
    };
    let key = wallet(&args.key, args.passphrase_file.as_deref())
        .with_context(|| format!("cannot take the key in {}", args.key.display()))?;
    let limits = Limits {
        each: args.max_lamports,
        signer: args.lamports_per_signer,
        day: args.lamports_per_day,
    };
    let pace = Pace {
        per_second: args.calls_per_second,
        burst: args.burst,
    };
    let service = Service::new(key, args.rpc, limits, args.max_price, pace)?;
    let payer = service.payer();
    let listener =
        std::net::TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    listener.set_nonblocking(true).context("cannot listen")?;
    let address = listener.local_addr().context("cannot listen")?;
    let app = router(service, pace).into_make_service_with_connect_info::<SocketAddr>();

    let handle = Handle::new();
    tokio::spawn(end_with(handle.clone()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, scheme, %payer, "listening");
    println!("{scheme}://{address}");
    match tls {
        Some(tls) => {
            let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
            limited(server).serve(app).await
        }
        None => {
            let server = axum_server::from_tcp(listener)?.handle(handle);
            limited(server).serve(app).await
        }
    }
    .context("the relayer ended")
}

/// The wallet in a keypair file of the Solana CLI, or in an identity.
fn wallet(path: &Path, passphrase_file: Option<&Path>) -> Result<WalletKey> {
    let mut first = [0];
    File::open(path)?.read_exact(&mut first)?;
    // A list of numbers.
    if first == *b"[" {
        return Ok(WalletKey::import_solana_file(path)?);
    }
    let passphrase = match passphrase_file {
        Some(file) => first_line(file)?,
        None => {
            let typed = rpassword::prompt_password("Passphrase of the relayer's identity: ");
            Zeroizing::new(typed.context("cannot ask for a passphrase here; use --passphrase-file")?)
        }
    };
    Ok(Identity::load(path, &Passphrase::new(passphrase.as_bytes())?)?.wallet)
}

fn first_line(path: &Path) -> Result<Zeroizing<String>> {
    let what = || format!("cannot read the passphrase file {}", path.display());
    // Of its full size at once: what grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(usize::try_from(PASSPHRASE)? + 1));
    let file = File::open(path).with_context(what)?;
    BufReader::new(file.take(PASSPHRASE))
        .read_line(&mut line)
        .with_context(what)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

/// Whoever takes long to say what it wants is not waited for. HTTP/1 only: there the clock runs from a connection's beginning
/// and between its calls, and one connection has one call at a time.
fn limited<A: Address, T>(server: Server<A, T>) -> Server<A, T> {
    let mut server = server.http1_only().first_request_timeout(HEADERS);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
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
