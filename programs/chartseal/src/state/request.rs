use anchor_lang::prelude::*;

use crate::{seeds::Id, vocabulary::RequestState};

/// A member asks a patient for a grant. Seeds: `request`, patient's id, id. Decided once, never closed.
#[account]
#[derive(Debug)]
pub struct Request {
    pub id: Id,
    /// The patient's id.
    pub patient: Id,
    /// The one record it is about, or zeros where `classes` says.
    pub record: Id,
    /// Address of the Member account that asks, and would be the grantee.
    pub member: Address,
    /// Id of its institution.
    pub institution: Id,
    /// The grant that it led to, or zeros.
    pub grant: Id,
    /// Seconds since 1970: how long the grant is wanted for.
    pub until: i64,
    pub created_at: i64,
    /// Seconds since 1970, or zero as long as it is open.
    pub decided_at: i64,
    /// Sharing classes, one bit each, or zero where `record` says.
    pub classes: u32,
    /// One bit for each `Action` that is wanted.
    pub rights: u8,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// A `RequestState`.
    pub state: u8,
    pub reserved: u8,
}

impl Request {
    /// Whether it awaits a decision.
    pub fn is_open(&self) -> bool {
        self.state == RequestState::Open.byte()
    }
}
