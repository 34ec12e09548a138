use anchor_lang::prelude::*;

use super::{access_log::Ring, count_within_hour};
use crate::{log::Chain, seeds::Id};

/// Seconds in which refusals are counted.
pub const HOUR: i64 = 3_600;

/// Refusals that are logged for a patient within an hour, over all persons who are no members.
pub const PERSON_REFUSALS_PER_HOUR: u32 = 60;

/// All that was refused about a patient. Seeds: `refusals`, patient's id. Apart from the access log, so that refusals
/// never crowd accesses out.
#[account]
#[derive(Debug)]
pub struct RefusalLog {
    /// The patient's id.
    pub patient: Id,
    pub chain: Chain,
    pub ring: Ring,
    /// Beginning of the hour in which `persons` are counted.
    pub persons_since: i64,
    /// Refusals of persons logged in that hour. Members are counted in their own accounts.
    pub persons: u32,
    pub bump: u8,
    pub reserved: [u8; 3],
}

impl RefusalLog {
    /// Counts a person's refusal; false where the hour is full.
    pub fn count_person_refusal(&mut self, now: i64) -> bool {
        count_within_hour(
            &mut self.persons_since,
            &mut self.persons,
            PERSON_REFUSALS_PER_HOUR,
            now,
        )
    }
}
