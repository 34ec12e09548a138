use anchor_lang::prelude::*;

use crate::{
    events::PatientKeyRotated,
    state::{AccessLog, Keys, Patient, Registry, NO_OUTCOME},
    ChartsealError,
};

/// The patient publishes other encryption keys: new envelopes are wrapped to these. Old ones stay openable with the
/// keys before, until somebody who can open them wraps them again.
#[event_cpi]
#[derive(Accounts)]
pub struct RotatePatientKey {
    pub wallet: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
}

impl RotatePatientKey {
    fn validate(&self, keys: &Keys) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.patient.is_wallet(self.wallet.address()),
            ChartsealError::NotPatient
        );
        keys.validate()
    }
}

pub(crate) fn handler(ctx: &mut Context<RotatePatientKey>, keys: &Keys) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(keys)?;
    let now = Clock::get()?.unix_timestamp;
    let wallet = *accounts.wallet.address();
    let patient = &mut *accounts.patient;
    patient.set_keys(keys)?;
    let key_epoch = patient.key_epoch;
    let event = accounts
        .log
        .write(&patient.id, &wallet, NO_OUTCOME, now, |link| PatientKeyRotated {
            link,
            encryption_key: keys.encryption,
            post_quantum_key_hash: keys.post_quantum_hash,
            key_epoch,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
