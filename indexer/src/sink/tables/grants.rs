//! Grants as they stand: made, used up, revoked.

use chartseal_program::{
    events::{AnyEvent, GrantCreated, GrantRevoked},
    log::Link,
    seeds::Id,
    state::UNLIMITED,
    vocabulary::Basis,
};
use sqlx::PgConnection;

use super::{classes, each, hash, id, number, purposes, rights};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

pub(super) async fn create(connection: &mut PgConnection, events: &[&GrantCreated]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let uses = |e: &&GrantCreated| (e.terms.uses != UNLIMITED).then_some(i64::from(e.terms.uses));
    sqlx::query!(
        "INSERT INTO grants (patient, id, issuer, record, classes, grantee_kind, grantee, grantee_key, rights, purposes,
                             not_before, expires_at, uses, uses_left, created_at, changed_at, made_seq, changed_seq)
         SELECT patient, id, issuer, record, classes::integer[], grantee_kind, grantee, grantee_key, rights::text[],
                purposes::text[], not_before, expires, uses, uses, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bytea[],
                     $8::bytea[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bigint[],
                     $14::timestamptz[], $15::bigint[])
              AS event (patient, id, issuer, record, classes, grantee_kind, grantee, grantee_key, rights, purposes,
                        not_before, expires, uses, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.grant) as _,
        each(events, |e| e.issuer.to_bytes()) as _,
        each(events, |e| id(&e.terms.record)) as _,
        each(events, |e| classes(e.terms.classes)) as _,
        each(events, |e| e.terms.grantee_kind.word()) as _,
        each(events, |e| e.terms.grantee.to_bytes()) as _,
        each(events, |e| hash(&e.terms.grantee_key)) as _,
        each(events, |e| rights(e.terms.rights)) as _,
        each(events, |e| purposes(e.terms.purposes)) as _,
        each(events, |e| Instant(e.terms.not_before)) as _,
        each(events, |e| Instant(e.terms.expires)) as _,
        each(events, uses) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revoke(connection: &mut PgConnection, events: &[&GrantRevoked]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE grants g
         SET revoked_at = event.at, revoked_by = event.by, changed_at = greatest(g.changed_at, event.at),
             changed_seq = greatest(g.changed_seq, event.seq)
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::bigint[])
              AS event (patient, id, by, at, seq)
         WHERE g.patient = event.patient AND g.id = event.id",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.grant) as _,
        each(events, |e| e.by.to_bytes()) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The grants by which something was allowed: one use each.
pub(super) fn uses(events: &[&Located]) -> Vec<(Link, Id)> {
    let used = |located: &&Located| match &located.event {
        AnyEvent::AccessAllowed(e) if e.basis == Basis::Grant => Some((e.link, e.grant)),
        AnyEvent::RecordCreated(e) if e.basis == Basis::Grant => Some((e.link, e.grant)),
        AnyEvent::RecordAmended(e) if e.basis == Basis::Grant => Some((e.link, e.grant)),
        _ => None,
    };
    events.iter().filter_map(used).collect()
}

/// Takes uses where they are counted. Grants without a limit do not change, on the ledger neither.
pub(super) async fn take_uses(connection: &mut PgConnection, uses: &[(Link, Id)]) -> Result<(), SinkError> {
    if uses.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE grants g
         SET uses_left = greatest(g.uses_left - used.times, 0), changed_at = greatest(g.changed_at, used.at),
             changed_seq = greatest(g.changed_seq, used.seq)
         FROM (SELECT patient, id, count(*) AS times, max(at) AS at, max(seq) AS seq
               FROM UNNEST($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bigint[]) AS used (patient, id, at, seq)
               GROUP BY patient, id) used
         WHERE g.patient = used.patient AND g.id = used.id AND g.uses_left IS NOT NULL",
        each(uses, |(link, _)| link.subject) as _,
        each(uses, |(_, grant)| *grant) as _,
        each(uses, |(link, _)| Instant(link.at)) as _,
        &each(uses, |(link, _)| number(link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
