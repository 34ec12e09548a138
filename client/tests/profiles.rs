//! Profiles: what is used of the command line, the environment, the file and what is built in, and how a file that is
//! not understood is refused. Nothing answers at any address here: errors say which one was asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Addresses where nobody listens: these ports are reserved.
const FILE: &str = "http://127.0.0.1:1";
const ENVIRONMENT: &str = "http://127.0.0.1:2";
const TYPED: &str = "http://127.0.0.1:4";
const BUILT_IN: &str = "http://127.0.0.1:8899";

/// Somebody with a configuration folder and a home of their own.
struct Desk {
    folder: TempDir,
}

/// Exit code, standard output, standard error.
struct Said(Option<i32>, String, String);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("config/chartseal")).unwrap();
        Self { folder }
    }

    fn with(config: &str) -> Self {
        let desk = Self::new();
        std::fs::write(desk.config(), config).unwrap();
        desk
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("config/chartseal/config.toml")
    }

    fn types(&self, words: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal"));
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CHARTSEAL_")) {
            command.env_remove(key);
        }
        command
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("HOME", self.folder.path())
            .env_remove("XDG_DATA_HOME")
            .envs(environment.iter().copied())
            .current_dir(self.folder.path())
            .args(words)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said(output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Which ledger is asked. At the address that is built in there may be one, whatever it answers.
    fn asks(&self, words: &[&str], environment: &[(&str, &str)]) -> String {
        let Said(_, _, error) = self.types(&[words, &["registry", "show"]].concat(), environment);
        let asked = [FILE, ENVIRONMENT, TYPED]
            .into_iter()
            .filter(|url| error.contains(&format!("cannot reach the ledger at {url}: ")))
            .collect::<Vec<_>>();
        match asked[..] {
            [] => BUILT_IN.to_owned(),
            [asked] => asked.to_owned(),
            _ => panic!("{error}"),
        }
    }

    fn refuses(&self) -> String {
        let Said(code, _, error) = self.types(&["registry", "show"], &[]);
        assert_eq!(code, Some(1), "{error}");
        assert!(!error.contains("hush"), "{error}");
        error
    }
}

#[test]
fn what_is_typed_comes_before_the_environment_that_before_the_profile_and_that_before_what_is_built_in() {
    let desk = Desk::with(&format!("default = \"home\"\n[profiles.home]\nrpc = \"{FILE}\"\n"));
    let environment = [("CHARTSEAL_RPC_URL", ENVIRONMENT)];
    assert_eq!(desk.asks(&["--rpc", TYPED], &environment), TYPED);
    assert_eq!(desk.asks(&[], &environment), ENVIRONMENT);
    assert_eq!(desk.asks(&[], &[]), FILE);
    assert_eq!(Desk::new().asks(&[], &[]), BUILT_IN);
    // Who types the very address that is built in means it.
    assert_eq!(desk.asks(&["--rpc", BUILT_IN], &[]), BUILT_IN);
}

#[test]
fn a_profile_is_named_on_the_command_line_in_the_environment_or_by_the_file() {
    let desk = Desk::with(&format!(
        "default = \"a\"\n[profiles.a]\nrpc = \"{FILE}\"\n[profiles.b]\nrpc = \"{ENVIRONMENT}\"\n[profiles.c]\nrpc = [\"{TYPED}\"]\n"
    ));
    let environment = [("CHARTSEAL_PROFILE", "b")];
    assert_eq!(desk.asks(&["--profile", "c"], &environment), TYPED);
    assert_eq!(desk.asks(&[], &environment), ENVIRONMENT);
    assert_eq!(desk.asks(&[], &[]), FILE);

    let Said(code, _, error) = desk.types(&["--profile", "d", "registry", "show"], &[]);
    assert_eq!(code, Some(1));
    assert!(error.contains("has no profile d; it has: a, b, c"), "{error}");
}

#[test]
fn the_file_may_be_elsewhere_but_one_that_is_named_must_be_there() {
    let desk = Desk::new();
    let elsewhere = desk.folder.path().join("other.toml");
    std::fs::write(&elsewhere, format!("default = \"x\"\n[profiles.x]\nrpc = \"{FILE}\"\n")).unwrap();
    let path = elsewhere.to_str().unwrap();
    assert_eq!(desk.asks(&["--config", path], &[]), FILE);
    assert_eq!(desk.asks(&[], &[("CHARTSEAL_CONFIG", path)]), FILE);
    let Said(_, _, error) = desk.types(&["--config", "nowhere.toml", "registry", "show"], &[]);
    assert!(error.contains("there is no file nowhere.toml"), "{error}");
    let Said(_, _, error) = desk.types(&["--profile", "x", "registry", "show"], &[]);
    assert!(
        error.contains("there is no profile x") && error.contains("chartseal init"),
        "{error}"
    );
}

#[test]
fn paths_and_stores_come_from_the_profile() {
    let desk = Desk::with(
        "default = \"a\"\n[profiles.a]\nidentity = \"~/me.id\"\nstores = [\"/tmp\", \"/var\"]\nspread = \"2+1\"\n",
    );
    let passphrase = desk.folder.path().join("passphrase");
    std::fs::write(&passphrase, "correct horse\n").unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let Said(code, _, error) = desk.types(&["--passphrase-file", passphrase, "keys", "new"], &[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(desk.folder.path().join("me.id").is_file());

    // Two stores cannot hold three pieces.
    let put = ["put", "ab".repeat(16).leak(), "passphrase", "--dry-run"];
    let Said(code, _, error) = desk.types(&put, &[]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains('3') && error.contains("stores"), "{error}");
    // A store that is typed is not cut into the pieces of other stores.
    let Said(code, out, error) = desk.types(&[&["--store", "/tmp"][..], &put].concat(), &[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("/tmp") && !out.contains("/var"), "{out}");
}

#[test]
fn what_is_not_understood_is_refused_by_file_line_and_field() {
    for (config, line, field, why) in [
        ("[profiles.a]\nrpx = \"x\"\n", 2, "rpx", "unknown field"),
        ("defualt = \"a\"\n", 1, "defualt", "unknown field"),
        (
            "[profiles.a]\nidentity = \"/id\"\ngateway = 5\n",
            3,
            "gateway",
            "expected a string, found integer",
        ),
        (
            "[profiles.a]\nstores = \"https://me:hush@host\"\n",
            2,
            "stores",
            "expected a sequence, found string",
        ),
        ("[profiles.a]\nrpc = 7\n", 2, "rpc", "an address or a list of addresses"),
        ("[profiles.a]\nrpc = []\n", 2, "rpc", "empty"),
        ("[profiles.a]\ncluster = \"mainnet\"\n", 2, "cluster", "no genesis hash"),
        ("[profiles.a]\nspread = \"2\"\n", 2, "spread", "2"),
        (
            "[profiles.a]\nkey_stores = [\n  \"/keys\",\n  \"keys\",\n]\n",
            2,
            "key_stores",
            "neither with / nor with ~/",
        ),
        ("[profiles.a]\ngateway = \"ftp://host\"\n", 2, "gateway", "https://"),
        (
            "[profiles.a]\ndatabase = \"postgres://me:hush@host/x\"\n",
            2,
            "database",
            "PGPASSFILE",
        ),
        (
            "[profiles.a]\nkey_service = \"https://me:hush@host\"\n",
            2,
            "key_service",
            "nothing secret",
        ),
    ] {
        let desk = Desk::with(config);
        let error = desk.refuses();
        let at = format!("{}, line {line}, {field}: ", desk.config().display());
        assert!(error.contains(&at) && error.contains(why), "{config}: {error}");
    }
    let error = Desk::with("[profiles.a\n").refuses();
    assert!(error.contains("config.toml, line 1"), "{error}");
}

#[test]
fn a_default_that_is_no_profile_is_an_error() {
    let error = Desk::with("default = \"a\"\n[profiles.b]\n").refuses();
    assert!(error.contains("has no profile a, its `default`; it has: b"), "{error}");
}
