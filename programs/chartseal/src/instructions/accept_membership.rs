use anchor_lang::prelude::*;

use crate::{
    events::MembershipAccepted,
    state::{Institution, Keys, Member, Registry},
    vocabulary::Standing,
    ChartsealError,
};

/// The wallet that an institution named accepts, and publishes its encryption keys.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptMembership {
    pub wallet: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    #[account(mut)]
    pub member: Account<Member>,
}

impl AcceptMembership {
    fn validate(&self, keys: &Keys, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(self.member.wallet == *self.wallet.address(), ChartsealError::NotInvited);
        require!(self.member.key_epoch == 0, ChartsealError::AlreadyAccepted);
        require!(
            self.member.standing == Standing::Invited.byte(),
            ChartsealError::NotInvited
        );
        require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
        keys.validate()
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptMembership>, keys: &Keys) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(keys, now)?;
    let address = *accounts.member.address();
    let member = &mut *accounts.member;
    member.keys = *keys;
    member.key_epoch = 1;
    member.standing = Standing::Active.byte();
    let institution = &mut *accounts.institution;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| MembershipAccepted {
        link,
        member: address,
        encryption_key: keys.encryption,
        post_quantum_key_hash: keys.post_quantum_hash,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
