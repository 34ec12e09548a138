use anchor_lang::prelude::*;

use super::acting::speaks_for;
use crate::{
    events::GrantRevoked,
    state::{AccessLog, Entry, Grant, Institution, Patient, NO_OUTCOME},
    ChartsealError,
};

/// Ends a grant before its time. Never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct RevokeGrant {
    /// The patient's wallet, or the steward's authority.
    pub issuer: Signer,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    /// The steward of a patient without a wallet.
    pub steward: Option<Account<Institution>>,
    #[account(mut)]
    pub grant: Account<Grant>,
}

impl RevokeGrant {
    fn validate(&self) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.grant.patient == self.patient.id, ChartsealError::ForeignPatient);
        speaks_for(self.issuer.address(), &self.patient, self.steward.as_deref())?;
        require!(self.grant.revoked == 0, ChartsealError::AlreadyRevoked);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RevokeGrant>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    let now = Clock::get()?.unix_timestamp;
    let by = *accounts.issuer.address();
    let patient = accounts.patient.id;
    accounts.grant.revoked = 1;
    accounts.grant.revoked_at = now;
    let id = accounts.grant.id;
    let log = &mut *accounts.log;
    let event = log.chain.extend(&patient, now, |link| GrantRevoked {
        link,
        grant: id,
        by,
        head: [0; 32],
    })?;
    let entry = Entry::new(GrantRevoked::DISCRIMINATOR, now, &id, &by, NO_OUTCOME);
    log.ring.keep(&log.chain, entry);
    emit_cpi!(event);
    Ok(())
}
