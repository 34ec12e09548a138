//! Requests for grants, and what patients decided about them.

use chartseal_program::{
    events::{AccessRequested, RequestDecided},
    vocabulary::RequestState,
};
use sqlx::PgConnection;

use super::{classes, each, id, number, purposes, rights};
use crate::sink::{Instant, SinkError};

pub(super) async fn ask(connection: &mut PgConnection, events: &[&AccessRequested]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO requests (patient, id, member, wallet, institution, record, classes, rights, purposes, until, state,
                               asked_at, changed_at, made_seq, changed_seq)
         SELECT patient, id, member, wallet, institution, record, classes::integer[], rights::text[], purposes::text[],
                until, $13, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[],
                     $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bigint[])
              AS event (patient, id, member, wallet, institution, record, classes, rights, purposes, until, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.request) as _,
        each(events, |e| e.actor.credential.to_bytes()) as _,
        each(events, |e| e.actor.wallet.to_bytes()) as _,
        each(events, |e| e.actor.institution) as _,
        each(events, |e| id(&e.record)) as _,
        each(events, |e| classes(e.classes)) as _,
        each(events, |e| rights(e.rights)) as _,
        each(events, |e| purposes(e.purposes)) as _,
        each(events, |e| Instant(e.until)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
        RequestState::Open.word(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Each is decided once. The grants that they led to are there.
pub(super) async fn decide(connection: &mut PgConnection, events: &[&RequestDecided]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let state = |e: &&RequestDecided| match e.approved {
        true => RequestState::Approved.word(),
        false => RequestState::Denied.word(),
    };
    sqlx::query!(
        "UPDATE requests r
         SET state = event.state, decided_at = event.at, decided_by = event.by, grant_id = event.grant_id,
             changed_at = event.at, changed_seq = event.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[], $6::timestamptz[], $7::bigint[])
              AS event (patient, id, state, by, grant_id, at, seq)
         WHERE r.patient = event.patient AND r.id = event.id",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.request) as _,
        each(events, state) as _,
        each(events, |e| e.by.to_bytes()) as _,
        each(events, |e| id(&e.grant)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
