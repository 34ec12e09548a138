use anchor_lang::prelude::*;

use crate::{
    events::RecoveryObjected,
    state::{AccessLog, Patient, Safeguards, NO_OUTCOME},
    ChartsealError,
};

/// The patient still has its wallet, and says so: every vote of its guardians is void. Never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct ObjectToRecovery {
    pub wallet: Signer,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub safeguards: Account<Safeguards>,
}

impl ObjectToRecovery {
    fn validate(&self) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.safeguards.patient == self.patient.id,
            ChartsealError::ForeignPatient
        );
        require!(
            self.patient.is_wallet(self.wallet.address()),
            ChartsealError::NotPatient
        );
        let voted = self
            .safeguards
            .guardians()
            .iter()
            .any(|guardian| guardian.vote != [0; 32]);
        require!(voted, ChartsealError::NoRecovery);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<ObjectToRecovery>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    let now = Clock::get()?.unix_timestamp;
    let by = *accounts.wallet.address();
    let safeguards = &mut *accounts.safeguards;
    let wallet = safeguards.pending_wallet;
    safeguards.clear_recovery();
    let event = accounts
        .log
        .write(&safeguards.patient, &by, NO_OUTCOME, now, |link| RecoveryObjected {
            link,
            wallet,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
