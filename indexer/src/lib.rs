//! Puts every event of the Chartseal program into Postgres, once and in order, and proves that none is missing.
//!
//! [`source`] reads confirmed transactions from an RPC node, [`decode`] finds the program's events in them, [`sink`]
//! writes rows and checkpoint in one database transaction, and [`verify()`] shows that what Postgres holds is what the
//! ledger holds. [`Indexer`] drives the first three and outlives a node or a database that goes away for a while.
//!
//! [`analysts`] says which database roles may read whose rows, and [`services`] which ones may answer and notify others.
//!
//! Nothing here decides what an event means: its fields, words and hashes are those of the program's own crate.

mod error;
mod ingest;
mod outage;

pub mod analysts;
pub mod audit;
pub mod decode;
pub mod fhir;
pub mod metrics;
pub mod notify;
pub mod reconcile;
pub mod serve;
pub mod services;
pub mod sink;
pub mod source;
pub mod verify;

pub use error::Error;
pub use ingest::{Health, Indexer, Options, Progress, Stats};
pub use sink::migrate;
pub use verify::{Report, Scope, Verdict, verify, verify_at};
