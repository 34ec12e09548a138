use anchor_lang::prelude::*;

use crate::seeds::Id;

/// One version of one record was paid for. Seeds: `settlement`, agreement's address, record's address, version.
/// Never closed, so that nothing is paid twice.
#[account]
#[derive(Debug)]
pub struct Settlement {
    /// Address of the Agreement account.
    pub agreement: Address,
    /// Address of the Record account.
    pub record: Address,
    /// The approved request that it rests on.
    pub request: Id,
    /// Smallest units of the mint that left the escrow.
    pub amount: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// The record's version.
    pub version: u32,
    pub reserved: [u8; 4],
}
