use anchor_lang::prelude::*;

use crate::{
    events::Terms,
    seeds::Id,
    vocabulary::{GranteeKind, Reason},
};

/// `uses_left` of a grant without a limit.
pub const UNLIMITED: u32 = u32::MAX;

/// How often a grant can be passed on: the depth of the last, where the patient's own has 0.
pub const DEEPEST: u8 = 3;

/// A right that a patient gave. Seeds: `grant`, patient's id, id. Never closed or reset.
#[account]
#[derive(Debug)]
pub struct Grant {
    pub id: Id,
    /// The patient's id.
    pub patient: Id,
    /// The one record it is about, or zeros where `classes` says.
    pub record: Id,
    /// Id of the grant that was passed on, or zeros where the patient gave it.
    pub parent: Id,
    /// Address of the Member or Institution account, or the person's wallet.
    pub grantee: Address,
    /// A person's X25519 public key, or zeros where it is not known. Zeros for others: their accounts have theirs.
    pub grantee_key: [u8; 32],
    /// The wallet that signed it.
    pub issuer: Address,
    /// Seconds since 1970: valid from here ...
    pub not_before: i64,
    /// ... until just before here.
    pub expires: i64,
    pub created_at: i64,
    /// Seconds since 1970, or zero as long as it was not revoked.
    pub revoked_at: i64,
    /// Sharing classes, one bit each, or zero where `record` says.
    pub classes: u32,
    /// How often it can still be used, or [`UNLIMITED`].
    pub uses_left: u32,
    /// A `GranteeKind`.
    pub grantee_kind: u8,
    /// One bit for each `Action`.
    pub rights: u8,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// 1 once it was revoked.
    pub revoked: u8,
    /// How many grants it descends from, at most [`DEEPEST`]. Each of them has to live.
    pub depth: u8,
    pub reserved: [u8; 3],
}

impl Grant {
    /// Whether it is about a record of this id and class.
    pub fn covers(&self, record: &Id, class: u8) -> bool {
        if self.classes == 0 {
            self.record == *record
        } else {
            1u32.checked_shl(class.into())
                .is_some_and(|bit| self.classes & bit != 0)
        }
    }

    /// Why it gives no right at this time, if it does not.
    pub fn fault(&self, now: i64) -> Option<Reason> {
        if self.revoked != 0 {
            return Some(Reason::GrantRevoked);
        }
        if now < self.not_before {
            return Some(Reason::GrantNotYetValid);
        }
        if now >= self.expires {
            return Some(Reason::GrantExpired);
        }
        if self.uses_left == 0 {
            return Some(Reason::GrantExhausted);
        }
        None
    }

    /// Writes what the patient, or whoever passes a right on, gives. The account is new.
    pub fn begin(&mut self, id: &Id, patient: &Id, terms: &Terms, issuer: &Address, now: i64) {
        self.id = *id;
        self.patient = *patient;
        self.record = terms.record;
        self.grantee = terms.grantee;
        self.grantee_key = terms.grantee_key;
        self.issuer = *issuer;
        self.not_before = terms.not_before;
        self.expires = terms.expires;
        self.created_at = now;
        self.classes = terms.classes;
        self.uses_left = terms.uses;
        self.grantee_kind = terms.grantee_kind.byte();
        self.rights = terms.rights;
        self.purposes = terms.purposes;
    }

    /// Whether terms give no more than this grant does. `class` is that of the record that the terms are about.
    pub fn contains(&self, terms: &Terms, class: Option<u8>) -> bool {
        let subject = match class {
            Some(class) => self.covers(&terms.record, class),
            None => terms.classes != 0 && terms.classes & !self.classes == 0,
        };
        subject
            && terms.rights & !self.rights == 0
            && terms.purposes & !self.purposes == 0
            && terms.not_before >= self.not_before
            && terms.expires <= self.expires
            && terms.uses <= self.uses_left
    }

    /// Takes one use, where they are counted. The policy has seen that there is one.
    pub fn take_use(&mut self) {
        if self.uses_left != UNLIMITED {
            self.uses_left = self.uses_left.saturating_sub(1);
        }
    }

    /// The grant's terms, with the uses that are left.
    pub fn terms(&self) -> Option<Terms> {
        Some(Terms {
            record: self.record,
            classes: self.classes,
            grantee_kind: GranteeKind::from_byte(self.grantee_kind)?,
            grantee: self.grantee,
            grantee_key: self.grantee_key,
            rights: self.rights,
            purposes: self.purposes,
            not_before: self.not_before,
            expires: self.expires,
            uses: self.uses_left,
        })
    }
}
