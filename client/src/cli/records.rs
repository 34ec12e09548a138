//! `chartseal get`, `verify`, `list`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use chartseal_program::{
    seeds::Id,
    vocabulary::{Purpose, RecordStatus},
};
use serde_json::json;

use super::{
    args::{Claim, Get},
    caller::{Caller, Here, off_thread},
    output::Output,
};
use crate::{
    ops::{GetRequest, Got, OpError, Payment},
    store::{AtomicFile, Existing, Kept},
};

pub(super) async fn get(command: &Get, caller: Caller, output: Output) -> Result<()> {
    let partial = partial_folder(command)?;
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
        partial: partial.clone(),
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
    if let Some(folder) = partial {
        off_thread(move || Ok(Kept::remove(&folder).map_err(OpError::from)?)).await?;
    }
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

pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Where a download keeps what it fetched: beside the file that it makes.
pub(super) fn partial_folder(command: &Get) -> Result<Option<PathBuf>> {
    if !command.resume {
        return Ok(None);
    }
    let Some(name) = command.out.file_name().filter(|_| !is_dash(&command.out)) else {
        bail!("--resume keeps what it fetches beside a file: name one with --out");
    };
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".chartseal-part");
    Ok(Some(command.out.with_file_name(beside)))
}

fn say_got(got: &Got, out: &Path, output: Output) {
    let opened = &got.opened;
    output.say(
        &format!(
            "{}: {} bytes of version {}, {}, allowed as {}{}",
            out.display(),
            opened.written,
            got.version,
            opened.media_type,
            got.access.basis.word(),
            opened
                .sha256
                .map_or_else(String::new, |sha256| format!(", SHA-256 {}", hex::encode(sha256)))
        ),
        &json!({
            "out": out, "name": opened.name, "media_type": opened.media_type, "bytes": opened.written,
            "sha256": opened.sha256.map(hex::encode), "version": got.version, "basis": got.access.basis.word(),
            "request": hex::encode(got.access.request), "signature": got.access.signature,
        }),
    );
}
