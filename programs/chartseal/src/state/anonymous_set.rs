use anchor_lang::prelude::*;

use crate::seeds::Id;

/// What a tree has of one record: among so many a reader of it hides. Seeds: `leaves`, tree's id, record's address.
/// Never closed.
#[account]
#[derive(Debug)]
pub struct AnonymousSet {
    /// Id of the tree.
    pub tree: Id,
    /// The patient's id.
    pub patient: Id,
    /// The record's id.
    pub record: Id,
    /// Number of the first root by which a proof about this record counts: the one that its last revocation made.
    pub floor: u64,
    /// Grants that were made.
    pub made: u32,
    /// Grants that were revoked.
    pub revoked: u32,
    pub bump: u8,
    pub reserved: [u8; 7],
}

impl AnonymousSet {
    /// Writes what never changes. The account is new, or was written so before.
    pub fn begin(&mut self, tree: &Id, patient: &Id, record: &Id, bump: u8) {
        self.tree = *tree;
        self.patient = *patient;
        self.record = *record;
        self.bump = bump;
    }
}
