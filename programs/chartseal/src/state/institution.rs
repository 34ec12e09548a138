use anchor_lang::prelude::*;

use super::{Keys, Tally};
use crate::{
    log::Chain,
    seeds::Id,
    vocabulary::{InstitutionKind, Standing},
};

/// A hospital, laboratory, insurer, research body or regulator. Seeds: `institution`, id.
#[account]
#[derive(Debug)]
pub struct Institution {
    pub id: Id,
    /// Names and suspends members. It has no right over any record, but acts for patients that it stewards.
    pub authority: Address,
    /// Who may become authority by signing too, or zeros.
    pub proposed_authority: Address,
    pub keys: Keys,
    /// Links the events about the institution, its members and batches, and the agreements that it pays for.
    pub chain: Chain,
    pub created_at: i64,
    /// Seconds since 1970: from here on the approval gives no right.
    pub expires: i64,
    /// Emergencies that its members opened within a day.
    pub emergencies: Tally,
    /// 1 once it accepted and so published its keys, 0 until then.
    pub key_epoch: u32,
    /// Members that were ever registered.
    pub members: u32,
    /// Emergencies that its members opened and that it has not reviewed yet.
    pub unreviewed_emergencies: u32,
    /// An `InstitutionKind`.
    pub kind: u8,
    /// A `Standing`. The admin's registration approves it, its authority's acceptance makes it active.
    pub standing: u8,
    pub bump: u8,
    pub reserved: u8,
}

impl Institution {
    /// The kind, if the byte stands for one.
    pub fn kind(&self) -> Option<InstitutionKind> {
        InstitutionKind::from_byte(self.kind)
    }

    /// Whether it accepted, is not suspended, and its approval has not expired.
    pub fn is_active(&self, now: i64) -> bool {
        self.standing == Standing::Active.byte() && now < self.expires
    }
}
