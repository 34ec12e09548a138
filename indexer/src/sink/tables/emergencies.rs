//! Emergencies as they stand: opened, and reviewed by patient and institution.

use chartseal_program::{
    events::{EmergencyOpened, EmergencyReviewed},
    seeds::Id,
    vocabulary::{Reviewer, Verdict},
};
use sqlx::PgConnection;

use super::{Changes, each, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn open(connection: &mut PgConnection, events: &[&EmergencyOpened]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO emergencies (patient, id, member, wallet, institution, reason_hash, opened_at, expires_at,
                                  changed_at, made_seq, changed_seq)
         SELECT patient, id, member, wallet, institution, reason_hash, at, expires, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::timestamptz[],
                     $8::timestamptz[], $9::bigint[])
              AS event (patient, id, member, wallet, institution, reason_hash, expires, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.emergency) as _,
        each(events, |e| e.actor.credential.to_bytes()) as _,
        each(events, |e| e.actor.wallet.to_bytes()) as _,
        each(events, |e| e.actor.institution) as _,
        each(events, |e| e.reason_hash) as _,
        each(events, |e| Instant(e.expires)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Clone, Copy)]
struct Review {
    verdict: &'static str,
    at: Instant,
    by: [u8; 32],
}

#[derive(Default)]
struct Columns {
    by_patient: Option<Review>,
    by_institution: Option<Review>,
    /// The first time at which a review found it unjustified.
    ended: Option<Instant>,
}

pub(super) async fn review(connection: &mut PgConnection, events: &[&EmergencyReviewed]) -> Result<(), SinkError> {
    let mut changes = Changes::<(Id, Id), Columns>::new();
    for event in events {
        let link = &event.link;
        let at = Instant(link.at);
        let row = changes.of((link.subject, event.emergency), link);
        let review = Some(Review {
            verdict: event.verdict.word(),
            at,
            by: event.by.to_bytes(),
        });
        match event.reviewer {
            Reviewer::Patient => row.by_patient = review,
            Reviewer::Institution => row.by_institution = review,
        }
        if event.verdict == Verdict::Unjustified {
            row.ended = Some(row.ended.map_or(at, |ended| ended.min(at)));
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    // `least` passes over what is null.
    sqlx::query!(
        "UPDATE emergencies e
         SET patient_verdict = coalesce(new.patient_verdict, e.patient_verdict),
             patient_reviewed_at = coalesce(new.patient_reviewed, e.patient_reviewed_at),
             patient_reviewed_by = coalesce(new.patient_by, e.patient_reviewed_by),
             institution_verdict = coalesce(new.institution_verdict, e.institution_verdict),
             institution_reviewed_at = coalesce(new.institution_reviewed, e.institution_reviewed_at),
             institution_reviewed_by = coalesce(new.institution_by, e.institution_reviewed_by),
             expires_at = least(e.expires_at, new.ended), changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bytea[], $6::text[],
                     $7::timestamptz[], $8::bytea[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
              AS new (patient, id, patient_verdict, patient_reviewed, patient_by, institution_verdict,
                      institution_reviewed, institution_by, ended, at, seq)
         WHERE e.patient = new.patient AND e.id = new.id",
        each(&rows, |((patient, _), _)| *patient) as _,
        each(&rows, |((_, id), _)| *id) as _,
        each(&rows, |(_, row)| row.columns.by_patient.map(|review| review.verdict)) as _,
        each(&rows, |(_, row)| row.columns.by_patient.map(|review| review.at)) as _,
        each(&rows, |(_, row)| row.columns.by_patient.map(|review| review.by)) as _,
        each(&rows, |(_, row)| row
            .columns
            .by_institution
            .map(|review| review.verdict)) as _,
        each(&rows, |(_, row)| row.columns.by_institution.map(|review| review.at)) as _,
        each(&rows, |(_, row)| row.columns.by_institution.map(|review| review.by)) as _,
        each(&rows, |(_, row)| row.columns.ended) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}
