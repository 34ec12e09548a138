use anchor_lang::prelude::*;

use crate::log::Chain;

/// Who administers the program. Seeds: `registry`. Made once, by the program's upgrade authority.
#[account]
#[derive(Debug)]
pub struct Registry {
    /// Approves and suspends institutions, and pauses. It has no right over any record.
    pub admin: Address,
    /// Who may become admin by signing too, or zeros.
    pub proposed_admin: Address,
    pub chain: Chain,
    /// 1 while nothing works that gives a right or uses one. What takes one away does: revoking, suspending, denying,
    /// objecting, erasing, reviewing, closing an agreement.
    pub paused: u8,
    pub bump: u8,
    pub reserved: [u8; 6],
}

impl Registry {
    /// Whether the program is paused.
    pub fn is_paused(&self) -> bool {
        self.paused != 0
    }
}
