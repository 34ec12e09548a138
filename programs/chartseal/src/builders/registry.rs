//! The registry and its admin.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{accounts, instruction, seeds::address, ID};

/// Makes the registry. Signed by the program's upgrade authority.
pub fn initialize(upgrade_authority: Address, payer: Address, program_data: Address, admin: Address) -> Instruction {
    build(
        &accounts::Initialize {
            upgrade_authority,
            payer,
            this_program: ID,
            program_data,
            registry: address::registry(),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::Initialize { admin },
    )
}

/// Names a successor of the admin, or withdraws that with zeros.
pub fn propose_admin(admin: Address, proposed: Address) -> Instruction {
    build(
        &accounts::ProposeAdmin {
            admin,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ProposeAdmin { proposed },
    )
}

/// Takes over as admin.
pub fn accept_admin(proposed: Address) -> Instruction {
    build(
        &accounts::AcceptAdmin {
            proposed,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptAdmin {},
    )
}

/// Pauses the program, or lets it go on.
pub fn set_paused(admin: Address, paused: bool) -> Instruction {
    build(
        &accounts::SetPaused {
            admin,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetPaused { paused },
    )
}
