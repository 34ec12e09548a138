use anchor_lang::prelude::*;

use super::Keys;
use crate::{
    seeds::{Id, NO_ID},
    ChartsealError,
};

/// A patient, by a pseudonym. Seeds: `patient`, id.
#[account]
#[derive(Debug)]
pub struct Patient {
    pub id: Id,
    /// Decides about every record. Zeros as long as a steward acts for a patient who has no wallet yet.
    pub wallet: Address,
    /// Who may become the wallet by signing too, or zeros.
    pub proposed_wallet: Address,
    pub keys: Keys,
    /// Id of the institution that opened the patient, or zeros. It acts for the patient only while there is no wallet.
    pub steward: Id,
    pub created_at: i64,
    /// Increases with each change of keys.
    pub key_epoch: u32,
    pub bump: u8,
    pub reserved: [u8; 3],
}

impl Patient {
    /// Whether this key decides for the patient by itself.
    pub fn is_wallet(&self, key: &Address) -> bool {
        self.has_wallet() && self.wallet == *key
    }

    /// Whether the patient decides for itself; otherwise its steward does.
    pub fn has_wallet(&self) -> bool {
        self.wallet != Address::default()
    }

    /// Whether this institution acts for the patient.
    pub fn is_steward(&self, institution: &Id) -> bool {
        !self.has_wallet() && self.steward != NO_ID && self.steward == *institution
    }

    /// Publishes other keys.
    ///
    /// # Errors
    /// [`ChartsealError::Overflow`] after 2^32 - 1 changes.
    pub fn set_keys(&mut self, keys: &Keys) -> Result<()> {
        self.key_epoch = self.key_epoch.checked_add(1).ok_or(ChartsealError::Overflow)?;
        self.keys = *keys;
        Ok(())
    }

    /// Makes this wallet the one that decides, with keys of its own.
    ///
    /// # Errors
    /// As [`set_keys`](Self::set_keys).
    pub fn take_over(&mut self, wallet: &Address, keys: &Keys) -> Result<()> {
        self.set_keys(keys)?;
        self.wallet = *wallet;
        self.proposed_wallet = Address::default();
        Ok(())
    }
}
