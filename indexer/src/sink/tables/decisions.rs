//! Readings that were allowed, and whatever was refused.

use chartseal_program::events::{AccessAllowed, ActionRefused};
use sqlx::PgConnection;

use super::{ActorColumns, BasisColumns, each, id, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn allow(connection: &mut PgConnection, events: &[&AccessAllowed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    // Patient by patient, as the largest index has them.
    let mut events = events.to_vec();
    events.sort_unstable_by_key(|e| (e.link.subject, e.link.seq));
    let events = &events;
    let actor = ActorColumns::of(events, |e| e.actor);
    let basis = BasisColumns::of(events, |e| (e.basis, e.under));
    sqlx::query!(
        "INSERT INTO accesses (patient, seq, at, request, record, version, actor_kind, wallet, member, delegate,
                               institution, purpose, basis, grant_id, policy, emergency)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::bigint[],
                              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[],
                              $13::text[], $14::bytea[], $15::bytea[], $16::bytea[])",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.request) as _,
        each(events, |e| e.record) as _,
        &each(events, |e| i64::from(e.version)),
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.delegate as _,
        actor.institution as _,
        each(events, |e| e.purpose.word()) as _,
        basis.basis as _,
        basis.grant as _,
        basis.policy as _,
        basis.emergency as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn refuse(connection: &mut PgConnection, events: &[&ActionRefused]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let actor = ActorColumns::of(events, |e| e.actor);
    sqlx::query!(
        "INSERT INTO refusals (patient, seq, at, request, record, action, actor_kind, wallet, member, delegate,
                               institution, purpose, reason, claim, claimed)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::text[],
                              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[],
                              $13::text[], $14::text[], $15::bytea[])",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.request) as _,
        each(events, |e| id(&e.record)) as _,
        each(events, |e| e.action.word()) as _,
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.delegate as _,
        actor.institution as _,
        each(events, |e| e.purpose.word()) as _,
        each(events, |e| e.reason.word()) as _,
        each(events, |e| e.claim.word()) as _,
        each(events, |e| id(&e.under)) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
