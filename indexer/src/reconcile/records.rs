//! Records in their newest version, and batches.

use anchor_lang::prelude::Address;
use chartseal_program::{
    seeds::{self, Id},
    state::{Batch, Record},
    vocabulary::RecordStatus,
};
use serde_json::Value;

use super::{
    chain_of,
    expected::{Expected, address, bytes, hash, id, time, word},
    log_of,
};
use crate::sink::tables::number;

pub(super) fn records(accounts: &[(Address, Record)]) -> Vec<Expected> {
    accounts
        .iter()
        .flat_map(|(account, record)| {
            let patient = &record.patient;
            let key = vec![bytes(patient), bytes(record.id)];
            let row = Expected::new("records", account, log_of(patient), key.clone())
                .is("origin", author(patient, &record.origin))
                .is("class", record.class)
                .is(
                    "status",
                    word(RecordStatus::from_byte(record.status), RecordStatus::word),
                )
                .is("version", record.version)
                .is("created_at", time(record.created_at))
                .is("changed_at", time(record.updated_at));
            let more = match record.is_erased() {
                true => Expected::new("erasures", account, log_of(patient), key)
                    .is("version", record.version)
                    .is("at", time(record.updated_at)),
                false => version(account, record),
            };
            [row, more]
        })
        .collect()
}

/// The version that the account keeps the content of.
fn version(account: &Address, record: &Record) -> Expected {
    let patient = &record.patient;
    let key = vec![bytes(patient), bytes(record.id), record.version.into()];
    Expected::new("record_versions", account, log_of(patient), key)
        .is("author", author(patient, &record.author))
        .is("author_institution", id(&record.institution))
        .is("manifest_hash", bytes(record.manifest_hash))
        .is("content_root", bytes(record.content_root))
        .is("locator", bytes(record.locator))
        .is("padded_size", number(record.padded_size))
        .is("previous", hash(&record.previous))
        .is("at", time(record.updated_at))
}

/// Who wrote a version. What the patient wrote, or a delegate for it, has no member.
fn author(patient: &Id, author: &Address) -> Value {
    match *author == seeds::address::patient(patient) {
        true => Value::Null,
        false => address(author),
    }
}

pub(super) fn batches(accounts: &[(Address, Batch)]) -> Vec<Expected> {
    let row = |(account, batch): &(Address, Batch)| {
        let institution = &batch.institution;
        let key = vec![bytes(institution), bytes(batch.id)];
        Expected::new("batches", account, chain_of(institution), key)
            .is("author", address(&batch.author))
            .is("root", bytes(batch.root))
            .is("locator", bytes(batch.locator))
            .is("count", batch.count)
            .is("at", time(batch.created_at))
    };
    accounts.iter().map(row).collect()
}
