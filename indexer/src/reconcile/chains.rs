//! Where the chains stand, and the last entries that the logs' accounts keep of them.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    log::ChainKind,
    seeds::Id,
    state::{AccessLog, Entry, RefusalLog, Ring},
};
use sqlx::PgConnection;

use super::{
    expected::{Chain, Expected, Gate, bytes, time},
    tables::RING,
};
use crate::{sink::SinkError, source::Head};

/// A chain in the database: its last event, and what the table `chains` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Ours {
    /// How many events the last one's place says that there are.
    pub(super) seq: u64,
    /// The last event's head.
    pub(super) head: Vec<u8>,
    /// Place and head of the row in `chains`, where there is one.
    pub(super) row: Option<(u64, Vec<u8>)>,
}

/// A chain's last event, and its row in `chains`.
type BothRows = (
    String,
    Vec<u8>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
);

/// Every chain that the database has.
pub(super) async fn of_database(snapshot: &mut PgConnection) -> Result<BTreeMap<Chain, Ours>, SinkError> {
    let rows: Vec<BothRows> = sqlx::query_as(
        "SELECT coalesce(last.chain, c.chain)::text, coalesce(last.subject, c.subject)::bytea, last.seq, last.head::bytea,
                c.seq, c.head::bytea
         FROM (SELECT DISTINCT ON (chain, subject) chain, subject, seq, head FROM chartseal.events
               ORDER BY chain, subject, seq DESC) last
         FULL JOIN chartseal.chains c ON c.chain = last.chain AND c.subject = last.subject",
    )
    .fetch_all(snapshot)
    .await?;
    let place = |seq: i64| u64::try_from(seq).map_err(|_| SinkError::Damaged("chains.seq"));
    rows.into_iter()
        .map(|(chain, subject, seq, head, row_seq, row_head)| {
            let kind = ChainKind::from_word(&chain).ok_or(SinkError::Damaged("chains.chain"))?;
            let subject = subject.try_into().map_err(|_| SinkError::Damaged("chains.subject"))?;
            let row = row_seq.map(place).transpose()?.zip(row_head);
            let ours = Ours {
                seq: seq.map(place).transpose()?.unwrap_or_default(),
                head: head.unwrap_or_default(),
                row,
            };
            Ok(((kind, subject), ours))
        })
        .collect()
}

/// The entries that an account still has: those of its last events.
fn entries(account: &Address, kind: ChainKind, subject: &Id, ring: &Ring) -> Vec<Expected> {
    let entry = |entry: &Entry| {
        let key = vec![kind.word().into(), bytes(subject), entry.seq.into()];
        Expected::new(RING, account, Gate::Chain(kind, *subject), key)
            .is("at", time(entry.at))
            .is("discriminator", bytes(entry.event))
    };
    ring.entries.iter().filter(|entry| entry.seq > 0).map(entry).collect()
}

pub(super) fn access_logs(accounts: &[(Address, AccessLog)]) -> Vec<Expected> {
    let rows = accounts.iter();
    rows.flat_map(|(account, log)| entries(account, ChainKind::Log, &log.patient, &log.ring))
        .collect()
}

pub(super) fn refusal_logs(accounts: &[(Address, RefusalLog)]) -> Vec<Expected> {
    let rows = accounts.iter();
    rows.flat_map(|(account, log)| entries(account, ChainKind::Refusals, &log.patient, &log.ring))
        .collect()
}

/// A head on the ledger as a place.
pub(super) fn by_chain(heads: &[Head]) -> BTreeMap<Chain, (u64, [u8; 32])> {
    heads
        .iter()
        .map(|head| ((head.kind, head.subject), (head.chain.seq, head.chain.head)))
        .collect()
}
