//! `chartseal-indexer`: runs the indexer, brings a database up to date, or verifies what it holds.
//!
//! Exit codes: 0 done (or whole and up to date), 1 error, 3 the database does not hold what the ledger does, 4 it holds
//! what was read, but the ledger has more: run the indexer and verify again.

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use anyhow::Context;
use chartseal_indexer::{Indexer, Options, Scope, Verdict, sink::Lock};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The database does not hold what the ledger does.
const BROKEN: u8 = 3;
/// What was read is as on the ledger, but the ledger has more. A database that was set back looks like this too.
const BEHIND: u8 = 4;

/// Puts every event of the Chartseal program into Postgres, once, and proves that none is missing.
#[derive(Parser)]
#[command(name = "chartseal-indexer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Index until stopped. Goes on by itself after the node or Postgres were away.
    Run(Run),
    /// Bring the database's schema up to date.
    Migrate {
        #[command(flatten)]
        database: Database,
    },
    /// Show that the database holds what the ledger holds, or say what it does not.
    ///
    /// Exit codes: 0 whole and up to date; 1 error, nothing can be said; 3 broken: something is missing, altered or
    /// added; 4 behind: the ledger has events that were not read. Run the indexer then, and verify again: a database
    /// that was set back to an earlier state is behind too.
    Verify(Verify),
}

#[derive(Args)]
struct Database {
    /// URL of the database, such as postgres://user@host/chartseal or postgres:///chartseal?host=/folder/of/socket
    #[arg(
        long = "database",
        env = "CHARTSEAL_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: String,
}

#[derive(Args)]
struct Run {
    /// URL of a Solana node's JSON-RPC
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// Read the ledger from its beginning once more; what is stored is compared and not stored again
    #[arg(long)]
    from_start: bool,
    /// How long to wait before looking for new transactions
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 400)]
    poll_ms: u64,
    /// Index what the ledger has now and end. Fails where the node or Postgres are away
    #[arg(long)]
    once: bool,
}

#[derive(Args)]
struct Verify {
    /// URL of a Solana node's JSON-RPC, with the program's whole history
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// Do not read the ledger's transactions again: prove the events by their chains, and take slots, blocks and
    /// signatures on trust
    #[arg(long)]
    quick: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match execute(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(arguments) => run(arguments).await,
        Command::Migrate { database } => {
            chartseal_indexer::migrate(&database.url).await?;
            println!("the schema is up to date");
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(arguments) => verify(arguments).await,
    }
}

async fn run(arguments: Run) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let mut indexer = Indexer::new(Options {
        from_start: arguments.from_start,
        poll: Duration::from_millis(arguments.poll_ms),
        lock: if arguments.once { Lock::Refuse } else { Lock::Wait },
        ..Options::new(&arguments.rpc, &arguments.database.url)
    });
    let outcome = match arguments.once {
        true => indexer.catch_up(&stop).await,
        false => indexer.run(&stop).await,
    };
    let stats = indexer.stats();
    tracing::info!(
        transactions = stats.transactions,
        failed = stats.failed,
        events = stats.events,
        known = stats.known,
        look_alikes = stats.look_alikes,
        "ended"
    );
    outcome?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(arguments: Verify) -> anyhow::Result<ExitCode> {
    let scope = if arguments.quick { Scope::Rows } else { Scope::Ledger };
    let report = chartseal_indexer::verify(&arguments.rpc, &arguments.database.url, scope).await?;
    match arguments.json {
        true => println!("{}", serde_json::to_string(&report).context("the report as JSON")?),
        false => println!("{report}"),
    }
    Ok(match report.verdict() {
        Verdict::Whole => ExitCode::SUCCESS,
        Verdict::Behind => BEHIND.into(),
        Verdict::Broken => BROKEN.into(),
    })
}

/// SIGINT and SIGTERM end the indexer after the batch that it is writing.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(stop)
}
