//! Consents of policies: what is shared with an institution by itself, and since when.

use sqlx::PgConnection;

use super::{Consent, Provision, action, categories, changed, period, recipients, rules, scope};
use crate::{
    fhir::{
        Rows, Selection,
        model::{Coding, Extension, Period, Value, clock, time},
        subjects::{self, Actor},
        terms::{self, extension},
    },
    sink::{Instant, SinkError},
};

/// A policy, and since when it shares which classes.
#[derive(Debug)]
pub(in crate::fhir) struct Row {
    patient: Vec<u8>,
    institution: Vec<u8>,
    classes: Option<Vec<i32>>,
    since: Option<Vec<Instant>>,
    purposes: Vec<String>,
    enrols: bool,
    expires_at: Instant,
    created_at: Instant,
    changed_at: Instant,
    made_seq: i64,
    delegate: Option<Vec<u8>>,
    is_patients: bool,
    handed_over: bool,
    steward: Option<Vec<u8>>,
}

pub(in crate::fhir) fn rows<'a>(connection: &'a mut PgConnection, selection: &Selection) -> Rows<'a, Row> {
    sqlx::query_as!(
        Row,
        r#"SELECT o.patient AS "patient!", o.institution AS "institution!", c.classes AS "classes?",
                      c.since AS "since?: Vec<Instant>", o.purposes AS "purposes!", o.enrols AS "enrols!",
                      o.expires_at AS "expires_at!: Instant", o.created_at AS "created_at!: Instant",
                      o.changed_at AS "changed_at!: Instant", o.made_seq AS "made_seq!", d.id AS "delegate?",
                      w.is_patients AS "is_patients!", w.handed_over AS "handed_over!", p.steward AS "steward?"
               FROM policies o
               LEFT JOIN LATERAL (
                   SELECT array_agg(class::integer ORDER BY class) AS classes, array_agg(since ORDER BY class) AS since
                   FROM policy_classes s
                   WHERE s.patient = o.patient AND s.institution = o.institution AND s.ended_at IS NULL) c ON true
               LEFT JOIN patients p ON p.id = o.patient
               LEFT JOIN LATERAL (
                   SELECT id FROM delegates
                   WHERE delegates.patient = o.patient AND delegates.wallet = o.changed_by
                         AND delegates.made_seq < o.changed_seq
                   ORDER BY made_seq DESC LIMIT 1) d ON true
               CROSS JOIN LATERAL (
                   SELECT count(*) > 0 AS handed_over,
                          coalesce(bool_or(wallet = o.changed_by AND (ended_at IS NULL OR patient_wallets.changed_seq > o.changed_seq)),
                                   false) AS is_patients
                   FROM patient_wallets
                   WHERE patient_wallets.patient = o.patient AND patient_wallets.made_seq < o.changed_seq) w
               WHERE ($1::bytea IS NULL OR o.patient = $1) AND ($2::timestamptz IS NULL OR o.changed_at >= $2)
                     AND ($3::timestamptz IS NULL OR o.changed_at < $3)
               ORDER BY o.patient, o.made_seq"#,
        selection.patient.map(|id| id.to_vec()) as _,
        selection.since as _,
        selection.until as _,
    )
    .fetch(connection)
}

impl Row {
    /// The resource.
    ///
    /// # Errors
    /// [`SinkError::Damaged`] where a column holds what the indexer never writes.
    pub(in crate::fhir) fn into_resource(self) -> Result<Consent, SinkError> {
        let patient = &self.patient;
        let given = Actor::decider(
            self.is_patients,
            self.handed_over,
            self.delegate.clone(),
            self.steward.clone(),
        );
        let classes = self.classes.unwrap_or_default();
        let since = self.since.unwrap_or_default();
        let withdrawn = classes.is_empty();
        let end = if withdrawn { self.changed_at } else { self.expires_at };
        let mut rights = vec!["read"];
        if self.enrols {
            rights.push("append");
        }
        let shared = classes.iter().zip(&since).map(|(class, since)| Coding {
            extension: time(*since)
                .map(|since| Extension::new(extension::SINCE, Value::DateTime(since)))
                .into_iter()
                .collect(),
            ..super::class(class)
        });
        Ok(Consent {
            resource_type: "Consent",
            id: subjects::resource_id(patient, "policy", self.made_seq),
            meta: changed(self.changed_at)?,
            extension: Vec::new(),
            identifier: vec![subjects::policy(patient, &self.institution)],
            status: if withdrawn { "inactive" } else { "active" },
            scope: scope(),
            category: categories("IDSCL"),
            patient: subjects::patient(patient),
            date_time: clock(self.created_at)?,
            performer: vec![given.reference(patient)],
            source_reference: None,
            policy: rules(),
            provision: Provision {
                kind: "permit",
                period: period(self.created_at, end),
                actor: recipients(subjects::institution(&self.institution)),
                action: rights.into_iter().map(action).collect(),
                purpose: self.purposes.iter().filter_map(|word| terms::purpose(word)).collect(),
                class: shared.collect(),
                // Records from then on are shared, and none from before.
                data_period: since.iter().min().copied().and_then(time).map(|start| Period {
                    start: Some(start),
                    end: None,
                }),
                data: Vec::new(),
            },
        })
    }
}
