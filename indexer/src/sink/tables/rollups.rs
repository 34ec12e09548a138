//! Sums for analysts: accesses and refusals by the hour and by the day, versions of records by their size.
//!
//! They change with the rows that they sum up, in the same database transaction, so they are equal to them at any time. A
//! batch adds to each of their rows once; what is taken back is subtracted before its rows go.

use std::collections::BTreeMap;

use chartseal_program::{
    events::{AccessAllowed, ActionRefused, Actor, RecordErased},
    seeds::Id,
    vocabulary::ActorKind,
};
use sqlx::PgConnection;

use super::{each, id, number, records::Version};
use crate::sink::{Instant, SinkError};

const HOUR: i64 = 3_600;

/// The beginning of the hour that a moment is in.
fn hour(at: i64) -> i64 {
    at.div_euclid(HOUR).saturating_mul(HOUR)
}

/// How many rows have the same key.
fn count<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<(K, i64)> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn member(actor: &Actor) -> Option<[u8; 32]> {
    (actor.kind == ActorKind::Member).then(|| actor.credential.to_bytes())
}

/// Adds accesses. Their members are there.
pub(super) async fn add_accesses(connection: &mut PgConnection, events: &[&AccessAllowed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let counts = count(events.iter().map(|e| {
        (
            hour(e.link.at),
            id(&e.actor.institution),
            member(&e.actor),
            e.actor.kind,
            e.purpose,
            e.basis,
        )
    }));
    sqlx::query!(
        "WITH new AS (
             SELECT n.hour, n.institution, m.role, n.actor_kind, n.purpose, n.basis, sum(n.accesses) AS accesses
             FROM UNNEST($1::timestamptz[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                  AS n (hour, institution, member, actor_kind, purpose, basis, accesses)
             LEFT JOIN members m ON m.address = n.member
             GROUP BY 1, 2, 3, 4, 5, 6
         ), days AS (
             INSERT INTO access_days AS d (day, institution, role, actor_kind, purpose, basis, accesses)
             SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, actor_kind, purpose, basis,
                    sum(accesses)
             FROM new GROUP BY 1, 2, 3, 4, 5, 6
             ON CONFLICT (day, institution, role, actor_kind, purpose, basis) DO UPDATE
             SET accesses = d.accesses + excluded.accesses
         )
         INSERT INTO access_hours AS h (hour, institution, role, actor_kind, purpose, basis, accesses)
         SELECT * FROM new
         ON CONFLICT (hour, institution, role, actor_kind, purpose, basis) DO UPDATE
         SET accesses = h.accesses + excluded.accesses",
        each(&counts, |((hour, ..), _)| Instant(*hour)) as _,
        each(&counts, |((_, institution, ..), _)| *institution) as _,
        each(&counts, |((_, _, member, ..), _)| *member) as _,
        each(&counts, |((_, _, _, kind, ..), _)| kind.word()) as _,
        each(&counts, |((_, _, _, _, purpose, _), _)| purpose.word()) as _,
        each(&counts, |((.., basis), _)| basis.word()) as _,
        &each(&counts, |(_, count)| *count),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds refusals. Their members are there.
pub(super) async fn add_refusals(connection: &mut PgConnection, events: &[&ActionRefused]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let counts = count(events.iter().map(|e| {
        (
            hour(e.link.at),
            id(&e.actor.institution),
            member(&e.actor),
            e.action,
            e.purpose,
            e.reason,
        )
    }));
    sqlx::query!(
        "WITH new AS (
             SELECT n.hour, n.institution, m.role, n.action, n.purpose, n.reason, sum(n.refusals) AS refusals
             FROM UNNEST($1::timestamptz[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                  AS n (hour, institution, member, action, purpose, reason, refusals)
             LEFT JOIN members m ON m.address = n.member
             GROUP BY 1, 2, 3, 4, 5, 6
         ), days AS (
             INSERT INTO refusal_days AS d (day, institution, role, action, purpose, reason, refusals)
             SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, action, purpose, reason,
                    sum(refusals)
             FROM new GROUP BY 1, 2, 3, 4, 5, 6
             ON CONFLICT (day, institution, role, action, purpose, reason) DO UPDATE
             SET refusals = d.refusals + excluded.refusals
         )
         INSERT INTO refusal_hours AS h (hour, institution, role, action, purpose, reason, refusals)
         SELECT * FROM new
         ON CONFLICT (hour, institution, role, action, purpose, reason) DO UPDATE
         SET refusals = h.refusals + excluded.refusals",
        each(&counts, |((hour, ..), _)| Instant(*hour)) as _,
        each(&counts, |((_, institution, ..), _)| *institution) as _,
        each(&counts, |((_, _, member, ..), _)| *member) as _,
        each(&counts, |((_, _, _, action, ..), _)| action.word()) as _,
        each(&counts, |((_, _, _, _, purpose, _), _)| purpose.word()) as _,
        each(&counts, |((.., reason), _)| reason.word()) as _,
        &each(&counts, |(_, count)| *count),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A size's power of two: how many bits it takes.
fn step(size: i64) -> i16 {
    // No more than 64.
    i16::try_from(i64::BITS - size.leading_zeros()).unwrap_or(i16::MAX)
}

/// Adds versions, as those of records that are active. The records are there.
pub(super) async fn add_versions(connection: &mut PgConnection, versions: &[Version]) -> Result<(), SinkError> {
    if versions.is_empty() {
        return Ok(());
    }
    let size = |v: &Version| number(v.content.padded_size);
    sqlx::query!(
        "INSERT INTO record_sizes AS s (institution, class, status, step, versions, bytes)
         SELECT new.institution, r.class, 'active', new.step, count(*), sum(new.bytes)
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::smallint[], $5::bigint[])
              AS new (patient, record, institution, step, bytes)
         JOIN records r ON r.patient = new.patient AND r.id = new.record
         GROUP BY 1, 2, 4
         ON CONFLICT (institution, class, status, step) DO UPDATE
         SET versions = s.versions + excluded.versions, bytes = s.bytes + excluded.bytes",
        each(versions, |v| v.link.subject) as _,
        each(versions, |v| v.record) as _,
        each(versions, Version::institution) as _,
        &each(versions, |v| step(size(v))),
        &each(versions, size),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the versions of erased records from the active to the erased. All of them are there, and counted.
pub(super) async fn erase(connection: &mut PgConnection, events: &[&RecordErased]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    let patients = each(events, |e| e.link.subject);
    let records = each(events, |e| e.record);
    sqlx::query!(
        "WITH moved AS (
             SELECT coalesce(v.batch_institution, v.institution) AS institution, r.class,
                    length(ltrim(v.padded_size::bit(64)::text, '0')) AS step, count(*) AS versions,
                    sum(v.padded_size) AS bytes
             FROM UNNEST($1::bytea[], $2::bytea[]) AS erased (patient, record)
             JOIN records r ON r.patient = erased.patient AND r.id = erased.record
             JOIN record_versions v ON v.patient = r.patient AND v.record = r.id
             GROUP BY 1, 2, 3
         ), taken AS (
             UPDATE record_sizes s SET versions = s.versions - moved.versions, bytes = s.bytes - moved.bytes
             FROM moved
             WHERE s.institution IS NOT DISTINCT FROM moved.institution AND s.class = moved.class
                   AND s.status = 'active' AND s.step = moved.step
         )
         INSERT INTO record_sizes AS s (institution, class, status, step, versions, bytes)
         SELECT institution, class, 'erased', step, versions, bytes FROM moved
         ON CONFLICT (institution, class, status, step) DO UPDATE
         SET versions = s.versions + excluded.versions, bytes = s.bytes + excluded.bytes",
        patients as _,
        records as _,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM record_sizes WHERE versions = 0")
        .execute(connection)
        .await?;
    Ok(())
}

/// Subtracts what the rows of these patients' chains `log` added, which are still there.
pub(super) async fn forget_logs(connection: &mut PgConnection, patients: &[Id]) -> Result<(), SinkError> {
    sqlx::query!(
        "WITH gone AS (
             SELECT date_bin('1 hour', a.at, '2000-01-01 00:00:00+00') AS hour, a.institution, m.role, a.actor_kind,
                    a.purpose, a.basis, count(*) AS accesses
             FROM accesses a LEFT JOIN members m ON m.address = a.member
             WHERE a.patient = ANY($1::bytea[])
             GROUP BY 1, 2, 3, 4, 5, 6
         ), days AS (
             UPDATE access_days d SET accesses = d.accesses - gone.accesses
             FROM (SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00') AS day, institution, role, actor_kind, purpose,
                          basis, sum(accesses) AS accesses
                   FROM gone GROUP BY 1, 2, 3, 4, 5, 6) gone
             WHERE d.day = gone.day AND d.institution IS NOT DISTINCT FROM gone.institution
                   AND d.role IS NOT DISTINCT FROM gone.role AND d.actor_kind = gone.actor_kind
                   AND d.purpose = gone.purpose AND d.basis = gone.basis
         )
         UPDATE access_hours h SET accesses = h.accesses - gone.accesses
         FROM gone
         WHERE h.hour = gone.hour AND h.institution IS NOT DISTINCT FROM gone.institution
               AND h.role IS NOT DISTINCT FROM gone.role AND h.actor_kind = gone.actor_kind
               AND h.purpose = gone.purpose AND h.basis = gone.basis",
        patients as _
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "WITH gone AS (
             SELECT DISTINCT date_bin('1 hour', at, '2000-01-01 00:00:00+00') AS hour FROM accesses
             WHERE patient = ANY($1::bytea[])
         ), days AS (
             DELETE FROM access_days
             WHERE day IN (SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00') FROM gone) AND accesses = 0
         )
         DELETE FROM access_hours WHERE hour IN (SELECT hour FROM gone) AND accesses = 0",
        patients as _
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE record_sizes s SET versions = s.versions - gone.versions, bytes = s.bytes - gone.bytes
         FROM (SELECT coalesce(v.batch_institution, v.institution) AS institution, r.class, r.status,
                      length(ltrim(v.padded_size::bit(64)::text, '0')) AS step, count(*) AS versions,
                      sum(v.padded_size) AS bytes
               FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record
               WHERE v.patient = ANY($1::bytea[])
               GROUP BY 1, 2, 3, 4) gone
         WHERE s.institution IS NOT DISTINCT FROM gone.institution AND s.class = gone.class AND s.status = gone.status
               AND s.step = gone.step",
        patients as _
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM record_sizes WHERE versions = 0")
        .execute(connection)
        .await?;
    Ok(())
}

/// Subtracts what the rows of these patients' chains `refusals` added, which are still there.
pub(super) async fn forget_refusals(connection: &mut PgConnection, patients: &[Id]) -> Result<(), SinkError> {
    sqlx::query!(
        "WITH gone AS (
             SELECT date_bin('1 hour', r.at, '2000-01-01 00:00:00+00') AS hour, r.institution, m.role, r.action,
                    r.purpose, r.reason, count(*) AS refusals
             FROM refusals r LEFT JOIN members m ON m.address = r.member
             WHERE r.patient = ANY($1::bytea[])
             GROUP BY 1, 2, 3, 4, 5, 6
         ), days AS (
             UPDATE refusal_days d SET refusals = d.refusals - gone.refusals
             FROM (SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00') AS day, institution, role, action, purpose,
                          reason, sum(refusals) AS refusals
                   FROM gone GROUP BY 1, 2, 3, 4, 5, 6) gone
             WHERE d.day = gone.day AND d.institution IS NOT DISTINCT FROM gone.institution
                   AND d.role IS NOT DISTINCT FROM gone.role AND d.action = gone.action AND d.purpose = gone.purpose
                   AND d.reason = gone.reason
         )
         UPDATE refusal_hours h SET refusals = h.refusals - gone.refusals
         FROM gone
         WHERE h.hour = gone.hour AND h.institution IS NOT DISTINCT FROM gone.institution
               AND h.role IS NOT DISTINCT FROM gone.role AND h.action = gone.action AND h.purpose = gone.purpose
               AND h.reason = gone.reason",
        patients as _
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "WITH gone AS (
             SELECT DISTINCT date_bin('1 hour', at, '2000-01-01 00:00:00+00') AS hour FROM refusals
             WHERE patient = ANY($1::bytea[])
         ), days AS (
             DELETE FROM refusal_days
             WHERE day IN (SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00') FROM gone) AND refusals = 0
         )
         DELETE FROM refusal_hours WHERE hour IN (SELECT hour FROM gone) AND refusals = 0",
        patients as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts all rows anew. Where rows were deleted by hand and come back, the sums may still have them.
pub(in crate::sink) async fn recount(connection: &mut PgConnection) -> Result<(), SinkError> {
    for statement in [
        "DELETE FROM access_hours",
        "DELETE FROM access_days",
        "DELETE FROM refusal_hours",
        "DELETE FROM refusal_days",
        "DELETE FROM record_sizes",
        "INSERT INTO access_hours (hour, institution, role, actor_kind, purpose, basis, accesses)
         SELECT date_bin('1 hour', a.at, '2000-01-01 00:00:00+00'), a.institution, m.role, a.actor_kind, a.purpose,
                a.basis, count(*)
         FROM accesses a LEFT JOIN members m ON m.address = a.member
         GROUP BY 1, 2, 3, 4, 5, 6",
        "INSERT INTO refusal_hours (hour, institution, role, action, purpose, reason, refusals)
         SELECT date_bin('1 hour', r.at, '2000-01-01 00:00:00+00'), r.institution, m.role, r.action, r.purpose, r.reason,
                count(*)
         FROM refusals r LEFT JOIN members m ON m.address = r.member
         GROUP BY 1, 2, 3, 4, 5, 6",
        "INSERT INTO access_days (day, institution, role, actor_kind, purpose, basis, accesses)
         SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, actor_kind, purpose, basis,
                sum(accesses)
         FROM access_hours GROUP BY 1, 2, 3, 4, 5, 6",
        "INSERT INTO refusal_days (day, institution, role, action, purpose, reason, refusals)
         SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, action, purpose, reason,
                sum(refusals)
         FROM refusal_hours GROUP BY 1, 2, 3, 4, 5, 6",
        "INSERT INTO record_sizes (institution, class, status, step, versions, bytes)
         SELECT coalesce(v.batch_institution, v.institution), r.class, r.status,
                length(ltrim(v.padded_size::bit(64)::text, '0')), count(*), sum(v.padded_size)
         FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record
         GROUP BY 1, 2, 3, 4",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_below_the_power_of_two_of_its_step() {
        for (size, expected) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (65_535, 16),
            (65_536, 17),
            (i64::MAX, 63),
        ] {
            assert_eq!(step(size), expected, "{size}");
        }
    }

    #[test]
    fn an_hour_begins_before_its_moments() {
        for (at, expected) in [(0, 0), (3_599, 0), (3_600, 3_600), (-1, -3_600)] {
            assert_eq!(hour(at), expected, "{at}");
        }
        assert_eq!(Instant(hour(i64::MIN)), Instant(i64::MIN));
        assert!(hour(i64::MAX) > i64::MAX - HOUR);
    }
}
