use anchor_lang::prelude::*;

use crate::{events::AdminProposed, seeds::NO_ID, state::Registry, ChartsealError};

/// The admin names a successor, or withdraws that with zeros. Nothing changes hands until the successor accepts.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeAdmin {
    pub admin: Signer,
    #[account(mut)]
    pub registry: Account<Registry>,
}

pub(crate) fn handler(ctx: &mut Context<ProposeAdmin>, proposed: &Address) -> Result<()> {
    let accounts = &mut ctx.accounts;
    require!(
        accounts.registry.admin == *accounts.admin.address(),
        ChartsealError::NotAdmin
    );
    let now = Clock::get()?.unix_timestamp;
    let registry = &mut *accounts.registry;
    registry.proposed_admin = *proposed;
    let event = registry.chain.extend(&NO_ID, now, |link| AdminProposed {
        link,
        proposed: *proposed,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
