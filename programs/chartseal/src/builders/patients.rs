//! Patients, and who decides for them.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    state::Keys,
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

/// Names a patient's next wallet, or withdraws that with zeros. Signed by the wallet, or by the authority of `steward`.
pub fn propose_wallet(issuer: Address, steward: Option<&Id>, patient: &Id, proposed: Address) -> Instruction {
    build(
        &accounts::ProposeWallet {
            issuer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            steward: steward.map(address::institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ProposeWallet { proposed },
    )
}

/// Takes over as a patient's wallet. Signed by the wallet that was proposed. `steward` is that of a patient without a
/// wallet.
pub fn accept_wallet(wallet: Address, steward: Option<&Id>, patient: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptWallet {
            wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            steward: steward.map(address::institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptWallet { keys },
    )
}

/// Publishes other encryption keys of a patient. Signed by its wallet.
pub fn rotate_patient_key(wallet: Address, patient: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::RotatePatientKey {
            wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RotatePatientKey { keys },
    )
}

/// Names a delegate. Signed by the patient's wallet.
pub fn name_delegate(wallet: Address, payer: Address, patient: &Id, args: NameDelegateArgs) -> Instruction {
    build(
        &accounts::NameDelegate {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            delegate: address::delegate(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::NameDelegate { args },
    )
}

/// Begins a delegation. Signed by the delegate's wallet.
pub fn accept_delegation(wallet: Address, patient: &Id, delegate: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptDelegation {
            wallet,
            registry: address::registry(),
            log: address::access_log(patient),
            delegate: address::delegate(patient, delegate),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptDelegation { keys },
    )
}

/// Ends a delegation. Signed by the patient's wallet or by the delegate's.
pub fn revoke_delegate(wallet: Address, patient: &Id, delegate: &Id) -> Instruction {
    build(
        &accounts::RevokeDelegate {
            wallet,
            patient: address::patient(patient),
            log: address::access_log(patient),
            delegate: address::delegate(patient, delegate),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RevokeDelegate {},
    )
}

/// Names a patient's guardians. Signed by the patient's wallet.
pub fn set_guardians(wallet: Address, payer: Address, patient: &Id, args: SetGuardiansArgs) -> Instruction {
    build(
        &accounts::SetGuardians {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            safeguards: address::safeguards(patient),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetGuardians { args },
    )
}

/// Names the institutions that hold break-glass shares, at most five. Signed by the patient's wallet.
pub fn set_break_glass(
    wallet: Address,
    payer: Address,
    patient: &Id,
    institutions: &[Id],
    threshold: u8,
) -> Instruction {
    let holder = |n: usize| institutions.get(n).map(address::institution);
    build(
        &accounts::SetBreakGlass {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            safeguards: address::safeguards(patient),
            system_program: SYSTEM_PROGRAM,
            holder_1: holder(0),
            holder_2: holder(1),
            holder_3: holder(2),
            holder_4: holder(3),
            holder_5: holder(4),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetBreakGlass { threshold },
    )
}

/// Votes for a patient's next wallet. Signed by a guardian.
pub fn vote_recovery(guardian: Address, patient: &Id, args: VoteRecoveryArgs) -> Instruction {
    build(
        &accounts::VoteRecovery {
            guardian,
            registry: address::registry(),
            log: address::access_log(patient),
            safeguards: address::safeguards(patient),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::VoteRecovery { args },
    )
}

/// Makes the guardians' votes void. Signed by the patient's wallet.
pub fn object_to_recovery(wallet: Address, patient: &Id) -> Instruction {
    build(
        &accounts::ObjectToRecovery {
            wallet,
            patient: address::patient(patient),
            log: address::access_log(patient),
            safeguards: address::safeguards(patient),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ObjectToRecovery {},
    )
}

/// Takes over as a patient's wallet by the guardians' votes. Signed by the wallet that they agreed on.
pub fn finish_recovery(wallet: Address, patient: &Id) -> Instruction {
    build(
        &accounts::FinishRecovery {
            wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            safeguards: address::safeguards(patient),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::FinishRecovery {},
    )
}
