use anchor_lang::prelude::*;

use crate::{events::AdminAccepted, seeds::NO_ID, state::Registry, ChartsealError};

/// The successor that the admin named takes over.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptAdmin {
    pub proposed: Signer,
    #[account(mut)]
    pub registry: Account<Registry>,
}

pub(crate) fn handler(ctx: &mut Context<AcceptAdmin>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let admin = *accounts.proposed.address();
    require!(
        accounts.registry.proposed_admin == admin,
        ChartsealError::NotProposedAdmin
    );
    let now = Clock::get()?.unix_timestamp;
    let registry = &mut *accounts.registry;
    registry.admin = admin;
    registry.proposed_admin = Address::default();
    let event = registry.chain.extend(&NO_ID, now, |link| AdminAccepted {
        link,
        admin,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
