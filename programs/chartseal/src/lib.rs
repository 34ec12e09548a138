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
mod lamports;
pub mod log;
pub mod membership;
pub mod merkle;
pub mod policy;
pub mod proof;
#[cfg(target_os = "solana")]
mod runtime;
pub mod security;
pub mod seeds;
pub mod state;
pub mod tokens;
pub mod vocabulary;

pub use errors::ChartsealError;
use instructions::*;
use membership::AnonymousTerms;
use seeds::Id;
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

    /// Grants rights. Signed by whoever decides for the patient.
    pub fn create_grant(ctx: &mut Context<CreateGrant>, args: CreateGrantArgs) -> Result<()> {
        create_grant::handler(ctx, &args)
    }

    /// Ends a grant before its time. Signed by whoever decides for the patient, or passed it on.
    pub fn revoke_grant(ctx: &mut Context<RevokeGrant>) -> Result<()> {
        revoke_grant::handler(ctx)
    }

    /// Commits an institution to many records at once. Signed by a member, their author.
    pub fn anchor_batch(ctx: &mut Context<AnchorBatch>, args: AnchorBatchArgs) -> Result<()> {
        anchor_batch::handler(ctx, &args)
    }

    /// Makes a record of one leaf of a batch, or logs a refusal. Signed by whoever may add to the chart.
    #[allow(clippy::needless_pass_by_value)] // Anchor hands arguments over like this.
    pub fn promote_batched(ctx: &mut Context<PromoteBatched>, args: PromoteBatchedArgs) -> Result<()> {
        promote_batched::handler(ctx, &args)
    }

    /// Makes a record a tombstone. Signed by the patient, or by its steward's authority.
    pub fn erase_record(ctx: &mut Context<EraseRecord>) -> Result<()> {
        erase_record::handler(ctx)
    }

    /// Says that keys of an erased record were destroyed. Signed by whoever kept them.
    pub fn attest_erasure(ctx: &mut Context<AttestErasure>, args: AttestErasureArgs) -> Result<()> {
        attest_erasure::handler(ctx, &args)
    }

    /// Offers an institution to pay for access to its records. Signed by the authority of the one that pays.
    pub fn propose_agreement(ctx: &mut Context<ProposeAgreement>, args: ProposeAgreementArgs) -> Result<()> {
        propose_agreement::handler(ctx, &args)
    }

    /// Accepts an agreement. Signed by the authority of the institution that is paid.
    pub fn accept_agreement(ctx: &mut Context<AcceptAgreement>) -> Result<()> {
        accept_agreement::handler(ctx)
    }

    /// Puts a deposit into an agreement's escrow. Signed by the authority of the institution that pays.
    pub fn fund_agreement(ctx: &mut Context<FundAgreement>, amount: u64) -> Result<()> {
        fund_agreement::handler(ctx, amount)
    }

    /// Pays for one version of one record. Signed by a member whose request the patient approved.
    pub fn settle_access(ctx: &mut Context<SettleAccess>, args: SettleAccessArgs) -> Result<()> {
        settle_access::handler(ctx, &args)
    }

    /// Ends an agreement and returns the rest of the deposit. Signed by the authority of either institution.
    pub fn close_agreement(ctx: &mut Context<CloseAgreement>) -> Result<()> {
        close_agreement::handler(ctx)
    }

    /// Allows a reader to read a record, or logs a refusal. Signed by the reader.
    pub fn access_record(ctx: &mut Context<AccessRecord>, args: AccessRecordArgs) -> Result<()> {
        access_record::handler(ctx, &args)
    }

    /// Approves an institution until another time. Signed by the admin.
    pub fn renew_institution(ctx: &mut Context<RenewInstitution>, expires: i64) -> Result<()> {
        renew_institution::handler(ctx, expires)
    }

    /// Names a successor of an institution's authority, or withdraws that with zeros. Signed by the authority.
    pub fn propose_authority(ctx: &mut Context<ProposeAuthority>, proposed: Address) -> Result<()> {
        propose_authority::handler(ctx, &proposed)
    }

    /// Takes over as an institution's authority. Signed by the successor.
    pub fn accept_authority(ctx: &mut Context<AcceptAuthority>) -> Result<()> {
        accept_authority::handler(ctx)
    }

    /// Sets another end to a membership. Signed by the institution's authority.
    pub fn renew_member(ctx: &mut Context<RenewMember>, expires: i64) -> Result<()> {
        renew_member::handler(ctx, expires)
    }

    /// Gives a member the credential to open emergencies, or takes it. Signed by the hospital's authority.
    pub fn set_emergency_credential(ctx: &mut Context<SetEmergencyCredential>, holds: bool) -> Result<()> {
        set_emergency_credential::handler(ctx, holds)
    }

    /// Names a patient's next wallet, or withdraws that with zeros. Signed by the wallet, or by the steward's
    /// authority.
    pub fn propose_wallet(ctx: &mut Context<ProposeWallet>, proposed: Address) -> Result<()> {
        propose_wallet::handler(ctx, &proposed)
    }

    /// Takes over as a patient's wallet. Signed by the wallet that was proposed.
    pub fn accept_wallet(ctx: &mut Context<AcceptWallet>, keys: Keys) -> Result<()> {
        accept_wallet::handler(ctx, &keys)
    }

    /// Publishes other encryption keys of a patient. Signed by the patient.
    pub fn rotate_patient_key(ctx: &mut Context<RotatePatientKey>, keys: Keys) -> Result<()> {
        rotate_patient_key::handler(ctx, &keys)
    }

    /// Names a delegate. Signed by the patient.
    pub fn name_delegate(ctx: &mut Context<NameDelegate>, args: NameDelegateArgs) -> Result<()> {
        name_delegate::handler(ctx, &args)
    }

    /// Begins a delegation and publishes the delegate's keys. Signed by the delegate.
    pub fn accept_delegation(ctx: &mut Context<AcceptDelegation>, keys: Keys) -> Result<()> {
        accept_delegation::handler(ctx, &keys)
    }

    /// Ends a delegation. Signed by the patient or by the delegate.
    pub fn revoke_delegate(ctx: &mut Context<RevokeDelegate>) -> Result<()> {
        revoke_delegate::handler(ctx)
    }

    /// Names the guardians who can change a patient's wallet together. Signed by the patient.
    #[allow(clippy::needless_pass_by_value)] // Anchor hands arguments over like this.
    pub fn set_guardians(ctx: &mut Context<SetGuardians>, args: SetGuardiansArgs) -> Result<()> {
        set_guardians::handler(ctx, &args)
    }

    /// Names the institutions that open records together in an emergency. Signed by the patient.
    pub fn set_break_glass(ctx: &mut Context<SetBreakGlass>, threshold: u8) -> Result<()> {
        set_break_glass::handler(ctx, threshold)
    }

    /// Votes for a patient's next wallet. Signed by a guardian.
    pub fn vote_recovery(ctx: &mut Context<VoteRecovery>, args: VoteRecoveryArgs) -> Result<()> {
        vote_recovery::handler(ctx, &args)
    }

    /// Makes the guardians' votes void. Signed by the patient.
    pub fn object_to_recovery(ctx: &mut Context<ObjectToRecovery>) -> Result<()> {
        object_to_recovery::handler(ctx)
    }

    /// Takes over as a patient's wallet by the guardians' votes. Signed by the wallet that they agreed on.
    pub fn finish_recovery(ctx: &mut Context<FinishRecovery>) -> Result<()> {
        finish_recovery::handler(ctx)
    }

    /// Passes on what a grant gives, or logs a refusal. Signed by the grantee.
    pub fn pass_on_grant(ctx: &mut Context<PassOnGrant>, args: PassOnGrantArgs) -> Result<()> {
        pass_on_grant::handler(ctx, &args)
    }

    /// Asks a patient for a grant. Signed by a member.
    pub fn request_access(ctx: &mut Context<RequestAccess>, args: RequestAccessArgs) -> Result<()> {
        request_access::handler(ctx, &args)
    }

    /// Approves a request with a grant, or denies it. Signed by whoever decides for the patient.
    pub fn decide_request(ctx: &mut Context<DecideRequest>, args: DecideRequestArgs) -> Result<()> {
        decide_request::handler(ctx, &args)
    }

    /// Chooses what an institution shares by itself. Signed by whoever decides for the patient.
    pub fn set_policy(ctx: &mut Context<SetPolicy>, args: SetPolicyArgs) -> Result<()> {
        set_policy::handler(ctx, &args)
    }

    /// Opens an emergency, or logs a refusal. Signed by a member who holds the credential.
    pub fn open_emergency(ctx: &mut Context<OpenEmergency>, args: OpenEmergencyArgs) -> Result<()> {
        open_emergency::handler(ctx, &args)
    }

    /// Makes a tree for grants without a name. Signed by the admin.
    pub fn open_tree(ctx: &mut Context<OpenTree>, id: Id) -> Result<()> {
        open_tree::handler(ctx, &id)
    }

    /// Grants rights on a record without a name. Signed by whoever decides for the patient.
    pub fn create_anonymous_grant(ctx: &mut Context<CreateAnonymousGrant>, terms: AnonymousTerms) -> Result<()> {
        create_anonymous_grant::handler(ctx, &terms)
    }

    /// Ends a grant without a name before its time. Signed by whoever decides for the patient.
    #[allow(clippy::needless_pass_by_value)] // Anchor hands arguments over like this.
    pub fn revoke_anonymous_grant(
        ctx: &mut Context<RevokeAnonymousGrant>,
        args: RevokeAnonymousGrantArgs,
    ) -> Result<()> {
        revoke_anonymous_grant::handler(ctx, &args)
    }

    /// Counts a use of a grant without a name. Signed by whoever brings the proof.
    #[allow(clippy::needless_pass_by_value)] // Anchor hands arguments over like this.
    pub fn verify_access_proof(ctx: &mut Context<VerifyAccessProof>, args: VerifyAccessProofArgs) -> Result<()> {
        verify_access_proof::handler(ctx, &args)
    }

    /// Returns the rent of a nullifier whose epoch is over. Signed by nobody in particular.
    pub fn close_nullifier(ctx: &mut Context<CloseNullifier>) -> Result<()> {
        close_nullifier::handler(ctx)
    }

    /// Reviews an emergency. Signed for the patient, or for the opener's institution.
    pub fn review_emergency(ctx: &mut Context<ReviewEmergency>, args: ReviewEmergencyArgs) -> Result<()> {
        review_emergency::handler(ctx, &args)
    }
}
