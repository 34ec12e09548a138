use anchor_lang::prelude::*;

use crate::seeds::Id;

/// Records that a batch can have: the proof of each has at most 16 siblings, which fit a transaction.
pub const MOST_IN_BATCH: u32 = 1 << 16;

/// Many records in one commitment. Seeds: `batch`, institution's id, id. Never closed. One of them becomes a Record
/// when its inclusion is proven (`promote_batched`).
#[account]
#[derive(Debug)]
pub struct Batch {
    pub id: Id,
    /// Id of the institution.
    pub institution: Id,
    /// Address of the Member account that anchored it: the author of its records.
    pub author: Address,
    /// Commits to the leaves, their order and their count (see `crate::merkle`).
    pub root: [u8; 32],
    /// Arweave id of the list of leaves' data item, sealed.
    pub locator: [u8; 32],
    pub created_at: i64,
    /// How many records there are.
    pub count: u32,
    pub reserved: [u8; 4],
}
