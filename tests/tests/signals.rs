//! What a signal leaves: nothing that was not whole, and a word about what may still come.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use chartseal_tests::{
    clinic::envelopes,
    memory::one_patient,
    proxy::{Fault, Proxy},
};
use rustix::process::{Pid, Signal, kill_process};

/// How long the end may take, on a busy machine too; what is not ended by the signal takes much longer.
const AT_ONCE: Duration = Duration::from_secs(20);

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// The command with every signal as a terminal leaves it: whoever started the tests may have told them to ignore some
/// (`nohup` does, and a shell's `&`), and the program honours that.
fn from_a_terminal(command: &Command) -> Command {
    let mut same = Command::new("env");
    same.arg("--default-signal")
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    same
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a process that was sent a signal says; it must not take long.
fn ended(child: Child) -> Output {
    let since = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(since.elapsed() < AT_ONCE, "it took {:?} to end", since.elapsed());
    output
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Bytes in the files of a folder that a process has open, whether they have a name or not.
fn bytes_in_the_making(child: &Child, folder: &std::path::Path) -> u64 {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", child.id())) else {
        return 0;
    };
    let files = open
        .flatten()
        .filter(|fd| fs::read_link(fd.path()).is_ok_and(|name| name.starts_with(folder)));
    files
        .filter_map(|fd| fs::metadata(fd.path()).ok())
        .map(|file| file.len())
        .sum()
}

#[test]
fn a_record_whose_opening_is_cut_short_leaves_no_plaintext() {
    let (stack, patient, id) = one_patient().unwrap();
    let large = stack.folder().join("large");
    fs::write(&large, "the same words over and over again. ".repeat(1_200_000)).unwrap();
    let put = ["put", &id, large.to_str().unwrap(), "--no-compression"];
    let record = patient.does(&put).unwrap().text("record").unwrap();
    let folder = stack.folder().join("opened");
    fs::create_dir(&folder).unwrap();
    let out = folder.join("out");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        // The manifest and the six shards that are asked for together come, in any order; of the others half, and then
        // nothing.
        let proxy = Proxy::before(&stack.endpoints().gateway).unwrap();
        proxy.spoil_after("GET", Fault::Stall, 7, usize::MAX);
        let through = patient.through_gateway(&proxy.url);
        let words = ["get", &id, &record, "--out", out.to_str().unwrap()];
        let get = start(from_a_terminal(&through.command(&words).unwrap()));
        wait_until("some of it is opened", || bytes_in_the_making(&get, &folder) > 1 << 20);
        send(&get, signal);
        let said = ended(get);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{signal:?} left something");
        if signal == Signal::KILL {
            assert_eq!(said.status.signal(), Some(9));
        } else {
            let error = String::from_utf8_lossy(&said.stderr);
            assert_eq!(said.status.code(), Some(1), "{signal:?}: {error}");
            assert!(
                error.contains("interrupted") && error.contains("chartseal log"),
                "{error}"
            );
        }
    }
    patient
        .does(&["get", &id, &record, "--out", out.to_str().unwrap()])
        .unwrap();
    assert_eq!(fs::read(&out).unwrap(), fs::read(&large).unwrap());
    stack.stop().unwrap();
}

#[test]
fn storing_from_standard_input_ends_when_it_is_told_to() {
    let (stack, patient, id) = one_patient().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = from_a_terminal(&patient.command(&["put", &id, "-"]).unwrap());
        command.stdin(Stdio::piped());
        let mut put = start(command);
        // More than a pipe holds: so it is being read. It stays open, and no more comes.
        let mut input = put.stdin.take().unwrap();
        input.write_all(&vec![b'x'; 1 << 20]).unwrap();
        send(&put, signal);
        let said = ended(put);
        let error = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{signal:?}: {error}");
        assert!(error.contains("interrupted; if a transaction had been sent"), "{error}");
    }
    assert!(patient.does(&["list", &id]).unwrap().objects.is_empty());
    assert_eq!(envelopes(&patient).unwrap().len(), 0);
    stack.stop().unwrap();
}

#[test]
fn a_hang_up_that_is_ignored_ends_nothing() {
    let (stack, patient, id) = one_patient().unwrap();
    let plain = patient.command(&["put", &id, "-"]).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap "" HUP; exec "$@""#, "sh"])
        .arg(plain.get_program())
        .args(plain.get_args());
    command.stdin(Stdio::piped());
    let mut put = start(command);
    let mut input = put.stdin.take().unwrap();
    input.write_all(&vec![b'x'; 1 << 20]).unwrap();
    send(&put, Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    drop(input);
    let said = put.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(patient.does(&["list", &id]).unwrap().objects.len(), 1);
    stack.stop().unwrap();
}
