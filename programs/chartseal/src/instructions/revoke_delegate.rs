use anchor_lang::prelude::*;

use crate::{
    events::DelegateRevoked,
    state::{AccessLog, Delegate, Patient, NO_OUTCOME},
    ChartsealError,
};

/// Ends a delegation: the patient takes it back, or the delegate gives it back. Never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct RevokeDelegate {
    pub wallet: Signer,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub delegate: Account<Delegate>,
}

impl RevokeDelegate {
    fn validate(&self) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.delegate.patient == self.patient.id, ChartsealError::ForeignPatient);
        let wallet = self.wallet.address();
        require!(
            self.patient.is_wallet(wallet) || self.delegate.wallet == *wallet,
            ChartsealError::NotPatient
        );
        require!(self.delegate.revoked == 0, ChartsealError::AlreadyRevoked);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RevokeDelegate>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    let now = Clock::get()?.unix_timestamp;
    let by = *accounts.wallet.address();
    let delegate = &mut *accounts.delegate;
    delegate.revoked = 1;
    delegate.revoked_at = now;
    let id = delegate.id;
    let event = accounts.log.write(&id, &by, NO_OUTCOME, now, |link| DelegateRevoked {
        link,
        delegate: id,
        by,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
