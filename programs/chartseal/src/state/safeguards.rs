use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::Keys;
use crate::{log::sha256_of, seeds::Id};

/// Guardians, and holders of break-glass shares, that a patient can name.
pub const MOST_GUARDIANS: usize = 5;

/// Shortest time in seconds between the guardians' vote and the change of the wallet: a day in which the patient can
/// object.
pub const SHORTEST_DELAY: i64 = 86_400;
/// The longest: thirty days.
pub const LONGEST_DELAY: i64 = 30 * 86_400;
/// Seconds for which a recovery that is due can be finished: thirty days.
pub const RECOVERY_WINDOW: i64 = 30 * 86_400;

/// Somebody who can help a patient to a new wallet, together with others.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Guardian {
    pub wallet: Address,
    /// X25519 public key, to which the guardian's share of the patient's encryption key is wrapped.
    pub encryption: [u8; 32],
    /// What the guardian votes for (see [`Safeguards::ballot`]), or zeros.
    pub vote: [u8; 32],
}

/// What keeps a patient from losing the chart, or a life. Seeds: `safeguards`, patient's id.
///
/// k of n guardians change the patient's wallet, after a delay in which the patient can object. k of n break-glass
/// holders, who are institutions, open a record to whoever opened an emergency.
#[account]
#[derive(Debug)]
pub struct Safeguards {
    /// The patient's id.
    pub patient: Id,
    pub guardians: [Guardian; MOST_GUARDIANS],
    /// Addresses of the Institution accounts that hold break-glass shares.
    pub holders: [Address; MOST_GUARDIANS],
    /// The wallet that enough guardians voted for, or zeros.
    pub pending_wallet: Address,
    /// The keys that come with it.
    pub pending_keys: Keys,
    /// Seconds since 1970: from here on the recovery can be finished.
    pub ready_at: i64,
    /// Seconds between the vote and then.
    pub delay: i64,
    /// How many guardians there are.
    pub guardian_count: u8,
    /// How many of them have to agree.
    pub guardian_threshold: u8,
    /// How many holders there are.
    pub holder_count: u8,
    /// How many of them open a record together.
    pub holder_threshold: u8,
    pub bump: u8,
    pub reserved: [u8; 3],
}

impl Safeguards {
    /// The guardians that there are.
    pub fn guardians(&self) -> &[Guardian] {
        &self.guardians[..usize::from(self.guardian_count).min(MOST_GUARDIANS)]
    }

    /// The break-glass holders that there are.
    pub fn holders(&self) -> &[Address] {
        &self.holders[..usize::from(self.holder_count).min(MOST_GUARDIANS)]
    }

    /// Whether enough guardians voted for a wallet.
    pub fn is_pending(&self) -> bool {
        self.pending_wallet != Address::default()
    }

    /// What a guardian who wants this wallet with these keys votes for.
    pub fn ballot(&self, wallet: &Address, keys: &Keys) -> [u8; 32] {
        sha256_of(&[
            b"chartseal/recovery/v1",
            crate::ID.as_ref(),
            &self.patient,
            wallet.as_ref(),
            &keys.encryption,
            &keys.post_quantum_hash,
        ])
    }

    /// How many guardians vote for it.
    pub fn votes(&self, ballot: &[u8; 32]) -> usize {
        self.guardians()
            .iter()
            .filter(|guardian| guardian.vote == *ballot)
            .count()
    }

    /// Forgets every vote and what they led to.
    pub fn clear_recovery(&mut self) {
        for guardian in &mut self.guardians {
            guardian.vote = [0; 32];
        }
        self.pending_wallet = Address::default();
        self.pending_keys = Keys::zeroed();
        self.ready_at = 0;
    }
}
