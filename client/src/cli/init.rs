//! `chartseal init`: asks where things are, and writes that down as a profile. Whatever is said by an option or by the
//! environment is not asked; without a terminal it asks nothing. The cluster is asked for its name, so that a later
//! `chartseal doctor` tells when an address leads to another. Other profiles in the file, and its comments, stay as they are.

use std::{
    ffi::OsStr,
    fs::DirBuilder,
    io::{BufRead as _, IsTerminal as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Args as ClapArgs;
use serde_json::json;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::{
    args::Globals,
    caller::{Caller, off_thread},
    key_places::{KeyPlace, KeyPlaces},
    output::Output,
    profile::{self, forms},
};
use crate::{
    ledger::Ledger,
    ops::OpError,
    store::{Existing, write_file},
};

#[derive(Debug, ClapArgs)]
pub(super) struct Init {
    /// The cluster's genesis hash [default: what the cluster says]. It is an error where the cluster says another.
    #[arg(long, value_name = "HASH", value_parser = forms::cluster)]
    cluster: Option<[u8; 32]>,
    /// The analysts' database, without its password: that belongs into ~/.pgpass.
    #[arg(long, env = "CHARTSEAL_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// Ask nothing: take what is built in for whatever no option says.
    #[arg(long)]
    defaults: bool,
    /// Make it the profile that is used where none is named. The first one is in any case.
    #[arg(long)]
    make_default: bool,
    /// Also over a profile of the same name.
    #[arg(long)]
    force: bool,
}

/// What is asked.
struct Question {
    what: &'static str,
    option: &'static str,
    /// What is built in; nothing where it can be left out.
    built_in: String,
}

/// What was answered, in the words that the file gets.
struct Answers {
    rpc: Vec<String>,
    gateway: String,
    stores: Vec<String>,
    spread: Option<String>,
    key_stores: Vec<String>,
    key_service: Option<String>,
    database: Option<String>,
    identity: String,
}

/// Asks and writes.
pub(super) async fn init(command: Init, caller: Caller, output: Output) -> Result<()> {
    let globals = caller.globals;
    let path = globals.config_file()?;
    let cluster = command.cluster;
    let (name, answers, command) = off_thread({
        let path = path.clone();
        move || {
            let asking = Asking::new(command.defaults);
            let name = asking.name(globals.profile.as_deref())?;
            refuse_to_replace(&path, &name, command.force)?;
            let answers = answers(&asking, &globals, &command)?;
            Ok((name, answers, command))
        }
    })
    .await?;
    let cluster = named_cluster(&answers.rpc, cluster, output).await?;
    off_thread({
        let (path, name) = (path.clone(), name.clone());
        move || write(&path, &name, &answers, &cluster, &command)
    })
    .await?;
    output.say(
        &format!(
            "profile {name} is in {}; `chartseal --profile {name} doctor` looks whether all of it is there",
            path.display()
        ),
        &json!({ "profile": name, "file": path, "cluster": bs58::encode(cluster).into_string() }),
    );
    Ok(())
}

fn refuse_to_replace(path: &Path, name: &str, force: bool) -> Result<()> {
    let there = profile::read(path)?.is_some_and(|file| file.profiles.contains_key(name));
    ensure!(
        force || !there,
        "{} has a profile {name} already; give this one another name (--profile), or replace it (--force)",
        path.display()
    );
    Ok(())
}

/// Who is asked for what no option says.
struct Asking {
    defaults: bool,
    terminal: bool,
}

impl Asking {
    fn new(defaults: bool) -> Self {
        Self {
            defaults,
            terminal: std::io::stdin().is_terminal(),
        }
    }

    fn name(&self, given: Option<&str>) -> Result<String> {
        let question = Question {
            what: "Name of the profile",
            option: "--profile",
            built_in: "default".into(),
        };
        let name = |text: &str| match text.trim() {
            "" => Err("a profile has a name".to_owned()),
            name => Ok(name.to_owned()),
        };
        self.ask(&question, given.map(str::to_owned), name)
    }

    /// The answer to a question: what was given, or what is built in, or what is typed. A typed one that will not do is
    /// asked for again.
    fn ask<T>(
        &self,
        question: &Question,
        given: Option<String>,
        form: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        let Question { what, option, built_in } = question;
        if let Some(given) = given {
            return form(&given).map_err(|why| anyhow!("{option}: {why}"));
        }
        if self.defaults {
            return form(built_in).map_err(|why| anyhow!("{option}: {why}"));
        }
        ensure!(
            self.terminal,
            "{option} is not given, and there is no terminal to ask at; give it, or --defaults for what is built in"
        );
        loop {
            let typed = read_line(what, built_in)?;
            match form(if typed.is_empty() { built_in } else { &typed }) {
                Ok(answer) => return Ok(answer),
                // Where it cannot be said, the question is asked again all the same.
                Err(why) => drop(writeln!(std::io::stderr(), "  {why}")),
            }
        }
    }

    fn question<T>(
        &self,
        what: &'static str,
        option: &'static str,
        built_in: &str,
        given: Option<String>,
        form: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        let question = Question {
            what,
            option,
            built_in: built_in.to_owned(),
        };
        self.ask(&question, given, form)
    }
}

fn read_line(what: &str, built_in: &str) -> Result<String> {
    let mut stderr = std::io::stderr();
    let shown = if built_in.is_empty() { "none" } else { built_in };
    write!(stderr, "{what} [{shown}]: ")
        .and_then(|()| stderr.flush())
        .context("cannot ask")?;
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read an answer")?;
    if read == 0 {
        bail!("the terminal was closed before all was answered; nothing was written");
    }
    Ok(line.trim().to_owned())
}

fn answers(asking: &Asking, globals: &Globals, command: &Init) -> Result<Answers> {
    let given = |option: &str, text: String| globals.named.is_given(option).then_some(text);
    let (rpc_built_in, gateway_built_in) = (Globals::built_in("rpc"), Globals::built_in("gateway"));
    let rpc = given("rpc", globals.rpc_addresses().join(","));
    let what = "RPC addresses of the ledger, with commas";
    let rpc = asking.question(what, "--rpc", &rpc_built_in, rpc, |text| list(text, ',', forms::web))?;
    let gateway = given("gateway", globals.gateway.clone());
    let gateway = asking.question("Arweave gateway", "--gateway", &gateway_built_in, gateway, forms::web)?;
    let stores = given("stores", globals.stores.stores.join(","));
    let stores = asking.question(
        "Stores instead of the gateway, with commas",
        "--store",
        "",
        stores,
        |text| list_or_none(text, ',', |one| forms::store(&absolute_store(one))),
    )?;
    let spread = match stores.len() {
        0 | 1 => None,
        _ => {
            let spread = globals.stores.spread.map(|code| code.to_string());
            let what = "Pieces for them, DATA+PARITY, rather than whole copies";
            asking.question(what, "--spread", "", spread, |text| {
                optional(text, |one| forms::spread(one).map(|code| code.to_string()))
            })?
        }
    };
    let places = globals.named_key_stores()?;
    let places: Vec<_> = places.iter().map(KeyPlace::text).collect::<Result<_>>()?;
    let places = places.join(":");
    let stated = given("key_store", places.clone());
    let what = "Folders or services that keep envelopes, with colons";
    let key_stores = asking.question(what, "--key-store", &places, stated, absolute_places)?;
    let key_service = given("key_service", globals.key_service.clone().unwrap_or_default());
    let key_service = asking.question("Key service", "--key-service", "", key_service, |text| {
        optional(text, forms::web)
    })?;
    let database = command.database.clone();
    let database = asking.question("Database of the analysts", "--database", "", database, |text| {
        optional(text, forms::database)
    })?;
    let identity = KeyPlace::Folder(globals.identity()?).text()?;
    let stated = given("identity", identity.clone());
    let identity = asking.question("File of your keys", "--identity", &identity, stated, absolute)?;
    Ok(Answers {
        rpc,
        gateway,
        stores,
        spread,
        key_stores,
        key_service,
        database,
        identity,
    })
}

fn list<T>(text: &str, by: char, form: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(by).map(|one| form(one.trim())).collect()
}

fn list_or_none<T>(text: &str, by: char, form: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    if text.is_empty() {
        Ok(Vec::new())
    } else {
        list(text, by, form)
    }
}

fn optional<T>(text: &str, form: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        form(text).map(Some)
    }
}

/// A path as it is from everywhere.
fn absolute(text: &str) -> Result<String, String> {
    if text.starts_with("~/") {
        return forms::path(text).map(|_| text.to_owned());
    }
    let path = std::path::absolute(text).map_err(|error| format!("it is no path: {error}"))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| "it is no text (UTF-8), and a profile cannot keep it".into())
}

/// Folders as they are from everywhere, and services.
fn absolute_places(text: &str) -> Result<Vec<String>, String> {
    let places = KeyPlaces::parse(OsStr::new(text.trim()))?.0.into_iter();
    places
        .map(|place| match place {
            KeyPlace::Service(address) => Ok(address),
            KeyPlace::Folder(path) => absolute(path.to_str().unwrap_or_default().trim()),
        })
        .collect()
}

/// A store that is a folder, as it is from everywhere.
fn absolute_store(text: &str) -> String {
    if text.is_empty() || text.contains("://") {
        return text.to_owned();
    }
    absolute(text).unwrap_or_else(|_| text.to_owned())
}

/// The cluster's own word for which it is.
async fn named_cluster(rpc: &[String], meant: Option<[u8; 32]>, output: Output) -> Result<[u8; 32]> {
    let mut unheard = None;
    for address in rpc {
        match (Ledger::new(address).cluster().await, meant) {
            (Ok(cluster), Some(meant)) if cluster != meant => bail!(
                "the cluster at {address} is {}, and --cluster says {}; nothing was written",
                bs58::encode(cluster).into_string(),
                bs58::encode(meant).into_string()
            ),
            (Ok(cluster), _) => return Ok(cluster),
            (Err(error), _) => unheard = Some(error),
        }
    }
    let error = unheard.map_or_else(
        || anyhow!("no RPC address is named"),
        |error| OpError::from(error).into(),
    );
    match meant {
        Some(meant) => {
            output.warn(&format!("{error}; the cluster is taken from --cluster"));
            Ok(meant)
        }
        None => {
            Err(error.context("the cluster cannot be asked which it is (say it with --cluster); nothing was written"))
        }
    }
}

fn write(path: &Path, name: &str, answers: &Answers, cluster: &[u8; 32], command: &Init) -> Result<()> {
    let before = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let mut document: DocumentMut = before
        .parse()
        .with_context(|| format!("cannot read {}", path.display()))?;
    if command.make_default || !document.contains_key("default") {
        document.insert("default", value(name));
    }
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    let profiles = document.entry("profiles").or_insert(Item::Table(profiles));
    let profiles = profiles
        .as_table_like_mut()
        .with_context(|| format!("`profiles` in {} is no table", path.display()))?;
    profiles.insert(name, Item::Table(table(answers, cluster)));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(write_file(path, document.to_string().as_bytes(), Existing::Replace)?)
}

fn table(answers: &Answers, cluster: &[u8; 32]) -> Table {
    let list = |texts: &[String]| value(texts.iter().map(String::as_str).collect::<Array>());
    let mut table = Table::new();
    table.insert("rpc", list(&answers.rpc));
    table.insert("cluster", value(bs58::encode(cluster).into_string()));
    table.insert("gateway", value(&answers.gateway));
    if !answers.stores.is_empty() {
        table.insert("stores", list(&answers.stores));
    }
    table.insert("key_stores", list(&answers.key_stores));
    table.insert("identity", value(&answers.identity));
    let optional = [
        ("spread", &answers.spread),
        ("key_service", &answers.key_service),
        ("database", &answers.database),
    ];
    for (field, text) in optional {
        if let Some(text) = text {
            table.insert(field, value(text));
        }
    }
    table
}
