use anchor_lang::prelude::*;

use crate::{
    events::AuthorityProposed,
    state::{Institution, Registry},
    ChartsealError,
};

/// An institution's authority names its successor, or withdraws that with zeros. Nothing changes hands until the
/// successor accepts. Withdrawing is never paused. A suspended institution's authority can do both, and stays suspended.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeAuthority {
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl ProposeAuthority {
    fn validate(&self, proposed: &Address) -> Result<()> {
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            *proposed == Address::default() || !self.registry.is_paused(),
            ChartsealError::Paused
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<ProposeAuthority>, proposed: &Address) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(proposed)?;
    let now = Clock::get()?.unix_timestamp;
    let institution = &mut *accounts.institution;
    institution.proposed_authority = *proposed;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| AuthorityProposed {
        link,
        proposed: *proposed,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
