//! What needs no chain: the policy, the words, the bytes of events and the layout of accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod errors;
mod events;
mod policy;
mod vocabulary;
