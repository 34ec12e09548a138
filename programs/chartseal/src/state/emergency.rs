use anchor_lang::prelude::*;

use crate::{
    seeds::Id,
    vocabulary::{Reviewer, Verdict},
};

/// Longest emergency in seconds: twelve hours.
pub const LONGEST_EMERGENCY: i64 = 12 * 3_600;
/// Emergencies that one member opens within a day.
pub const MEMBER_EMERGENCIES_PER_DAY: u32 = 4;
/// Emergencies that the members of one institution open within a day.
pub const INSTITUTION_EMERGENCIES_PER_DAY: u32 = 40;
/// Emergencies that an institution may leave unreviewed before its members open no more.
pub const MOST_UNREVIEWED: u32 = 20;

/// Somebody had to read without asking. Seeds: `emergency`, patient's id, id. Never closed: patient and institution
/// review it.
#[account]
#[derive(Debug)]
pub struct Emergency {
    pub id: Id,
    /// The patient's id.
    pub patient: Id,
    /// Address of the Member account that opened it.
    pub member: Address,
    /// The wallet that signed, which reviews nothing.
    pub wallet: Address,
    /// Id of the member's institution.
    pub institution: Id,
    /// Hash of the reason as it is written down in the institution, salted.
    pub reason_hash: [u8; 32],
    pub opened_at: i64,
    /// Seconds since 1970: from here on it gives no right. A review that finds it unjustified ends it at its own time.
    pub expires: i64,
    /// Seconds since 1970, or zero.
    pub patient_reviewed_at: i64,
    /// Seconds since 1970, or zero. Until then its opener opens no other.
    pub institution_reviewed_at: i64,
    /// A `Verdict`, once reviewed.
    pub patient_verdict: u8,
    /// A `Verdict`, once reviewed.
    pub institution_verdict: u8,
    pub reserved: [u8; 6],
}

impl Emergency {
    /// When this side reviewed it, in seconds since 1970, or zero.
    pub fn reviewed_at(&self, reviewer: Reviewer) -> i64 {
        match reviewer {
            Reviewer::Patient => self.patient_reviewed_at,
            Reviewer::Institution => self.institution_reviewed_at,
        }
    }

    /// What this side found, if it reviewed it.
    pub fn verdict_of(&self, reviewer: Reviewer) -> Option<Verdict> {
        let verdict = match reviewer {
            Reviewer::Patient => self.patient_verdict,
            Reviewer::Institution => self.institution_verdict,
        };
        Verdict::from_byte(verdict).filter(|_| self.reviewed_at(reviewer) != 0)
    }
}
