use anchor_lang::prelude::*;

use crate::{
    events::InstitutionAccepted,
    state::{Institution, Keys, Registry},
    vocabulary::Standing,
    ChartsealError,
};

/// The authority that the admin named accepts, and publishes the institution's encryption keys.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptInstitution {
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
}

impl AcceptInstitution {
    fn validate(&self, keys: &Keys) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInvited
        );
        require!(self.institution.key_epoch == 0, ChartsealError::AlreadyAccepted);
        require!(
            self.institution.standing == Standing::Invited.byte(),
            ChartsealError::NotInvited
        );
        keys.validate()
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptInstitution>, keys: &Keys) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(keys)?;
    let now = Clock::get()?.unix_timestamp;
    let institution = &mut *accounts.institution;
    institution.keys = *keys;
    institution.key_epoch = 1;
    institution.standing = Standing::Active.byte();
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| InstitutionAccepted {
        link,
        encryption_key: keys.encryption,
        post_quantum_key_hash: keys.post_quantum_hash,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
