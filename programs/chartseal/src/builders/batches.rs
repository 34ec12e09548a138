//! Batches: many records in one transaction, and one of them made a record.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, As, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    ID,
};

/// Anchors a batch. Signed by a member's wallet, which is the author of its records, and the payer.
pub fn anchor_batch(
    wallet: Address,
    payer: Address,
    institution: &Id,
    member: &Id,
    args: AnchorBatchArgs,
) -> Instruction {
    build(
        &accounts::AnchorBatch {
            wallet,
            payer,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            batch: address::batch(institution, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AnchorBatch { args },
    )
}

/// Makes a record of one leaf of a batch. `institution` is the one that anchored it. Signed by whoever promotes it, the
/// payer and, where it consents, the patient's wallet.
pub fn promote_batched(
    actor: &As,
    payer: Address,
    consent: Option<Address>,
    patient: &Id,
    institution: &Id,
    batch: &Id,
    args: PromoteBatchedArgs,
) -> Instruction {
    build(
        &accounts::PromoteBatched {
            acting: actor.accounts(patient),
            payer,
            consent,
            batch: address::batch(institution, batch),
            record: address::record(patient, &args.record),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::PromoteBatched { args },
    )
}
