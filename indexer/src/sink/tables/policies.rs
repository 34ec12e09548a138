//! What patients share by policy: as it stands, every change of it, and since when which classes are shared.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_program::{events::PolicySet, log::Link, seeds::Id, vocabulary::CLASSES};
use sqlx::PgConnection;

use super::{classes, each, number, purposes};
use crate::sink::{Instant, SinkError};

/// Patient and institution.
type Key = (Id, Id);

pub(super) async fn write(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    set(connection, events).await?;
    keep_changes(connection, events).await?;
    let turns = turns(events, load_open(connection, events).await?);
    begin(connection, &turns.began).await?;
    end(connection, &turns.ended).await
}

/// The policies themselves.
async fn set(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<(), SinkError> {
    let key = |e: &PolicySet| (e.link.subject, e.institution);
    let first: BTreeMap<Key, &PolicySet> = events.iter().rev().map(|e| (key(e), *e)).collect();
    let last: BTreeMap<Key, &PolicySet> = events.iter().map(|e| (key(e), *e)).collect();
    let rows: Vec<(&PolicySet, &PolicySet)> = first.into_values().zip(last.into_values()).collect();
    sqlx::query!(
        "INSERT INTO policies (patient, institution, classes, purposes, enrols, expires_at, changed_by, created_at,
                               changed_at, made_seq, changed_seq)
         SELECT patient, institution, classes::integer[], purposes::text[], enrols, expires, by, first_at, at, first_seq,
                seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::bytea[],
                     $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[])
              AS event (patient, institution, classes, purposes, enrols, expires, by, first_at, at, first_seq, seq)
         ON CONFLICT (patient, institution) DO UPDATE
         SET classes = excluded.classes, purposes = excluded.purposes, enrols = excluded.enrols,
             expires_at = excluded.expires_at, changed_by = excluded.changed_by, changed_at = excluded.changed_at,
             changed_seq = excluded.changed_seq",
        each(&rows, |(_, e)| e.link.subject) as _,
        each(&rows, |(_, e)| e.institution) as _,
        each(&rows, |(_, e)| classes(e.classes)) as _,
        each(&rows, |(_, e)| purposes(e.purposes)) as _,
        &each(&rows, |(_, e)| e.enrols),
        each(&rows, |(_, e)| Instant(e.expires)) as _,
        each(&rows, |(_, e)| e.by.to_bytes()) as _,
        each(&rows, |(first, _)| Instant(first.link.at)) as _,
        each(&rows, |(_, e)| Instant(e.link.at)) as _,
        &each(&rows, |(first, _)| number(first.link.seq)),
        &each(&rows, |(_, e)| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn keep_changes(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<(), SinkError> {
    sqlx::query!(
        "INSERT INTO policy_changes (patient, seq, at, institution, classes, purposes, enrols, expires_at, changed_by)
         SELECT patient, seq, at, institution, classes::integer[], purposes::text[], enrols, expires, by
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::text[], $6::text[], $7::boolean[],
                     $8::timestamptz[], $9::bytea[])
              AS event (patient, seq, at, institution, classes, purposes, enrols, expires, by)",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.institution) as _,
        each(events, |e| classes(e.classes)) as _,
        each(events, |e| purposes(e.purposes)) as _,
        &each(events, |e| e.enrols),
        each(events, |e| Instant(e.expires)) as _,
        each(events, |e| e.by.to_bytes()) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where a class begins or ceases to be shared.
struct Turn {
    key: Key,
    class: i16,
    /// Place of the event that began it.
    made: i64,
    link: Link,
}

#[derive(Default)]
struct Turns {
    began: Vec<Turn>,
    ended: Vec<Turn>,
}

/// The classes that are shared now, and the place of the event that began each.
type Open = BTreeMap<(Key, i16), i64>;

async fn load_open(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<Open, SinkError> {
    let keys: BTreeSet<Key> = events.iter().map(|e| (e.link.subject, e.institution)).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let rows = sqlx::query!(
        "SELECT patient, institution, class, made_seq FROM policy_classes
         WHERE ended_at IS NULL
               AND (patient, institution) IN (SELECT * FROM UNNEST($1::bytea[], $2::bytea[]))",
        each(&keys, |(patient, _)| *patient) as _,
        each(&keys, |(_, institution)| *institution) as _,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let patient = row.patient.try_into();
            let patient = patient.map_err(|_| SinkError::Damaged("policy_classes.patient"))?;
            let institution = row.institution.try_into();
            let institution = institution.map_err(|_| SinkError::Damaged("policy_classes.institution"))?;
            Ok((((patient, institution), row.class), row.made_seq))
        })
        .collect()
}

/// As the contract does: a class that was shared before keeps its time, one that was not begins now.
fn turns(events: &[&PolicySet], mut open: Open) -> Turns {
    let mut turns = Turns::default();
    for event in events {
        let (key, link) = ((event.link.subject, event.institution), event.link);
        for class in 0..CLASSES {
            let place = (key, i16::from(class));
            let turn = |made| Turn {
                key,
                class: i16::from(class),
                made,
                link,
            };
            match (event.classes & (1 << class) != 0, open.contains_key(&place)) {
                (true, false) => {
                    open.insert(place, number(link.seq));
                    turns.began.push(turn(number(link.seq)));
                }
                (false, true) => turns.ended.extend(open.remove(&place).map(turn)),
                (true, true) | (false, false) => {}
            }
        }
    }
    turns
}

async fn begin(connection: &mut PgConnection, turns: &[Turn]) -> Result<(), SinkError> {
    if turns.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO policy_classes (patient, institution, class, made_seq, since, changed_seq)
         SELECT patient, institution, class, seq, at, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::smallint[], $4::bigint[], $5::timestamptz[])
              AS turn (patient, institution, class, seq, at)",
        each(turns, |turn| turn.key.0) as _,
        each(turns, |turn| turn.key.1) as _,
        &each(turns, |turn| turn.class),
        &each(turns, |turn| turn.made),
        each(turns, |turn| Instant(turn.link.at)) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn end(connection: &mut PgConnection, turns: &[Turn]) -> Result<(), SinkError> {
    if turns.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE policy_classes c SET ended_at = turn.at, changed_seq = turn.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::bigint[])
              AS turn (patient, institution, class, made, at, seq)
         WHERE c.patient = turn.patient AND c.institution = turn.institution AND c.class = turn.class
               AND c.made_seq = turn.made",
        each(turns, |turn| turn.key.0) as _,
        each(turns, |turn| turn.key.1) as _,
        &each(turns, |turn| turn.class),
        &each(turns, |turn| turn.made),
        each(turns, |turn| Instant(turn.link.at)) as _,
        &each(turns, |turn| number(turn.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
