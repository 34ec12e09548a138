//! The command line before it talks to anybody: where passphrases come from, what signals do while one is typed, and
//! what errors look like.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const CHARTSEAL: &str = env!("CARGO_BIN_EXE_chartseal");

/// Somebody with a folder, and in it an identity and its passphrase.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("passphrase"), "correct horse\nsecond line\n").unwrap();
        Self { folder }
    }

    fn with_identity() -> Self {
        let desk = Self::new();
        let made = desk.shell(r#"exec "$@" 3<passphrase"#, &["--passphrase-fd", "3", "keys", "new"]);
        assert!(made.status.success(), "{}", said(&made));
        desk
    }

    fn identity(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    /// Runs the program through a line of shell, which passes descriptors.
    fn shell(&self, line: &str, words: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command
            .args(["-c", line, "sh", CHARTSEAL, "--identity"])
            .arg(self.identity())
            .args(words);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Starts a line of shell on a terminal of its own; `$CHARTSEAL` in it is the program.
    fn on_a_terminal(&self, line: &str) -> Terminal {
        // With every signal as a terminal leaves it: whoever started the tests may have told them to ignore some.
        let mut command = Command::new("env");
        command.args([
            "--default-signal",
            "script",
            "--quiet",
            "--return",
            "--command",
            line,
            "/dev/null",
        ]);
        command
            .env("CHARTSEAL", CHARTSEAL)
            .env("CHARTSEAL_IDENTITY", self.identity())
            .env("SHELL", "/bin/sh");
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Terminal {
            process: command.spawn().unwrap(),
        }
    }
}

struct Terminal {
    process: Child,
}

impl Terminal {
    /// Waits until this is shown.
    fn shows(&mut self, text: &str) {
        let (mut shown, mut byte) = (Vec::new(), [0]);
        let screen = self.process.stdout.as_mut().unwrap();
        while !String::from_utf8_lossy(&shown).contains(text) {
            assert_eq!(
                screen.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&shown)
            );
            shown.push(byte[0]);
        }
    }

    fn types(&mut self, keys: &[u8]) {
        self.process.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// What is shown until the line has ended.
    fn rest(mut self) -> String {
        // Closed, it would mean Ctrl-D.
        let _keyboard = self.process.stdin.take();
        String::from_utf8_lossy(&self.process.wait_with_output().unwrap().stdout).into_owned()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_passphrase_comes_on_a_descriptor_of_a_file_or_a_pipe() {
    let desk = Desk::with_identity();
    for line in [
        r#"exec "$@" 3<passphrase"#,
        r#"cat passphrase | "$@" 3<&0"#,
        r#"printf 'correct horse' | "$@" 3<&0"#,
    ] {
        let shown = desk.shell(line, &["--passphrase-fd", "3", "keys", "show"]);
        assert!(shown.status.success(), "{line}: {}", said(&shown));
    }
    let wrong = desk.shell(r#"exec "$@" 3</dev/null"#, &["--passphrase-fd", "3", "keys", "show"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("the passphrase is empty"), "{}", said(&wrong));
}

/// Regression: the descriptor was taken after the runtime had been built, and closed one of the runtime's own.
#[test]
fn a_descriptor_that_was_not_passed_is_an_error_and_no_crash() {
    let desk = Desk::with_identity();
    for number in ["3", "4", "5", "6", "7", "8", "9"] {
        let closed = r#"exec "$@" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-"#;
        for words in [
            &["keys", "show"][..],
            &["put", "00000000000000000000000000000001", "passphrase"],
        ] {
            let failed = desk.shell(closed, &[&["--passphrase-fd", number], words].concat());
            assert_eq!(failed.status.code(), Some(1), "{number}: {}", said(&failed));
            assert!(
                said(&failed).contains("was not passed to this program"),
                "{}",
                said(&failed)
            );
        }
    }
}

#[test]
fn a_descriptor_that_cannot_be_read_is_an_error() {
    let desk = Desk::with_identity();
    for line in [r#"exec "$@" 3>written"#, r#"exec "$@" 3<."#] {
        let failed = desk.shell(line, &["--passphrase-fd", "3", "keys", "show"]);
        assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
        assert!(said(&failed).contains("cannot read descriptor 3"), "{}", said(&failed));
    }
}

#[test]
fn standard_input_output_and_error_carry_no_passphrase() {
    let desk = Desk::with_identity();
    for number in ["0", "1", "2", "-1"] {
        let option = format!("--passphrase-fd={number}");
        let failed = desk.shell(r#"exec "$@" <passphrase"#, &[&option, "keys", "show"]);
        assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
        assert!(
            said(&failed).contains("standard input, output or error"),
            "{}",
            said(&failed)
        );
    }
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_and_not_shown() {
    let desk = Desk::with_identity();
    // The prompt is there a moment before the terminal hides what is typed; nobody types as fast as a test.
    let mut terminal = desk.on_a_terminal(
        r#"(for try in $(seq 200); do
              if stty -a </dev/tty | grep -q -e ' -echo '; then echo hidden; break; fi; sleep 0.05
            done) &
        "$CHARTSEAL" keys show; echo "code $?"; stty -a"#,
    );
    terminal.shows("Passphrase of the identity: ");
    terminal.shows("hidden");
    terminal.types(b"correct horse\n");
    let rest = terminal.rest();
    assert!(rest.contains("code 0") && rest.contains("encryption key"), "{rest}");
    assert!(!rest.contains("correct horse") && rest.contains(" echo "), "{rest}");
}

#[test]
fn ctrl_c_at_a_prompt_gives_the_terminal_back() {
    let desk = Desk::new();
    // A terminal signals first, and drops what it has not shown yet after that: an answer that is quick enough would go with
    // it, unless it is told to keep it (termios(3), NOFLSH).
    let mut terminal =
        desk.on_a_terminal(r#"stty noflsh; trap : INT; "$CHARTSEAL" keys show; echo "code $?"; stty -a"#);
    terminal.shows("Passphrase of the identity: ");
    terminal.types(b"\x03");
    let rest = terminal.rest();
    assert!(rest.contains("interrupted") && rest.contains("code 1"), "{rest}");
    assert!(rest.contains(" echo ") && rest.contains(" icanon"), "{rest}");
}

#[test]
fn a_signal_at_a_prompt_gives_the_terminal_back() {
    let desk = Desk::new();
    for signal in ["TERM", "HUP"] {
        // The signal comes once the prompt has changed the terminal.
        let mut terminal = desk.on_a_terminal(&format!(
            r#""$CHARTSEAL" keys show & pid=$!
            for try in $(seq 200); do if stty -a | grep -q -e ' -echo '; then break; fi; sleep 0.05; done
            kill -{signal} $pid; wait $pid; echo "code $?"; stty -a"#
        ));
        terminal.shows("Passphrase of the identity: ");
        let since = Instant::now();
        let rest = terminal.rest();
        assert!(rest.contains("interrupted") && rest.contains("code 1"), "{rest}");
        assert!(rest.contains(" echo ") && rest.contains(" icanon"), "{rest}");
        assert!(since.elapsed() < Duration::from_secs(8), "it waited for the prompt");
    }
}

#[test]
fn an_identity_gets_a_folder_for_its_owner_only() {
    let desk = Desk::new();
    let mut command = Command::new(CHARTSEAL);
    command.args([
        "--passphrase-file",
        "passphrase",
        "--identity",
        "new/deep/identity",
        "keys",
        "new",
    ]);
    let made = command.current_dir(desk.folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    for folder in ["new", "new/deep"] {
        let mode = desk.folder.path().join(folder).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }

    let mut command = Command::new(CHARTSEAL);
    command.args([
        "--passphrase-file",
        "passphrase",
        "--identity",
        "passphrase/identity",
        "keys",
        "new",
    ]);
    let failed = command.current_dir(desk.folder.path()).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        said(&failed).contains("cannot make the folder passphrase"),
        "{}",
        said(&failed)
    );
}

#[test]
fn errors_for_programs_name_their_kind() {
    let desk = Desk::new();
    let failed = desk.shell(
        r#"exec "$@""#,
        &["--json", "--passphrase-file", "passphrase", "keys", "show"],
    );
    let object: serde_json::Value = serde_json::from_slice(&failed.stderr).unwrap();
    assert_eq!(
        (failed.status.code(), &object["kind"]),
        (Some(1), &"error".into()),
        "{object}"
    );
    assert!(object["error"].as_str().unwrap().contains("identity"), "{object}");
}

#[test]
fn several_key_stores_are_named_by_option_or_by_environment() {
    let desk = Desk::with_identity();
    let publish = ["--json", "--passphrase-file", "passphrase", "keys", "publish"];
    let by_option = ["--key-store", "a", "--key-store", "b", "--key-store", "a"];
    let published = desk.shell(r#"exec "$@""#, &[&by_option[..], &publish[..]].concat());
    assert!(published.status.success(), "{}", said(&published));
    let by_environment = desk.shell(r#"CHARTSEAL_KEY_STORE=c:d exec "$@""#, &publish);
    assert!(by_environment.status.success(), "{}", said(&by_environment));

    let object: serde_json::Value = serde_json::from_slice(&published.stdout).unwrap();
    let hash = object["post_quantum_key_sha256"].as_str().unwrap();
    for store in ["a", "b", "c", "d"] {
        let key = std::fs::read(desk.folder.path().join(store).join("public").join(hash)).unwrap();
        assert_eq!(key.len(), 1216);
    }
}

#[test]
fn a_wrong_address_of_a_websocket_is_not_repeated() {
    let desk = Desk::new();
    let wrong = "https://node.example/?api-key=hush";
    let by_option = desk.shell(r#"exec "$@""#, &["--ws", wrong, "keys", "show"]);
    let by_variable = desk.shell(&format!(r#"CHARTSEAL_WS='{wrong}' exec "$@""#), &["keys", "show"]);
    // Help shows no value of that variable either.
    let help = desk.shell(r#"CHARTSEAL_WS='wss://n/?hush' exec "$@""#, &["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    for words in [said(&by_option), said(&by_variable), help] {
        assert!(words.contains("--ws") && !words.contains("hush"), "{words}");
    }
}
