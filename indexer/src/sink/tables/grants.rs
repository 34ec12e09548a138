//! Grants as they stand: given, passed on, used up, revoked.

use chartseal_program::{
    events::{AnyEvent, GrantPassedOn, GrantRevoked, Terms},
    log::Link,
    seeds::{Id, NO_ID},
    state::{DEEPEST, UNLIMITED},
    vocabulary::Basis,
};
use sqlx::PgConnection;

use super::{ActorColumns, classes, each, hash, id, number, purposes, rights};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// What the events that make a grant say.
pub(super) struct Given {
    link: Link,
    grant: Id,
    /// Whose wallet signed.
    issuer: [u8; 32],
    terms: Terms,
    parent: Id,
    depth: u8,
    /// The request that it answers.
    request: Id,
}

/// The grants that these events make: by themselves, passed on, or in answer to a request.
pub(super) fn given(events: &[&Located]) -> Vec<Given> {
    let given = |located: &&Located| {
        Some(match &located.event {
            AnyEvent::GrantCreated(e) => Given {
                link: e.link,
                grant: e.grant,
                issuer: e.issuer.to_bytes(),
                terms: e.terms,
                parent: NO_ID,
                depth: 0,
                request: NO_ID,
            },
            AnyEvent::GrantPassedOn(e) => Given {
                link: e.link,
                grant: e.grant,
                issuer: e.actor.wallet.to_bytes(),
                terms: e.terms,
                parent: e.parent,
                depth: e.depth,
                request: NO_ID,
            },
            AnyEvent::RequestDecided(e) if e.approved => Given {
                link: e.link,
                grant: e.grant,
                issuer: e.by.to_bytes(),
                terms: e.terms,
                parent: NO_ID,
                depth: 0,
                request: e.request,
            },
            _ => return None,
        })
    };
    events.iter().filter_map(given).collect()
}

pub(super) async fn give(connection: &mut PgConnection, grants: &[Given]) -> Result<(), SinkError> {
    if grants.is_empty() {
        return Ok(());
    }
    let uses = |g: &Given| (g.terms.uses != UNLIMITED).then_some(i64::from(g.terms.uses));
    sqlx::query!(
        "INSERT INTO grants (patient, id, issuer, record, classes, grantee_kind, grantee, grantee_key, rights, purposes,
                             not_before, expires_at, uses, uses_left, exhausted_at, parent, depth, request, created_at,
                             changed_at, made_seq, changed_seq)
         SELECT patient, id, issuer, record, classes::integer[], grantee_kind, grantee, grantee_key, rights::text[],
                purposes::text[], not_before, expires, uses, uses, CASE uses WHEN 0 THEN at END, parent, depth,
                request, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bytea[],
                     $8::bytea[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bigint[],
                     $14::bytea[], $15::smallint[], $16::bytea[], $17::timestamptz[], $18::bigint[])
              AS event (patient, id, issuer, record, classes, grantee_kind, grantee, grantee_key, rights, purposes,
                        not_before, expires, uses, parent, depth, request, at, seq)",
        each(grants, |g| g.link.subject) as _,
        each(grants, |g| g.grant) as _,
        each(grants, |g| g.issuer) as _,
        each(grants, |g| id(&g.terms.record)) as _,
        each(grants, |g| classes(g.terms.classes)) as _,
        each(grants, |g| g.terms.grantee_kind.word()) as _,
        each(grants, |g| g.terms.grantee.to_bytes()) as _,
        each(grants, |g| hash(&g.terms.grantee_key)) as _,
        each(grants, |g| rights(g.terms.rights)) as _,
        each(grants, |g| purposes(g.terms.purposes)) as _,
        each(grants, |g| Instant(g.terms.not_before)) as _,
        each(grants, |g| Instant(g.terms.expires)) as _,
        each(grants, uses) as _,
        each(grants, |g| id(&g.parent)) as _,
        &each(grants, |g| i16::from(g.depth)),
        each(grants, |g| id(&g.request)) as _,
        each(grants, |g| Instant(g.link.at)) as _,
        &each(grants, |g| number(g.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Who passed a grant on, and what for. The new grants are there.
pub(super) async fn pass_on(connection: &mut PgConnection, events: &[&GrantPassedOn]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let actor = ActorColumns::of(events, |e| e.actor);
    sqlx::query!(
        "INSERT INTO grants_passed_on (patient, seq, at, request, grant_id, parent, actor_kind, wallet, member, delegate,
                                       institution, purpose)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::bytea[],
                              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[])",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.request) as _,
        each(events, |e| e.grant) as _,
        each(events, |e| e.parent) as _,
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.delegate as _,
        actor.institution as _,
        each(events, |e| e.purpose.word()) as _,
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

/// The grants by which something was allowed: one use each, and one of every grant that they descend from.
pub(super) fn uses(events: &[&Located]) -> Vec<(Link, Id)> {
    let used = |located: &&Located| match &located.event {
        AnyEvent::AccessAllowed(e) if e.basis == Basis::Grant => Some((e.link, e.under)),
        AnyEvent::RecordCreated(e) if e.basis == Basis::Grant => Some((e.link, e.under)),
        AnyEvent::RecordAmended(e) if e.basis == Basis::Grant => Some((e.link, e.under)),
        AnyEvent::RecordPromoted(e) if e.basis == Basis::Grant => Some((e.link, e.under)),
        AnyEvent::GrantPassedOn(e) => Some((e.link, e.parent)),
        _ => None,
    };
    events.iter().filter_map(used).collect()
}

/// Takes uses where they are counted. Grants without a limit do not change, on the ledger neither.
pub(super) async fn take_uses(connection: &mut PgConnection, uses: &[(Link, Id)]) -> Result<(), SinkError> {
    if uses.is_empty() {
        return Ok(());
    }
    // The use that is the last one left is when a grant is exhausted. As deep as the contract goes: so the rows of a damaged table cannot make this run for ever.
    sqlx::query!(
        "WITH RECURSIVE used (patient, id, at, seq, depth) AS (
             SELECT patient, id, at, seq, 0
             FROM UNNEST($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bigint[]) AS basis (patient, id, at, seq)
             UNION ALL
             SELECT used.patient, g.parent::bytea, used.at, used.seq, used.depth + 1
             FROM used JOIN grants g ON g.patient = used.patient AND g.id = used.id
             WHERE g.parent IS NOT NULL AND used.depth < $5
         )
         UPDATE grants g
         SET uses_left = greatest(g.uses_left - taken.times, 0),
             exhausted_at = coalesce(g.exhausted_at, taken.moments[least(g.uses_left, 2147483647)::integer]),
             changed_at = greatest(g.changed_at, taken.at), changed_seq = greatest(g.changed_seq, taken.seq)
         FROM (SELECT patient, id, count(*) AS times, array_agg(at ORDER BY seq) AS moments, max(at) AS at,
                      max(seq) AS seq
               FROM used GROUP BY patient, id) taken
         WHERE g.patient = taken.patient AND g.id = taken.id AND g.uses_left IS NOT NULL",
        each(uses, |(link, _)| link.subject) as _,
        each(uses, |(_, grant)| *grant) as _,
        each(uses, |(link, _)| Instant(link.at)) as _,
        &each(uses, |(link, _)| number(link.seq)),
        i32::from(DEEPEST),
    )
    .execute(connection)
    .await?;
    Ok(())
}
