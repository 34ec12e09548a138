//! A search for what must be nowhere in the clear: names, file names and texts, in everything that is public or that
//! others run: the ledger with all its accounts and transactions, the gateway's folders, and every row of Postgres.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use chartseal_program::ID;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig};
use sqlx::{PgPool, Row as _};

/// Where something was found that must not be there.
pub type Leaks = Vec<String>;

/// Searches folders, files, the program's accounts and tables for any of these texts, whatever the case. The figure is how many bytes were searched.
///
/// # Errors
/// Where something cannot be read, or there is nothing to search: then finding nothing would mean nothing.
pub async fn search(places: &[&Path], rpc: &str, database: &PgPool, texts: &[&str]) -> Result<(Leaks, u64)> {
    let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let mut leaks = Leaks::new();
    let mut searched = 0;
    for place in places {
        let before = searched;
        if place.is_dir() {
            in_folder(place, &texts, &mut leaks, &mut searched)?;
        } else {
            in_file(place, &texts, &mut leaks, &mut searched)?;
        }
        ensure!(searched > before, "there is nothing in {}", place.display());
    }
    let accounts = RpcClient::new(rpc.to_owned()).get_program_ui_accounts_with_config(&ID, everything()).await;
    let accounts = accounts.context("cannot list the program's accounts")?;
    ensure!(!accounts.is_empty(), "the program has no accounts");
    for (address, account) in accounts {
        let data = account.data.decode().context("an account does not decode")?;
        in_bytes(&data, &format!("account {address}"), &texts, &mut leaks, &mut searched);
    }
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(database)
    .await
    .context("cannot list the tables")?;
    ensure!(!tables.is_empty(), "there are no tables");
    for table in tables {
        // Bytes are searched as bytes: a text in a bytea column prints as hex.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT row_to_json(t)::text FROM {table} t"
        )))
        .fetch_all(database)
        .await
        .with_context(|| format!("cannot read {table}"))?;
        for row in rows {
            let row: String = row.try_get(0).context("a row is no text")?;
            searched += row.len() as u64;
            let lower = row.to_lowercase();
            for text in &texts {
                if lower.contains(text.as_str()) || lower.contains(&hex::encode(text)) {
                    leaks.push(format!("'{text}' in {table}"));
                }
            }
        }
    }
    Ok((leaks, searched))
}

fn in_folder(folder: &Path, texts: &[String], leaks: &mut Leaks, searched: &mut u64) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_lowercase();
        for text in texts {
            if name.contains(text.as_str()) {
                leaks.push(format!("'{text}' in the name of {}", path.display()));
            }
        }
        let kind = entry
            .file_type()
            .with_context(|| format!("cannot read {}", path.display()))?;
        if kind.is_dir() {
            in_folder(&path, texts, leaks, searched)?;
        } else if kind.is_file() {
            in_file(&path, texts, leaks, searched)?;
        }
    }
    Ok(())
}

fn in_file(path: &Path, texts: &[String], leaks: &mut Leaks, searched: &mut u64) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    in_bytes(&bytes, &path.display().to_string(), texts, leaks, searched);
    Ok(())
}

fn in_bytes(bytes: &[u8], place: &str, texts: &[String], leaks: &mut Leaks, searched: &mut u64) {
    *searched += bytes.len() as u64;
    let lower = bytes.to_ascii_lowercase();
    for text in texts {
        if lower.windows(text.len()).any(|window| window == text.as_bytes()) {
            leaks.push(format!("'{text}' in {place}"));
        }
    }
}

/// Every account, with all of its data.
fn everything() -> RpcProgramAccountsConfig {
    let account_config =
        RpcAccountInfoConfig { encoding: Some(UiAccountEncoding::Base64), ..RpcAccountInfoConfig::default() };
    RpcProgramAccountsConfig { account_config, ..RpcProgramAccountsConfig::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_in_a_file_is_found_whatever_its_case() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), b"\x00\x01MARGUERITE\xFF").unwrap();
        let (mut leaks, mut searched) = (Leaks::new(), 0);
        in_folder(folder.path(), &["marguerite".into()], &mut leaks, &mut searched).unwrap();
        assert_eq!((leaks.len(), searched), (1, 13));
    }
}
