//! What needs no chain: the policy, the words, the bytes of events, the layout of accounts, and trees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

mod accounts;
mod errors;
mod events;
mod grant_tree;
mod membership;
mod merkle;
mod policy;
mod vocabulary;
