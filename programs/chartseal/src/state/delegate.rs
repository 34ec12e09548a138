use anchor_lang::prelude::*;

use super::Keys;
use crate::{
    seeds::Id,
    vocabulary::{Action, Reason},
};

/// Somebody who acts for a patient: a parent, a spouse, a carer. Seeds: `delegate`, patient's id, id. It never changes
/// the patient's wallet, keys, guardians or delegates, and erases nothing.
#[account]
#[derive(Debug)]
pub struct Delegate {
    pub id: Id,
    /// The patient's id.
    pub patient: Id,
    pub wallet: Address,
    /// Published when the delegate accepts.
    pub keys: Keys,
    /// Seconds since 1970: from here on the delegation gives no right.
    pub expires: i64,
    pub created_at: i64,
    /// Seconds since 1970, or zero as long as it was not revoked.
    pub revoked_at: i64,
    /// 0 until the delegate's wallet accepted.
    pub key_epoch: u32,
    /// One bit for each `Action`. `Share` decides for the patient: grants, requests, policies, within the others.
    pub rights: u8,
    /// 1 once it was revoked.
    pub revoked: u8,
    pub reserved: [u8; 2],
}

impl Delegate {
    /// Why it gives no right at this time, if it does not.
    pub fn fault(&self, now: i64) -> Option<Reason> {
        if self.revoked != 0 {
            return Some(Reason::DelegateRevoked);
        }
        if self.key_epoch == 0 {
            return Some(Reason::DelegateNotAccepted);
        }
        (now >= self.expires).then_some(Reason::DelegateExpired)
    }

    /// Whether it carries a right, alive or not.
    pub fn has(&self, action: Action) -> bool {
        self.rights & action.bit() != 0
    }
}
