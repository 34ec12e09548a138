//! Records: writing and reading.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, As, By, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    ID,
};

/// Adds a record. Signed by the author, the payer and, where it consents, the patient's wallet.
pub fn create_record(
    author: &As,
    payer: Address,
    consent: Option<Address>,
    patient: &Id,
    args: CreateRecordArgs,
) -> Instruction {
    build(
        &accounts::CreateRecord {
            acting: author.accounts(patient),
            payer,
            consent,
            record: address::record(patient, &args.record),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CreateRecord { args },
    )
}

/// Puts a new version in a record's place. Signed by the author and, where it consents, the patient's wallet.
pub fn amend_record(
    author: &As,
    consent: Option<Address>,
    patient: &Id,
    record: &Id,
    args: AmendRecordArgs,
) -> Instruction {
    build(
        &accounts::AmendRecord {
            acting: author.accounts(patient),
            consent,
            record: address::record(patient, record),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AmendRecord { args },
    )
}

/// Asks to read a record. Signed by the reader.
pub fn access_record(reader: &As, patient: &Id, record: &Id, args: AccessRecordArgs) -> Instruction {
    build(
        &accounts::AccessRecord {
            acting: reader.accounts(patient),
            record: address::record(patient, record),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AccessRecord { args },
    )
}

/// Erases a record. Signed by the patient's wallet, or by the authority of the steward of a patient without one.
pub fn erase_record(by: &By, patient: &Id, record: &Id) -> Instruction {
    build(
        &accounts::EraseRecord {
            deciding: by.accounts(patient),
            record: address::record(patient, record),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::EraseRecord {},
    )
}

/// Attests that keys of an erased record were destroyed. `institution` is the member's, or the steward whose authority
/// signs; the patient's own wallet passes neither.
pub fn attest_erasure(
    wallet: Address,
    institution: Option<&Id>,
    member: Option<&Id>,
    patient: &Id,
    record: &Id,
    args: AttestErasureArgs,
) -> Instruction {
    build(
        &accounts::AttestErasure {
            wallet,
            patient: address::patient(patient),
            log: address::access_log(patient),
            record: address::record(patient, record),
            institution: institution.map(address::institution),
            member: institution
                .zip(member)
                .map(|(institution, member)| address::member(institution, member)),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AttestErasure { args },
    )
}
