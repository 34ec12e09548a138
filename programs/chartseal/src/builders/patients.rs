//! Patients, and who decides for them.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    ID,
};

/// Opens a patient. Signed by the patient's wallet, or by the authority of `steward`.
pub fn open_patient(opener: Address, payer: Address, steward: Option<&Id>, args: OpenPatientArgs) -> Instruction {
    build(
        &accounts::OpenPatient {
            opener,
            payer,
            registry: address::registry(),
            steward: steward.map(address::institution),
            patient: address::patient(&args.id),
            log: address::access_log(&args.id),
            refusals: address::refusal_log(&args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::OpenPatient { args },
    )
}
