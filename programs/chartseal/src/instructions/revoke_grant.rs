use anchor_lang::prelude::*;

use super::deciding::*;
use crate::{events::GrantRevoked, seeds::NO_ID, state::Grant, ChartsealError};

/// Ends a grant before its time: whoever decides for the patient does, and of a grant that was passed on also who
/// passed it on. Never paused. What descends from it gives no right any more either.
#[event_cpi]
#[derive(Accounts)]
pub struct RevokeGrant {
    pub deciding: Nested<Deciding>,
    #[account(mut)]
    pub grant: Account<Grant>,
}

impl RevokeGrant {
    fn validate(&self, now: i64) -> Result<()> {
        let deciding = &self.deciding;
        require!(
            self.grant.patient == deciding.patient.id && deciding.log.patient == deciding.patient.id,
            ChartsealError::ForeignPatient
        );
        let passed_on = self.grant.parent != NO_ID && self.grant.issuer == *deciding.issuer.address();
        if !passed_on {
            deciding.may_take(now)?;
        }
        require!(self.grant.revoked == 0, ChartsealError::AlreadyRevoked);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RevokeGrant>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let by = *accounts.deciding.issuer.address();
    accounts.grant.revoked = 1;
    accounts.grant.revoked_at = now;
    let id = accounts.grant.id;
    let event = accounts.deciding.write(&id, now, |link| GrantRevoked {
        link,
        grant: id,
        by,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
