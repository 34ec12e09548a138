//! `chartseal erase`.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{args::Erase, caller::Caller, output::Output};

pub(super) async fn erase(command: &Erase, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let record = hex::encode(command.record);
    let receipt = command
        .receipt
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("erasure-{record}.json")));
    let erased = session.erase(&command.patient, &command.record, &receipt).await?;
    let (keys, hash) = (erased.receipt.destroyed.len(), hex::encode(erased.receipt_hash));
    output.say(
        &format!(
            "record {record} is erased: {keys} envelopes and shares destroyed\nreceipt {}, SHA-256 {hash}, stands on chain\n\
             It does not prove that nobody kept a copy.",
            receipt.display()
        ),
        &json!({
            "record": record, "versions": erased.receipt.versions, "destroyed": keys, "receipt": receipt,
            "receipt_sha256": hash, "erased_signature": erased.erased, "attested_signature": erased.attested,
        }),
    );
    Ok(())
}
