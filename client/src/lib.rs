//! Chartseal: medical records that a patient controls. Files are sealed on the machine where they are made, kept on
//! Arweave, and opened only by those whom a Solana program allows; every decision stands in a log that cannot be
//! shortened unnoticed.
//!
//! This crate is the SDK and the CLI of the same name. [`client`] is where to begin. Read the rest from the bottom up:
//! [`keys`] holds who somebody is, [`media`] turns a file into frames, [`seal`] turns frames into ciphertext that proves
//! what it is, and [`store`] keeps ciphertext on gateways and wrapped keys in key stores. [`ledger`] asks and tells the
//! chain, and [`ops`] is what people do with all of it.

mod backoff;
#[doc(hidden)]
pub mod cli;
pub mod client;
mod crypto;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hexed;
pub mod keys;
pub mod ledger;
pub mod media;
pub mod ops;
pub mod seal;
pub mod store;

pub use client::Client;
pub use crypto::CryptoError;
