//! Tombstones, and who says that the keys are gone.

use chartseal_program::events::{ErasureAttested, RecordErased};
use sqlx::PgConnection;

use super::{ActorColumns, each, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn erase(connection: &mut PgConnection, events: &[&RecordErased]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO erasures (patient, record, version, seq, at, erased_by)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bytea[])",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.record) as _,
        &each(events, |e| i64::from(e.version)),
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.by.to_bytes()) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn attest(connection: &mut PgConnection, events: &[&ErasureAttested]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let actor = ActorColumns::of(events, |e| e.actor);
    sqlx::query!(
        "INSERT INTO erasure_attestations (patient, seq, at, record, actor_kind, wallet, member, delegate, institution,
                                           receipt)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::text[], $6::bytea[],
                              $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[])",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.record) as _,
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.delegate as _,
        actor.institution as _,
        each(events, |e| e.receipt) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
