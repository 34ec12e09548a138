use anchor_lang::prelude::*;

use super::deciding::speaks_for;
use crate::{
    events::WalletProposed,
    state::{AccessLog, Institution, Patient, Registry, NO_OUTCOME},
    ChartsealError,
};

/// The patient names its next wallet, or the steward of a patient without one hands the patient over. Zeros withdraw
/// that. Nothing changes hands until the wallet accepts.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeWallet {
    pub issuer: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    /// The steward of a patient without a wallet.
    pub steward: Option<Account<Institution>>,
}

impl ProposeWallet {
    fn validate(&self, proposed: &Address, now: i64) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        speaks_for(self.issuer.address(), &self.patient, self.steward.as_deref())?;
        if *proposed != Address::default() {
            require!(!self.registry.is_paused(), ChartsealError::Paused);
            let suspended = self.steward.as_ref().is_some_and(|steward| !steward.is_active(now));
            require!(!suspended, ChartsealError::InstitutionNotActive);
            let to_itself = self
                .steward
                .as_ref()
                .is_some_and(|steward| steward.authority == *proposed);
            require!(!to_itself, ChartsealError::OwnHandover);
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<ProposeWallet>, proposed: &Address) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(proposed, now)?;
    let by = *accounts.issuer.address();
    let patient = &mut *accounts.patient;
    patient.proposed_wallet = *proposed;
    let event = accounts
        .log
        .write(&patient.id, &by, NO_OUTCOME, now, |link| WalletProposed {
            link,
            proposed: *proposed,
            by,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
