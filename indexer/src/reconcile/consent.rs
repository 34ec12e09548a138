//! Grants, requests, policies and emergencies.

use anchor_lang::prelude::Address;
use chartseal_program::{
    state::{Emergency, Grant, Policy, Request, UNLIMITED},
    vocabulary::{GranteeKind, RequestState, Reviewer, Verdict},
};
use serde_json::Value;

use super::{
    expected::{Expected, address, bytes, classes, hash, id, purposes, rights, time, time_or_none, word},
    log_of,
};

pub(super) fn grants(accounts: &[(Address, Grant)]) -> Vec<Expected> {
    let row = |(account, grant): &(Address, Grant)| {
        let patient = &grant.patient;
        let uses_left = (grant.uses_left != UNLIMITED).then_some(grant.uses_left);
        Expected::new(
            "grants",
            account,
            log_of(patient),
            vec![bytes(patient), bytes(grant.id)],
        )
        .is("record", id(&grant.record))
        .is("parent", id(&grant.parent))
        .is("depth", grant.depth)
        .is(
            "grantee_kind",
            word(GranteeKind::from_byte(grant.grantee_kind), GranteeKind::word),
        )
        .is("grantee", address(&grant.grantee))
        .is("grantee_key", hash(&grant.grantee_key))
        .is("issuer", address(&grant.issuer))
        .is("not_before", time(grant.not_before))
        .is("expires_at", time(grant.expires))
        .is("created_at", time(grant.created_at))
        .is("revoked_at", time_or_none(grant.revoked_at))
        .is("classes", classes(grant.classes))
        .is("uses_left", uses_left)
        .set("exhausted_at", grant.uses_left == 0)
        .is("rights", rights(grant.rights))
        .is("purposes", purposes(grant.purposes))
    };
    accounts.iter().map(row).collect()
}

pub(super) fn requests(accounts: &[(Address, Request)]) -> Vec<Expected> {
    let row = |(account, request): &(Address, Request)| {
        let patient = &request.patient;
        let key = vec![bytes(patient), bytes(request.id)];
        Expected::new("requests", account, log_of(patient), key)
            .is("record", id(&request.record))
            .is("member", address(&request.member))
            .is("institution", id(&request.institution))
            .is("grant_id", id(&request.grant))
            .is("until", time(request.until))
            .is("asked_at", time(request.created_at))
            .is("decided_at", time_or_none(request.decided_at))
            .is("classes", classes(request.classes))
            .is("rights", rights(request.rights))
            .is("purposes", purposes(request.purposes))
            .is(
                "state",
                word(RequestState::from_byte(request.state), RequestState::word),
            )
    };
    accounts.iter().map(row).collect()
}

/// The policies, and since when which classes are shared.
pub(super) fn policies(accounts: &[(Address, Policy)]) -> Vec<Expected> {
    accounts
        .iter()
        .flat_map(|(account, policy)| {
            let (patient, institution) = (policy.patient, policy.institution);
            let key = vec![bytes(patient), bytes(institution)];
            let row = Expected::new("policies", account, log_of(&patient), key.clone())
                .is("classes", classes(policy.classes))
                .is("purposes", purposes(policy.purposes))
                .is("enrols", policy.enrols != 0)
                .is("expires_at", time(policy.expires))
                .is("created_at", time(policy.created_at))
                .is("changed_at", time(policy.changed_at));
            let shared = (0u8..).zip(policy.since).filter(|(class, _)| policy.covers(*class));
            let shared = shared.map(|(class, since)| {
                let key = [&key[..], &[class.into()]].concat();
                Expected::new("policy_classes", account, log_of(&patient), key).is("since", time(since))
            });
            std::iter::once(row).chain(shared).collect::<Vec<_>>()
        })
        .collect()
}

pub(super) fn emergencies(accounts: &[(Address, Emergency)]) -> Vec<Expected> {
    let row = |(account, emergency): &(Address, Emergency)| {
        let patient = &emergency.patient;
        let key = vec![bytes(patient), bytes(emergency.id)];
        let verdict = |reviewer| match emergency.verdict_of(reviewer) {
            Some(verdict) => Verdict::word(verdict).into(),
            None => Value::Null,
        };
        Expected::new("emergencies", account, log_of(patient), key)
            .is("member", address(&emergency.member))
            .is("wallet", address(&emergency.wallet))
            .is("institution", id(&emergency.institution))
            .is("reason_hash", bytes(emergency.reason_hash))
            .is("opened_at", time(emergency.opened_at))
            .is("expires_at", time(emergency.expires))
            .is("patient_reviewed_at", time_or_none(emergency.patient_reviewed_at))
            .is("patient_verdict", verdict(Reviewer::Patient))
            .is(
                "institution_reviewed_at",
                time_or_none(emergency.institution_reviewed_at),
            )
            .is("institution_verdict", verdict(Reviewer::Institution))
    };
    accounts.iter().map(row).collect()
}
