//! A search for what must be nowhere in the clear: names, file names and texts, in everything that is public or that
//! others run: the ledger's file and accounts, the gateway's folders, and every row of Postgres.
//!
//! What is compared are bytes, whatever the case, after everything was decoded that is written in another way where it
//! lies: a `bytea` column prints as hex, and the tags of the gateway's items are base64url in its index.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chartseal_program::ID;
use serde_json::Value;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig};
use sqlx::{PgPool, Row as _};

/// A search for some texts: what was found, and how much was looked at.
#[derive(Debug)]
pub struct Search {
    /// Each text in lower case.
    texts: Vec<Vec<u8>>,
    /// Whether a text begins with this byte.
    begins: [bool; 256],
    /// Where something was found that must not be there.
    pub leaks: Vec<String>,
    /// How many bytes were searched.
    pub bytes: u64,
}

impl Search {
    /// A search for texts, in any case.
    #[must_use]
    pub fn new(texts: &[&str]) -> Self {
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes().to_ascii_lowercase()).collect();
        let mut begins = [false; 256];
        for first in texts.iter().filter_map(|text| text.first()) {
            begins[usize::from(*first)] = true;
        }
        Self {
            texts,
            begins,
            leaks: Vec::new(),
            bytes: 0,
        }
    }

    /// Makes sure that each text is in one of these, as it must be for the search to mean something.
    ///
    /// # Errors
    /// Names the first text that is in none.
    pub fn expect_each_in(&self, inputs: &[Vec<u8>]) -> Result<()> {
        for text in &self.texts {
            ensure!(
                inputs.iter().any(|input| contains(input, text)),
                "'{}' is in nothing that was put in, so not finding it proves nothing",
                text.escape_ascii()
            );
        }
        Ok(())
    }

    /// Searches a file, or all files of a folder, and their names.
    ///
    /// # Errors
    /// Where something cannot be read, or there is nothing to search: then finding nothing would mean nothing.
    pub fn in_place(&mut self, place: &Path) -> Result<()> {
        let before = self.bytes;
        self.in_path(place)?;
        ensure!(self.bytes > before, "there is nothing in {}", place.display());
        Ok(())
    }

    fn in_path(&mut self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot read {}", path.display());
        if path.is_dir() {
            for entry in std::fs::read_dir(path).with_context(cannot)? {
                let entry = entry.with_context(cannot)?;
                let name = entry.file_name();
                self.in_bytes(
                    name.as_encoded_bytes(),
                    &format!("the name of {}", entry.path().display()),
                );
                if entry.file_type().with_context(cannot)?.is_symlink() {
                    continue;
                }
                self.in_path(&entry.path())?;
            }
            return Ok(());
        }
        let bytes = std::fs::read(path).with_context(cannot)?;
        self.in_bytes(&bytes, &path.display().to_string());
        // What the gateway knows of an item: the tags are in its header.
        if path.extension().is_some_and(|extension| extension == "json") {
            let known: Value = serde_json::from_slice(&bytes).with_context(cannot)?;
            let header = known["header"]
                .as_str()
                .with_context(|| format!("{} has no header", path.display()))?;
            let header = BASE64_URL_SAFE_NO_PAD.decode(header).with_context(cannot)?;
            self.in_bytes(&header, &format!("the item's header in {}", path.display()));
        }
        Ok(())
    }

    /// Searches all accounts of the program.
    ///
    /// # Errors
    /// Where they cannot be listed, or there are none.
    pub async fn in_accounts(&mut self, rpc: &str) -> Result<()> {
        let accounts = RpcClient::new(rpc.to_owned())
            .get_program_ui_accounts_with_config(&ID, everything())
            .await;
        let accounts = accounts.context("cannot list the program's accounts")?;
        ensure!(!accounts.is_empty(), "the program has no accounts");
        for (address, account) in accounts {
            let data = account.data.decode().context("an account does not decode")?;
            self.in_bytes(&data, &format!("account {address}"));
        }
        Ok(())
    }

    /// Searches every row of every table.
    ///
    /// # Errors
    /// Where they cannot be read, or there are no tables or no rows.
    pub async fn in_tables(&mut self, database: &PgPool) -> Result<()> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
             WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
        )
        .fetch_all(database)
        .await
        .context("cannot list the tables")?;
        let before = self.bytes;
        for table in tables {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT row_to_json(t)::text FROM {table} t"
            )))
            .fetch_all(database)
            .await
            .with_context(|| format!("cannot read {table}"))?;
            for row in rows {
                let row: String = row.try_get(0).context("a row is no text")?;
                self.in_row(&row, &table)?;
            }
        }
        ensure!(self.bytes > before, "there are no rows in any table");
        Ok(())
    }

    fn in_row(&mut self, row: &str, table: &str) -> Result<()> {
        let row = serde_json::from_str(row).context("a row is no JSON")?;
        self.in_value(&row, table);
        Ok(())
    }

    fn in_value(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.in_value(value, &format!("{place}.{name}"));
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.in_value(value, place)),
            Value::String(text) => {
                // What may be bytes is searched as text too: nobody knows what a text column holds.
                if let Some(bytes) = text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok()) {
                    self.in_bytes(&bytes, place);
                }
                self.in_bytes(text.as_bytes(), place);
            }
            other => self.in_bytes(other.to_string().as_bytes(), place),
        }
    }

    fn in_bytes(&mut self, bytes: &[u8], place: &str) {
        self.bytes += bytes.len() as u64;
        for (at, byte) in bytes.iter().enumerate() {
            // Most bytes begin no text.
            if !self.begins[usize::from(byte.to_ascii_lowercase())] {
                continue;
            }
            for text in &self.texts {
                let found = bytes.get(at..at + text.len());
                if found.is_some_and(|found| found.eq_ignore_ascii_case(text)) {
                    self.leaks.push(format!("'{}' in {place}", text.escape_ascii()));
                }
            }
        }
    }
}

/// Whether the bytes hold a text that is in lower case, whatever their own case.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window.eq_ignore_ascii_case(text))
}

/// Every account, with all of its data.
fn everything() -> RpcProgramAccountsConfig {
    let account_config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        ..RpcAccountInfoConfig::default()
    };
    RpcProgramAccountsConfig {
        account_config,
        ..RpcProgramAccountsConfig::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn search() -> Search {
        Search::new(&["Marguerite", "CompressedSamples^CT1"])
    }

    #[test]
    fn a_name_in_a_file_or_a_files_name_is_found_whatever_its_case() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), b"\x00\x01MARGUERITE\xFF").unwrap();
        std::fs::write(folder.path().join("deep/scan-of-marguerite"), b"1").unwrap();
        std::fs::write(folder.path().join("journal"), b"\x00compressedsamples^CT1\x00").unwrap();
        let mut search = search();
        search.in_place(folder.path()).unwrap();
        assert_eq!(search.leaks.len(), 3, "{:?}", search.leaks);
    }

    #[test]
    fn a_tag_of_an_item_is_found_in_the_gateways_index() {
        let folder = tempfile::tempdir().unwrap();
        let header = BASE64_URL_SAFE_NO_PAD.encode(b"\x02\x00signature\x02\x0APatient\x14Marguerite\x00");
        let known = serde_json::json!({ "content_type": "application/octet-stream", "header": header });
        assert!(!known.to_string().to_lowercase().contains("marguerite"));
        std::fs::write(folder.path().join("item.json"), known.to_string()).unwrap();
        let mut search = search();
        search.in_place(folder.path()).unwrap();
        assert_eq!(search.leaks.len(), 1, "{:?}", search.leaks);
    }

    #[test]
    fn a_name_is_found_in_bytes_texts_and_lists_of_a_row() {
        let bytes = format!("\\x00{}ff", hex::encode("Marguerite"));
        for row in [
            serde_json::json!({ "payload": bytes }),
            serde_json::json!({ "note": "for MARGUERITE" }),
            serde_json::json!({ "note": "a quote \" and CompressedSamples^CT1" }),
            serde_json::json!({ "list": [1, null, { "deep": "marguerite" }] }),
        ] {
            let mut search = search();
            search.in_row(&row.to_string(), "table").unwrap();
            assert_eq!(search.leaks.len(), 1, "{row}");
        }
        let mut search = search();
        search.in_row(r#"{"id": "\\x0102", "seq": 7}"#, "table").unwrap();
        assert!(search.leaks.is_empty());
    }

    #[test]
    fn a_name_in_an_accounts_bytes_is_found() {
        let mut search = search();
        search.in_bytes(&[&[1, 2, 3][..], b"mArGuErItE", &[0; 9]].concat(), "account");
        assert_eq!(search.leaks.len(), 1);
    }

    #[test]
    fn a_text_that_was_never_put_in_is_refused() {
        let inputs = [
            b"Discharge note for Marguerite".to_vec(),
            b"compressedSAMPLES^CT1 ".to_vec(),
        ];
        search().expect_each_in(&inputs).unwrap();
        let error = search().expect_each_in(&inputs[..1]).unwrap_err().to_string();
        assert!(error.contains("compressedsamples^ct1"), "{error}");
    }

    #[test]
    fn an_empty_place_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(search().in_place(folder.path()).is_err());
    }
}
