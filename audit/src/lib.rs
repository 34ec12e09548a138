//! A log with its proofs in one file, for whoever has neither a node nor a database: what it holds, how it is written,
//! and how it is checked.
//!
//! [`Audit`] is the content, [`write()`] makes a file of it, and [`check()`] gives it back only where nothing in it
//! contradicts itself: every hash chain is recomputed from its beginning to the head that the ledger had. That is what
//! the file proves by itself; who demands its signature knows besides that whoever holds that key wrote it so. The
//! bytes are described in `docs/audit-file.md`.

mod check;
mod error;
mod file;
mod key;
mod names;

pub use check::{Checked, check};
pub use error::CheckError;
pub use file::{Audit, ExportedChain, Frontier, Placed, Subject, VERSION, write};
pub use key::{KeyError, new_keypair, signing_key};
pub use names::{Mentions, Names};

pub use ed25519_dalek::SigningKey;
