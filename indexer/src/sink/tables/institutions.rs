use chartseal_program::events::{InstitutionAccepted, InstitutionRegistered, InstitutionStandingSet};
use sqlx::PgConnection;

use super::{each, hash, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn register(
    connection: &mut PgConnection,
    events: &[&InstitutionRegistered],
) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO institutions (id, address, kind, standing, authority, registered_at, changed_at, made_seq,
                                   changed_seq)
         SELECT id, address, kind, 'invited', authority, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::bytea[], $5::timestamptz[], $6::bigint[])
              AS event (id, address, kind, authority, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.institution.to_bytes()) as _,
        each(events, |e| e.kind.word()) as _,
        each(events, |e| e.authority.to_bytes()) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn accept(connection: &mut PgConnection, events: &[&InstitutionAccepted]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE institutions i
         SET standing = CASE WHEN event.seq > i.changed_seq THEN 'active' ELSE i.standing END,
             encryption_key = event.encryption_key, post_quantum_key_hash = event.post_quantum_key_hash,
             accepted_at = event.at, changed_at = greatest(i.changed_at, event.at),
             changed_seq = greatest(i.changed_seq, event.seq)
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::bigint[])
              AS event (id, encryption_key, post_quantum_key_hash, at, seq)
         WHERE i.id = event.id",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.encryption_key) as _,
        each(events, |e| hash(&e.post_quantum_key_hash)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_standing(
    connection: &mut PgConnection,
    events: &[&InstitutionStandingSet],
) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE institutions i SET standing = event.standing, changed_at = event.at, changed_seq = event.seq
         FROM (SELECT DISTINCT ON (id) *
               FROM UNNEST($1::bytea[], $2::text[], $3::timestamptz[], $4::bigint[]) AS event (id, standing, at, seq)
               ORDER BY id, seq DESC) event
         WHERE i.id = event.id AND i.changed_seq < event.seq",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.standing.word()) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
