//! Registry, institutions, members, patients, and who helps a patient.

use anchor_lang::prelude::Address;
use chartseal_program::{
    log::ChainKind,
    seeds::NO_ID,
    state::{Delegate, Institution, Keys, Member, Patient, Registry, Safeguards},
    vocabulary::{InstitutionKind, Role, Standing},
};
use serde_json::Value;

use super::{
    chain_of,
    expected::{Expected, Gate, address, bytes, hash, id, rights, time, time_or_none, word},
    log_of,
};

pub(super) fn registry(accounts: &[(Address, Registry)]) -> Vec<Expected> {
    let row = |(account, registry): &(Address, Registry)| {
        Expected::new("registry", account, Gate::Chain(ChainKind::Registry, NO_ID), Vec::new())
            .is("admin", address(&registry.admin))
            .is("proposed_admin", address(&registry.proposed_admin))
            .is("paused", registry.is_paused())
    };
    accounts.iter().map(row).collect()
}

/// What somebody's row says of keys; nothing as long as none were published.
fn keys(row: Expected, keys: &Keys) -> Expected {
    row.is("encryption_key", hash(&keys.encryption))
        .is("post_quantum_key_hash", hash(&keys.post_quantum_hash))
}

pub(super) fn institutions(accounts: &[(Address, Institution)]) -> Vec<Expected> {
    let row = |(account, institution): &(Address, Institution)| {
        let id = &institution.id;
        let row = Expected::new("institutions", account, chain_of(id), vec![bytes(id)])
            .is("address", address(account))
            .is("kind", word(institution.kind(), InstitutionKind::word))
            .is(
                "standing",
                word(Standing::from_byte(institution.standing), Standing::word),
            )
            .is("authority", address(&institution.authority))
            .is("proposed_authority", address(&institution.proposed_authority))
            .is("expires_at", time(institution.expires))
            .is("registered_at", time(institution.created_at))
            .set("accepted_at", institution.key_epoch > 0);
        keys(row, &institution.keys)
    };
    accounts.iter().map(row).collect()
}

pub(super) fn members(accounts: &[(Address, Member)]) -> Vec<Expected> {
    let row = |(account, member): &(Address, Member)| {
        let institution = &member.institution;
        let key = vec![bytes(institution), bytes(member.id)];
        let row = Expected::new("members", account, chain_of(institution), key)
            .is("address", address(account))
            .is("wallet", address(&member.wallet))
            .is("role", word(member.role(), Role::word))
            .is("standing", word(Standing::from_byte(member.standing), Standing::word))
            .is("emergency_credential", member.emergency_credential != 0)
            .is("expires_at", time(member.expires))
            .is("registered_at", time(member.created_at))
            .set("accepted_at", member.key_epoch > 0);
        keys(row, &member.keys)
    };
    accounts.iter().map(row).collect()
}

pub(super) fn patients(accounts: &[(Address, Patient)]) -> Vec<Expected> {
    let row = |(account, patient): &(Address, Patient)| {
        let row = Expected::new("patients", account, log_of(&patient.id), vec![bytes(patient.id)])
            .is("wallet", address(&patient.wallet))
            .is("proposed_wallet", address(&patient.proposed_wallet))
            .is("steward", id(&patient.steward))
            .is("key_epoch", patient.key_epoch)
            .is("opened_at", time(patient.created_at));
        keys(row, &patient.keys)
    };
    accounts.iter().map(row).collect()
}

pub(super) fn delegates(accounts: &[(Address, Delegate)]) -> Vec<Expected> {
    let row = |(account, delegate): &(Address, Delegate)| {
        let patient = &delegate.patient;
        let key = vec![bytes(patient), bytes(delegate.id)];
        let row = Expected::new("delegates", account, log_of(patient), key)
            .is("address", address(account))
            .is("wallet", address(&delegate.wallet))
            .is("rights", rights(delegate.rights))
            .is("expires_at", time(delegate.expires))
            .is("named_at", time(delegate.created_at))
            .is("revoked_at", time_or_none(delegate.revoked_at))
            .set("accepted_at", delegate.key_epoch > 0);
        keys(row, &delegate.keys)
    };
    accounts.iter().map(row).collect()
}

pub(super) fn safeguards(accounts: &[(Address, Safeguards)]) -> Vec<Expected> {
    accounts
        .iter()
        .flat_map(|(account, safeguards)| {
            let patient = safeguards.patient;
            let pending = safeguards.is_pending();
            let mut rows = vec![
                Expected::new("safeguards", account, log_of(&patient), vec![bytes(patient)])
                    .is("guardian_threshold", safeguards.guardian_threshold)
                    .is("recovery_delay", safeguards.delay)
                    .is("holder_threshold", safeguards.holder_threshold)
                    .is("agreed_wallet", address(&safeguards.pending_wallet))
                    .is(
                        "ready_at",
                        if pending {
                            time(safeguards.ready_at)
                        } else {
                            Value::Null
                        },
                    ),
            ];
            let named =
                |table, place: u8| Expected::new(table, account, log_of(&patient), vec![bytes(patient), place.into()]);
            rows.extend((1..).zip(safeguards.guardians()).map(|(place, guardian)| {
                named("guardians", place)
                    .is("wallet", address(&guardian.wallet))
                    .is("encryption_key", bytes(guardian.encryption))
            }));
            let holders = (1..).zip(safeguards.holders());
            rows.extend(
                holders.map(|(place, holder)| named("break_glass_holders", place).is("holder", address(holder))),
            );
            rows
        })
        .collect()
}
