//! What patients share by policy: as it stands, every change of it, and since when which classes are shared.
//!
//! The time from which on a class is shared follows from all changes before; the contract's own code says how.

use std::collections::{BTreeMap, BTreeSet};

use bytemuck::Zeroable;
use chartseal_program::{events::PolicySet, log::Link, seeds::Id, state::Policy, vocabulary::CLASSES};
use sqlx::PgConnection;

use super::{classes, each, number, purposes};
use crate::sink::{Instant, SinkError};

/// Patient and institution.
type Key = (Id, Id);

pub(super) async fn write(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let turns = turns(events, load(connection, events).await?);
    set(connection, events).await?;
    keep_changes(connection, events).await?;
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

/// A policy as far as it says since when classes are shared.
struct Shared {
    policy: Policy,
    /// For each class that is shared, the place of the event that began it.
    made: [i64; CLASSES as usize],
}

impl Shared {
    fn nothing() -> Self {
        Self {
            policy: Policy::zeroed(),
            made: [0; CLASSES as usize],
        }
    }

    fn begin(&mut self, class: usize, since: i64, made: i64) {
        let kept = self.policy.since.get_mut(class).zip(self.made.get_mut(class));
        if let Some((kept_since, kept_made)) = kept {
            (*kept_since, *kept_made) = (since, made);
            self.policy.classes |= 1 << class;
        }
    }
}

/// What the policies that these events change say so far.
async fn load(connection: &mut PgConnection, events: &[&PolicySet]) -> Result<BTreeMap<Key, Shared>, SinkError> {
    let keys: BTreeSet<Key> = events.iter().map(|e| (e.link.subject, e.institution)).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT p.patient, p.institution, p.expires_at AS "expires_at: Instant", c.class AS "class?",
                  c.since AS "since?: Instant", c.made_seq AS "made_seq?"
           FROM policies p
           LEFT JOIN policy_classes c ON c.patient = p.patient AND c.institution = p.institution AND c.ended_at IS NULL
           WHERE (p.patient, p.institution) IN (SELECT * FROM UNNEST($1::bytea[], $2::bytea[]))"#,
        each(&keys, |(patient, _)| *patient) as _,
        each(&keys, |(_, institution)| *institution) as _,
    )
    .fetch_all(connection)
    .await?;
    let mut policies = BTreeMap::new();
    for row in rows {
        let patient = row.patient.try_into();
        let patient = patient.map_err(|_| SinkError::Damaged("policies.patient"))?;
        let institution = row.institution.try_into();
        let institution = institution.map_err(|_| SinkError::Damaged("policies.institution"))?;
        let shared = policies.entry((patient, institution)).or_insert_with(Shared::nothing);
        shared.policy.expires = row.expires_at.0;
        if let (Some(class), Some(since), Some(made)) = (row.class, row.since, row.made_seq) {
            let class = usize::try_from(class).map_err(|_| SinkError::Damaged("policy_classes.class"))?;
            shared.begin(class, since.0, made);
        }
    }
    Ok(policies)
}

fn turns(events: &[&PolicySet], mut policies: BTreeMap<Key, Shared>) -> Turns {
    let mut turns = Turns::default();
    for event in events {
        let (key, link) = ((event.link.subject, event.institution), event.link);
        let shared = policies.entry(key).or_insert_with(Shared::nothing);
        let before = shared.policy.since;
        shared.policy.choose(event.classes, link.at);
        shared.policy.expires = event.expires;
        let times = before.into_iter().zip(shared.policy.since).zip(&mut shared.made);
        for (class, ((before, after), made)) in (0..).zip(times) {
            if before == after {
                continue;
            }
            let turn = |made| Turn { key, class, made, link };
            if before != 0 {
                turns.ended.push(turn(*made));
            }
            if after != 0 {
                *made = number(link.seq);
                turns.began.push(turn(*made));
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
