//! Accounts: fixed in size and read in place. The comment above each names its seeds.

mod access_log;
mod grant;
mod institution;
mod member;
mod patient;
mod record;
mod refusal_log;
mod registry;
pub mod slot;

pub use access_log::{AccessLog, Entry, Ring, NO_OUTCOME, RING};
pub use grant::{Grant, UNLIMITED};
pub use institution::Institution;
pub use member::{Member, MEMBER_REFUSALS_PER_HOUR};
pub use patient::Patient;
pub use record::Record;
pub use refusal_log::{RefusalLog, HOUR, PERSON_REFUSALS_PER_HOUR};
pub use registry::Registry;

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
    pub fn validate(&self) -> Result<()> {
        require!(self.encryption != [0; 32], ChartsealError::ZeroId);
        Ok(())
    }
}

/// Refuses the id that stands for "none".
pub fn require_id(id: &Id) -> Result<()> {
    require!(*id != crate::seeds::NO_ID, ChartsealError::ZeroId);
    Ok(())
}

/// Counts what happens within an hour that begins with the first of it.
pub(crate) fn count_within_hour(window: &mut i64, count: &mut u32, cap: u32, now: i64) -> bool {
    if now.saturating_sub(*window) >= HOUR {
        *window = now;
        *count = 0;
    }
    if *count >= cap {
        return false;
    }
    *count += 1;
    true
}
