//! `chartseal put`, `amend`, `get`, `verify`, `list`.

use std::path::Path;

use anyhow::{Context as _, Result};
use chartseal_program::{
    seeds::Id,
    vocabulary::{Purpose, RecordStatus},
};
use serde_json::json;
use tokio::fs::File;

use super::{
    args::{Amend, Claim, Get, Put, Sealing},
    caller::{Caller, Here},
    output::Output,
};
use crate::{
    ops::{AmendRequest, GetRequest, Got, OpError, Payment, Put as Stored, PutRequest},
    seal::{Input, Padding, SealOptions},
    store::{AtomicFile, Existing},
};

pub(super) async fn put(command: &Put, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let (source, length) = open(&command.file).await?;
    let request = PutRequest {
        patient: command.patient,
        class: command.class,
        purpose: purpose(&session, &command.claim, &command.patient).await?,
        grant: command.claim.grant,
        seal: options(&command.sealing, &command.file),
        journal: None,
    };
    let bar = output.progress(length);
    let stored = session.put(&request, source, &bar.callback()).await?;
    drop(bar);
    say_stored(&stored, output);
    Ok(())
}

pub(super) async fn amend(command: &Amend, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let (source, length) = open(&command.file).await?;
    let request = AmendRequest {
        patient: command.patient,
        record: command.record,
        expected_version: command.expect_version,
        purpose: purpose(&session, &command.claim, &command.patient).await?,
        grant: command.claim.grant,
        seal: options(&command.sealing, &command.file),
        journal: None,
    };
    let bar = output.progress(length);
    let stored = session.amend(&request, source, &bar.callback()).await?;
    drop(bar);
    say_stored(&stored, output);
    Ok(())
}

pub(super) async fn get(command: &Get, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let request = GetRequest {
        patient: command.patient,
        record: command.record,
        version: command.version,
        purpose: if command.emergency {
            Purpose::Emergency
        } else {
            purpose(&session, &command.claim, &command.patient).await?
        },
        grant: command.claim.grant,
        payment: command
            .pay
            .zip(command.request)
            .map(|(agreement, request)| Payment { agreement, request }),
        range: command.range.clone(),
    };
    let bar = output.progress(None);
    if is_dash(&command.out) {
        // Bytes are handed out as they are verified; what was written before an error is for the reader to drop.
        session.get(&request, &mut tokio::io::stdout(), &bar.callback()).await?;
        return Ok(());
    }
    let existing = if command.force {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let mut file = AtomicFile::create(&command.out, existing).map_err(OpError::from)?;
    let got = session.get(&request, &mut file, &bar.callback()).await?;
    file.commit().await.map_err(OpError::from)?;
    drop(bar);
    say_got(&got, &command.out, output);
    Ok(())
}

pub(super) async fn verify(patient: &Id, record: &Id, caller: &Caller, output: Output) -> Result<()> {
    let account = caller.ledger().record(patient, record).await.map_err(OpError::from)?;
    if account.is_erased() {
        output.say(
            &format!(
                "a tombstone: version {} was erased at {} (unix); nothing of it is left to check",
                account.version, account.updated_at
            ),
            &json!({
                "status": RecordStatus::Erased.word(), "erased_at": account.updated_at, "version": account.version,
                "matches": null,
            }),
        );
        return Ok(());
    }
    let bar = output.progress(None);
    let verified = caller.anonymous()?.verify(patient, record, &bar.callback()).await?;
    drop(bar);
    output.say(
        &format!(
            "{} shards, {} bytes: all match the hashes on chain",
            verified.shards, verified.sealed
        ),
        &json!({ "shards": verified.shards, "sealed_bytes": verified.sealed, "matches": true, "status": RecordStatus::Active.word() }),
    );
    Ok(())
}

pub(super) async fn list(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let records = caller.ledger().records(patient).await.map_err(OpError::from)?;
    let rows = records.iter().map(|found| {
        let record = &found.account;
        let id = hex::encode(record.id);
        let status = RecordStatus::from_byte(record.status).map_or("unknown", RecordStatus::word);
        let object = json!({
            "record": id, "version": record.version, "class": record.class, "status": status,
            "author": record.author.to_string(), "sealed_bytes": record.padded_size, "updated_at": record.updated_at,
        });
        let cells = vec![
            id,
            record.version.to_string(),
            record.class.to_string(),
            status.into(),
            record.padded_size.to_string(),
            record.updated_at.to_string(),
            record.author.to_string(),
        ];
        (cells, object)
    });
    output.table(
        &[
            "record",
            "version",
            "class",
            "status",
            "sealed bytes",
            "updated (unix)",
            "author",
        ],
        rows.collect(),
    );
    Ok(())
}

/// The purpose that was typed; for patients and others without a profession it is their own, for members treatment.
pub(super) async fn purpose(session: &Here, claim: &Claim, patient: &Id) -> Result<Purpose> {
    match claim.purpose {
        Some(purpose) => Ok(purpose),
        None => Ok(session.usual_purpose(patient).await?),
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
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

fn say_got(got: &Got, out: &Path, output: Output) {
    let opened = &got.opened;
    output.say(
        &format!(
            "{}: {} bytes of version {}, {}, allowed as {}",
            out.display(),
            opened.written,
            got.version,
            opened.media_type,
            got.access.basis.word()
        ),
        &json!({
            "out": out, "name": opened.name, "media_type": opened.media_type, "bytes": opened.written,
            "sha256": opened.sha256.map(hex::encode), "version": got.version, "basis": got.access.basis.word(),
            "request": hex::encode(got.access.request), "signature": got.access.signature,
        }),
    );
}
