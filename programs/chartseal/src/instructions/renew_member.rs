use anchor_lang::prelude::*;

use crate::{
    events::MemberRenewed,
    state::{Institution, Member, Registry},
    ChartsealError,
};

/// An institution sets another end to a membership. Shortening it is never paused, and works while the institution
/// itself is suspended.
#[event_cpi]
#[derive(Accounts)]
pub struct RenewMember {
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    #[account(mut)]
    pub member: Account<Member>,
}

impl RenewMember {
    fn validate(&self, expires: i64, now: i64) -> Result<()> {
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(expires > now, ChartsealError::ExpiryInPast);
        require!(expires != self.member.expires, ChartsealError::BadStanding);
        if expires > self.member.expires {
            require!(!self.registry.is_paused(), ChartsealError::Paused);
            require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RenewMember>, expires: i64) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(expires, now)?;
    accounts.member.expires = expires;
    let member = *accounts.member.address();
    let institution = &mut *accounts.institution;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| MemberRenewed {
        link,
        member,
        expires,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
