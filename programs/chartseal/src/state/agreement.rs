use anchor_lang::prelude::*;

use crate::{seeds::Id, vocabulary::AgreementState, ChartsealError};

/// One institution pays another for access to records. Seeds: `agreement`, consumer's id, id. It pays; it never
/// overrides consent. Never closed as an account.
///
/// The deposit lies in a token account whose owner is this account's address.
#[account]
#[derive(Debug)]
pub struct Agreement {
    pub id: Id,
    /// Id of the institution whose records are paid for.
    pub provider: Id,
    /// Id of the institution that pays.
    pub consumer: Id,
    /// The mint that it pays in.
    pub mint: Address,
    /// SPL Token or Token-2022.
    pub token_program: Address,
    /// Token account that the deposit lies in.
    pub escrow: Address,
    /// Token account that the provider is paid to, chosen when it accepts.
    pub payee: Address,
    /// Token account that the rest goes back to, chosen by the consumer.
    pub refund: Address,
    /// Smallest units of the mint for one version of one record.
    pub price: u64,
    /// Units that arrived in escrow, over all deposits.
    pub deposited: u64,
    /// Units that were paid out of it.
    pub paid: u64,
    /// Seconds since 1970: from here on nothing is settled.
    pub expires: i64,
    pub created_at: i64,
    /// Versions of records that were settled.
    pub settled: u32,
    /// Sharing classes that it is about, one bit each.
    pub classes: u32,
    /// The `Purpose` that access is paid for.
    pub purpose: u8,
    /// An `AgreementState`.
    pub state: u8,
    pub reserved: [u8; 6],
}

impl Agreement {
    /// Whether the provider accepted and nobody closed it.
    pub fn is_active(&self) -> bool {
        self.state == AgreementState::Active.byte()
    }

    /// Whether nobody closed it. A state that no word stands for counts as closed.
    pub fn is_open(&self) -> bool {
        self.is_active() || self.state == AgreementState::Proposed.byte()
    }

    /// Refuses one that ended.
    ///
    /// # Errors
    /// [`ChartsealError::AgreementClosed`], or [`ChartsealError::AgreementNotActive`] where it expired.
    pub fn require_current(&self, now: i64) -> Result<()> {
        require!(self.is_open(), ChartsealError::AgreementClosed);
        require!(now < self.expires, ChartsealError::AgreementNotActive);
        Ok(())
    }

    /// Refuses a mint, a token program or an escrow that is not the agreement's.
    ///
    /// # Errors
    /// [`ChartsealError::BadMint`], [`ChartsealError::BadTokenAccount`].
    pub fn require_tokens(&self, mint: &Address, token_program: &Address, escrow: &Address) -> Result<()> {
        require!(
            self.mint == *mint && self.token_program == *token_program,
            ChartsealError::BadMint
        );
        require!(self.escrow == *escrow, ChartsealError::BadTokenAccount);
        Ok(())
    }

    /// Whether it is about records of this class.
    pub fn covers(&self, class: u8) -> bool {
        1u32.checked_shl(class.into())
            .is_some_and(|bit| self.classes & bit != 0)
    }
}
