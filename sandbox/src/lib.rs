//! Everything that Chartseal needs, on one machine: a ledger, an Arweave gateway and a Postgres cluster, all on loopback
//! or a private socket, each behind the protocol of the real one. A client cannot tell, so tests run what production runs.
//!
//! [`Sandbox::start`] brings all of it up from one folder and [`Sandbox::stop`] takes it down; the program
//! `chartseal-sandbox` is these two with a command line. What was answered survives `kill -9` and comes back with
//! the next start on the same folder.

mod config;
mod error;
mod folder;
mod gateway;
mod ledger;
mod postgres;
mod rpc;
mod sandbox;

pub use config::{Config, MAX_ITEM_BYTES, MAX_UPLOADS, ProgramSpec};
pub use error::Error;
pub use folder::FolderError;
pub use ledger::{JournalError, LedgerError};
pub use postgres::{Postgres, PostgresConfig, PostgresError};
pub use sandbox::{Endpoints, Sandbox};
