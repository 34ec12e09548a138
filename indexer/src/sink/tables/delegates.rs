//! Delegations as they stand: named, accepted, revoked.

use chartseal_program::{
    events::{AnyEvent, DelegateNamed},
    seeds::Id,
};
use sqlx::PgConnection;

use super::{Changes, PublishedKeys, each, number, rights};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

pub(super) async fn name(connection: &mut PgConnection, events: &[&DelegateNamed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO delegates (patient, id, address, wallet, rights, expires_at, named_at, changed_at, made_seq,
                                changed_seq)
         SELECT patient, id, address, wallet, rights::text[], expires, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::timestamptz[],
                     $7::timestamptz[], $8::bigint[])
              AS event (patient, id, address, wallet, rights, expires, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.delegate) as _,
        each(events, |e| e.account.to_bytes()) as _,
        each(events, |e| e.wallet.to_bytes()) as _,
        each(events, |e| rights(e.rights)) as _,
        each(events, |e| Instant(e.expires)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    accepted: Option<(Instant, PublishedKeys)>,
    revoked: Option<(Instant, [u8; 32])>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<(Id, Id), Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::DelegationAccepted(e) => {
                let keys = PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash);
                changes.of((link.subject, e.delegate), link).accepted = Some((Instant(link.at), keys));
            }
            AnyEvent::DelegateRevoked(e) => {
                changes.of((link.subject, e.delegate), link).revoked = Some((Instant(link.at), e.by.to_bytes()));
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE delegates d
         SET accepted_at = coalesce(new.accepted, d.accepted_at),
             encryption_key = coalesce(new.encryption_key, d.encryption_key),
             post_quantum_key_hash = CASE WHEN new.accepted IS NULL THEN d.post_quantum_key_hash
                                          ELSE new.post_quantum END,
             revoked_at = coalesce(new.revoked, d.revoked_at), revoked_by = coalesce(new.revoked_by, d.revoked_by),
             changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::timestamptz[],
                     $7::bytea[], $8::timestamptz[], $9::bigint[])
              AS new (patient, id, accepted, encryption_key, post_quantum, revoked, revoked_by, at, seq)
         WHERE d.patient = new.patient AND d.id = new.id",
        each(&rows, |((patient, _), _)| *patient) as _,
        each(&rows, |((_, id), _)| *id) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(at, _)| at)) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(_, keys)| keys.encryption)) as _,
        each(&rows, |(_, row)| row
            .columns
            .accepted
            .and_then(|(_, keys)| keys.post_quantum_hash)) as _,
        each(&rows, |(_, row)| row.columns.revoked.map(|(at, _)| at)) as _,
        each(&rows, |(_, row)| row.columns.revoked.map(|(_, by)| by)) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}
