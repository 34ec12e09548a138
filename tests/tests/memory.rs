//! A large file goes through in little memory. 1 GiB of it: `cargo xtask soak memory`.

#![allow(clippy::unwrap_used)]

use chartseal_tests::{memory, report::Report};

#[test]
fn a_large_file_goes_in_and_out_in_little_memory() {
    memory::large_file(256, &Report::silent()).unwrap();
}
