//! What every instruction shares by which a patient decides: who signs for the patient, and where it is written down.

use anchor_lang::prelude::*;

use crate::{
    log::{Chained, Encoded, Link},
    seeds::Id,
    state::{AccessLog, Delegate, Institution, Patient, Registry, NO_OUTCOME},
    vocabulary::Action,
    ChartsealError,
};

/// The accounts of whoever decides for a patient: its wallet, a delegate that may share, or the authority of the
/// steward of a patient without a wallet.
// Anchor's account types have no `Debug`.
#[allow(missing_debug_implementations)]
#[derive(Accounts)]
pub struct Deciding {
    pub issuer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    /// The steward of a patient without a wallet.
    pub steward: Option<Account<Institution>>,
    /// The delegate that signs.
    pub delegate: Option<Account<Delegate>>,
}

impl Deciding {
    /// Whether the signer may give rights now.
    ///
    /// # Errors
    /// Where the program is paused, or the signer does not decide for the patient or not any more.
    pub fn may_give(&self, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        self.may_take(now)?;
        let suspended = self.steward.as_ref().is_some_and(|steward| !steward.is_active(now));
        require!(!suspended, ChartsealError::InstitutionNotActive);
        Ok(())
    }

    /// Whether the signer may take rights away now: that is never paused, and a suspended steward still can.
    ///
    /// # Errors
    /// Where the signer does not decide for the patient or not any more.
    pub fn may_take(&self, now: i64) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        match &self.delegate {
            Some(delegate) => {
                let decides = delegate.patient == self.patient.id
                    && delegate.wallet == *self.issuer.address()
                    && delegate.has(Action::Share)
                    && delegate.fault(now).is_none();
                require!(decides, ChartsealError::NotPatient);
                Ok(())
            }
            None => speaks_for(self.issuer.address(), &self.patient, self.steward.as_deref()),
        }
    }

    /// Whether the signer may give these rights until then: a delegate gives none that it does not have itself, and
    /// none for longer than it acts. Otherwise it could give them to itself.
    ///
    /// # Errors
    /// [`ChartsealError::BeyondDelegation`].
    pub fn may_give_these(&self, rights: u8, expires: i64) -> Result<()> {
        let within = self
            .delegate
            .as_ref()
            .is_none_or(|delegate| rights & !delegate.rights == 0 && expires <= delegate.expires);
        require!(within, ChartsealError::BeyondDelegation);
        Ok(())
    }

    /// Writes an event into the patient's log; it remains to be emitted. `id` names in the ring what it is about.
    ///
    /// # Errors
    /// [`ChartsealError::Overflow`].
    pub fn write<E: Chained>(&mut self, id: &Id, now: i64, event: impl FnOnce(Link) -> E) -> Result<Encoded> {
        let signer = *self.issuer.address();
        self.log.write(id, &signer, NO_OUTCOME, now, event)
    }
}

/// Whether this signer decides for the patient: by its wallet or, while it has none, as the steward's authority. A
/// suspended steward can take rights away but gives none: whoever asks for that checks it.
///
/// # Errors
/// [`ChartsealError::NotPatient`].
pub fn speaks_for(signer: &Address, patient: &Patient, steward: Option<&Institution>) -> Result<()> {
    let as_steward =
        steward.is_some_and(|institution| patient.is_steward(&institution.id) && institution.authority == *signer);
    require!(patient.is_wallet(signer) || as_steward, ChartsealError::NotPatient);
    Ok(())
}
