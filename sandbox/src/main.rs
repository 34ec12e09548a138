//! `chartseal-sandbox`: one process that is a ledger, an Arweave gateway and a Postgres cluster, until it is told to stop.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chartseal_sandbox::{Config, Endpoints, MAX_ITEM_BYTES, MAX_UPLOADS, ProgramSpec, Sandbox};
use clap::Parser;
use solana_address::Address;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is logged unless RUST_LOG says otherwise. LiteSVM reports every failed transaction as an error of its own.
const LOG: &str = "info,litesvm=off";

/// A ledger, an Arweave gateway and a Postgres cluster on this machine, for trying out and testing Chartseal.
#[derive(Debug, Parser)]
#[command(name = "chartseal-sandbox", version)]
struct Options {
    /// The folder that holds everything; a later start on it goes on where the last one ended
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Run without the ledger, for a stack whose ledger is a validator or a cluster
    #[arg(long, conflicts_with_all = ["programs", "upgrade_authority", "slot_time_ms"])]
    no_ledger: bool,
    /// The ledger's port; its WebSocket is on the next one. 0: any free pair
    #[arg(long, value_name = "PORT", default_value_t = 8899)]
    rpc_port: u16,
    /// The gateway's port. 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 8901)]
    gateway_port: u16,
    /// Run without Postgres
    #[arg(long)]
    no_postgres: bool,
    /// A program that the ledger begins with; may be given several times
    #[arg(long = "program", value_name = "ADDRESS:PATH")]
    programs: Vec<ProgramSpec>,
    /// Who may upgrade the programs [default: nobody]
    #[arg(long, value_name = "ADDRESS")]
    upgrade_authority: Option<Address>,
    /// How long a slot is, in milliseconds [default: 400]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    slot_time_ms: Option<u64>,
    /// The largest data item that the gateway takes, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_ITEM_BYTES)]
    max_item_bytes: u64,
    /// Answer 402 to data items that are larger than this, as a gateway does where nobody has paid [default: never]
    #[arg(long, value_name = "BYTES")]
    charge_above: Option<u64>,
    /// How many uploads the gateway takes at once; others are answered 429
    #[arg(long, value_name = "N", default_value_t = MAX_UPLOADS)]
    max_uploads: usize,
    /// A file to write the endpoints to, as JSON, once everything is up
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Print the endpoints as one line of JSON, and log as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    start_logging(options.json);
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_logging(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}

#[tokio::main]
async fn run(options: Options) -> anyhow::Result<()> {
    // Before anything is started, so that no signal finds us unprepared.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let json = options.json;
    let ready_file = options.ready_file.clone();

    let mut sandbox = tokio::select! {
        sandbox = Sandbox::start(options.into()) => sandbox?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    print(sandbox.endpoints(), json)?;
    let failure = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        error = sandbox.failed() => Some(error),
    };
    tracing::info!("stopping");
    if let Some(path) = ready_file {
        // It says that something is there to talk to, which is about to end. A later start writes it anew.
        let _ = std::fs::remove_file(path);
    }
    sandbox.stop().await?;
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn print(endpoints: &Endpoints, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(endpoints)?)?;
        return Ok(out.flush()?);
    }
    let Endpoints {
        rpc,
        ws,
        gateway,
        database,
        genesis_hash,
        pid: _,
    } = endpoints;
    let parts = [
        ("ledger", rpc.as_deref()),
        ("events", ws.as_deref()),
        ("gateway", Some(gateway.as_str())),
        ("database", database.as_deref()),
        ("genesis", genesis_hash.as_deref()),
    ];
    for (name, place) in parts {
        if let Some(place) = place {
            writeln!(out, "{name:<9} {place}")?;
        }
    }
    Ok(out.flush()?)
}

impl From<Options> for Config {
    fn from(options: Options) -> Self {
        Self {
            ledger: !options.no_ledger,
            rpc_port: options.rpc_port,
            gateway_port: options.gateway_port,
            postgres: !options.no_postgres,
            programs: options.programs,
            upgrade_authority: options.upgrade_authority,
            slot_time_ms: options.slot_time_ms,
            max_item_bytes: options.max_item_bytes,
            charge_above: options.charge_above,
            max_uploads: options.max_uploads,
            ready_file: options.ready_file,
            ..Self::new(options.data)
        }
    }
}
