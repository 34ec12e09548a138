//! `chartseal put` and `amend`: what is uploaded, how it goes on after it was broken off, and what it would cost.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::fs::File;

use super::{
    args::{Amend, Command, Put, Sealing, Uploading},
    caller::{Caller, off_thread},
    output::Output,
    records::{is_dash, partial_folder, purpose},
};
use crate::{
    ops::{AmendRequest, Estimate, OpError, Put as Stored, PutRequest},
    seal::{Input, Journal, JournalError, Padding, SHARD_PLAIN_LEN, SealOptions},
    store::{LineFileError, Price},
};

pub(super) async fn put(command: &Put, caller: Caller, output: Output) -> Result<()> {
    if command.uploading.dry_run {
        return estimate(&command.file, &command.sealing, &caller, output).await;
    }
    let session = caller.session().await?;
    let (source, length) = open(&command.file).await?;
    let journal = journal(&command.uploading, &command.file, &source, length, output).await?;
    let request = PutRequest {
        patient: command.patient,
        class: command.class,
        purpose: purpose(&session, &command.claim, &command.patient).await?,
        grant: command.claim.grant,
        seal: options(&command.sealing, &command.file),
        journal,
    };
    let bar = output.progress(length);
    let stored = session.put(&request, source, &bar.uploaded()).await?;
    drop(bar);
    say_stored(&stored, output);
    Ok(())
}

pub(super) async fn amend(command: &Amend, caller: Caller, output: Output) -> Result<()> {
    if command.uploading.dry_run {
        return estimate(&command.file, &command.sealing, &caller, output).await;
    }
    let session = caller.session().await?;
    let (source, length) = open(&command.file).await?;
    let journal = journal(&command.uploading, &command.file, &source, length, output).await?;
    let request = AmendRequest {
        patient: command.patient,
        record: command.record,
        expected_version: command.expect_version,
        purpose: purpose(&session, &command.claim, &command.patient).await?,
        grant: command.claim.grant,
        seal: options(&command.sealing, &command.file),
        journal,
    };
    let bar = output.progress(length);
    let stored = session.amend(&request, source, &bar.uploaded()).await?;
    drop(bar);
    say_stored(&stored, output);
    Ok(())
}

/// What a command leaves to go on with when it is broken off, if it leaves anything.
pub(super) fn what_is_left(command: &Command) -> Option<PathBuf> {
    match command {
        Command::Put(Put { uploading, file, .. }) | Command::Amend(Amend { uploading, file, .. }) => {
            let kept = !uploading.no_journal && !uploading.dry_run && !is_dash(file);
            kept.then(|| uploading.journal.clone().or_else(|| beside(file)))
                .flatten()
        }
        Command::Get(command) => partial_folder(command).ok().flatten(),
        _ => None,
    }
}

/// The journal's place where none is named.
fn beside(file: &Path) -> Option<PathBuf> {
    let mut name = file.file_name()?.to_owned();
    name.push(".chartseal-upload");
    Some(file.with_file_name(name))
}

/// Where the journal of an upload is, if it has one.
async fn journal(
    uploading: &Uploading,
    file: &Path,
    source: &Input<'_>,
    length: Option<u64>,
    output: Output,
) -> Result<Option<PathBuf>> {
    let is_file = matches!(source, Input::File(_));
    let (path, named) = match &uploading.journal {
        Some(_) if !is_file => bail!("a stream cannot be read again, so it can have no journal: store a file"),
        Some(path) => (path.clone(), true),
        None => match beside(file) {
            // What is one shard is begun anew as soon.
            Some(path) if is_file && length.is_some_and(|length| length > SHARD_PLAIN_LEN as u64) => (path, false),
            _ => return Ok(None),
        },
    };
    if uploading.no_journal {
        return Ok(None);
    }
    let (at, anew) = (path.clone(), uploading.restart);
    match off_thread(move || Ok(Journal::prepare(&at, anew))).await? {
        Ok(()) => Ok(Some(path)),
        Err(JournalError::Lines(LineFileError::File(error))) if !named => {
            output.warn(&format!(
                "{error}; it goes on without, and begins anew should it be broken off (--journal names another place)"
            ));
            Ok(None)
        }
        Err(error) => Err(OpError::from(error).into()),
    }
}

async fn estimate(file: &Path, sealing: &Sealing, caller: &Caller, output: Output) -> Result<()> {
    let session = caller.anonymous()?;
    let (source, length) = open(file).await?;
    let bar = output.progress(length);
    let estimate = session
        .estimate(&options(sealing, file), source, &bar.callback())
        .await?;
    drop(bar);
    say_estimate(&estimate, output);
    Ok(())
}

fn say_estimate(Estimate { measured, prices }: &Estimate, output: Output) {
    let stats = &measured.stats;
    let prices_said = prices.iter().map(|(store, price)| match price {
        Some(price) => format!("\n{store}: {} AR", in_ar(*price)),
        None => format!("\n{store}: names no price"),
    });
    let prices_listed = prices
        .iter()
        .map(|(store, price)| json!({ "store": store, "winston": price.map(|price| price.winston.to_string()) }));
    output.say(
        &format!(
            "{}: {} bytes, coded {}, padded {}, sealed {} in {} shards; {} bytes to store, {} items at each store{}",
            measured.media_type,
            stats.original,
            stats.encoded,
            stats.padded,
            stats.sealed,
            stats.shards,
            stats.stored,
            measured.items.len(),
            prices_said.collect::<String>()
        ),
        &json!({
            "media_type": measured.media_type, "original_bytes": stats.original, "encoded_bytes": stats.encoded,
            "padded_bytes": stats.padded, "sealed_bytes": stats.sealed, "stored_bytes": stats.stored,
            "shards": stats.shards, "items": measured.items.len(), "prices": prices_listed.collect::<Vec<_>>(),
        }),
    );
}

/// A price in AR, exactly.
fn in_ar(price: Price) -> String {
    const WINSTON: u128 = 1_000_000_000_000;
    let fraction = format!("{:012}", price.winston % WINSTON);
    match fraction.trim_end_matches('0') {
        "" => (price.winston / WINSTON).to_string(),
        fraction => format!("{}.{fraction}", price.winston / WINSTON),
    }
}

/// What is to be sealed, and its length where that is known.
async fn open(path: &Path) -> Result<(Input<'static>, Option<u64>)> {
    if is_dash(path) {
        return Ok((Input::stream(tokio::io::stdin()), None));
    }
    let file = File::open(path)
        .await
        .with_context(|| format!("cannot read {}", path.display()))?;
    let metadata = file
        .metadata()
        .await
        .with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.is_file() {
        Ok((Input::File(file.into_std().await), Some(metadata.len())))
    } else {
        Ok((Input::stream(file), None))
    }
}

fn options(sealing: &Sealing, file: &Path) -> SealOptions {
    let own_name = if is_dash(file) {
        None
    } else {
        file.file_name().map(|name| name.to_string_lossy().into_owned())
    };
    let name = sealing.name.clone().or(own_name).unwrap_or_default();
    SealOptions {
        media_type: sealing.media_type.clone(),
        padding: if sealing.no_padding {
            Padding::None
        } else {
            Padding::Padme
        },
        compress: !sealing.no_compression,
        file_hash: sealing.sha256,
        ..SealOptions::named(name)
    }
}

fn say_stored(stored: &Stored, output: Output) {
    let record = hex::encode(stored.record);
    let stats = &stored.stats;
    if !stored.recoverable {
        output.warn(
            "the patient has no guardians: should the wallet or its passphrase be lost, nobody can help to it. Make a copy \
             (`chartseal keys backup`) and name guardians (`chartseal guardian set`)",
        );
    }
    if stored.holders_too_few {
        output.warn(
            "too few of the patient's break-glass holders have a usable key: in an emergency nobody could open this. Name others \
             (`chartseal break-glass set`), then run `chartseal rewrap`",
        );
    }
    output.say(
        &format!(
            "record {record} version {}: {} of {} bytes, sealed to {} in {} shards, {} readers",
            stored.version, stored.media_type, stats.original, stats.sealed, stats.shards, stored.readers
        ),
        &json!({
            "record": record, "version": stored.version, "signature": stored.signature,
            "media_type": stored.media_type, "original_bytes": stats.original, "sealed_bytes": stats.sealed,
            "shards": stats.shards, "readers": stored.readers, "recoverable": stored.recoverable,
            "break_glass_shares": stored.holders, "break_glass_holders_too_few": stored.holders_too_few,
            "manifest_hash": hex::encode(stored.content.manifest_hash), "content_root": hex::encode(stored.content.root),
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_said_in_ar_to_the_last_winston() {
        for (winston, ar) in [
            (0, "0"),
            (1, "0.000000000001"),
            (1_500_000_000_000, "1.5"),
            (20_000_000_000_000, "20"),
        ] {
            assert_eq!(in_ar(Price { winston }), ar);
        }
    }

    #[test]
    fn a_journal_is_beside_its_file() {
        assert_eq!(beside(Path::new("a/b.dcm")), Some("a/b.dcm.chartseal-upload".into()));
        assert_eq!(beside(Path::new("b.dcm")), Some("b.dcm.chartseal-upload".into()));
        assert_eq!(beside(Path::new("/")), None);
    }
}
