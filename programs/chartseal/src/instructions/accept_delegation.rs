use anchor_lang::prelude::*;

use crate::{
    events::DelegationAccepted,
    state::{AccessLog, Delegate, Keys, Registry, NO_OUTCOME},
    ChartsealError,
};

/// The wallet that a patient named accepts, and publishes its encryption keys.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptDelegation {
    pub wallet: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub delegate: Account<Delegate>,
}

impl AcceptDelegation {
    fn validate(&self, keys: &Keys, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.log.patient == self.delegate.patient,
            ChartsealError::ForeignPatient
        );
        let stands = self.delegate.revoked == 0 && now < self.delegate.expires;
        require!(
            self.delegate.wallet == *self.wallet.address() && stands,
            ChartsealError::NotDelegate
        );
        require!(self.delegate.key_epoch == 0, ChartsealError::AlreadyAccepted);
        keys.validate()
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptDelegation>, keys: &Keys) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(keys, now)?;
    let wallet = *accounts.wallet.address();
    let delegate = &mut *accounts.delegate;
    delegate.keys = *keys;
    delegate.key_epoch = 1;
    let id = delegate.id;
    let event = accounts
        .log
        .write(&id, &wallet, NO_OUTCOME, now, |link| DelegationAccepted {
            link,
            delegate: id,
            encryption_key: keys.encryption,
            post_quantum_key_hash: keys.post_quantum_hash,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
