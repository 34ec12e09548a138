use anchor_lang::prelude::*;

use crate::{events::PauseSet, seeds::NO_ID, state::Registry, ChartsealError};

/// The admin pauses the program, or lets it go on. What takes a right away is never paused, nor is the admin's own
/// succession.
#[event_cpi]
#[derive(Accounts)]
pub struct SetPaused {
    pub admin: Signer,
    #[account(mut)]
    pub registry: Account<Registry>,
}

pub(crate) fn handler(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
    let accounts = &mut ctx.accounts;
    require!(
        accounts.registry.admin == *accounts.admin.address(),
        ChartsealError::NotAdmin
    );
    let now = Clock::get()?.unix_timestamp;
    let registry = &mut *accounts.registry;
    registry.paused = paused.into();
    let event = registry.chain.extend(&NO_ID, now, |link| PauseSet {
        link,
        paused,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
