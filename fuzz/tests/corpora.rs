//! The committed inputs, each tried once. A fuzzer's finding, once its cause is gone, is committed beside them: so it is
//! tried with every change, without the fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use chartseal_fuzz::{TARGETS, seeds, target};

fn files(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = folder
        .read_dir()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| file.unwrap().path()).collect()
}

fn try_all(name: &str) {
    let target = target(name).unwrap();
    for file in files(name) {
        println!("{}", file.display());
        (target.run)(&std::fs::read(file).unwrap());
    }
}

#[test]
fn committed_codec_inputs_break_no_promise() {
    try_all("codec");
}

#[test]
fn committed_data_item_inputs_break_no_promise() {
    try_all("data_item");
}

#[test]
fn committed_envelope_inputs_break_no_promise() {
    try_all("envelope");
}

#[test]
fn committed_frame_index_inputs_break_no_promise() {
    try_all("frame_index");
}

#[test]
fn committed_manifest_inputs_break_no_promise() {
    try_all("manifest");
}

#[test]
fn committed_segment_inputs_break_no_promise() {
    try_all("segment");
}

#[test]
fn the_inputs_that_all_began_with_break_no_promise() {
    for (name, input) in seeds().unwrap() {
        (target(name).unwrap().run)(&input);
    }
}

#[test]
fn every_target_has_a_corpus_and_it_is_small() {
    for target in TARGETS {
        let files = files(target.name);
        let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(
            (5..=100).contains(&files.len()),
            "{} has {} inputs",
            target.name,
            files.len()
        );
        assert!(bytes <= 300_000, "{} has {bytes} bytes", target.name);
    }
}
