//! Proves the records that came from batches.
//!
//! A batch's list of leaves is sealed for its institution, so an indexer cannot read it, and no root can be made anew
//! from it here; `chartseal batch show` does, for whoever may. But whoever promotes a record shows the path from its leaf
//! to the root in that very transaction: each such row is hashed as a leaf, and followed along that path to the root that
//! the ledger has.

use std::collections::HashMap;

use anchor_lang::Discriminator;
use chartseal_program::{
    events::Content,
    instruction,
    instructions::PromoteBatchedArgs,
    log::ChainKind,
    merkle::{self, Leaf},
    seeds::Id,
};
use futures_util::StreamExt;
use serde::Serialize;
use sqlx::PgConnection;

use super::report::{Finding, Findings, Problem};
use crate::{
    Error,
    sink::SinkError,
    source::{Listed, RpcSource, Signature, SourceError, Transaction},
};

/// Transactions that are asked for at once.
const AT_ONCE: usize = 500;

/// Batches, and how many of their records were proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchCount {
    pub anchored: u64,
    /// Records that were put into charts.
    pub promoted: u64,
    /// Those that are leaves of their batches.
    pub proved: u64,
}

/// A record that came from a batch, as the rows have it.
#[derive(sqlx::FromRow)]
struct Promoted {
    patient: Vec<u8>,
    record: Vec<u8>,
    class: i16,
    seq: i64,
    manifest_hash: Vec<u8>,
    content_root: Vec<u8>,
    locator: Vec<u8>,
    padded_size: i64,
    institution: Vec<u8>,
    batch: Vec<u8>,
    index: i64,
    root: Vec<u8>,
    count: i64,
    signature: Vec<u8>,
    slot: i64,
    is_final: bool,
}

/// Proves every row that came from a batch.
pub(super) async fn prove(
    snapshot: &mut PgConnection,
    source: &RpcSource,
    findings: &mut Findings,
) -> Result<BatchCount, Error> {
    let anchored: i64 = sqlx::query_scalar("SELECT count(*) FROM chartseal.batches")
        .fetch_one(&mut *snapshot)
        .await?;
    let rows: Vec<Promoted> = sqlx::query_as(
        "SELECT v.patient::bytea, v.record::bytea, r.class, v.seq, v.manifest_hash::bytea, v.content_root::bytea,
                v.locator::bytea, v.padded_size, v.batch_institution::bytea AS institution, v.batch::bytea,
                v.batch_index AS index, b.root::bytea, b.count, e.signature::bytea, e.slot,
                NOT EXISTS (SELECT FROM chartseal.tail t WHERE t.signature = e.signature) AS is_final
         FROM chartseal.record_versions v
         JOIN chartseal.records r ON r.patient = v.patient AND r.id = v.record
         JOIN chartseal.batches b ON b.institution = v.batch_institution AND b.id = v.batch
         JOIN chartseal.events e ON e.chain = 'log' AND e.subject = v.patient AND e.seq = v.seq
         WHERE v.batch IS NOT NULL
         ORDER BY v.patient, v.seq",
    )
    .fetch_all(snapshot)
    .await?;
    let mut counted = BatchCount {
        anchored: u64::try_from(anchored).unwrap_or_default(),
        promoted: rows.len() as u64,
        proved: 0,
    };
    for part in rows.chunks(AT_ONCE) {
        let transactions = transactions(source, part).await?;
        for row in part {
            let signature: Option<Signature> = row.signature.as_slice().try_into().ok();
            let transaction = signature.and_then(|signature| transactions.get(&signature));
            match transaction.is_some_and(|transaction| is_proved(row, transaction).unwrap_or(false)) {
                true => counted.proved += 1,
                false => findings.add(finding(row)),
            }
        }
    }
    Ok(counted)
}

/// The transactions that the rows name, as far as the ledger has them there.
async fn transactions(source: &RpcSource, rows: &[Promoted]) -> Result<HashMap<Signature, Transaction>, Error> {
    let mut listed: Vec<Listed> = Vec::new();
    for row in rows {
        let signature = row.signature.as_slice().try_into();
        let signature = signature.map_err(|_| SinkError::Damaged("events.signature"))?;
        let slot = u64::try_from(row.slot).map_err(|_| SinkError::Damaged("events.slot"))?;
        if listed.last().is_none_or(|last| last.signature != signature) {
            listed.push(Listed {
                signature,
                slot,
                failed: false,
                settled: row.is_final,
            });
        }
    }
    let mut found = HashMap::new();
    let mut delivered = std::pin::pin!(source.deliver(&listed));
    let mut asked = listed.iter();
    while let (Some(delivered), Some(asked)) = (delivered.next().await, asked.next()) {
        let delivered = match delivered {
            // Nothing final is dropped any more: the row names a place where it is not.
            Err(SourceError::Moved { .. } | SourceError::NotThereYet { .. } | SourceError::Skipped { .. })
                if asked.settled =>
            {
                continue;
            }
            delivered => delivered?,
        };
        if let Some(transaction) = delivered.transaction {
            found.insert(delivered.listed.signature, transaction);
        }
    }
    Ok(found)
}

/// Whether a row is the leaf from which an instruction of its transaction shows a path to the batch's root. Nothing where
/// the row cannot be one.
fn is_proved(row: &Promoted, transaction: &Transaction) -> Option<bool> {
    let id = |bytes: &[u8]| Id::try_from(bytes).ok();
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
    let (patient, record, index) = (id(&row.patient)?, id(&row.record)?, u32::try_from(row.index).ok()?);
    let content = Content {
        manifest_hash: hash(&row.manifest_hash)?,
        root: hash(&row.content_root)?,
        locator: hash(&row.locator)?,
        padded_size: u64::try_from(row.padded_size).ok()?,
    };
    let leaf = Leaf {
        institution: &id(&row.institution)?,
        batch: &id(&row.batch)?,
        index,
        patient: &patient,
        record: &record,
        class: u8::try_from(row.class).ok()?,
        content: &content,
    }
    .hash();
    let (count, root) = (u32::try_from(row.count).ok()?, hash(&row.root)?);
    let shown = transaction
        .calls
        .iter()
        .filter(|call| call.program == chartseal_program::ID);
    let mut paths = shown.filter_map(|call| arguments(&call.data));
    Some(paths.any(|shown| {
        (shown.record, shown.index) == (record, index) && merkle::verify(&leaf, index, count, &shown.proof, &root)
    }))
}

/// The arguments of an instruction that promotes a record.
fn arguments(data: &[u8]) -> Option<PromoteBatchedArgs> {
    let mut arguments = data.strip_prefix(instruction::PromoteBatched::DISCRIMINATOR)?;
    <PromoteBatchedArgs as anchor_lang::wincode::SchemaRead<'_, anchor_lang::BorshConfig>>::get(&mut arguments).ok()
}

fn finding(row: &Promoted) -> Finding {
    Finding {
        problem: Problem::Altered,
        table: "record_versions".to_owned(),
        chain: Some(ChainKind::Log.word().to_owned()),
        subject: Some(hex::encode(&row.patient)),
        seq: u64::try_from(row.seq).ok(),
        detail: "it is no leaf of its batch by the path that its transaction shows".to_owned(),
    }
}
