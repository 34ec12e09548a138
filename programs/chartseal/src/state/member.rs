use anchor_lang::prelude::*;

use super::{count_within_hour, Keys};
use crate::{
    seeds::Id,
    vocabulary::{Role, Standing},
};

/// Somebody who acts for an institution. Seeds: `member`, institution's id, id.
#[account]
#[derive(Debug)]
pub struct Member {
    pub id: Id,
    /// Id of the institution. Ids of members are unique within it only: name a member by its account's address.
    pub institution: Id,
    pub wallet: Address,
    pub keys: Keys,
    /// Seconds since 1970: from here on the membership gives no right.
    pub expires: i64,
    pub created_at: i64,
    /// Beginning of the hour in which `refusals` are counted.
    pub refusals_since: i64,
    /// Refusals logged in that hour, over all patients.
    pub refusals: u32,
    /// Increases with each change of keys.
    pub key_epoch: u32,
    /// A `Role`.
    pub role: u8,
    /// A `Standing`.
    pub standing: u8,
    /// 1 where the member may open emergencies.
    pub emergency_credential: u8,
    pub bump: u8,
    pub reserved: [u8; 4],
}

/// Refusals of one member that are logged within an hour. Beyond it an attempt fails and leaves nothing.
pub const MEMBER_REFUSALS_PER_HOUR: u32 = 60;

impl Member {
    /// The role, if the byte stands for one.
    pub fn role(&self) -> Option<Role> {
        Role::from_byte(self.role)
    }

    /// The standing; a byte that stands for none is a suspension.
    pub fn standing(&self) -> Standing {
        Standing::from_byte(self.standing).unwrap_or(Standing::Suspended)
    }

    /// Counts a refusal; false where the hour is full.
    pub fn count_refusal(&mut self, now: i64) -> bool {
        count_within_hour(
            &mut self.refusals_since,
            &mut self.refusals,
            MEMBER_REFUSALS_PER_HOUR,
            now,
        )
    }
}
