use anchor_lang::prelude::*;

use super::deciding::speaks_for;
use crate::{
    events::{Actor, ErasureAttested},
    seeds::NO_ID,
    state::{AccessLog, Institution, Member, Patient, Record, NO_OUTCOME},
    vocabulary::ActorKind,
    ChartsealError,
};

/// Whoever kept keys of an erased record says that they were destroyed: the patient, the authority of its steward, a
/// member of the institution that wrote the last version, or who wrote the first. It is a statement, not a proof. Never
/// paused. Several can say it, each of its own keys; members no more than 30 times within an hour, together with their
/// requests.
#[event_cpi]
#[derive(Accounts)]
pub struct AttestErasure {
    pub wallet: Signer,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    pub record: Account<Record>,
    /// The member's institution, or the steward whose authority signs.
    pub institution: Option<Account<Institution>>,
    /// Writable, because its attestations are counted.
    #[account(mut)]
    pub member: Option<Account<Member>>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct AttestErasureArgs {
    /// SHA-256 of the receipt, which says which keys.
    pub receipt: [u8; 32],
}

impl AttestErasure {
    fn validate(&self, args: &AttestErasureArgs) -> Result<()> {
        require!(args.receipt != [0; 32], ChartsealError::ZeroId);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.record.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.record.is_erased(), ChartsealError::NotErased);
        Ok(())
    }

    /// Who attests. A member's attestation is counted.
    fn identify(&mut self, now: i64) -> Result<Actor> {
        let wallet = *self.wallet.address();
        let Some(member) = &mut self.member else {
            speaks_for(&wallet, &self.patient, self.institution.as_deref())?;
            let steward = self.institution.as_ref().filter(|_| !self.patient.has_wallet());
            let suspended = steward.is_some_and(|steward| !steward.is_active(now));
            require!(!suspended, ChartsealError::InstitutionNotActive);
            return Ok(Actor {
                kind: ActorKind::Patient,
                wallet,
                credential: Address::default(),
                institution: steward.map_or(NO_ID, |steward| steward.id),
            });
        };
        let institution = self.institution.as_ref().ok_or(ChartsealError::InstitutionMissing)?;
        require!(member.wallet == wallet, ChartsealError::Stranger);
        require!(
            member.institution == institution.id
                && (self.record.institution == institution.id || self.record.origin == *member.address()),
            ChartsealError::ForeignMember
        );
        require!(institution.is_active(now), ChartsealError::InstitutionNotActive);
        require!(member.is_active(now), ChartsealError::MemberNotActive);
        require!(member.count_request(now), ChartsealError::RequestCap);
        Ok(Actor {
            kind: ActorKind::Member,
            wallet,
            credential: *member.address(),
            institution: institution.id,
        })
    }
}

pub(crate) fn handler(ctx: &mut Context<AttestErasure>, args: &AttestErasureArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args)?;
    let actor = accounts.identify(now)?;
    let id = accounts.record.id;
    let log = &mut *accounts.log;
    let event = log.write(&id, &actor.wallet, NO_OUTCOME, now, |link| ErasureAttested {
        link,
        record: id,
        actor,
        receipt: args.receipt,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
