//! Grants without a name as they stand, the trees of which they are leaves, and what was proved by them.

use chartseal_program::{
    events::{AccessProven, AnonymousGrantCreated, AnonymousGrantRevoked, NullifierClosed, TreeOpened},
    seeds::address,
};
use sqlx::PgConnection;

use super::{each, number, rights};
use crate::sink::{Instant, SinkError};

pub(super) async fn open(connection: &mut PgConnection, events: &[&TreeOpened]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO grant_trees (id, address, opened_by, at, seq)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::bigint[])",
        each(events, |e| e.link.subject) as _,
        each(events, |e| address::tree(&e.link.subject).to_bytes()) as _,
        each(events, |e| e.by.to_bytes()) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The trees and the records are there.
pub(super) async fn give(connection: &mut PgConnection, events: &[&AnonymousGrantCreated]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO anonymous_grants (tree, leaf_index, patient, record, issuer, rights, expires_at, expires,
                                       envelope_key, commitment, number, root, created_at, changed_at, made_seq,
                                       changed_seq)
         SELECT tree, leaf_index, patient, record, issuer, rights::text[], expires_at, expires, envelope_key, commitment,
                number, root, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::timestamptz[],
                     $8::bigint[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bytea[], $13::timestamptz[],
                     $14::bigint[])
              AS event (tree, leaf_index, patient, record, issuer, rights, expires_at, expires, envelope_key, commitment,
                        number, root, at, seq)",
        each(events, |e| e.tree) as _,
        &each(events, |e| i64::from(e.index)),
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.record) as _,
        each(events, |e| e.issuer.to_bytes()) as _,
        each(events, |e| rights(e.terms.rights)) as _,
        each(events, |e| Instant(e.terms.expires)) as _,
        &each(events, |e| e.terms.expires),
        each(events, |e| e.terms.key) as _,
        each(events, |e| e.terms.commitment) as _,
        &each(events, |e| number(e.number)),
        each(events, |e| e.root) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revoke(connection: &mut PgConnection, events: &[&AnonymousGrantRevoked]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE anonymous_grants g
         SET revoked_at = event.at, revoked_by = event.by, revoked_number = event.number, revoked_root = event.root,
             changed_at = event.at, changed_seq = event.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::timestamptz[], $7::bigint[])
              AS event (tree, leaf_index, by, number, root, at, seq)
         WHERE g.tree = event.tree AND g.leaf_index = event.leaf_index",
        each(events, |e| e.tree) as _,
        &each(events, |e| i64::from(e.index)),
        each(events, |e| e.by.to_bytes()) as _,
        &each(events, |e| number(e.number)),
        each(events, |e| e.root) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn prove(connection: &mut PgConnection, events: &[&AccessProven]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO access_proofs (tree, made_seq, at, exchange, nullifier, handle, verifier, relayer, epoch, named_at,
                                    rights, number, changed_seq)
         SELECT tree, seq, at, exchange, nullifier, handle, verifier, relayer, epoch, named_at, rights::text[], number, seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[],
                     $8::bytea[], $9::bigint[], $10::timestamptz[], $11::text[], $12::bigint[])
              AS event (tree, seq, at, exchange, nullifier, handle, verifier, relayer, epoch, named_at, rights, number)",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.exchange) as _,
        each(events, |e| e.nullifier) as _,
        each(events, |e| e.handle) as _,
        each(events, |e| e.verifier.to_bytes()) as _,
        each(events, |e| e.relayer.to_bytes()) as _,
        &each(events, |e| number(e.epoch)),
        each(events, |e| Instant(e.now)) as _,
        each(events, |e| rights(e.rights)) as _,
        &each(events, |e| number(e.number)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Relayers got their rent back. Should a nullifier ever be used again, after a clock that was set back, it is that of the
/// last use before.
pub(super) async fn close(connection: &mut PgConnection, events: &[&NullifierClosed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE access_proofs p
         SET rent_returned_at = event.at, changed_seq = event.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bigint[]) AS event (tree, nullifier, at, seq)
         WHERE p.tree = event.tree AND p.nullifier = event.nullifier
               AND p.made_seq = (SELECT max(last.made_seq) FROM access_proofs last
                                 WHERE last.tree = event.tree AND last.nullifier = event.nullifier
                                       AND last.made_seq < event.seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.nullifier) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
