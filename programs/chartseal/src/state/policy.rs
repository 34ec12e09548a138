use anchor_lang::prelude::*;

use crate::{seeds::Id, vocabulary::CLASSES};

/// What a patient shares with an institution by itself. Seeds: `policy`, patient's id, institution's id. Withdrawn by
/// setting it to nothing, never closed.
#[account]
#[derive(Debug)]
pub struct Policy {
    /// The patient's id.
    pub patient: Id,
    /// Id of the institution.
    pub institution: Id,
    /// For each class, the seconds since 1970 from which on new records of it are shared; zero where none are.
    pub since: [i64; CLASSES as usize],
    /// Seconds since 1970: from here on it gives no right.
    pub expires: i64,
    pub created_at: i64,
    pub changed_at: i64,
    /// One bit for each class that is shared.
    pub classes: u32,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// 1 where the institution's members may add records of these classes.
    pub enrols: u8,
    pub bump: u8,
    pub reserved: u8,
}

impl Policy {
    /// Whether it is about records of this class.
    pub fn covers(&self, class: u8) -> bool {
        1u32.checked_shl(class.into())
            .is_some_and(|bit| self.classes & bit != 0)
    }

    /// Whether it shares a record of this class that was made then: only what came after the patient chose so.
    pub fn shares(&self, class: u8, created_at: i64) -> bool {
        self.covers(class)
            && self
                .since
                .get(usize::from(class))
                .is_some_and(|since| created_at >= *since)
    }

    /// Shares these classes from now on. One that is shared already keeps its time; one that was not, or whose time had
    /// run out, begins now.
    pub fn choose(&mut self, classes: u32, now: i64) {
        let shared = if now < self.expires { self.classes } else { 0 };
        for (class, since) in self.since.iter_mut().enumerate() {
            let bit = 1u32 << class;
            if classes & bit == 0 {
                *since = 0;
            } else if shared & bit == 0 {
                *since = now;
            }
        }
        self.classes = classes;
    }
}
