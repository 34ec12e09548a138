//! Consent: what a patient allows, one resource for each grant and one for each policy, as they stand now.
//!
//! A Consent is active as long as nothing but time ends it: the export does not look at a clock, so that the same
//! database gives the same bytes, and a grant that has expired shows by its period. One that was revoked or used up, or
//! that descends from such a one, is inactive, and its period ends where it did.

pub(super) mod grants;
pub(super) mod policies;

use serde::Serialize;

use super::{
    model::{CodeableConcept, Coding, Extension, Identifier, Meta, Period, Reference, clock, time},
    subjects,
    terms::{self, code, standard},
    write::Named,
};
use crate::sink::{Instant, SinkError};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consent {
    resource_type: &'static str,
    id: String,
    meta: Meta,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
    identifier: Vec<Identifier>,
    status: &'static str,
    scope: CodeableConcept,
    category: Vec<CodeableConcept>,
    patient: Reference,
    date_time: String,
    performer: Vec<Reference>,
    /// The grant that was passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_reference: Option<Reference>,
    policy: Vec<Rule>,
    provision: Provision,
}

#[derive(Debug, Serialize)]
struct Rule {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Provision {
    #[serde(rename = "type")]
    kind: &'static str,
    period: Period,
    actor: Vec<Party>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    action: Vec<CodeableConcept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_period: Option<Period>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<Data>,
}

#[derive(Debug, Serialize)]
struct Party {
    role: CodeableConcept,
    reference: Reference,
}

#[derive(Debug, Serialize)]
struct Data {
    meaning: &'static str,
    reference: Reference,
}

impl Named for Consent {
    fn id(&self) -> &str {
        &self.id
    }
}

fn changed(at: Instant) -> Result<Meta, SinkError> {
    Ok(Meta {
        last_updated: Some(clock(at)?),
        profile: Vec::new(),
    })
}

fn scope() -> CodeableConcept {
    Coding::new(standard::CONSENT_SCOPE, "patient-privacy").into()
}

/// A consent document in general (LOINC), and what kind of one in particular (ActCode).
fn categories(code: &'static str) -> Vec<CodeableConcept> {
    vec![
        Coding::new(standard::LOINC, "59284-0").into(),
        Coding::new(standard::ACT_CODE, code).into(),
    ]
}

fn rules() -> Vec<Rule> {
    vec![Rule {
        uri: subjects::program_uri(),
    }]
}

fn recipients(reference: Reference) -> Vec<Party> {
    vec![Party {
        role: Coding::new(standard::PARTICIPATION, "IRCP").into(),
        reference,
    }]
}

fn action(right: &str) -> CodeableConcept {
    let coding = terms::consent_action(right).into_iter();
    CodeableConcept {
        coding: coding.chain([Coding::new(code::RIGHT, right.to_owned())]).collect(),
    }
}

fn class(class: &i32) -> Coding {
    Coding::new(code::CLASS, class.to_string())
}

/// From when to when. What ended before it began never applied: then there is an end only.
fn period(start: Instant, end: Instant) -> Period {
    Period {
        start: time(start).filter(|_| start <= end),
        end: time(end),
    }
}
