//! `services`: which database roles the HTTP service and the deliveries to webhooks run under.

use std::process::ExitCode;

use anyhow::Context;
use chartseal_indexer::{analysts, services};
use clap::Subcommand;

use super::Database;

#[derive(Subcommand)]
pub(super) enum Services {
    /// Let a role serve. It is made if there is none, without a login
    ///
    /// It reads tokens and notifications, notes what was delivered to webhooks, and acts as the roles of all tokens, those to
    /// come too. Of what was indexed it reads by itself only the notifications of the last 30 days (ids, kinds and times, of
    /// everybody), and it writes nothing of it. Give its URL to `serve` as --database, and to `run` as --service-database.
    Add {
        /// Name of the database role
        role: String,
        #[command(flatten)]
        database: Database,
    },
    /// Show all roles that serve
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Take from a role all that it was given by `add`. The role itself stays
    Remove {
        /// Name of the database role
        role: String,
        #[command(flatten)]
        database: Database,
    },
}

impl Services {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add { role, database } => add(&database.url, &role).await?,
            Self::List { database } => list(&database.url).await?,
            Self::Remove { role, database } => {
                services::remove(&database.url, &role).await?;
                println!("{role} serves nothing of this database any more; DROP ROLE removes the role itself");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn add(database: &str, role: &str) -> anyhow::Result<()> {
    let logs_in = services::add(database, role)
        .await
        .with_context(|| format!("{role} was not let serve"))?;
    println!("{role} serves: it acts as the roles of tokens, and delivers to webhooks");
    for more in analysts::writes(database, role).await? {
        println!("it may also {more}");
    }
    if !logs_in {
        super::analysts::say_how_to_log_in(role);
    }
    Ok(())
}

async fn list(database: &str) -> anyhow::Result<()> {
    let services = services::list(database).await?;
    if services.is_empty() {
        println!("no role serves this database but its owner: `chartseal-indexer services add ROLE`");
    }
    for service in services {
        let login = if service.logs_in { "" } else { "  (cannot log in)" };
        println!("{}{login}", service.role);
    }
    Ok(())
}
