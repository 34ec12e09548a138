use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::RegistryCreated,
    log::{Chain, ChainKind},
    seeds::{NO_ID, REGISTRY},
    state::Registry,
    ChartsealError,
};

/// Makes the registry. Signed by the program's upgrade authority, so that no stranger can be the first caller.
#[event_cpi]
#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority. It names the admin and has no say afterwards.
    pub upgrade_authority: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// CHECK: this program's own account, which names its data's address.
    #[account(address = crate::ID)]
    pub this_program: UncheckedAccount,
    /// CHECK: the program's data account, which names the upgrade authority.
    pub program_data: UncheckedAccount,
    #[account(init, payer = payer, space = 8 + core::mem::size_of::<Registry>(), seeds = [REGISTRY], bump)]
    pub registry: Account<Registry>,
    pub system_program: Program<System>,
}

/// `BPFLoaderUpgradeab1e11111111111111111111111`.
const UPGRADEABLE_LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

impl Initialize {
    /// The layout is that of `UpgradeableLoaderState` in `solana-loader-v3-interface`: a program account is
    /// `2u32 || address of its data`, a data account `3u32 || slot u64 || 1u8 || upgrade authority`.
    fn validate(&self) -> Result<()> {
        let program = self.this_program.account();
        let data = self.program_data.account();
        require!(
            program.owned_by(&UPGRADEABLE_LOADER),
            ChartsealError::NotUpgradeAuthority
        );
        require!(data.owned_by(&UPGRADEABLE_LOADER), ChartsealError::NotUpgradeAuthority);
        let program = program.try_borrow()?;
        let data_bytes = data.try_borrow()?;
        let named = program.get(..4) == Some(&[2, 0, 0, 0]) && program.get(4..36) == Some(data.address().as_ref());
        let signed = data_bytes.get(..4) == Some(&[3, 0, 0, 0])
            && data_bytes.get(12) == Some(&1)
            && data_bytes.get(13..45) == Some(self.upgrade_authority.address().as_ref());
        require!(named && signed, ChartsealError::NotUpgradeAuthority);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<Initialize>, admin: &Address) -> Result<()> {
    let bump = ctx.bumps.registry;
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    require!(*admin != Address::default(), ChartsealError::ZeroId);
    let now = Clock::get()?.unix_timestamp;
    let registry = &mut *accounts.registry;
    registry.admin = *admin;
    registry.bump = bump;
    registry.chain = Chain::begin(ChainKind::Registry, &NO_ID);
    let event = registry.chain.extend(&NO_ID, now, |link| RegistryCreated {
        link,
        admin: *admin,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
