//! What must hold whatever bytes come: one function a parser, which takes any bytes and panics where a promise is
//! broken. `cargo xtask soak media` lets libFuzzer look for such bytes; the inputs that it found worth keeping are in
//! `corpus`, and the tests of this package try all of them without it.
//!
//! A target never makes a random choice: the same bytes do the same again. Its keys are made of the input, and what is
//! random in sealing (nonces, salts) decides nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a target tells what it found"
)]

mod bytes;
mod seeds;
mod targets;

pub use seeds::seeds;
pub use targets::{TARGETS, Target, target};
