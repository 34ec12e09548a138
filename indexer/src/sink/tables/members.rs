use chartseal_program::events::{MemberRegistered, MemberStandingSet, MembershipAccepted};
use sqlx::PgConnection;

use super::{each, hash, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn register(connection: &mut PgConnection, events: &[&MemberRegistered]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO members (address, institution, member_id, wallet, role, standing, expires_at, registered_at,
                              changed_at, made_seq, changed_seq)
         SELECT address, institution, member_id, wallet, role, 'invited', expires, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::timestamptz[],
                     $7::timestamptz[], $8::bigint[])
              AS event (address, institution, member_id, wallet, role, expires, at, seq)",
        each(events, |e| e.member.to_bytes()) as _,
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.member_id) as _,
        each(events, |e| e.wallet.to_bytes()) as _,
        each(events, |e| e.role.word()) as _,
        each(events, |e| Instant(e.expires)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn accept(connection: &mut PgConnection, events: &[&MembershipAccepted]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE members m
         SET standing = CASE WHEN event.seq > m.changed_seq THEN 'active' ELSE m.standing END,
             encryption_key = event.encryption_key, post_quantum_key_hash = event.post_quantum_key_hash,
             accepted_at = event.at, changed_at = greatest(m.changed_at, event.at),
             changed_seq = greatest(m.changed_seq, event.seq)
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::bigint[])
              AS event (address, encryption_key, post_quantum_key_hash, at, seq)
         WHERE m.address = event.address",
        each(events, |e| e.member.to_bytes()) as _,
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
    events: &[&MemberStandingSet],
) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE members m SET standing = event.standing, changed_at = event.at, changed_seq = event.seq
         FROM (SELECT DISTINCT ON (address) *
               FROM UNNEST($1::bytea[], $2::text[], $3::timestamptz[], $4::bigint[])
                    AS event (address, standing, at, seq)
               ORDER BY address, seq DESC) event
         WHERE m.address = event.address AND m.changed_seq < event.seq",
        each(events, |e| e.member.to_bytes()) as _,
        each(events, |e| e.standing.word()) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
