//! `chartseal erase`.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{args::Erase, caller::Caller, output::Output};
use crate::ops::{StoreErasure, StoreOutcome};

pub(super) async fn erase(command: &Erase, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session_on_existing_stores().await?;
    let record = hex::encode(command.record);
    let receipt = command
        .receipt
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("erasure-{record}.json")));
    let erased = session.erase(&command.patient, &command.record, &receipt).await?;
    let (keys, hash) = (erased.receipt.destroyed.len(), hex::encode(erased.receipt_hash));
    let stores: Vec<String> = erased.receipt.key_stores.iter().map(describe).collect();
    output.say(
        &format!(
            "record {record} is erased: {keys} envelopes and shares destroyed\n{}\n\
             receipt {}, SHA-256 {hash}, stands on chain\nIt does not prove that nobody kept a copy.",
            stores.join("\n"),
            receipt.display()
        ),
        &json!({
            "record": record, "versions": erased.receipt.versions, "destroyed": keys,
            "key_stores": erased.receipt.key_stores, "receipt": receipt,
            "receipt_sha256": hash, "erased_signature": erased.erased, "attested_signature": erased.attested,
        }),
    );
    Ok(())
}

fn describe(store: &StoreErasure) -> String {
    let outcome = match store.outcome {
        Some(StoreOutcome::Destroyed) => "keys destroyed",
        Some(StoreOutcome::Absent) => "it kept no keys of the record",
        None => "nothing was done",
    };
    format!(
        "key store {}: {outcome}; given {} copies of envelopes afterwards, it opened none",
        store.key_store, store.copies_tried
    )
}
