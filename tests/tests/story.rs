//! The demo's story, as a test, and what becomes of a demo that is not let finish.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use chartseal_tests::programs::{program, work_folder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A step of each chapter. Each asserts what it claims.
const CHAPTERS: [&str; 19] = [
    "patient",
    "put",
    "get",
    "revoke",
    "tamper",
    "policy",
    "approve",
    "deny",
    "share",
    "recover",
    "emergency",
    "review",
    "pay",
    "promote",
    "tombstone",
    "reconcile",
    "missing",
    "audit",
    "leaks",
];

#[test]
fn the_story_turns_out_as_it_must() {
    let output = program("chartseal-demo").unwrap().arg("--json").output().unwrap();
    let told: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps: Vec<_> = told.iter().map(|object| object["step"].as_str().unwrap()).collect();
    assert!(told.iter().all(|object| object["ok"] == true), "{:#?}", told.last());
    assert_eq!(output.status.code(), Some(0));
    for step in CHAPTERS {
        assert!(steps.contains(&step), "{step} is not told: {steps:?}");
    }
}

/// A demo in the middle of its story, with everything started and more to come, in a folder of its own.
fn in_the_middle(folder: &Path) -> Child {
    let mut demo = program("chartseal-demo").unwrap();
    demo.arg("--json").env("TMPDIR", folder).stdout(Stdio::piped());
    let mut demo = demo.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains(r#""step":"members""#)),
        "the story broke off"
    );
    // It goes on telling, and somebody has to listen.
    std::thread::spawn(move || lines.for_each(drop));
    let ours = running(folder);
    for part in ["chartseal-sandbox", "chartseal-indexer", "postgres"] {
        assert!(
            ours.iter().any(|line| line.contains(part)),
            "{part} does not run: {ours:#?}"
        );
    }
    demo
}

/// The command lines of all processes that know of a folder.
fn running(folder: &Path) -> Vec<String> {
    let name = folder.as_os_str().as_encoded_bytes();
    let knows = |bytes: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let running = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let shown = String::from_utf8_lossy(&line).replace('\0', " ");
        (knows(&line) || knows(&environment)).then_some(shown)
    });
    running.collect()
}

fn signal(demo: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(demo.id()).unwrap()).unwrap(), signal).unwrap();
}

fn nothing_runs_soon(folder: &Path) {
    let since = Instant::now();
    while !running(folder).is_empty() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "left running: {:#?}",
            running(folder)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_demo_that_is_told_to_end_leaves_nothing() {
    for (told, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let folder = work_folder().unwrap();
        let mut demo = in_the_middle(folder.path());
        signal(&demo, told);
        assert_eq!(demo.wait().unwrap().code(), Some(code));
        assert_eq!(running(folder.path()), [""; 0]);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "its folder is gone"
        );
    }
}

#[test]
fn a_demo_that_is_killed_leaves_nothing_running() {
    let folder = work_folder().unwrap();
    let mut demo = in_the_middle(folder.path());
    demo.kill().unwrap();
    demo.wait().unwrap();
    nothing_runs_soon(folder.path());
}

#[test]
fn a_demo_in_a_folder_that_others_cannot_enter_says_what_to_do() {
    let place = work_folder().unwrap();
    let closed = place.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    if !rustix::process::geteuid().is_root() {
        // Postgres runs as ourselves then, who can.
        let mut demo = in_the_middle(&closed);
        signal(&demo, Signal::TERM);
        assert_eq!(demo.wait().unwrap().code(), Some(143));
        return;
    }
    let output = program("chartseal-demo")
        .unwrap()
        .env("TMPDIR", &closed)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("TMPDIR=/tmp") && said.contains("chmod o+x"), "{said}");
    assert_eq!(std::fs::read_dir(&closed).unwrap().count(), 0);
}
