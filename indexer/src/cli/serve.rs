//! `serve`: the query API alone.

use std::{net::SocketAddr, process::ExitCode};

use clap::Args;

use super::{
    Database,
    http::{Beside, Http},
    run::stop_on_signals,
};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    database: Database,
    /// Where to listen. Without a certificate only on this machine
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8905")]
    listen: SocketAddr,
    #[command(flatten)]
    http: Http,
}

impl Serve {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        let stop = stop_on_signals()?;
        let door = self.http.door(self.listen).await?;
        println!("{}", door.url());
        self.http
            .answer(door, &self.database.url, Beside::default(), &stop)
            .await?;
        Ok(ExitCode::SUCCESS)
    }
}
