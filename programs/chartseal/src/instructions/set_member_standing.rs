use anchor_lang::prelude::*;

use crate::{
    events::MemberStandingSet,
    state::{Institution, Member, Registry},
    vocabulary::Standing,
    ChartsealError,
};

/// An institution suspends a member, or lifts that. Suspending is never paused, and works while the institution is
/// suspended itself: it can still withdraw its people.
#[event_cpi]
#[derive(Accounts)]
pub struct SetMemberStanding {
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    #[account(mut)]
    pub member: Account<Member>,
}

impl SetMemberStanding {
    fn validate(&self, standing: Standing) -> Result<()> {
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(
            standing == Standing::Suspended || !self.registry.is_paused(),
            ChartsealError::Paused
        );
        // Lifting a suspension gives back what was before: a wallet that never accepted has published no keys, and is
        // invited again.
        let accepted = self.member.key_epoch != 0;
        require!(standing.is_open_to(accepted), ChartsealError::BadStanding);
        require!(self.member.standing != standing.byte(), ChartsealError::BadStanding);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<SetMemberStanding>, standing: Standing) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(standing)?;
    let now = Clock::get()?.unix_timestamp;
    accounts.member.standing = standing.byte();
    let member = *accounts.member.address();
    let institution = &mut *accounts.institution;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| MemberStandingSet {
        link,
        member,
        standing,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
