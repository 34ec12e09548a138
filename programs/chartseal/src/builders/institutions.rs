//! Institutions and their members.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    state::Keys,
    vocabulary::Standing,
    ID,
};

/// Approves an institution. Signed by the admin.
pub fn register_institution(admin: Address, payer: Address, args: RegisterInstitutionArgs) -> Instruction {
    build(
        &accounts::RegisterInstitution {
            admin,
            payer,
            registry: address::registry(),
            institution: address::institution(&args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RegisterInstitution { args },
    )
}

/// Accepts for an institution. Signed by its authority.
pub fn accept_institution(authority: Address, institution: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptInstitution {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptInstitution { keys },
    )
}

/// Suspends an institution, or lifts that. Signed by the admin.
pub fn set_institution_standing(admin: Address, institution: &Id, standing: Standing) -> Instruction {
    build(
        &accounts::SetInstitutionStanding {
            admin,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetInstitutionStanding { standing },
    )
}

/// Names a member. Signed by the institution's authority.
pub fn register_member(authority: Address, payer: Address, institution: &Id, args: RegisterMemberArgs) -> Instruction {
    build(
        &accounts::RegisterMember {
            authority,
            payer,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RegisterMember { args },
    )
}

/// Accepts a membership. Signed by the member's wallet.
pub fn accept_membership(wallet: Address, institution: &Id, member: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptMembership {
            wallet,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptMembership { keys },
    )
}

/// Suspends a member, or lifts that. Signed by the institution's authority.
pub fn set_member_standing(authority: Address, institution: &Id, member: &Id, standing: Standing) -> Instruction {
    build(
        &accounts::SetMemberStanding {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetMemberStanding { standing },
    )
}

/// Approves an institution until another time. Signed by the admin.
pub fn renew_institution(admin: Address, institution: &Id, expires: i64) -> Instruction {
    build(
        &accounts::RenewInstitution {
            admin,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RenewInstitution { expires },
    )
}

/// Names a successor of an institution's authority, or withdraws that with zeros. Signed by the authority.
pub fn propose_authority(authority: Address, institution: &Id, proposed: Address) -> Instruction {
    build(
        &accounts::ProposeAuthority {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ProposeAuthority { proposed },
    )
}

/// Takes over as an institution's authority. Signed by the successor.
pub fn accept_authority(proposed: Address, institution: &Id) -> Instruction {
    build(
        &accounts::AcceptAuthority {
            proposed,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptAuthority {},
    )
}

/// Sets another end to a membership. Signed by the institution's authority.
pub fn renew_member(authority: Address, institution: &Id, member: &Id, expires: i64) -> Instruction {
    build(
        &accounts::RenewMember {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RenewMember { expires },
    )
}

/// Gives a member the credential to open emergencies, or takes it. Signed by the hospital's authority.
pub fn set_emergency_credential(authority: Address, institution: &Id, member: &Id, holds: bool) -> Instruction {
    build(
        &accounts::SetEmergencyCredential {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetEmergencyCredential { holds },
    )
}
