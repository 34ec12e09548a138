//! Agreements between institutions, and what is settled by them.

use anchor_lang::prelude::*;

use crate::{log::Link, seeds::Id, vocabulary::Purpose};

/// An institution offered another to pay for access. A link of the consumer's chain, like all of an agreement's but
/// its settlements.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementProposed {
    pub link: Link,
    pub agreement: Id,
    /// Id of the institution whose records are paid for.
    pub provider: Id,
    /// Sharing classes, one bit each.
    pub classes: u32,
    pub purpose: Purpose,
    pub mint: Address,
    pub token_program: Address,
    /// Token account that the deposit lies in.
    pub escrow: Address,
    /// Token account that the rest goes back to.
    pub refund: Address,
    /// Smallest units of the mint for one version of one record.
    pub price: u64,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// The provider accepted.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementAccepted {
    pub link: Link,
    pub agreement: Id,
    /// Token account that the provider is paid to.
    pub payee: Address,
    pub head: [u8; 32],
}

/// A deposit arrived in escrow.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementFunded {
    pub link: Link,
    pub agreement: Id,
    /// Smallest units by which the escrow's balance grew; less than was sent where the mint takes a fee.
    pub received: u64,
    pub head: [u8; 32],
}

/// The agreement ended, and what was left in escrow went back.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementClosed {
    pub link: Link,
    pub agreement: Id,
    pub by: Address,
    /// Token account that the rest went to.
    pub refund: Address,
    /// Smallest units that left the escrow.
    pub returned: u64,
    pub head: [u8; 32],
}

/// One version of a record was paid for.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AccessSettled {
    pub link: Link,
    /// Id of the institution that pays.
    pub consumer: Id,
    pub agreement: Id,
    pub record: Id,
    pub version: u32,
    /// The approved request that it rests on.
    pub request: Id,
    pub wallet: Address,
    /// Smallest units of the mint that left the escrow.
    pub amount: u64,
    pub head: [u8; 32],
}
