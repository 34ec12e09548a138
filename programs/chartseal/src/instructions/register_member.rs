use anchor_lang::prelude::*;

use crate::{
    events::MemberRegistered,
    policy,
    seeds::{Id, MEMBER},
    state::{require_id, Institution, Member, Registry},
    vocabulary::{Role, Standing},
    ChartsealError,
};

/// An institution names a member. The membership begins when the member's wallet accepts.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: RegisterMemberArgs)]
pub struct RegisterMember {
    pub authority: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Member>(),
        seeds = [MEMBER, institution.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub member: Account<Member>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct RegisterMemberArgs {
    /// 16 random bytes.
    pub id: Id,
    pub wallet: Address,
    pub role: Role,
    /// Seconds since 1970: from here on the membership gives no right.
    pub expires: i64,
}

impl RegisterMember {
    fn validate(&self, args: &RegisterMemberArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(args.wallet != Address::default(), ChartsealError::ZeroId);
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
        require!(args.expires > now, ChartsealError::ExpiryInPast);
        require!(
            self.institution
                .kind()
                .is_some_and(|kind| policy::employs(kind, args.role)),
            ChartsealError::RoleNotOfKind
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RegisterMember>, args: &RegisterMemberArgs) -> Result<()> {
    let bump = ctx.bumps.member;
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let address = *accounts.member.address();
    let institution = &mut *accounts.institution;
    let member = &mut *accounts.member;
    member.id = args.id;
    member.institution = institution.id;
    member.wallet = args.wallet;
    member.expires = args.expires;
    member.created_at = now;
    member.role = args.role.byte();
    member.standing = Standing::Invited.byte();
    member.bump = bump;
    institution.members = institution.members.checked_add(1).ok_or(ChartsealError::Overflow)?;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| MemberRegistered {
        link,
        member: address,
        member_id: args.id,
        wallet: args.wallet,
        role: args.role,
        expires: args.expires,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
