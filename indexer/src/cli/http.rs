//! How the HTTP service is reached, as options of the commands that have one.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use anyhow::{Result, bail};
use chartseal_indexer::{
    Progress,
    metrics::Exporter,
    serve::{Access, Options, Service},
    verify::VerificationState,
};
use chartseal_serving::{Certificate, Door};
use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take, and for how long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(next_help_heading = "HTTP service")]
pub(super) struct Http {
    #[command(flatten)]
    certificate: Certificate,
    /// Ask for no tokens: whoever reaches the service sees what its database role sees as an analyst. On this machine only
    #[arg(long)]
    open: bool,
    /// The longest that a question may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    query_seconds: u64,
    /// Connections to the database that questions take, at most
    #[arg(long, value_name = "N", default_value = "8")]
    query_connections: NonZeroU32,
}

/// What goes on in the process beside the service.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) progress: Option<watch::Receiver<Progress>>,
    pub(super) verification: Option<watch::Receiver<VerificationState>>,
}

impl Http {
    /// Takes the address, before anything else is begun.
    pub(super) async fn door(&self, listen: SocketAddr) -> Result<Door> {
        if self.open && !listen.ip().is_loopback() {
            bail!(
                "{listen} can be reached from elsewhere: --open is for 127.0.0.1; without it callers show tokens (`chartseal-indexer tokens add`)"
            );
        }
        Door::at(listen, &self.certificate).await
    }

    /// Answers until it is to stop.
    pub(super) async fn answer(
        &self,
        door: Door,
        database: &str,
        beside: Beside,
        stop: &CancellationToken,
    ) -> Result<()> {
        let access = if self.open { Access::Open } else { Access::Tokens };
        let options = Options {
            patience: Duration::from_secs(self.query_seconds),
            connections: self.query_connections.get(),
            stop: stop.clone(),
            progress: beside.progress,
            verification: beside.verification,
            ..Options::new(database, access)
        };
        let service = Service::new(options, Exporter::install()?)?;
        let url = door.url();
        tracing::info!(url, "listening");
        let stopped = stop.clone().cancelled_owned();
        door.serve_until(service.router(), PATIENCE, stopped).await
    }
}
