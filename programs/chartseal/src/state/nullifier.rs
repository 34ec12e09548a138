use anchor_lang::prelude::*;

use crate::{
    membership::{epoch, Field, SKEW},
    seeds::Id,
};

/// A use that was counted: there is no second account at its address. Seeds: `nullifier`, the nullifier.
#[account]
#[derive(Debug)]
pub struct Nullifier {
    pub nullifier: Field,
    /// Whom the proof was shown to.
    pub verifier: Address,
    /// Who paid the rent, and gets it back.
    pub payer: Address,
    /// Id of the tree.
    pub tree: Id,
    /// Of the use: it is counted once in it.
    pub epoch: u64,
    pub bump: u8,
    pub reserved: [u8; 7],
}

impl Nullifier {
    /// Whether nobody can use it again, now or later: its epoch is over, for the slowest clock that is accepted and as
    /// long again, for a clock that is set back.
    pub fn is_over(&self, now: i64) -> bool {
        epoch(now.saturating_sub(2 * SKEW)) > self.epoch
    }
}
