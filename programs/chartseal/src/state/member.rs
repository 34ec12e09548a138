use anchor_lang::prelude::*;

use super::{Keys, Tally, HOUR};
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
    /// Refusals that were logged within an hour, over all patients.
    pub refusals: Tally,
    /// Requests and attestations within an hour, over all patients.
    pub requests: Tally,
    /// Emergencies that were opened within a day.
    pub emergencies: Tally,
    /// 1 once it accepted and so published its keys, 0 until then.
    pub key_epoch: u32,
    /// Emergencies that the institution has not reviewed yet.
    pub unreviewed_emergencies: u32,
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

/// Requests and attestations of one member within an hour: each writes into a patient's log.
pub const MEMBER_REQUESTS_PER_HOUR: u32 = 30;

impl Member {
    /// The role, if the byte stands for one.
    pub fn role(&self) -> Option<Role> {
        Role::from_byte(self.role)
    }

    /// The standing; a byte that stands for none is a suspension.
    pub fn standing(&self) -> Standing {
        Standing::from_byte(self.standing).unwrap_or(Standing::Suspended)
    }

    /// Whether it accepted, is not suspended, and has not expired. Its institution has to be active too.
    pub fn is_active(&self, now: i64) -> bool {
        self.standing() == Standing::Active && now < self.expires
    }

    /// Counts a refusal; false where the hour is full.
    pub fn count_refusal(&mut self, now: i64) -> bool {
        self.refusals.count(HOUR, MEMBER_REFUSALS_PER_HOUR, now)
    }

    /// Counts a request or an attestation; false where the hour is full.
    pub fn count_request(&mut self, now: i64) -> bool {
        self.requests.count(HOUR, MEMBER_REQUESTS_PER_HOUR, now)
    }
}
