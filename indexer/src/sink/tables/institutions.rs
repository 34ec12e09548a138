//! Institutions as they stand: registered, accepted, renewed, suspended, handed over.

use chartseal_program::{
    events::{AnyEvent, InstitutionRegistered},
    seeds::Id,
    vocabulary::Standing,
};
use sqlx::PgConnection;

use super::{Changes, PublishedKeys, address, each, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

pub(super) async fn register(
    connection: &mut PgConnection,
    events: &[&InstitutionRegistered],
) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO institutions (id, address, kind, standing, authority, expires_at, registered_at, changed_at,
                                   made_seq, changed_seq)
         SELECT id, address, kind, $8, authority, expires, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::bytea[], $5::timestamptz[], $6::timestamptz[],
                     $7::bigint[])
              AS event (id, address, kind, authority, expires, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.institution.to_bytes()) as _,
        each(events, |e| e.kind.word()) as _,
        each(events, |e| e.authority.to_bytes()) as _,
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
    authority: Option<[u8; 32]>,
    proposed: Option<Option<[u8; 32]>>,
    expires: Option<Instant>,
    accepted: Option<(Instant, PublishedKeys)>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<Id, Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::InstitutionAccepted(e) => {
                let row = changes.of(link.subject, link);
                row.standing = Some(Standing::Active.word());
                let keys = PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash);
                row.accepted = Some((Instant(link.at), keys));
            }
            AnyEvent::InstitutionStandingSet(e) => changes.of(link.subject, link).standing = Some(e.standing.word()),
            AnyEvent::InstitutionRenewed(e) => changes.of(link.subject, link).expires = Some(Instant(e.expires)),
            AnyEvent::AuthorityProposed(e) => changes.of(link.subject, link).proposed = Some(address(&e.proposed)),
            AnyEvent::AuthorityAccepted(e) => {
                let row = changes.of(link.subject, link);
                row.authority = Some(e.authority.to_bytes());
                row.proposed = Some(None);
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE institutions i
         SET standing = coalesce(new.standing, i.standing), authority = coalesce(new.authority, i.authority),
             proposed_authority = CASE WHEN new.proposes THEN new.proposed ELSE i.proposed_authority END,
             expires_at = coalesce(new.expires, i.expires_at),
             accepted_at = coalesce(new.accepted, i.accepted_at),
             encryption_key = coalesce(new.encryption_key, i.encryption_key),
             post_quantum_key_hash = CASE WHEN new.encryption_key IS NULL THEN i.post_quantum_key_hash
                                          ELSE new.post_quantum END,
             changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::text[], $3::bytea[], $4::boolean[], $5::bytea[], $6::timestamptz[],
                     $7::timestamptz[], $8::bytea[], $9::bytea[], $10::timestamptz[], $11::bigint[])
              AS new (id, standing, authority, proposes, proposed, expires, accepted, encryption_key, post_quantum, at,
                      seq)
         WHERE i.id = new.id",
        each(&rows, |(id, _)| *id) as _,
        each(&rows, |(_, row)| row.columns.standing) as _,
        each(&rows, |(_, row)| row.columns.authority) as _,
        &each(&rows, |(_, row)| row.columns.proposed.is_some()),
        each(&rows, |(_, row)| row.columns.proposed.flatten()) as _,
        each(&rows, |(_, row)| row.columns.expires) as _,
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
