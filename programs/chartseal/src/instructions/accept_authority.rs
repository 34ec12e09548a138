use anchor_lang::prelude::*;

use crate::{
    events::AuthorityAccepted,
    state::{Institution, Registry},
    ChartsealError,
};

/// The successor that an institution's authority named takes over. The institution's keys stay what they are.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptAuthority {
    pub proposed: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl AcceptAuthority {
    fn validate(&self) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.institution.proposed_authority == *self.proposed.address(),
            ChartsealError::NotProposed
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptAuthority>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    let now = Clock::get()?.unix_timestamp;
    let authority = *accounts.proposed.address();
    let institution = &mut *accounts.institution;
    institution.authority = authority;
    institution.proposed_authority = Address::default();
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| AuthorityAccepted {
        link,
        authority,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
