//! What the values of a profile must look like, whoever gives them: the file, or answers to `chartseal init`. Whether
//! anything is there is not asked here. No message repeats a value that may have a password in it.

use std::path::PathBuf;

use reqwest::Url;

use crate::{
    cli::{key_places::KeyPlace, parse},
    ledger::WebSocket,
    store::{Code, no_password_in},
};

/// An address of something that is reached over HTTP.
pub(in crate::cli) use crate::store::web_address as web;

/// Where a node's WebSocket is, or `off`.
pub(in crate::cli) fn websocket(text: &str) -> Result<WebSocket, String> {
    if let Ok(url) = Url::parse(text) {
        no_password_in(&url)?;
    }
    WebSocket::parse(text)
}

/// A cluster's genesis hash.
pub(in crate::cli) fn cluster(text: &str) -> Result<[u8; 32], String> {
    parse::address(text).map_err(|_| "it is no genesis hash: that is 32 bytes in base58 (`solana genesis-hash`)".into())
}

/// A store of ciphertext. The scheme is looked at when it is opened.
pub(in crate::cli) fn store(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(',') {
        return Err("it is no address of a store: an empty one, or several in one text".into());
    }
    if !text.contains("://") {
        let folder = path(text)?.into_os_string().into_string();
        return folder.map_err(|_| "it is no text (UTF-8)".into());
    }
    if let Ok(url) = Url::parse(text) {
        no_password_in(&url)?;
    }
    Ok(text.to_owned())
}

/// Where envelopes are kept.
pub(in crate::cli) fn key_place(text: &str) -> Result<KeyPlace, String> {
    match text.contains("://") {
        true => web(text).map(KeyPlace::Service),
        false => path(text).map(KeyPlace::Folder),
    }
}

/// How many pieces, and how many of them may be lost.
pub(in crate::cli) fn spread(text: &str) -> Result<Code, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// A Postgres database. Whoever reads a profile learns no password from it.
pub(in crate::cli) fn database(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("it is no address of a database ({error}); give one like postgres://user@host/chartseal")
    })?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("it does not begin with postgres://".into());
    }
    let in_query = url.query_pairs().any(|(key, _)| key.eq_ignore_ascii_case("password"));
    if in_query || url.password().is_some() {
        return Err(
            "there is a password in it, and a profile keeps nothing secret: leave it out, and put it into ~/.pgpass or \
             the file that PGPASSFILE names (host:port:database:user:password, mode 0600)"
                .into(),
        );
    }
    Ok(text.to_owned())
}

/// A path that means the same wherever the program is started. `~/` is the home folder.
pub(in crate::cli) fn path(text: &str) -> Result<PathBuf, String> {
    let path = match text.strip_prefix("~/") {
        Some(rest) => std::env::home_dir()
            .ok_or("there is no home folder for ~/ to mean; write the whole path")?
            .join(rest),
        None => PathBuf::from(text),
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("it begins neither with / nor with ~/, so it would mean another place in every folder".into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_form_takes_a_password_or_repeats_one() {
        let refusals = [
            web("https://me:hush@host").unwrap_err(),
            store("https://me:hush@host").unwrap_err(),
            database("postgres://me:hush@host/chartseal").unwrap_err(),
            database("postgres://host/chartseal?user=me&password=hush").unwrap_err(),
            web("me:hush@host").unwrap_err(),
            websocket("wss://me:hush@host").unwrap_err(),
            database("mysql://me:hush@host").unwrap_err(),
        ];
        for refusal in refusals {
            assert!(!refusal.contains("hush"), "{refusal}");
        }
        assert!(
            database("postgres://me:hush@host/chartseal")
                .unwrap_err()
                .contains("PGPASSFILE")
        );
    }

    #[test]
    fn forms_take_what_commands_take() {
        assert!(web("http://127.0.0.1:8899").is_ok() && web("https://rpc.example/?api-key=1").is_ok());
        assert!(database("postgres:///chartseal?host=/run/postgresql").is_ok());
        for address in ["https://gateway.example", "s3://bucket/prefix", "/srv/records"] {
            assert!(store(address).is_ok(), "{address}");
        }
        assert_eq!(cluster(&bs58::encode([7; 32]).into_string()).unwrap(), [7; 32]);
        assert!(spread("2+1").is_ok() && path("/srv/keys").is_ok());
        assert!(key_place("/srv/keys").is_ok() && key_place("https://keys.example").is_ok());
        assert!(key_place("keys").is_err() && key_place("s3://bucket").is_err());
        assert!(websocket("wss://node.example/?api-key=1").is_ok() && websocket("off").is_ok());
        assert!(websocket("https://host").is_err() && websocket("on").is_err());
        assert!(web("ftp://host").is_err() && web("host").is_err() && cluster("7").is_err());
        assert!(store("").is_err() && store("records").is_err() && spread("two").is_err() && path("keys").is_err());
    }
}
