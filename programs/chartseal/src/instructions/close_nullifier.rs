use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::NullifierClosed,
    state::{GrantTree, Nullifier},
    ChartsealError,
};

/// Returns the rent of a nullifier that nobody can use again, because its epoch is over. Anybody may: the rent goes to
/// whoever paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseNullifier {
    #[account(mut)]
    pub tree: Account<GrantTree>,
    #[account(mut, close = payer)]
    pub nullifier: Account<Nullifier>,
    /// CHECK: who paid the rent, as the nullifier says.
    #[account(mut)]
    pub payer: UncheckedAccount,
}

impl CloseNullifier {
    fn validate(&self, now: i64) -> Result<()> {
        require!(self.nullifier.tree == self.tree.id, ChartsealError::NotInTree);
        require!(
            self.nullifier.payer == *self.payer.address(),
            ChartsealError::NotThePayer
        );
        require!(self.nullifier.is_over(now), ChartsealError::EpochNotOver);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<CloseNullifier>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let (nullifier, payer) = (accounts.nullifier.nullifier, accounts.nullifier.payer);
    let tree = &mut *accounts.tree;
    let id = tree.id;
    let event = tree.chain.extend(&id, now, |link| NullifierClosed {
        link,
        nullifier,
        payer,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
