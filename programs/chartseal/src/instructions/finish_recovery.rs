use anchor_lang::prelude::*;

use crate::{
    events::RecoveryFinished,
    state::{AccessLog, Patient, Registry, Safeguards, NO_OUTCOME, RECOVERY_WINDOW},
    ChartsealError,
};

/// The wallet that enough guardians agreed on takes over, once the patient has had its time to object, and within
/// thirty days after that.
#[event_cpi]
#[derive(Accounts)]
pub struct FinishRecovery {
    pub wallet: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub safeguards: Account<Safeguards>,
}

impl FinishRecovery {
    fn validate(&self, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.safeguards.patient == self.patient.id,
            ChartsealError::ForeignPatient
        );
        require!(self.safeguards.is_pending(), ChartsealError::NoRecovery);
        require!(
            self.safeguards.pending_wallet == *self.wallet.address(),
            ChartsealError::NotProposed
        );
        require!(now >= self.safeguards.ready_at, ChartsealError::TooEarly);
        require!(
            now.saturating_sub(self.safeguards.ready_at) < RECOVERY_WINDOW,
            ChartsealError::TooLate
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<FinishRecovery>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let wallet = *accounts.wallet.address();
    let keys = accounts.safeguards.pending_keys;
    accounts.safeguards.clear_recovery();
    let patient = &mut *accounts.patient;
    patient.take_over(&wallet, &keys)?;
    let key_epoch = patient.key_epoch;
    let event = accounts
        .log
        .write(&patient.id, &wallet, NO_OUTCOME, now, |link| RecoveryFinished {
            link,
            wallet,
            encryption_key: keys.encryption,
            post_quantum_key_hash: keys.post_quantum_hash,
            key_epoch,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
