use anchor_lang::prelude::*;

use crate::{
    events::InstitutionRegistered,
    log::{Chain, ChainKind},
    seeds::{Id, INSTITUTION},
    state::{require_id, Institution, Registry},
    vocabulary::{InstitutionKind, Standing},
    ChartsealError,
};

/// The admin approves an institution and names its authority. It becomes active when that authority accepts.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: RegisterInstitutionArgs)]
pub struct RegisterInstitution {
    pub admin: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Institution>(),
        seeds = [INSTITUTION, args.id.as_ref()],
        bump
    )]
    pub institution: Account<Institution>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct RegisterInstitutionArgs {
    /// 16 random bytes.
    pub id: Id,
    pub kind: InstitutionKind,
    pub authority: Address,
    /// Seconds since 1970: from here on the approval gives no right. `i64::MAX` is without end.
    pub expires: i64,
}

impl RegisterInstitution {
    fn validate(&self, args: &RegisterInstitutionArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(args.authority != Address::default(), ChartsealError::ZeroId);
        require!(self.registry.admin == *self.admin.address(), ChartsealError::NotAdmin);
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(args.expires > now, ChartsealError::ExpiryInPast);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RegisterInstitution>, args: &RegisterInstitutionArgs) -> Result<()> {
    let bump = ctx.bumps.institution;
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let address = *accounts.institution.address();
    let institution = &mut *accounts.institution;
    institution.id = args.id;
    institution.authority = args.authority;
    institution.chain = Chain::begin(ChainKind::Institution, &args.id);
    institution.created_at = now;
    institution.expires = args.expires;
    institution.kind = args.kind.byte();
    institution.standing = Standing::Invited.byte();
    institution.bump = bump;
    let event = institution.chain.extend(&args.id, now, |link| InstitutionRegistered {
        link,
        institution: address,
        kind: args.kind,
        authority: args.authority,
        expires: args.expires,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
