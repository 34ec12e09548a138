//! `webhooks`: where notifications are posted to.

use std::{path::PathBuf, process::ExitCode};

use chartseal_indexer::notify;
use clap::{Args, Subcommand};

use super::{Database, Whose};

#[derive(Args)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add one, which gets what comes from now on
    Add(Add),
    /// Show all, by their hosts, and what they did not take
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Remove one, with what waits for it. Its files stay
    Remove {
        /// Its number, as `list` shows it
        id: i64,
        #[command(flatten)]
        database: Database,
    },
    /// Try again, at once, what one did not take, also what was given up
    Retry {
        /// Its number, as `list` shows it
        id: i64,
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Args)]
struct Add {
    /// The file that says where to post, https://host/path. There may be a secret of the receiver's in it: it is read again
    /// for each delivery and stored nowhere else, and only its owner, who runs the indexer, may be able to read it
    #[arg(long, value_name = "FILE")]
    url_file: PathBuf,
    #[command(flatten)]
    whose: Whose,
    /// The file with the secret that deliveries are signed with, likewise. It is made where there is none
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Take addresses that are not public, and http:// on this machine
    #[arg(long)]
    allow_private: bool,
    #[command(flatten)]
    database: Database,
}

impl Webhooks {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Add(add) => add.execute().await?,
            Command::List { database } => list(&database.url).await?,
            Command::Remove { id, database } => {
                notify::remove(&database.url, id).await?;
                println!("webhook {id} gets nothing any more");
            }
            Command::Retry { id, database } => {
                let again = notify::retry(&database.url, id).await?;
                println!("{again} notifications are tried again");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Add {
    async fn execute(self) -> anyhow::Result<()> {
        let audience = self.whose.audience();
        let (id, made) = notify::add(
            &self.database.url,
            &self.url_file,
            audience,
            &self.secret_file,
            self.allow_private,
        )
        .await?;
        println!("webhook {id} gets the notifications of: {audience}");
        if made {
            println!(
                "its secret was made: give the receiver what is in {}",
                self.secret_file.display()
            );
        }
        Ok(())
    }
}

async fn list(url: &str) -> anyhow::Result<()> {
    let webhooks = notify::list(url).await?;
    if webhooks.is_empty() {
        println!("there is no webhook: `chartseal-indexer webhooks add`");
    }
    for webhook in webhooks {
        println!(
            "{}  {}  {}  waiting {}  given up {}",
            webhook.id, webhook.origin, webhook.audience, webhook.waiting, webhook.dead
        );
        if let Some(problem) = webhook.problem {
            println!("   {problem}");
        }
    }
    Ok(())
}
