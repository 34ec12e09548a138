//! `chartseal-relayer`: see the library.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use chartseal::keys::{Identity, Passphrase, WalletKey};
use chartseal_relayer::{Limits, Service, router};
use chartseal_serving::{Certificate, Door, Pace};
use clap::Parser;

/// How long the head of a request may take.
const HEADERS: Duration = Duration::from_secs(10);

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
    #[command(flatten)]
    certificate: Certificate,
    // An address may make ten times as many.
    #[command(flatten)]
    pace: Pace,
    /// One JSON object a line in the log.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    chartseal_serving::log(args.json);
    let key = wallet(&args.key, args.passphrase_file.as_deref())
        .with_context(|| format!("cannot take the key in {}", args.key.display()))?;
    let limits = Limits {
        each: args.max_lamports,
        signer: args.lamports_per_signer,
        day: args.lamports_per_day,
    };
    let service = Service::new(key, args.rpc, limits, args.max_price, args.pace)?;
    let payer = service.payer();
    let door = Door::at(args.listen, &args.certificate).await?;
    let app = router(service, args.pace);

    let url = door.url();
    tracing::info!(url, %payer, "listening");
    println!("{url}");
    door.serve(app, HEADERS).await
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
        Some(file) => Passphrase::from_file(file)?,
        None => {
            let typed = rpassword::prompt_password("Passphrase of the relayer's identity: ");
            Passphrase::new(typed.context("cannot ask for a passphrase here; use --passphrase-file")?)?
        }
    };
    Ok(Identity::load(path, &passphrase)?.wallet)
}
