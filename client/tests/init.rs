//! `chartseal init`, with a terminal and without one, and what completions and the manual are made of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tempfile::TempDir;

const CHARTSEAL: &str = env!("CARGO_BIN_EXE_chartseal");

/// A cluster that can say which it is, and nothing else.
struct Cluster {
    url: String,
    genesis: String,
    _runtime: tokio::runtime::Runtime,
}

impl Cluster {
    fn new() -> Self {
        let genesis = bs58::encode([7; 32]).into_string();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = genesis.clone();
        let app = Router::new().route(
            "/",
            post(move |Json(call): Json<Value>| async move {
                assert_eq!(call["method"], "getGenesisHash");
                Json(json!({ "jsonrpc": "2.0", "id": call["id"], "result": answer }))
            }),
        );
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            genesis,
            _runtime: runtime,
        }
    }
}

/// Somebody with a home of their own.
struct Desk {
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn config(&self) -> PathBuf {
        self.home.path().join(".config/chartseal/config.toml")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CHARTSEAL_")) {
            command.env_remove(key);
        }
        command
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    fn types(&self, words: &[&str]) -> Output {
        self.command(CHARTSEAL).args(words).output().unwrap()
    }

    /// Types words that have to be refused.
    fn is_refused(&self, words: &[&str]) -> String {
        let output = self.types(words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn does(&self, words: &[&str]) {
        let output = self.types(words);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_options_say_is_written_for_the_owner_alone() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    desk.does(&[
        "init",
        "--defaults",
        "--profile",
        "clinic",
        "--rpc",
        &cluster.url,
        "--gateway",
        "https://gateway.example",
        "--store",
        "records,s3://bucket/prefix",
        "--spread",
        "1+1",
        "--key-store",
        "/srv/keys:keys",
        "--key-service",
        "https://keys.example",
        "--database",
        "postgres://me@host/chartseal",
        "--identity",
        "me.id",
    ]);
    let text = fs::read_to_string(desk.config()).unwrap();
    let home = desk.home.path().display();
    for line in [
        "default = \"clinic\"".to_owned(),
        "[profiles.clinic]".into(),
        format!("rpc = [\"{}\"]", cluster.url),
        format!("cluster = \"{}\"", cluster.genesis),
        "gateway = \"https://gateway.example\"".into(),
        format!("stores = [\"{home}/records\", \"s3://bucket/prefix\"]"),
        "spread = \"1+1\"".into(),
        format!("key_stores = [\"/srv/keys\", \"{home}/keys\"]"),
        "key_service = \"https://keys.example\"".into(),
        "database = \"postgres://me@host/chartseal\"".into(),
        format!("identity = \"{home}/me.id\""),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert_eq!(desk.config().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // It is read back: the ledger of the profile is asked, which knows no registry.
    let error = desk.is_refused(&["registry", "show"]);
    assert!(error.contains(&cluster.url), "{error}");
}

#[test]
fn a_profile_is_replaced_only_when_told_and_the_rest_of_the_file_stays() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    fs::create_dir_all(desk.config().parent().unwrap()).unwrap();
    let before = "# ours\ndefault = \"a\"\n\n[profiles.a] # the old one\ngateway = \"https://a.example\"\n";
    fs::write(desk.config(), before).unwrap();
    let again = ["init", "--defaults", "--profile", "a", "--rpc", &cluster.url];
    let error = desk.is_refused(&again);
    assert!(
        error.contains("has a profile a already") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(desk.config()).unwrap(), before);

    desk.does(&["init", "--defaults", "--profile", "b", "--rpc", &cluster.url]);
    let both = fs::read_to_string(desk.config()).unwrap();
    assert!(both.starts_with(before) && both.contains("[profiles.b]"), "{both}");
    desk.does(&[&again[..], &["--force"]].concat());
    let replaced = fs::read_to_string(desk.config()).unwrap();
    assert!(
        !replaced.contains("a.example") && replaced.contains("[profiles.b]"),
        "{replaced}"
    );
    assert!(
        replaced.contains("default = \"a\"") && replaced.contains("# ours"),
        "{replaced}"
    );
}

#[test]
fn a_profile_is_for_its_cluster_and_for_no_other_at_the_same_address() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    desk.does(&["init", "--defaults", "--rpc", &cluster.url]);
    let other = bs58::encode([8; 32]).into_string();
    let text = fs::read_to_string(desk.config()).unwrap();
    fs::write(desk.config(), text.replace(&cluster.genesis, &other)).unwrap();
    let error = desk.is_refused(&["registry", "show"]);
    assert!(error.contains("another cluster") && error.contains(&other), "{error}");
}

#[test]
fn without_a_terminal_what_no_option_says_is_an_error_that_names_the_option() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    let error = desk.is_refused(&["init", "--profile", "a", "--rpc", &cluster.url]);
    assert!(
        error.contains("--gateway is not given") && error.contains("--defaults"),
        "{error}"
    );
    assert!(!desk.config().exists());
}

#[test]
fn answers_of_the_wrong_form_and_other_clusters_write_nothing() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    let other = bs58::encode([8; 32]).into_string();
    for (options, why) in [
        (["--gateway", "ftp://host"], "--gateway: it begins neither"),
        (["--database", "postgres://me:hush@host/x"], "PGPASSFILE"),
        (["--cluster", &other], "--cluster says"),
        (["--rpc", "http://127.0.0.1:1"], "say it with --cluster"),
    ] {
        let all = [&["init", "--defaults", "--rpc", &cluster.url][..], &options].concat();
        let words = if options[0] == "--rpc" {
            [&["init", "--defaults"][..], &options].concat()
        } else {
            all
        };
        let error = desk.is_refused(&words);
        assert!(error.contains(why) && !error.contains("hush"), "{options:?}: {error}");
    }
    assert!(!desk.config().exists());
}

#[test]
fn on_a_terminal_it_asks_offers_what_is_built_in_and_asks_again() {
    let (desk, cluster) = (Desk::new(), Cluster::new());
    let mut terminal = desk
        .command("script")
        .args(["--quiet", "--return", "--command", "\"$CHARTSEAL\" init", "/dev/null"])
        .env("CHARTSEAL", CHARTSEAL)
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Name, RPC, gateway (wrong first), stores, key stores, key service, database, identity.
    let typed = format!("home\n{}\nnonsense\nhttps://gateway.example\n\n\n\n\n\n", cluster.url);
    let mut keyboard = terminal.stdin.take().unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let output = terminal.wait_with_output().unwrap();
    drop(keyboard);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("[http://127.0.0.1:8901]") && shown.contains("it is no address"),
        "{shown}"
    );
    let text = fs::read_to_string(desk.config()).unwrap();
    assert!(
        text.contains("default = \"home\"") && text.contains("gateway = \"https://gateway.example\""),
        "{text}"
    );
    assert!(
        text.contains("/.local/share/chartseal/keys\"]") && !text.contains("database"),
        "{text}"
    );
}

#[test]
fn every_shell_has_completions_and_every_command_a_page() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = desk.types(&["completions", shell]);
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && script.contains("doctor") && script.contains("spread"),
            "{shell}"
        );
    }
    desk.does(&["man", "--out", "pages"]);
    let pages = desk.home.path().join("pages");
    for page in ["chartseal.1", "chartseal-doctor.1", "chartseal-keys-new.1"] {
        let text = fs::read_to_string(pages.join(page)).unwrap_or_else(|_| panic!("there is no {page}"));
        assert!(text.contains(".TH"), "{page}");
    }
}
