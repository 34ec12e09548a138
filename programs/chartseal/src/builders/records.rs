//! Records: writing and reading.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, As, SYSTEM_PROGRAM};
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
