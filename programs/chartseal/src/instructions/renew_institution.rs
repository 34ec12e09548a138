use anchor_lang::prelude::*;

use crate::{
    events::InstitutionRenewed,
    state::{Institution, Registry},
    ChartsealError,
};

/// The admin sets another end to an institution's approval. Shortening it is never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct RenewInstitution {
    pub admin: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl RenewInstitution {
    fn validate(&self, expires: i64, now: i64) -> Result<()> {
        require!(self.registry.admin == *self.admin.address(), ChartsealError::NotAdmin);
        require!(expires > now, ChartsealError::ExpiryInPast);
        require!(expires != self.institution.expires, ChartsealError::BadStanding);
        require!(
            expires < self.institution.expires || !self.registry.is_paused(),
            ChartsealError::Paused
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RenewInstitution>, expires: i64) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(expires, now)?;
    let institution = &mut *accounts.institution;
    institution.expires = expires;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| InstitutionRenewed {
        link,
        expires,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
