//! Records as they stand, and all of their versions.

use chartseal_program::{
    events::{Actor, AnyEvent, Content, RecordAmended, RecordCreated},
    log::Link,
    seeds::Id,
    vocabulary::{Basis, Purpose, RecordStatus},
};
use sqlx::PgConnection;

use super::{ActorColumns, each, hash, id, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// What the events `RecordCreated` and `RecordAmended` both say.
pub(super) struct Version {
    link: Link,
    request: Id,
    record: Id,
    version: u32,
    author: Actor,
    purpose: Purpose,
    basis: Basis,
    grant: Id,
    content: Content,
    previous: [u8; 32],
}

/// The versions that these events add.
pub(super) fn versions(events: &[&Located]) -> Vec<Version> {
    let version = |located: &&Located| match &located.event {
        AnyEvent::RecordCreated(e) => Some(Version {
            link: e.link,
            request: e.request,
            record: e.record,
            version: 1,
            author: e.author,
            purpose: e.purpose,
            basis: e.basis,
            grant: e.grant,
            content: e.content,
            previous: [0; 32],
        }),
        AnyEvent::RecordAmended(e) => Some(Version {
            link: e.link,
            request: e.request,
            record: e.record,
            version: e.version,
            author: e.author,
            purpose: e.purpose,
            basis: e.basis,
            grant: e.grant,
            content: e.content,
            previous: e.previous,
        }),
        _ => None,
    };
    events.iter().filter_map(version).collect()
}

pub(super) async fn add_versions(connection: &mut PgConnection, versions: &[Version]) -> Result<(), SinkError> {
    if versions.is_empty() {
        return Ok(());
    }
    let actor = ActorColumns::of(versions, |v| v.author);
    sqlx::query!(
        "INSERT INTO record_versions (patient, record, version, seq, at, request, actor_kind, wallet, member,
                                      institution, purpose, basis, grant_id, manifest_hash, content_root, locator,
                                      padded_size, previous)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bytea[],
                              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::text[], $12::text[],
                              $13::bytea[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bigint[], $18::bytea[])",
        each(versions, |v| v.link.subject) as _,
        each(versions, |v| v.record) as _,
        &each(versions, |v| i64::from(v.version)),
        &each(versions, |v| number(v.link.seq)),
        each(versions, |v| Instant(v.link.at)) as _,
        each(versions, |v| v.request) as _,
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.institution as _,
        each(versions, |v| v.purpose.word()) as _,
        each(versions, |v| v.basis.word()) as _,
        each(versions, |v| id(&v.grant)) as _,
        each(versions, |v| v.content.manifest_hash) as _,
        each(versions, |v| v.content.root) as _,
        each(versions, |v| v.content.locator) as _,
        &each(versions, |v| number(v.content.padded_size)),
        each(versions, |v| hash(&v.previous)) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn create(connection: &mut PgConnection, events: &[&RecordCreated]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO records (patient, id, class, status, version, created_at, changed_at, made_seq, changed_seq)
         SELECT patient, id, class, $6, 1, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::smallint[], $4::timestamptz[], $5::bigint[])
              AS event (patient, id, class, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.record) as _,
        &each(events, |e| i16::from(e.class)),
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
        RecordStatus::Active.word(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn amend(connection: &mut PgConnection, events: &[&RecordAmended]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE records r SET version = event.version, changed_at = event.at, changed_seq = event.seq
         FROM (SELECT DISTINCT ON (patient, id) *
               FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::timestamptz[], $5::bigint[])
                    AS event (patient, id, version, at, seq)
               ORDER BY patient, id, seq DESC) event
         WHERE r.patient = event.patient AND r.id = event.id AND r.changed_seq < event.seq",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.record) as _,
        &each(events, |e| i64::from(e.version)),
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
