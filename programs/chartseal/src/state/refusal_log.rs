use anchor_lang::prelude::*;

use super::{access_log::Ring, Tally, HOUR};
use crate::{log::Chain, seeds::Id};

/// Refusals that are logged for a patient within an hour, over everybody who is no member.
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
    /// Refusals of persons, delegates and the patient within an hour. Members are counted in their own accounts.
    pub persons: Tally,
    pub bump: u8,
    pub reserved: [u8; 7],
}

impl RefusalLog {
    /// Counts a refusal of somebody who is no member; false where the hour is full.
    pub fn count_person_refusal(&mut self, now: i64) -> bool {
        self.persons.count(HOUR, PERSON_REFUSALS_PER_HOUR, now)
    }
}
