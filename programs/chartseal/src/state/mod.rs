//! Accounts: fixed in size and read in place. The comment above each names its seeds.

mod access_log;
mod agreement;
mod anonymous_set;
mod batch;
mod delegate;
mod emergency;
mod grant;
mod grant_tree;
mod institution;
mod member;
mod nullifier;
mod patient;
mod policy;
mod record;
mod refusal_log;
mod registry;
mod request;
mod safeguards;
mod settlement;
pub mod slot;

pub use access_log::{AccessLog, Entry, Ring, NO_OUTCOME, RING};
pub use agreement::Agreement;
pub use anonymous_set::AnonymousSet;
pub use batch::{Batch, MOST_IN_BATCH};
pub use delegate::Delegate;
pub use emergency::{
    Emergency, INSTITUTION_EMERGENCIES_PER_DAY, LONGEST_EMERGENCY, MEMBER_EMERGENCIES_PER_DAY, MOST_UNREVIEWED,
};
pub use grant::{Grant, DEEPEST, UNLIMITED};
pub use grant_tree::{Change, GrantTree, CHANGES, FLOOR_DELAY, ROOTS};
pub use institution::Institution;
pub use member::{Member, MEMBER_REFUSALS_PER_HOUR, MEMBER_REQUESTS_PER_HOUR};
pub use nullifier::Nullifier;
pub use patient::Patient;
pub use policy::Policy;
pub use record::Record;
pub use refusal_log::{RefusalLog, PERSON_REFUSALS_PER_HOUR};
pub use registry::Registry;
pub use request::Request;
pub use safeguards::{
    Guardian, Safeguards, LONGEST_DELAY, MOST_GUARDIANS, RECOVERY_WINDOW, SHORTEST_DELAY, VOTES_PER_DAY,
};
pub use settlement::Settlement;

use crate::{seeds::Id, ChartsealError};
use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

/// Public encryption keys. They are separate from wallet keys: the wallet signs the transaction that publishes them.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Keys {
    /// X25519 public key (RFC 7748), to which envelopes are wrapped.
    pub encryption: [u8; 32],
    /// SHA-256 of the X-Wing public key, or zeros where there is none. The key itself (1,216 bytes) is kept off chain.
    pub post_quantum_hash: [u8; 32],
}

impl Keys {
    /// Refuses keys that nobody can hold.
    ///
    /// # Errors
    /// [`ChartsealError::ZeroId`].
    pub fn validate(&self) -> Result<()> {
        require!(self.encryption != [0; 32], ChartsealError::ZeroId);
        Ok(())
    }
}

/// Refuses the id that stands for "none".
///
/// # Errors
/// [`ChartsealError::ZeroId`].
pub fn require_id(id: &Id) -> Result<()> {
    require!(*id != crate::seeds::NO_ID, ChartsealError::ZeroId);
    Ok(())
}

/// Seconds of a window in which things are counted.
pub const HOUR: i64 = 3_600;
/// Seconds of a longer one.
pub const DAY: i64 = 86_400;

/// What happened within a window of time that begins with the first of it.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Tally {
    /// Seconds since 1970: the window's beginning.
    pub since: i64,
    pub count: u32,
    pub reserved: [u8; 4],
}

impl Tally {
    /// Counts one more; false, and nothing is counted, where the window has reached its cap.
    pub fn count(&mut self, window: i64, cap: u32, now: i64) -> bool {
        if now.saturating_sub(self.since) >= window {
            self.since = now;
            self.count = 0;
        }
        if self.count >= cap {
            return false;
        }
        self.count += 1;
        true
    }

    /// Whether one more would be counted.
    pub fn has_room(&self, window: i64, cap: u32, now: i64) -> bool {
        now.saturating_sub(self.since) >= window || self.count < cap
    }
}
