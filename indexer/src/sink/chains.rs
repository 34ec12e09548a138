//! Where each chain stands. A new event must be the next link of its chain, so a gap shows at once and not at the next
//! verification.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::Id,
};
use sqlx::PgConnection;

use super::{
    Instant, SinkError,
    tables::{each, number},
};
use crate::decode::Located;

type Key = (ChainKind, Id);

/// Where chains stand.
#[derive(Debug)]
pub(super) struct Standing(BTreeMap<Key, Chain>);

impl Standing {
    /// Whether the chain of this event is that long already, so that the event should be stored.
    pub(super) fn reaches(&self, located: &Located) -> bool {
        let (kind, link) = (located.event.chain(), located.event.link());
        self.0
            .get(&(kind, link.subject))
            .is_some_and(|chain| chain.seq >= link.seq)
    }
}

/// Follows the events, and keeps where their chains stand after them.
pub(super) async fn extend(
    connection: &mut PgConnection,
    Standing(mut standing): Standing,
    events: &[&Located],
) -> Result<(), SinkError> {
    let mut moved: BTreeMap<Key, (Chain, i64)> = BTreeMap::new();
    for located in events {
        let (kind, link) = (located.event.chain(), located.event.link());
        let key = (kind, link.subject);
        let chain = standing.entry(key).or_insert_with(|| Chain::begin(kind, &link.subject));
        *chain = follow(chain, located)?;
        moved.insert(key, (*chain, link.at));
    }
    store(connection, &moved.into_iter().collect::<Vec<_>>()).await
}

fn follow(chain: &Chain, located: &Located) -> Result<Chain, SinkError> {
    let (kind, link) = (located.event.chain(), located.event.link());
    chain
        .follow(kind, &link.subject, link.seq, &located.bytes)
        .ok_or_else(|| {
            let (chain_word, subject, seq) = (kind.word(), hex::encode(link.subject), link.seq);
            match chain.seq.checked_add(1) {
                Some(next) if next == seq => SinkError::WrongHead {
                    chain: chain_word,
                    subject,
                    seq,
                },
                _ => SinkError::Gap {
                    chain: chain_word,
                    subject,
                    seq,
                    held: chain.seq,
                },
            }
        })
}

/// Where the chains of these events stand so far.
pub(super) async fn standing(connection: &mut PgConnection, events: &[Located]) -> Result<Standing, SinkError> {
    let keys: BTreeSet<Key> = events
        .iter()
        .map(|located| (located.event.chain(), located.event.link().subject))
        .collect();
    let rows = sqlx::query!(
        "SELECT chain, subject, seq, head FROM chains
         WHERE (chain, subject) IN (SELECT * FROM UNNEST($1::text[], $2::bytea[]))",
        keys.iter().map(|(kind, _)| kind.word()).collect::<Vec<_>>() as _,
        keys.iter().map(|(_, subject)| *subject).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await?;
    let chains = rows.into_iter().map(|row| {
        let kind = ChainKind::from_word(&row.chain).ok_or(SinkError::Damaged("chains.chain"))?;
        let subject = row
            .subject
            .try_into()
            .map_err(|_| SinkError::Damaged("chains.subject"))?;
        let seq = u64::try_from(row.seq).map_err(|_| SinkError::Damaged("chains.seq"))?;
        let head = row.head.try_into().map_err(|_| SinkError::Damaged("chains.head"))?;
        Ok(((kind, subject), Chain { seq, head }))
    });
    chains.collect::<Result<_, SinkError>>().map(Standing)
}

/// Lets these chains begin anew.
pub(super) async fn forget(connection: &mut PgConnection, chains: &[Key]) -> Result<(), SinkError> {
    sqlx::query!(
        "DELETE FROM chains WHERE (chain, subject) IN (SELECT * FROM UNNEST($1::text[], $2::bytea[]))",
        each(chains, |(kind, _)| kind.word()) as _,
        each(chains, |(_, subject)| *subject) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn store(connection: &mut PgConnection, moved: &[(Key, (Chain, i64))]) -> Result<(), SinkError> {
    sqlx::query!(
        "INSERT INTO chains (chain, subject, seq, head, at)
         SELECT * FROM UNNEST($1::text[], $2::bytea[], $3::bigint[], $4::bytea[], $5::timestamptz[])
         ON CONFLICT (chain, subject) DO UPDATE SET seq = excluded.seq, head = excluded.head, at = excluded.at",
        each(moved, |((kind, _), _)| kind.word()) as _,
        each(moved, |((_, subject), _)| *subject) as _,
        &each(moved, |(_, (chain, _))| number(chain.seq)),
        each(moved, |(_, (chain, _))| chain.head) as _,
        each(moved, |(_, (_, at))| Instant(*at)) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
