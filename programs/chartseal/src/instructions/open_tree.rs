use anchor_lang::prelude::*;

use crate::{
    events::TreeOpened,
    seeds::{Id, BUMP, TREE},
    state::{require_id, GrantTree, Registry},
    ChartsealError,
};

/// The admin makes a tree for grants without a name. It has no more power over it than anybody else. One tree serves
/// everybody: the more grants stand in it, the more a reader hides among.
#[event_cpi]
#[derive(Accounts)]
#[instruction(id: Id)]
pub struct OpenTree {
    pub admin: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<GrantTree>(),
        seeds = [TREE, id.as_ref()],
        bump
    )]
    pub tree: Account<GrantTree>,
    pub system_program: Program<System>,
}

impl OpenTree {
    fn validate(&self, id: &Id) -> Result<()> {
        require_id(id)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.registry.admin == *self.admin.address(), ChartsealError::NotAdmin);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<OpenTree>, id: &Id) -> Result<()> {
    require!(ctx.bumps.tree == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    accounts.validate(id)?;
    let now = Clock::get()?.unix_timestamp;
    let by = *accounts.admin.address();
    let tree = &mut *accounts.tree;
    tree.begin(id, BUMP);
    let event = tree.chain.extend(id, now, |link| TreeOpened {
        link,
        by,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
