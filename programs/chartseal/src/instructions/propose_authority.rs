use anchor_lang::prelude::*;

use crate::{
    events::AuthorityProposed,
    state::{Institution, Registry},
    vocabulary::Standing,
    ChartsealError,
};

/// An institution's authority names its successor, or withdraws that with zeros. Of a suspended institution the admin
/// does, and its authority does not: so a key that was stolen or lost costs neither the institution nor the patients
/// whom it stewards. Nothing changes hands until the successor accepts. Withdrawing is never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeAuthority {
    /// The institution's authority or, while it is suspended, the admin.
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl ProposeAuthority {
    fn validate(&self, proposed: &Address) -> Result<()> {
        let signer = *self.authority.address();
        if self.institution.standing == Standing::Suspended.byte() {
            require!(self.registry.admin == signer, ChartsealError::NotAdmin);
        } else {
            require!(
                self.institution.authority == signer,
                ChartsealError::NotInstitutionAuthority
            );
        }
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
