use anchor_lang::prelude::*;

use crate::{
    events::EmergencyCredentialSet,
    policy::may_hold_emergency_credential,
    state::{Institution, Member, Registry},
    ChartsealError,
};

/// A hospital gives a doctor or a nurse the credential to open emergencies, or takes it back. Taking it is never
/// paused. An emergency that the member has open gives no right without it; a review that finds it unjustified ends it
/// for good.
#[event_cpi]
#[derive(Accounts)]
pub struct SetEmergencyCredential {
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    #[account(mut)]
    pub member: Account<Member>,
}

impl SetEmergencyCredential {
    fn validate(&self, holds: bool, now: i64) -> Result<()> {
        require!(
            self.institution.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(
            self.member.emergency_credential != u8::from(holds),
            ChartsealError::BadStanding
        );
        if holds {
            require!(!self.registry.is_paused(), ChartsealError::Paused);
            require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
            require!(
                may_hold_emergency_credential(self.institution.kind(), self.member.role()),
                ChartsealError::RoleWithoutEmergencies
            );
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<SetEmergencyCredential>, holds: bool) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(holds, now)?;
    accounts.member.emergency_credential = holds.into();
    let member = *accounts.member.address();
    let institution = &mut *accounts.institution;
    let id = institution.id;
    let event = institution.chain.extend(&id, now, |link| EmergencyCredentialSet {
        link,
        member,
        holds,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
