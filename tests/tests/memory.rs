//! However large a file is, it goes through in the same little memory. 4 GiB of it: `cargo xtask soak memory`.

#![allow(clippy::unwrap_used)]

use chartseal_tests::{memory, report::Report};

/// What two runs may differ by that hold the same, in MiB: an allocator gives back what it likes.
const SLACK_MIB: u64 = 32;

#[test]
fn four_times_the_file_takes_no_more_memory() {
    let [small, large] = memory::large_files([64, 256], &Report::silent()).unwrap();
    assert!(large.put < small.put + SLACK_MIB, "storing: {small:?}, then {large:?}");
    assert!(large.get < small.get + SLACK_MIB, "opening: {small:?}, then {large:?}");
}
