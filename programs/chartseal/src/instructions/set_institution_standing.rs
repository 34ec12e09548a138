use anchor_lang::prelude::*;

use crate::{
    events::InstitutionStandingSet,
    state::{Institution, Registry},
    vocabulary::Standing,
    ChartsealError,
};

/// The admin suspends an institution, and with it all its members, or lifts that. Suspending is never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct SetInstitutionStanding {
    pub admin: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl SetInstitutionStanding {
    fn validate(&self, standing: Standing) -> Result<()> {
        require!(self.registry.admin == *self.admin.address(), ChartsealError::NotAdmin);
        require!(
            standing == Standing::Suspended || !self.registry.is_paused(),
            ChartsealError::Paused
        );
        // Lifting a suspension gives back what was before: one that never accepted is invited again.
        let accepted = self.institution.key_epoch != 0;
        require!(standing.is_open_to(accepted), ChartsealError::BadStanding);
        require!(
            self.institution.standing != standing.byte(),
            ChartsealError::BadStanding
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<SetInstitutionStanding>, standing: Standing) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(standing)?;
    let now = Clock::get()?.unix_timestamp;
    let institution = &mut *accounts.institution;
    institution.standing = standing.byte();
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| InstitutionStandingSet {
        link,
        standing,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
