//! The parts of the stack, and how each is asked whether it is well.

use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http;
use super::state::State;

/// What Postgres listens on, in the folder that the database's address names.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";

/// A process of the stack, in the order that they are started in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub(crate) enum Part {
    /// The local validator
    Validator,
    /// The gateway, and Postgres with it
    Sandbox,
    /// What keeps wrapped keys and hands them out
    KeyService,
    /// What brings the ledger's events into Postgres
    Indexer,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Validator, Self::Sandbox, Self::KeyService, Self::Indexer];

    /// What it is called, also on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Sandbox => "sandbox",
            Self::KeyService => "keyservice",
            Self::Indexer => "indexer",
        }
    }

    /// The program that it is.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Validator => "chartseal-localnet",
            Self::Sandbox => "chartseal-sandbox",
            Self::KeyService => "chartseal-keyservice",
            Self::Indexer => "chartseal-indexer",
        }
    }
}

/// Whether the validator answers and has the program.
///
/// # Errors
/// What it lacks.
pub(super) fn check_validator(state: &State, program: &str) -> Result<()> {
    let url = state.rpc.as_deref().context("the validator is not up")?;
    let health = http::call(url, "getHealth", &json!([]))?;
    ensure!(health == "ok", "the validator says that it is {health}");
    let account = http::call(url, "getAccountInfo", &json!([program, { "encoding": "base64" }]))?;
    ensure!(
        account["value"]["executable"] == Value::Bool(true),
        "the validator does not have the program {program}"
    );
    Ok(())
}

/// Whether the gateway answers and Postgres takes connections.
///
/// # Errors
/// Which of them does not, and why.
pub(super) fn check_sandbox(state: &State) -> Result<()> {
    let gateway = state.gateway.as_deref().context("the gateway is not up")?;
    http::get(gateway, "/info").context("the gateway is not well")?;
    let database = state.database.as_deref().context("Postgres is not up")?;
    let folder = socket_folder(database).with_context(|| format!("{database} names no folder of a socket"))?;
    UnixStream::connect(folder.join(SOCKET)).context("Postgres takes no connection")?;
    Ok(())
}

/// Whether the key service answers and has its folder.
///
/// # Errors
/// What it says instead.
pub(super) fn check_key_service(state: &State) -> Result<()> {
    let url = state.key_service.as_deref().context("the key service is not up")?;
    http::get(url, "/healthz").context("the key service is not well")?;
    Ok(())
}

/// The `/tmp/x` of `postgres://user@localhost/name?host=/tmp/x`.
pub(super) fn socket_folder(database: &str) -> Option<&Path> {
    let (_, options) = database.split_once('?')?;
    let folder = options.split('&').find_map(|option| option.strip_prefix("host="))?;
    Some(Path::new(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_called_the_same_on_the_command_line_and_in_the_state() {
        for part in Part::ALL {
            assert_eq!(part.to_possible_value().unwrap().get_name(), part.name());
            assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        }
    }

    #[test]
    fn the_folder_of_the_socket_is_in_the_address_of_the_database() {
        let address = "postgres://chartseal@localhost/chartseal?sslmode=disable&host=/tmp/chartseal-pg-x";
        assert_eq!(socket_folder(address), Some(Path::new("/tmp/chartseal-pg-x")));
        assert_eq!(socket_folder("postgres://chartseal@localhost/chartseal"), None);
    }
}
