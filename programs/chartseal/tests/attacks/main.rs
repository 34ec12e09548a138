//! What programs of this kind have fallen to, tried against the real .so. Each test is named after its attack and shows
//! that it fails and changes nothing. Attacks that any instruction could fall to are tried on every instruction of the
//! [`catalogue`], which is asserted to be complete.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

#[path = "../common/anonymous.rs"]
mod anonymous;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/people.rs"]
mod people;
#[path = "../common/tokens.rs"]
mod tokens;

mod catalogue;
mod story;

mod accounts;
mod addresses;
mod domain;
mod events;
mod first_caller;
mod hostile;
mod programs;
mod signers;
mod unnamed;
