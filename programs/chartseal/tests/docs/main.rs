//! `docs/contract.md` against the code: every name, number, size, rent, account list and table of that page is what the
//! program says, so that it cannot rot. What the sentences between them promise is tested by the other targets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod code;
mod interface;
mod page;
mod references;
