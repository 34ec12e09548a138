//! The command line. Each command is a file: its options, and what it does.
//!
//! Exit codes: 0 done (or whole and up to date), 1 error, 3 the database does not hold what the ledger does, 4 it holds
//! what was read, but the ledger has more: run the indexer and verify again.

mod analysts;
mod audit;
mod fhir;
mod hearing;
mod http;
mod reconcile;
mod run;
mod serve;
mod services;
mod tokens;
mod verify;
mod webhooks;

use std::process::ExitCode;

use chartseal_indexer::notify::Audience;
use clap::{Args, Parser, Subcommand};

/// Puts every event of the Chartseal program into Postgres, once, and proves that none is missing.
#[derive(Parser)]
#[command(name = "chartseal-indexer", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Index until stopped. Goes on by itself after the node or Postgres were away.
    Run(run::Run),
    /// Bring the database's schema up to date.
    Migrate {
        #[command(flatten)]
        database: Database,
    },
    /// Give what the log and the grants say to programs that speak HL7 FHIR
    #[command(subcommand)]
    Fhir(fhir::Fhir),
    /// Show that the database holds what the ledger holds, or say what it does not.
    ///
    /// Exit codes: 0 whole and up to date; 1 error, nothing can be said; 3 broken: something is missing, altered or
    /// added; 4 behind: the ledger has events that were not read. Run the indexer then, and verify again: a database
    /// that was set back to an earlier state is behind too.
    Verify(verify::Verify),
    /// Compare every account of the program with its rows, field by field and both ways.
    ///
    /// Exit codes: 0 they say the same; 1 error, nothing can be said; 3 something differs; 4 something moves on one side
    /// while the other is read, or was not indexed yet.
    Reconcile(reconcile::Reconcile),
    /// Logs with their proofs, for whoever has neither a node nor a database.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Answer questions over HTTP, without indexing: on a read replica, for example.
    ///
    /// GET /openapi.json says what can be asked. Callers show a token of `chartseal-indexer tokens add`. It needs a database
    /// role that `chartseal-indexer services add` let serve, and no other.
    Serve(serve::Serve),
    /// Say which database roles may read, and whose rows.
    Analysts(analysts::Analysts),
    /// Say which database roles the HTTP service and the deliveries to webhooks run under.
    #[command(subcommand)]
    Services(services::Services),
    /// Who may ask the HTTP service.
    Tokens(tokens::Tokens),
    /// Where notifications are posted to. A running `chartseal-indexer run` delivers them.
    Webhooks(webhooks::Webhooks),
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

/// Whose rows, or whose notifications.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Those of this institution: its id, 32 hex digits
    #[arg(long, value_name = "HEX", value_parser = id)]
    institution: Option<[u8; 16]>,
    /// Those of this patient: its id, 32 hex digits
    #[arg(long, value_name = "HEX", value_parser = id)]
    patient: Option<[u8; 16]>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Whose {
    fn audience(&self) -> Audience {
        match (self.institution, self.patient) {
            (Some(id), _) => Audience::Institution(id),
            (None, Some(id)) => Audience::Patient(id),
            (None, None) => Audience::All,
        }
    }
}

/// How settled a transaction must be to be looked at.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Commitment {
    /// Two thirds of the stake voted for its block, which can still be dropped
    Confirmed,
    /// Its block stays; some 13 seconds later
    Finalized,
}

impl From<Commitment> for chartseal_indexer::source::Commitment {
    fn from(commitment: Commitment) -> Self {
        match commitment {
            Commitment::Confirmed => Self::Confirmed,
            Commitment::Finalized => Self::Finalized,
        }
    }
}

impl Cli {
    /// Does what was asked for.
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(run) => run.execute().await,
            Command::Migrate { database } => {
                chartseal_indexer::migrate(&database.url).await?;
                println!("the schema is up to date");
                Ok(ExitCode::SUCCESS)
            }
            Command::Fhir(fhir) => fhir.execute().await,
            Command::Verify(verify) => verify.execute().await,
            Command::Reconcile(reconcile) => reconcile.execute().await,
            Command::Audit(audit) => audit.execute().await,
            Command::Serve(serve) => serve.execute().await,
            Command::Analysts(analysts) => analysts.execute().await,
            Command::Services(services) => services.execute().await,
            Command::Tokens(tokens) => tokens.execute().await,
            Command::Webhooks(webhooks) => webhooks.execute().await,
        }
    }
}

/// An id as people write it.
fn id(text: &str) -> Result<[u8; 16], String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "an id has 32 hexadecimal digits".to_owned())
}
