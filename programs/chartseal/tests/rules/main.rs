//! What needs no chain: the policy, the words, the bytes of events and the layout of accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

mod accounts;
mod errors;
mod events;
mod merkle;
mod policy;
mod vocabulary;
