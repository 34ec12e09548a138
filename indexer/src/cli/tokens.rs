//! `tokens`: who may ask the HTTP service.

use std::process::ExitCode;

use chartseal_indexer::serve::tokens;
use clap::{Args, Subcommand};

use super::{Database, Whose};

#[derive(Args)]
pub(super) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make one, and print it. It is shown this once
    ///
    /// It acts as a database role that is an analyst (`chartseal-indexer analysts`), which is made if there is none:
    /// chartseal_api_, the database's number, and _all or the institution's id. The roles of `chartseal-indexer services`
    /// are let act as it.
    Add {
        #[command(flatten)]
        whose: Whose,
        /// Who it is for: no secret, and nothing about a patient
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        #[command(flatten)]
        database: Database,
    },
    /// Show all, without the tokens themselves
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Let one count no more
    Revoke {
        /// Its number, as `list` shows it
        id: i64,
        #[command(flatten)]
        database: Database,
    },
}

impl Tokens {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Add { whose, label, database } => {
                let audience = whose.audience();
                let made = tokens::add(&database.url, &label, audience).await?;
                eprintln!("token {} sees: {audience} (as database role {})", made.id, made.role);
                println!("{}", made.token.as_str());
            }
            Command::List { database } => {
                let all = tokens::list(&database.url).await?;
                if all.is_empty() {
                    println!("there is no token: `chartseal-indexer tokens add`");
                }
                for token in all {
                    let revoked = if token.is_revoked { "  (revoked)" } else { "" };
                    println!(
                        "{}  {}  {}  {}{revoked}",
                        token.id, token.made_at, token.audience, token.label
                    );
                }
            }
            Command::Revoke { id, database } => {
                tokens::revoke(&database.url, id).await?;
                println!("token {id} counts no more");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
