//! Uploads and downloads that are broken off go on. More kills of a larger file: `cargo xtask soak uploads`.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use chartseal_tests::{
    kills,
    memory::{one_patient, one_patient_with},
    people::Outcome,
    proxy::{Fault, Proxy},
    report::Report,
    stack::Stack,
    uploads::{self, Plan},
};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn killed_five_times_an_upload_completes_and_sends_nothing_twice() {
    let seed = kills::new_seed().unwrap();
    eprintln!("seed {seed}: repeat with `cargo xtask soak uploads --mib 64 --kills 5 --seed {seed}`");
    let plan = Plan {
        mib: 64,
        kills: 5,
        seed,
    };
    uploads::survive(plan, &Report::silent()).unwrap();
}

/// A file of some shards that does not compress, in a folder of its own.
fn large_file(stack: &Stack) -> PathBuf {
    let folder = stack.folder().join("files");
    fs::create_dir(&folder).unwrap();
    let mut state = 7_u64;
    let bytes: Vec<u8> = (0..3 << 20)
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 16).to_le_bytes().into_iter().take(4)
        })
        .collect();
    let file = folder.join("image");
    fs::write(&file, bytes).unwrap();
    file
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names_beside(file: &Path) -> Vec<String> {
    let entries = fs::read_dir(file.parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn interrupted_an_upload_says_how_it_goes_on_and_leaves_its_journal_only() {
    let (stack, patient, id) = one_patient().unwrap();
    let file = large_file(&stack);
    let line = Proxy::before(&stack.endpoints().gateway).unwrap();
    // The first two items pass, what comes after them does not.
    line.spoil_after("POST", Fault::Stall, 2, usize::MAX);
    let over_it = patient.through_gateway(&line.url);
    let plain = over_it.command(&["put", &id, text(&file)]).unwrap();
    // With every signal as a terminal leaves it.
    let mut command = Command::new("env");
    command
        .arg("--default-signal")
        .arg(plain.get_program())
        .args(plain.get_args());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let put = command.spawn().unwrap();
    while line.asked("POST") < 4 {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_raw(i32::try_from(put.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let said = Outcome::from(&put.wait_with_output().unwrap());
    assert_eq!(said.code, 1, "{}", said.error);
    assert!(
        said.error.contains("the same command goes on where this one was"),
        "{}",
        said.error
    );
    assert_eq!(names_beside(&file), ["image", "image.chartseal-upload"]);

    // Another option is another upload; the same command goes on; then nothing is left.
    let other = patient.types(&["put", &id, text(&file), "--no-padding"]).unwrap();
    assert!(other.code == 1 && other.error.contains("--restart"), "{}", other.error);
    patient.does(&["put", &id, text(&file)]).unwrap();
    assert_eq!(names_beside(&file), ["image"]);
    assert_eq!(patient.does(&["list", &id]).unwrap().objects.len(), 1);
    stack.stop().unwrap();
}

#[test]
fn a_dry_run_stores_nothing_and_its_sizes_are_those_of_storing() {
    // Shards cost something here, and what is shorter is free.
    let (stack, patient, id) = one_patient_with(&["--charge-above", "4000000"]).unwrap();
    let large = large_file(&stack);
    let small = large.with_file_name("note");
    fs::write(&small, "Blood pressure 120/80. ".repeat(9_000)).unwrap();
    let priced = |file: &Path| {
        let told = patient
            .does(&["put", &id, text(file), "--dry-run", "--sha256"])
            .unwrap();
        let told = told.objects.into_iter().next().unwrap();
        let price: u128 = told["prices"][0]["winston"].as_str().unwrap().parse().unwrap();
        (told, price)
    };
    let (costly, price) = priced(&large);
    let (free, nothing) = priced(&small);
    assert!(price > 0 && nothing == 0, "{price} and {nothing}");
    assert_eq!(
        costly["items"].as_u64().unwrap(),
        costly["shards"].as_u64().unwrap() + 1
    );
    let items = stack.gateway_items();
    assert_eq!(fs::read_dir(&items).unwrap().count(), 0, "nothing is stored");
    assert!(patient.does(&["list", &id]).unwrap().objects.is_empty());
    assert_eq!(names_beside(&large), ["image", "note"]);

    let put = patient.does(&["put", &id, text(&small), "--sha256"]).unwrap();
    for figure in ["media_type", "original_bytes", "sealed_bytes", "shards"] {
        assert_eq!(free[figure], put.objects[0][figure], "{figure}");
    }
    let out = stack.folder().join("back");
    let record = put.text("record").unwrap();
    let got = patient.does(&["get", &id, &record, "--out", text(&out)]).unwrap();
    let hashed = Command::new("sha256sum").arg(&small).output().unwrap().stdout;
    let hash = String::from_utf8(hashed).unwrap();
    assert_eq!(got.text("sha256").unwrap(), hash.split_whitespace().next().unwrap());
    stack.stop().unwrap();
}

#[test]
fn a_download_that_is_broken_off_goes_on_and_without_resume_leaves_nothing() {
    let (stack, patient, id) = one_patient().unwrap();
    let file = large_file(&stack);
    let put = patient.does(&["put", &id, text(&file)]).unwrap();
    let (record, shards) = (put.text("record").unwrap(), put.objects[0]["shards"].as_u64().unwrap());
    let out = file.with_file_name("back");
    for resume in [false, true] {
        let line = Proxy::before(&stack.endpoints().gateway).unwrap();
        // The manifest and a shard pass.
        line.spoil_after("GET", Fault::Break, 2, usize::MAX);
        let mut words = vec!["get", &id, &record, "--out", text(&out)];
        words.extend(resume.then_some("--resume"));
        let broken = patient.through_gateway(&line.url).types(&words).unwrap();
        assert_eq!(broken.code, 1, "{}", broken.error);
        let left: &[&str] = if resume {
            &[".back.chartseal-part", "image"]
        } else {
            &["image"]
        };
        assert_eq!(names_beside(&file), left);
    }
    let kept = fs::read_dir(out.with_file_name(".back.chartseal-part"))
        .unwrap()
        .count();
    assert_eq!(kept, 2);
    let line = Proxy::before(&stack.endpoints().gateway).unwrap();
    let over_it = patient.through_gateway(&line.url);
    over_it
        .does(&["get", &id, &record, "--out", text(&out), "--resume"])
        .unwrap();
    // All shards and the manifest, but for the two that were there.
    assert_eq!(line.asked("GET") as u64, shards + 1 - 2);
    assert_eq!(names_beside(&file), ["back", "image"]);
    assert!(fs::read(&file).unwrap() == fs::read(&out).unwrap());
    stack.stop().unwrap();
}
