//! Consent: grants, requests, policies, emergencies.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, By, SYSTEM_PROGRAM};
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
