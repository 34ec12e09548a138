use anchor_lang::prelude::*;

use crate::{seeds::Id, vocabulary::AgreementState};

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
}
