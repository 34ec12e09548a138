//! `chartseal-indexer analysts`: which database roles read, and whose rows.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use chartseal_indexer::analysts::{self, PATIENCE, Sight};
use clap::{Args, Subcommand};

use super::Database;

#[derive(Args)]
pub(super) struct Analysts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let a role read: an institution's rows, or all. It is made if there is none, without a login
    ///
    /// It gets the views and tables that analysts read; row security shows it the rows that are its own. Read-only
    /// transactions and a limit on how long a query may take are its defaults, which it can change for itself. Said again
    /// for another institution, it sees the rows of both.
    Add(Add),
    /// Show all roles that read, and whose rows each of them sees
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

#[derive(Args)]
struct Add {
    /// Name of the database role
    role: String,
    #[command(flatten)]
    sight: WhoseRows,
    /// The longest that a query takes, unless the role sets it otherwise
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct WhoseRows {
    /// The institution whose rows it sees: its id, 32 hex digits
    #[arg(long, value_name = "HEX", value_parser = institution)]
    institution: Option<[u8; 16]>,
    /// It sees all rows
    #[arg(long)]
    all: bool,
}

fn institution(text: &str) -> Result<[u8; 16], String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "an institution's id is 32 hex digits".to_owned())
}

impl Analysts {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Add(add) => add.execute().await?,
            Command::List { database } => list(&database.url).await?,
            Command::Remove { role, database } => {
                analysts::remove(&database.url, &role).await?;
                println!("{role} reads nothing of this database any more; DROP ROLE removes the role itself");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Add {
    async fn execute(self) -> anyhow::Result<()> {
        let sight = self.sight.institution.map_or(Sight::All, Sight::Institution);
        let timeout = Duration::from_secs(self.timeout);
        let logs_in = analysts::add(&self.database.url, &self.role, sight, timeout)
            .await
            .with_context(|| format!("{} was not made an analyst", self.role))?;
        let seen = analysts::list(&self.database.url).await?.into_iter();
        for analyst in seen.filter(|analyst| analyst.role == self.role) {
            println!("{} reads: {}", self.role, analyst.sight);
        }
        for more in analysts::writes(&self.database.url, &self.role).await? {
            println!("it may also {more}");
        }
        if !logs_in {
            say_how_to_log_in(&self.role);
        }
        Ok(())
    }
}

pub(super) fn say_how_to_log_in(role: &str) {
    println!(
        "it cannot log in yet. In psql, as an administrator: ALTER ROLE \"{}\" LOGIN; then \\password \"{0}\"",
        role.replace('"', "\"\"")
    );
}

async fn list(url: &str) -> anyhow::Result<()> {
    let analysts = analysts::list(url).await?;
    if analysts.is_empty() {
        println!("no role reads this database: `chartseal-indexer analysts add ROLE`");
    }
    for analyst in analysts {
        let login = match (analyst.exists, analyst.logs_in) {
            (false, _) => "  (there is no such role any more)",
            (true, false) => "  (cannot log in)",
            (true, true) => "",
        };
        println!("{}  {}{login}", analyst.role, analyst.sight);
    }
    Ok(())
}
