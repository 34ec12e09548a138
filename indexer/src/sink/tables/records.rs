//! Records as they stand, and all of their versions.

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent, Content},
    log::Link,
    seeds::Id,
    vocabulary::{Basis, Purpose, RecordStatus},
};
use sqlx::PgConnection;

use super::{ActorColumns, BasisColumns, Changes, each, hash, id, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// What the events that add a version say.
pub(super) struct Version {
    pub(super) link: Link,
    request: Id,
    pub(super) record: Id,
    version: u32,
    actor: Actor,
    purpose: Purpose,
    basis: Basis,
    under: Id,
    pub(super) content: Content,
    previous: [u8; 32],
    batch: Option<FromBatch>,
}

impl Version {
    /// The author's institution: that of the batch, where it comes from one.
    pub(super) fn institution(&self) -> Option<Id> {
        self.batch
            .map_or_else(|| id(&self.actor.institution), |from| Some(from.institution))
    }
}

/// Where a promoted record comes from.
#[derive(Clone, Copy)]
struct FromBatch {
    institution: Id,
    batch: Id,
    index: u32,
    author: Address,
}

/// The versions that these events add.
pub(super) fn versions(events: &[&Located]) -> Vec<Version> {
    let version = |located: &&Located| {
        Some(match &located.event {
            AnyEvent::RecordCreated(e) => Version {
                link: e.link,
                request: e.request,
                record: e.record,
                version: 1,
                actor: e.author,
                purpose: e.purpose,
                basis: e.basis,
                under: e.under,
                content: e.content,
                previous: [0; 32],
                batch: None,
            },
            AnyEvent::RecordPromoted(e) => Version {
                link: e.link,
                request: e.request,
                record: e.record,
                version: 1,
                actor: e.actor,
                purpose: e.purpose,
                basis: e.basis,
                under: e.under,
                content: e.content,
                previous: [0; 32],
                batch: Some(FromBatch {
                    institution: e.institution,
                    batch: e.batch,
                    index: e.index,
                    author: e.author,
                }),
            },
            AnyEvent::RecordAmended(e) => Version {
                link: e.link,
                request: e.request,
                record: e.record,
                version: e.version,
                actor: e.author,
                purpose: e.purpose,
                basis: e.basis,
                under: e.under,
                content: e.content,
                previous: e.previous,
                batch: None,
            },
            _ => return None,
        })
    };
    events.iter().filter_map(version).collect()
}

pub(super) async fn add_versions(connection: &mut PgConnection, versions: &[Version]) -> Result<(), SinkError> {
    if versions.is_empty() {
        return Ok(());
    }
    let actor = ActorColumns::of(versions, |v| v.actor);
    let basis = BasisColumns::of(versions, |v| (v.basis, v.under));
    sqlx::query!(
        "INSERT INTO record_versions (patient, record, version, seq, at, request, actor_kind, wallet, member, delegate,
                                      institution, purpose, basis, grant_id, policy, emergency, manifest_hash,
                                      content_root, locator, padded_size, previous, batch_institution, batch,
                                      batch_index, batch_author)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bytea[],
                              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[],
                              $13::text[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[], $18::bytea[],
                              $19::bytea[], $20::bigint[], $21::bytea[], $22::bytea[], $23::bytea[], $24::bigint[],
                              $25::bytea[])",
        each(versions, |v| v.link.subject) as _,
        each(versions, |v| v.record) as _,
        &each(versions, |v| i64::from(v.version)),
        &each(versions, |v| number(v.link.seq)),
        each(versions, |v| Instant(v.link.at)) as _,
        each(versions, |v| v.request) as _,
        actor.kind as _,
        actor.wallet as _,
        actor.member as _,
        actor.delegate as _,
        actor.institution as _,
        each(versions, |v| v.purpose.word()) as _,
        basis.basis as _,
        basis.grant as _,
        basis.policy as _,
        basis.emergency as _,
        each(versions, |v| v.content.manifest_hash) as _,
        each(versions, |v| v.content.root) as _,
        each(versions, |v| v.content.locator) as _,
        &each(versions, |v| number(v.content.padded_size)),
        each(versions, |v| hash(&v.previous)) as _,
        each(versions, |v| v.batch.map(|from| from.institution)) as _,
        each(versions, |v| v.batch.map(|from| from.batch)) as _,
        each(versions, |v| v.batch.map(|from| i64::from(from.index))) as _,
        each(versions, |v| v.batch.map(|from| from.author.to_bytes())) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A record's beginning: created, or promoted from a batch.
pub(super) struct Creation {
    link: Link,
    record: Id,
    class: u8,
}

/// The records that these events begin.
pub(super) fn creations(events: &[&Located]) -> Vec<Creation> {
    let creation = |located: &&Located| {
        let (link, record, class) = match &located.event {
            AnyEvent::RecordCreated(e) => (e.link, e.record, e.class),
            AnyEvent::RecordPromoted(e) => (e.link, e.record, e.class),
            _ => return None,
        };
        Some(Creation { link, record, class })
    };
    events.iter().filter_map(creation).collect()
}

pub(super) async fn create(connection: &mut PgConnection, records: &[Creation]) -> Result<(), SinkError> {
    if records.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO records (patient, id, class, status, version, created_at, changed_at, made_seq, changed_seq)
         SELECT patient, id, class, $6, 1, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::smallint[], $4::timestamptz[], $5::bigint[])
              AS event (patient, id, class, at, seq)",
        each(records, |r| r.link.subject) as _,
        each(records, |r| r.record) as _,
        &each(records, |r| i16::from(r.class)),
        each(records, |r| Instant(r.link.at)) as _,
        &each(records, |r| number(r.link.seq)),
        RecordStatus::Active.word(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    version: Option<u32>,
    status: Option<&'static str>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<(Id, Id), Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::RecordAmended(e) => changes.of((link.subject, e.record), link).version = Some(e.version),
            AnyEvent::RecordErased(e) => {
                changes.of((link.subject, e.record), link).status = Some(RecordStatus::Erased.word());
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE records r
         SET version = coalesce(new.version, r.version), status = coalesce(new.status, r.status), changed_at = new.at,
             changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[])
              AS new (patient, id, version, status, at, seq)
         WHERE r.patient = new.patient AND r.id = new.id",
        each(&rows, |((patient, _), _)| *patient) as _,
        each(&rows, |((_, id), _)| *id) as _,
        each(&rows, |(_, row)| row.columns.version.map(i64::from)) as _,
        each(&rows, |(_, row)| row.columns.status) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}
