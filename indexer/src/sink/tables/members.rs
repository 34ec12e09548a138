//! Memberships as they stand: registered, accepted, renewed, suspended, trusted with emergencies.

use chartseal_program::{
    events::{AnyEvent, MemberRegistered},
    vocabulary::Standing,
};
use sqlx::PgConnection;

use super::{Changes, PublishedKeys, each, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

pub(super) async fn register(connection: &mut PgConnection, events: &[&MemberRegistered]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO members (address, institution, member_id, wallet, role, standing, emergency_credential, expires_at,
                              registered_at, changed_at, made_seq, changed_seq)
         SELECT address, institution, member_id, wallet, role, $9, false, expires, at, at, seq, seq
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
        Standing::Invited.word(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    standing: Option<&'static str>,
    expires: Option<Instant>,
    emergency_credential: Option<bool>,
    accepted: Option<(Instant, PublishedKeys)>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<[u8; 32], Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::MembershipAccepted(e) => {
                let row = changes.of(e.member.to_bytes(), link);
                row.standing = Some(Standing::Active.word());
                let keys = PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash);
                row.accepted = Some((Instant(link.at), keys));
            }
            AnyEvent::MemberStandingSet(e) => {
                changes.of(e.member.to_bytes(), link).standing = Some(e.standing.word());
            }
            AnyEvent::MemberRenewed(e) => changes.of(e.member.to_bytes(), link).expires = Some(Instant(e.expires)),
            AnyEvent::EmergencyCredentialSet(e) => {
                changes.of(e.member.to_bytes(), link).emergency_credential = Some(e.holds);
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE members m
         SET standing = coalesce(new.standing, m.standing), expires_at = coalesce(new.expires, m.expires_at),
             emergency_credential = coalesce(new.emergency_credential, m.emergency_credential),
             accepted_at = coalesce(new.accepted, m.accepted_at),
             encryption_key = coalesce(new.encryption_key, m.encryption_key),
             post_quantum_key_hash = CASE WHEN new.encryption_key IS NULL THEN m.post_quantum_key_hash
                                          ELSE new.post_quantum END,
             changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::text[], $3::timestamptz[], $4::boolean[], $5::timestamptz[], $6::bytea[],
                     $7::bytea[], $8::timestamptz[], $9::bigint[])
              AS new (address, standing, expires, emergency_credential, accepted, encryption_key, post_quantum, at, seq)
         WHERE m.address = new.address",
        each(&rows, |(address, _)| *address) as _,
        each(&rows, |(_, row)| row.columns.standing) as _,
        each(&rows, |(_, row)| row.columns.expires) as _,
        each(&rows, |(_, row)| row.columns.emergency_credential) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(at, _)| at)) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(_, keys)| keys.encryption)) as _,
        each(&rows, |(_, row)| row
            .columns
            .accepted
            .and_then(|(_, keys)| keys.post_quantum_hash)) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}
