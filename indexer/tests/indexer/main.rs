//! The indexer on a real Postgres, fed by a node that lies, fails and goes away on demand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod analysts;
mod audit;
mod chain_end;
mod cluster;
mod decoding;
mod fhir;
mod forks;
mod health;
mod indexing;
mod ledger;
mod node;
mod notifying;
mod outages;
mod pending;
mod program;
mod promoted;
mod queries;
mod readers;
mod schema;
mod services;
mod serving;
mod source;
mod speaker;
mod state;
mod story;
mod sums;
mod taken_back;
mod tampering;
mod trees;
mod wake;
mod watching;
mod webhooks;
#[cfg(feature = "yellowstone")]
mod yellowstone;
