//! Guardians, break-glass holders, and the recovery of a wallet.
//!
//! A patient names all of its guardians, or holders, at once. Those that were named before keep their rows, which get an
//! end.

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{AnyEvent, BreakGlassSet, GuardiansSet, RecoveryVoted},
    log::Link,
    seeds::Id,
};
use sqlx::PgConnection;

use super::{Changes, address, each, hash, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// A wallet that enough guardians vote for, and when it can take over.
type Agreed = ([u8; 32], Instant);

/// What the guardians agree on after a vote.
fn agreed(vote: &RecoveryVoted) -> Option<Agreed> {
    address(&vote.agreed).map(|wallet| (wallet, Instant(vote.ready_at)))
}

#[derive(Default)]
struct Columns {
    /// Threshold and delay.
    guardians: Option<(u8, i64)>,
    /// Threshold.
    holders: Option<u8>,
    /// What the guardians agree on, or that they do not any more.
    agreed: Option<Option<Agreed>>,
    /// Place of the first event.
    made: Option<i64>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<Id, Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        let mut set = |change: &dyn Fn(&mut Columns)| {
            let row = changes.of(link.subject, link);
            row.made = row.made.or(Some(number(link.seq)));
            change(row);
        };
        match event {
            AnyEvent::GuardiansSet(e) => set(&|row| {
                row.guardians = Some((e.threshold, e.delay));
                row.agreed = Some(None);
            }),
            AnyEvent::BreakGlassSet(e) => set(&|row| row.holders = Some(e.threshold)),
            AnyEvent::RecoveryVoted(e) => set(&|row| row.agreed = Some(agreed(e))),
            AnyEvent::RecoveryObjected(_) | AnyEvent::RecoveryFinished(_) => set(&|row| row.agreed = Some(None)),
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    let pending = |columns: &Columns| columns.agreed.flatten();
    sqlx::query!(
        "INSERT INTO safeguards AS s (patient, guardian_threshold, recovery_delay, holder_threshold, agreed_wallet,
                                      ready_at, changed_at, made_seq, changed_seq)
         SELECT patient, coalesce(guardian_threshold, 0), coalesce(delay, 0), coalesce(holder_threshold, 0), agreed,
                ready, at, made, seq
         FROM UNNEST($1::bytea[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bytea[], $6::timestamptz[],
                     $7::timestamptz[], $8::bigint[], $9::bigint[])
              AS new (patient, guardian_threshold, delay, holder_threshold, agreed, ready, at, made, seq)
         WHERE NOT EXISTS (SELECT FROM safeguards old WHERE old.patient = new.patient)",
        each(&rows, |(patient, _)| *patient) as _,
        each(&rows, |(_, row)| row
            .columns
            .guardians
            .map(|(threshold, _)| i16::from(threshold))) as _,
        each(&rows, |(_, row)| row.columns.guardians.map(|(_, delay)| delay)) as _,
        each(&rows, |(_, row)| row.columns.holders.map(i16::from)) as _,
        each(&rows, |(_, row)| pending(&row.columns).map(|(wallet, _)| wallet)) as _,
        each(&rows, |(_, row)| pending(&row.columns).map(|(_, ready)| ready)) as _,
        each(&rows, |(_, row)| row.at) as _,
        each(&rows, |(_, row)| row.columns.made) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE safeguards s
         SET guardian_threshold = coalesce(new.guardian_threshold, s.guardian_threshold),
             recovery_delay = coalesce(new.delay, s.recovery_delay),
             holder_threshold = coalesce(new.holder_threshold, s.holder_threshold),
             agreed_wallet = CASE WHEN new.decides THEN new.agreed ELSE s.agreed_wallet END,
             ready_at = CASE WHEN new.decides THEN new.ready ELSE s.ready_at END,
             changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::smallint[], $3::bigint[], $4::smallint[], $5::boolean[], $6::bytea[],
                     $7::timestamptz[], $8::timestamptz[], $9::bigint[])
              AS new (patient, guardian_threshold, delay, holder_threshold, decides, agreed, ready, at, seq)
         WHERE s.patient = new.patient AND s.changed_seq < new.seq",
        each(&rows, |(patient, _)| *patient) as _,
        each(&rows, |(_, row)| row
            .columns
            .guardians
            .map(|(threshold, _)| i16::from(threshold))) as _,
        each(&rows, |(_, row)| row.columns.guardians.map(|(_, delay)| delay)) as _,
        each(&rows, |(_, row)| row.columns.holders.map(i16::from)) as _,
        &each(&rows, |(_, row)| row.columns.agreed.is_some()),
        each(&rows, |(_, row)| pending(&row.columns).map(|(wallet, _)| wallet)) as _,
        each(&rows, |(_, row)| pending(&row.columns).map(|(_, ready)| ready)) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Somebody who was named together with others.
struct Named<T> {
    link: Link,
    place: i16,
    who: T,
}

/// Everybody whom these events name, in their places from 1.
fn named<E, T>(events: &[&E], link: impl Fn(&E) -> Link, who: impl Fn(&E) -> Vec<T>) -> Vec<Named<T>> {
    let each_of = |event: &&E| {
        let link = link(event);
        (1..)
            .zip(who(event))
            .map(move |(place, who)| Named { link, place, who })
            .collect::<Vec<_>>()
    };
    events.iter().flat_map(each_of).collect()
}

pub(super) async fn name_guardians(connection: &mut PgConnection, events: &[&GuardiansSet]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let guardians = named(events, |e| e.link, |e| e.guardians.clone());
    sqlx::query!(
        "INSERT INTO guardians (patient, made_seq, place, wallet, encryption_key, named_at, changed_seq)
         SELECT patient, seq, place, wallet, encryption_key, at, seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::smallint[], $4::bytea[], $5::bytea[], $6::timestamptz[])
              AS named (patient, seq, place, wallet, encryption_key, at)",
        each(&guardians, |g| g.link.subject) as _,
        &each(&guardians, |g| number(g.link.seq)),
        &each(&guardians, |g| g.place),
        each(&guardians, |g| g.who.wallet.to_bytes()) as _,
        each(&guardians, |g| g.who.encryption_key) as _,
        each(&guardians, |g| Instant(g.link.at)) as _,
    )
    .execute(&mut *connection)
    .await?;
    // Each is ended by the next event after the one that named it.
    sqlx::query!(
        "UPDATE guardians g SET ended_at = event.at, changed_seq = event.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS event (patient, seq, at, before)
         WHERE g.patient = event.patient AND g.made_seq < event.seq AND g.made_seq >= event.before
               AND g.ended_at IS NULL",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| place_before(events, &e.link, |other| other.link)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn name_holders(connection: &mut PgConnection, events: &[&BreakGlassSet]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let holders = named(events, |e| e.link, |e| e.holders.clone());
    sqlx::query!(
        "INSERT INTO break_glass_holders (patient, made_seq, place, holder, named_at, changed_seq)
         SELECT patient, seq, place, holder, at, seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::smallint[], $4::bytea[], $5::timestamptz[])
              AS named (patient, seq, place, holder, at)",
        each(&holders, |h| h.link.subject) as _,
        &each(&holders, |h| number(h.link.seq)),
        &each(&holders, |h| h.place),
        each(&holders, |h| h.who.to_bytes()) as _,
        each(&holders, |h| Instant(h.link.at)) as _,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE break_glass_holders h SET ended_at = event.at, changed_seq = event.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS event (patient, seq, at, before)
         WHERE h.patient = event.patient AND h.made_seq < event.seq AND h.made_seq >= event.before
               AND h.ended_at IS NULL",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| place_before(events, &e.link, |other| other.link)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Place of the event of this batch that named the same patient's before; zero where there is none, which is before all
/// that the tables hold.
fn place_before<E>(events: &[&E], link: &Link, of: impl Fn(&E) -> Link) -> i64 {
    let before = events.iter().map(|event| of(event));
    let before = before.filter(|other| other.subject == link.subject && other.seq < link.seq);
    before.map(|other| number(other.seq)).max().unwrap_or_default()
}

/// One step of a recovery.
pub(super) struct Step {
    link: Link,
    word: &'static str,
    guardian: Option<[u8; 32]>,
    wallet: Address,
    encryption_key: Option<[u8; 32]>,
    votes: Option<u8>,
    agreed: Option<Agreed>,
}

/// The steps that these events are.
pub(super) fn steps(events: &[&Located]) -> Vec<Step> {
    let step = |located: &&Located| {
        let plain = |link, word, wallet| Step {
            link,
            word,
            guardian: None,
            wallet,
            encryption_key: None,
            votes: None,
            agreed: None,
        };
        Some(match &located.event {
            AnyEvent::RecoveryVoted(e) => Step {
                guardian: Some(e.guardian.to_bytes()),
                // Whoever withdraws may state any key.
                encryption_key: address(&e.wallet).and(hash(&e.encryption_key)),
                votes: Some(e.votes),
                agreed: agreed(e),
                ..plain(
                    e.link,
                    if e.wallet == Address::default() {
                        "withdrew"
                    } else {
                        "voted"
                    },
                    e.wallet,
                )
            },
            AnyEvent::RecoveryObjected(e) => plain(e.link, "objected", e.wallet),
            AnyEvent::RecoveryFinished(e) => Step {
                encryption_key: hash(&e.encryption_key),
                ..plain(e.link, "finished", e.wallet)
            },
            _ => return None,
        })
    };
    events.iter().filter_map(step).collect()
}

pub(super) async fn keep_steps(connection: &mut PgConnection, steps: &[Step]) -> Result<(), SinkError> {
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO recovery_steps (patient, seq, at, step, guardian, wallet, encryption_key, votes,
                                     agreed_wallet, ready_at)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::text[], $5::bytea[], $6::bytea[],
                              $7::bytea[], $8::smallint[], $9::bytea[], $10::timestamptz[])",
        each(steps, |s| s.link.subject) as _,
        &each(steps, |s| number(s.link.seq)),
        each(steps, |s| Instant(s.link.at)) as _,
        each(steps, |s| s.word) as _,
        each(steps, |s| s.guardian) as _,
        each(steps, |s| address(&s.wallet)) as _,
        each(steps, |s| s.encryption_key) as _,
        each(steps, |s| s.votes.map(i16::from)) as _,
        each(steps, |s| s.agreed.map(|(wallet, _)| wallet)) as _,
        each(steps, |s| s.agreed.map(|(_, ready)| ready)) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
