//! Grants without a name, and proofs of access.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, By, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    membership::{AnonymousTerms, Field},
    seeds::{address, Id},
    ID,
};

/// Makes a tree. Signed by the admin and the payer.
pub fn open_tree(admin: Address, payer: Address, id: Id) -> Instruction {
    build(
        &accounts::OpenTree {
            admin,
            payer,
            registry: address::registry(),
            tree: address::tree(&id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::OpenTree { id },
    )
}

/// Grants rights on a record without a name. Signed by whoever decides for the patient, and by the payer.
pub fn create_anonymous_grant(
    by: &By,
    payer: Address,
    (patient, record): (&Id, &Id),
    tree: &Id,
    terms: AnonymousTerms,
) -> Instruction {
    build(
        &accounts::CreateAnonymousGrant {
            deciding: by.accounts(patient),
            payer,
            record: address::record(patient, record),
            tree: address::tree(tree),
            set: address::anonymous_set(tree, &address::record(patient, record)),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CreateAnonymousGrant { terms },
    )
}

/// Revokes a grant without a name. Signed by whoever decides for the patient.
pub fn revoke_anonymous_grant(
    by: &By,
    (patient, record): (&Id, &Id),
    tree: &Id,
    args: RevokeAnonymousGrantArgs,
) -> Instruction {
    build(
        &accounts::RevokeAnonymousGrant {
            deciding: by.accounts(patient),
            record: address::record(patient, record),
            tree: address::tree(tree),
            set: address::anonymous_set(tree, &address::record(patient, record)),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RevokeAnonymousGrant { args },
    )
}

/// Shows a proof of access, and counts the use. Signed by the relayer, which pays.
pub fn verify_access_proof(relayer: Address, tree: &Id, args: VerifyAccessProofArgs) -> Instruction {
    build(
        &accounts::VerifyAccessProof {
            relayer,
            registry: address::registry(),
            tree: address::tree(tree),
            nullifier: address::nullifier(&args.nullifier),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::VerifyAccessProof { args },
    )
}

/// Returns the rent of a nullifier whose epoch is over. Nobody in particular signs.
pub fn close_nullifier(tree: &Id, nullifier: &Field, payer: Address) -> Instruction {
    build(
        &accounts::CloseNullifier {
            tree: address::tree(tree),
            nullifier: address::nullifier(nullifier),
            payer,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CloseNullifier {},
    )
}
