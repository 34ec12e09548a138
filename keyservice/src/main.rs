//! `chartseal-keyservice`: see the library.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chartseal::store::FolderKeyStore;
use chartseal::store::keystore::{RELEASES_PER_EPOCH, remote::signature::now};
use chartseal_keyservice::{Doorman, Service, router};
use chartseal_serving::{Certificate, Door, Pace};
use clap::Parser;

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
    #[command(flatten)]
    certificate: Certificate,
    #[command(flatten)]
    pace: Pace,
    /// Envelopes and shares that may be stored in an hour, in the long run, for all patients together by those who are no
    /// staff: patients, delegates, and who shares or holds shares. A quarter of it for each patient; four hours' at once.
    /// What replaces something is not counted.
    #[arg(long, default_value = "2000", value_name = "N")]
    others_per_hour: NonZeroU32,
    /// How often in an hour one reader without a name gets the keys of one record. Proofs of access tell such readers apart,
    /// and nothing else about them.
    #[arg(long, default_value_t = RELEASES_PER_EPOCH, value_name = "N")]
    releases_per_epoch: NonZeroU32,
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
    chartseal_serving::log(args.json);
    let door = Door::at(args.listen, &args.certificate).await?;
    let authorities = if args.authority.is_empty() {
        vec![door.address().to_string()]
    } else {
        args.authority.clone()
    };
    let keys = FolderKeyStore::open(&args.key_store).context("cannot open the key store")?;
    let keys = keys.releasing_at_most(args.releases_per_epoch);
    let service = Service::new(keys, &args.rpc, args.institution.clone(), args.others_per_hour);
    let doorman = Doorman::new(&authorities, args.pace, now());
    let patience = Duration::from_secs(args.patience.get().into());
    let app = router(service, doorman, patience);

    let url = door.url();
    tracing::info!(url, names = authorities.join(", "), "listening");
    println!("{url}");
    door.serve(app, patience).await
}
