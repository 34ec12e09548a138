//! Profiles: what would otherwise be typed with every command, under a name, in a TOML file. What is typed comes first,
//! then the environment, then the profile, then what is built in. The file keeps nothing secret, and whatever in it is
//! not understood is an error that names file, line and field: a misspelt store must not be taken for none.

pub(super) mod forms;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{ArgMatches, parser::ValueSource};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    args::Globals,
    key_places::{KeyPlace, KeyPlaces},
};
use crate::{
    ledger::WebSocket,
    store::{Code, FileError, read_file},
};

/// The longest file of profiles, in bytes.
const LIMIT: usize = 1 << 20;

/// A file of profiles.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profiles {
    /// The profile that is used where none is named.
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, Profile>,
}

/// One profile. What it leaves out is as if there were no profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Profile {
    #[serde(deserialize_with = "addresses")]
    pub(super) rpc: Option<Vec<String>>,
    #[serde(deserialize_with = "websocket")]
    pub(super) ws: Option<WebSocket>,
    #[serde(deserialize_with = "cluster")]
    pub(super) cluster: Option<[u8; 32]>,
    #[serde(deserialize_with = "address")]
    pub(super) relayer: Option<String>,
    #[serde(deserialize_with = "address")]
    pub(super) gateway: Option<String>,
    #[serde(deserialize_with = "stores")]
    pub(super) stores: Option<Vec<String>>,
    #[serde(deserialize_with = "spread")]
    pub(super) spread: Option<Code>,
    #[serde(deserialize_with = "key_places")]
    pub(super) key_stores: Option<Vec<KeyPlace>>,
    #[serde(deserialize_with = "address")]
    pub(super) key_service: Option<String>,
    #[serde(deserialize_with = "database")]
    pub(super) database: Option<String>,
    #[serde(deserialize_with = "path")]
    pub(super) identity: Option<PathBuf>,
}

/// What a profile says that no option of every command does.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    /// The profile's name.
    pub(super) profile: Option<String>,
    /// The cluster that it means.
    pub(super) cluster: Option<[u8; 32]>,
    /// The database that it means.
    pub(super) database: Option<String>,
    /// Options that were typed or stand in the environment, by the names of their fields.
    pub(super) given: Vec<&'static str>,
}

impl Named {
    /// Whether an option was typed or stands in the environment.
    pub(super) fn is_given(&self, option: &str) -> bool {
        self.given.contains(&option)
    }
}

/// The options that a profile, too, may say something about.
const OPTIONS: [&str; 10] = [
    "rpc",
    "ws",
    "relayer",
    "fee_payer",
    "gateway",
    "stores",
    "spread",
    "key_store",
    "key_service",
    "identity",
];

impl Globals {
    /// Notes which options were given, and fills in the others from the profile, where one is wanted and there is one.
    ///
    /// # Errors
    /// Where the profile that was named is not there, or the file is not understood.
    pub(super) fn settle(&mut self, matches: &ArgMatches, wanted: bool) -> Result<()> {
        let is_given = |option: &str| {
            let source = matches.value_source(option);
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        self.named.given = OPTIONS.into_iter().filter(|option| is_given(option)).collect();
        if wanted && let Some((name, profile)) = self.read_profile()? {
            self.named.profile = Some(name);
            self.take(profile);
        }
        Ok(())
    }

    fn take(&mut self, profile: Profile) {
        let given = |option| self.named.is_given(option);
        // Stores replace the gateway: who names a gateway for this once means that one. And a number of pieces is of the
        // stores that it was written beside.
        if !given("stores") && !given("gateway") {
            self.stores.stores = profile.stores.unwrap_or_default();
            if !given("spread") {
                self.stores.spread = profile.spread;
            }
        }
        // It belongs to the nodes that it was written beside.
        if !given("ws") && !given("rpc") {
            self.ws = profile.ws;
        }
        if let (false, Some(addresses)) = (given("rpc"), profile.rpc) {
            self.rpc = addresses;
        }
        // Who names another payer for this once means that one.
        if !given("relayer") && !given("fee_payer") {
            self.relayer = profile.relayer;
        }
        if let (false, Some(gateway)) = (given("gateway"), profile.gateway) {
            self.gateway = gateway;
        }
        // Who names key stores for this once means those and no others.
        if !given("key_store") {
            self.key_store = profile.key_stores.map(KeyPlaces).into_iter().collect();
            if !given("key_service") {
                self.key_service = profile.key_service;
            }
        }
        if !given("identity") {
            self.identity = profile.identity;
        }
        self.named.cluster = profile.cluster;
        self.named.database = profile.database;
    }

    /// The profile that was named, or else the file's default.
    fn read_profile(&self) -> Result<Option<(String, Profile)>> {
        let path = self.config_file();
        let file = match &path {
            Ok(path) => read(path)?,
            Err(_) => None,
        };
        let Some(Profiles { default, mut profiles }) = file else {
            return match (&self.config, &self.profile) {
                (Some(path), _) => bail!(
                    "there is no file {}, which --config names; make it with `chartseal init`",
                    path.display()
                ),
                (None, Some(name)) => Err(anyhow!(
                    "there is no profile {name}: there is no file {}; make it with `chartseal init --profile {name}`",
                    path?.display()
                )),
                (None, None) => Ok(None),
            };
        };
        let path = path?;
        let Some(name) = self.profile.clone().or_else(|| default.clone()) else {
            return Ok(None);
        };
        let Some(profile) = profiles.remove(&name) else {
            let there: Vec<_> = profiles.keys().map(String::as_str).collect();
            let by = if self.profile.is_some() { "" } else { ", its `default`" };
            bail!(
                "{} has no profile {name}{by}; it has: {}. Make one with `chartseal init --profile {name}`",
                path.display(),
                if there.is_empty() {
                    "none".to_owned()
                } else {
                    there.join(", ")
                }
            );
        };
        Ok(Some((name, profile)))
    }

    /// Where the file of profiles is, or would be (XDG Base Directory Specification).
    ///
    /// # Errors
    /// Where there is no home folder and nothing says where else.
    pub(super) fn config_file(&self) -> Result<PathBuf> {
        if let Some(path) = &self.config {
            return Ok(path.clone());
        }
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
        let folder = folder.context("there is no home folder; say where profiles are (--config)")?;
        Ok(folder.join("chartseal").join("config.toml"))
    }
}

/// Reads a file of profiles; `None` where there is none.
///
/// # Errors
/// Where it cannot be read or is not understood.
pub(super) fn read(path: &std::path::Path) -> Result<Option<Profiles>> {
    let bytes = match read_file(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if FileError::is_not_found(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is no text (UTF-8)", path.display()))?;
    let profiles = toml_edit::de::from_str(&text).map_err(|error| {
        let at = error.span().map(|span| span.start);
        anyhow!("{}{}", path.display(), explained(&text, at, error.message()))
    })?;
    Ok(Some(profiles))
}

/// The line and field of an error and what is wrong, without any value: it may be the one with the password.
fn explained(text: &str, at: Option<usize>, message: &str) -> String {
    let message = match message.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type: ") => {
            let kind = found.trim_start_matches("invalid type: ");
            let kind = kind.split(['"', '`']).next().unwrap_or(kind).trim();
            format!("expected {expected}, found {kind}")
        }
        _ => message.to_owned(),
    };
    let Some(before) = at.and_then(|at| text.get(..at)) else {
        return format!(": {message}");
    };
    let number = before.matches('\n').count() + 1;
    // A list may go over several lines: its field stands where it begins.
    let mut lines = text.lines().take(number).collect::<Vec<_>>().into_iter().rev();
    let field = lines.find_map(|line| line.split_once('=').map(|(field, _)| field.trim()));
    let is_header = text
        .lines()
        .nth(number - 1)
        .is_some_and(|line| line.trim_start().starts_with("[profiles"));
    match field {
        Some(field) if !is_header => format!(", line {number}, {field}: {message}"),
        _ => format!(", line {number}: {message}"),
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an address or a list of addresses")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn addresses<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
    let list = match OneOrMany::deserialize(value)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    };
    each(&list, forms::web)
}

fn stores<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
    each(&Vec::deserialize(value)?, forms::store)
}

fn key_places<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<KeyPlace>>, D::Error> {
    each(&Vec::deserialize(value)?, forms::key_place)
}

fn address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    one(value, forms::web)
}

fn websocket<'de, D: Deserializer<'de>>(value: D) -> Result<Option<WebSocket>, D::Error> {
    one(value, forms::websocket)
}

fn database<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    one(value, forms::database)
}

fn cluster<'de, D: Deserializer<'de>>(value: D) -> Result<Option<[u8; 32]>, D::Error> {
    one(value, forms::cluster)
}

fn path<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    one(value, forms::path)
}

fn spread<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Code>, D::Error> {
    one(value, forms::spread)
}

fn one<'de, D: Deserializer<'de>, T>(value: D, form: fn(&str) -> Result<T, String>) -> Result<Option<T>, D::Error> {
    form(&String::deserialize(value)?).map(Some).map_err(D::Error::custom)
}

fn each<T, E: serde::de::Error>(list: &[String], form: fn(&str) -> Result<T, String>) -> Result<Option<Vec<T>>, E> {
    if list.is_empty() {
        return Err(E::custom(
            "the list is empty; leave the field out to use what is built in",
        ));
    }
    let values: Result<_, _> = list.iter().map(|text| form(text)).collect();
    values.map(Some).map_err(E::custom)
}
