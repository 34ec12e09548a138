//! Consent: grants, requests, policies, emergencies.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, As, By, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id, NO_ID},
    ID,
};

/// Grants rights. Signed by whoever decides for the patient.
pub fn create_grant(by: &By, payer: Address, patient: &Id, args: CreateGrantArgs) -> Instruction {
    build(
        &accounts::CreateGrant {
            deciding: by.accounts(patient),
            payer,
            record: (args.terms.record != NO_ID).then(|| address::record(patient, &args.terms.record)),
            grantee: args.terms.grantee,
            grant: address::grant(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CreateGrant { args },
    )
}

/// Revokes a grant. Signed by whoever decides for the patient or, of a grant that was passed on, who passed it on.
pub fn revoke_grant(by: &By, patient: &Id, grant: &Id) -> Instruction {
    build(
        &accounts::RevokeGrant {
            deciding: by.accounts(patient),
            grant: address::grant(patient, grant),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RevokeGrant {},
    )
}

/// Passes on a grant. Signed by the grantee, which claims the parent (`As::claiming`), and by the payer.
pub fn pass_on_grant(grantee: &As, payer: Address, patient: &Id, args: PassOnGrantArgs) -> Instruction {
    build(
        &accounts::PassOnGrant {
            acting: grantee.accounts(patient),
            payer,
            record: (args.terms.record != NO_ID).then(|| address::record(patient, &args.terms.record)),
            grantee: args.terms.grantee,
            child: address::grant(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::PassOnGrant { args },
    )
}

/// Asks a patient for a grant. Signed by the wallet of a member of an institution.
pub fn request_access(
    wallet: Address,
    payer: Address,
    (institution, member): (&Id, &Id),
    patient: &Id,
    args: RequestAccessArgs,
) -> Instruction {
    build(
        &accounts::RequestAccess {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            member: address::member(institution, member),
            institution: address::institution(institution),
            record: (args.record != NO_ID).then(|| address::record(patient, &args.record)),
            request: address::request(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RequestAccess { args },
    )
}

/// Answers a request. `record` is the one that it is about, where it is about one. Signed by whoever decides for the
/// patient.
pub fn decide_request(
    by: &By,
    payer: Address,
    patient: &Id,
    (request, record): (&Id, Option<&Id>),
    args: DecideRequestArgs,
) -> Instruction {
    build(
        &accounts::DecideRequest {
            deciding: by.accounts(patient),
            payer,
            request: address::request(patient, request),
            record: record.map(|record| address::record(patient, record)),
            grant: args.approval.map(|approval| address::grant(patient, &approval.grant)),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::DecideRequest { args },
    )
}

/// Chooses what an institution shares by itself. Signed by whoever decides for the patient.
pub fn set_policy(by: &By, payer: Address, patient: &Id, institution: &Id, args: SetPolicyArgs) -> Instruction {
    build(
        &accounts::SetPolicy {
            deciding: by.accounts(patient),
            payer,
            institution: address::institution(institution),
            policy: address::policy(patient, institution),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetPolicy { args },
    )
}

/// Opens an emergency. Signed by the wallet of a member who holds the credential.
pub fn open_emergency(
    wallet: Address,
    payer: Address,
    (institution, member): (&Id, &Id),
    patient: &Id,
    args: OpenEmergencyArgs,
) -> Instruction {
    build(
        &accounts::OpenEmergency {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            refusals: address::refusal_log(patient),
            member: address::member(institution, member),
            institution: address::institution(institution),
            emergency: address::emergency(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::OpenEmergency { args },
    )
}

/// Reviews an emergency that this member of this institution opened. An auditor of the institution passes its own
/// member's id, a delegate of the patient the delegation's.
pub fn review_emergency(
    by: &Reviewing,
    (institution, member): (&Id, &Id),
    patient: &Id,
    emergency: &Id,
    args: ReviewEmergencyArgs,
) -> Instruction {
    build(
        &accounts::ReviewEmergency {
            reviewer: by.wallet,
            patient: address::patient(patient),
            log: address::access_log(patient),
            emergency: address::emergency(patient, emergency),
            member: address::member(institution, member),
            institution: address::institution(institution),
            auditor: by.auditor.map(|auditor| address::member(institution, &auditor)),
            delegate: by.delegate.map(|delegate| address::delegate(patient, &delegate)),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ReviewEmergency { args },
    )
}

/// Who reviews an emergency.
#[derive(Clone, Copy, Debug)]
pub struct Reviewing {
    /// Signs: the patient's wallet, the institution's authority, or that of one of the two below.
    pub wallet: Address,
    /// Id of the auditor in the opener's institution.
    pub auditor: Option<Id>,
    /// Id of the delegation.
    pub delegate: Option<Id>,
}

impl Reviewing {
    /// The patient's wallet, or the authority of the opener's institution.
    pub fn wallet(wallet: Address) -> Self {
        Self {
            wallet,
            auditor: None,
            delegate: None,
        }
    }
}
