use anchor_lang::prelude::*;

use crate::{
    events::WalletAccepted,
    state::{AccessLog, Institution, Keys, Patient, Registry, NO_OUTCOME},
    ChartsealError,
};

/// The wallet that was proposed takes over, with encryption keys of its own. From here on it decides; a steward has no
/// say any more. Delegates, guardians and a pending recovery stay: it can revoke, replace and object.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptWallet {
    pub wallet: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    /// The steward of a patient without a wallet: a suspended one hands nobody over, whatever it proposed before.
    pub steward: Option<Account<Institution>>,
}

impl AcceptWallet {
    fn validate(&self, keys: &Keys, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.patient.proposed_wallet == *self.wallet.address(),
            ChartsealError::NotProposed
        );
        if !self.patient.has_wallet() {
            let steward = self.steward.as_ref().ok_or(ChartsealError::InstitutionMissing)?;
            require!(self.patient.is_steward(&steward.id), ChartsealError::NotPatient);
            require!(steward.is_active(now), ChartsealError::InstitutionNotActive);
        }
        keys.validate()
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptWallet>, keys: &Keys) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(keys, now)?;
    let wallet = *accounts.wallet.address();
    let patient = &mut *accounts.patient;
    patient.take_over(&wallet, keys)?;
    let key_epoch = patient.key_epoch;
    let event = accounts
        .log
        .write(&patient.id, &wallet, NO_OUTCOME, now, |link| WalletAccepted {
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
