//! The Chartseal contract: who may do what with a medical record, and a log of who did.
//!
//! This file only dispatches. [`policy`] is the decision, [`log`] the hash chains, [`state`] the accounts, [`events`]
//! what goes out, and [`instructions`] has one file for each thing that can be done. Client and indexer import this
//! crate: accounts, instructions, events and errors are defined here and nowhere else.

#![cfg_attr(not(feature = "idl-build"), no_std)]

extern crate alloc;

use anchor_lang::prelude::*;

#[cfg(not(target_os = "solana"))]
pub mod builders;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod log;
pub mod policy;
#[cfg(target_os = "solana")]
mod runtime;
pub mod seeds;
pub mod state;
pub mod vocabulary;

pub use errors::ChartsealError;
use instructions::*;
use state::Keys;
use vocabulary::Standing;

declare_id!("G4qC31TwxSHH9JF3vsSBmge4WXAW6f6GWvSVdmTsshZX");

/// The instructions that the chain calls; `builders` makes them.
#[program]
pub mod chartseal {
    use super::*;

    /// Makes the registry and names its admin. Signed by the program's upgrade authority.
    pub fn initialize(ctx: &mut Context<Initialize>, admin: Address) -> Result<()> {
        initialize::handler(ctx, &admin)
    }

    /// Names a successor of the admin, or withdraws that with zeros. Signed by the admin.
    pub fn propose_admin(ctx: &mut Context<ProposeAdmin>, proposed: Address) -> Result<()> {
        propose_admin::handler(ctx, &proposed)
    }

    /// Takes over as admin. Signed by the successor.
    pub fn accept_admin(ctx: &mut Context<AcceptAdmin>) -> Result<()> {
        accept_admin::handler(ctx)
    }

    /// Pauses the program, or lets it go on. Signed by the admin.
    pub fn set_paused(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
        set_paused::handler(ctx, paused)
    }

    /// Approves an institution and names its authority. Signed by the admin.
    pub fn register_institution(ctx: &mut Context<RegisterInstitution>, args: RegisterInstitutionArgs) -> Result<()> {
        register_institution::handler(ctx, &args)
    }

    /// Makes an institution active and publishes its keys. Signed by its authority.
    pub fn accept_institution(ctx: &mut Context<AcceptInstitution>, keys: Keys) -> Result<()> {
        accept_institution::handler(ctx, &keys)
    }

    /// Suspends an institution, or lifts that. Signed by the admin.
    pub fn set_institution_standing(ctx: &mut Context<SetInstitutionStanding>, standing: Standing) -> Result<()> {
        set_institution_standing::handler(ctx, standing)
    }

    /// Names a member of an institution. Signed by the institution's authority.
    pub fn register_member(ctx: &mut Context<RegisterMember>, args: RegisterMemberArgs) -> Result<()> {
        register_member::handler(ctx, &args)
    }

    /// Begins a membership and publishes the member's keys. Signed by the member's wallet.
    pub fn accept_membership(ctx: &mut Context<AcceptMembership>, keys: Keys) -> Result<()> {
        accept_membership::handler(ctx, &keys)
    }

    /// Suspends a member, or lifts that. Signed by the institution's authority.
    pub fn set_member_standing(ctx: &mut Context<SetMemberStanding>, standing: Standing) -> Result<()> {
        set_member_standing::handler(ctx, standing)
    }

    /// Opens a patient and its two logs. Signed by its wallet, or by a steward's authority.
    pub fn open_patient(ctx: &mut Context<OpenPatient>, args: OpenPatientArgs) -> Result<()> {
        open_patient::handler(ctx, &args)
    }

    /// Adds a record, or logs a refusal. Signed by the author.
    pub fn create_record(ctx: &mut Context<CreateRecord>, args: CreateRecordArgs) -> Result<()> {
        create_record::handler(ctx, &args)
    }

    /// Puts a new version in a record's place, or logs a refusal. Signed by the author.
    pub fn amend_record(ctx: &mut Context<AmendRecord>, args: AmendRecordArgs) -> Result<()> {
        amend_record::handler(ctx, &args)
    }

    /// Grants rights. Signed by the patient, or by its steward's authority.
    pub fn create_grant(ctx: &mut Context<CreateGrant>, args: CreateGrantArgs) -> Result<()> {
        create_grant::handler(ctx, &args)
    }

    /// Ends a grant before its time. Signed by the patient, or by its steward's authority.
    pub fn revoke_grant(ctx: &mut Context<RevokeGrant>) -> Result<()> {
        revoke_grant::handler(ctx)
    }

    /// Allows a reader to read a record, or logs a refusal. Signed by the reader.
    pub fn access_record(ctx: &mut Context<AccessRecord>, args: AccessRecordArgs) -> Result<()> {
        access_record::handler(ctx, &args)
    }
}
