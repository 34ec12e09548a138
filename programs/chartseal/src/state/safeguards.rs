use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use super::{Keys, Tally, DAY};
use crate::{events::GuardianNamed, log::sha256_of, seeds::Id, ChartsealError};

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
    /// Votes given within a day: each writes into the patient's log.
    pub votes: Tally,
}

/// Votes of one guardian within a day. Taking one back is not counted: there is nothing to take back but a vote. Beyond
/// it an attempt fails and leaves nothing.
pub const VOTES_PER_DAY: u32 = 6;

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

    /// Names these guardians, none of whom has voted. There are at most [`MOST_GUARDIANS`].
    #[allow(clippy::cast_possible_truncation)]
    pub fn name_guardians(&mut self, named: &[GuardianNamed]) {
        self.guardians = [Guardian::zeroed(); MOST_GUARDIANS];
        for (guardian, named) in self.guardians.iter_mut().zip(named) {
            guardian.wallet = named.wallet;
            guardian.encryption = named.encryption_key;
        }
        self.guardian_count = named.len().min(MOST_GUARDIANS) as u8;
    }

    /// Names these break-glass holders. There are at most [`MOST_GUARDIANS`].
    #[allow(clippy::cast_possible_truncation)]
    pub fn name_holders(&mut self, named: &[Address]) {
        self.holders = [Address::default(); MOST_GUARDIANS];
        for (holder, named) in self.holders.iter_mut().zip(named) {
            *holder = *named;
        }
        self.holder_count = named.len().min(MOST_GUARDIANS) as u8;
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

    /// How many guardians vote for it. A vote counts for sixty days.
    #[allow(clippy::cast_possible_truncation)]
    pub fn votes(&self, ballot: &[u8; 32], now: i64) -> u8 {
        self.guardians()
            .iter()
            .filter(|guardian| {
                guardian.vote == *ballot && now.saturating_sub(guardian.votes.since) < LONGEST_DELAY + RECOVERY_WINDOW
            })
            .count() as u8
    }

    /// A guardian votes for a wallet with these keys, in place of what it voted for before; zeros take its vote back.
    /// How many vote for it now.
    ///
    /// A recovery is agreed on once enough vote for it, and off again once they do not. No single guardian can hold it
    /// up: each has one vote, and what is agreed on gives way to nothing else meanwhile.
    ///
    /// # Errors
    /// [`ChartsealError::NotGuardian`], [`ChartsealError::VoteCap`], [`ChartsealError::Overflow`],
    /// [`ChartsealError::NoRecovery`] where there is no vote to take back.
    pub fn vote(&mut self, guardian: &Address, wallet: &Address, keys: &Keys, now: i64) -> Result<u8> {
        let withdrawn = *wallet == Address::default();
        let ballot = if withdrawn { [0; 32] } else { self.ballot(wallet, keys) };
        let count = usize::from(self.guardian_count).min(MOST_GUARDIANS);
        let voter = self.guardians[..count]
            .iter_mut()
            .find(|named| named.wallet == *guardian);
        let voter = voter.ok_or(ChartsealError::NotGuardian)?;
        if withdrawn {
            require!(voter.vote != [0; 32], ChartsealError::NoRecovery);
        } else {
            require!(voter.votes.count(DAY, VOTES_PER_DAY, now), ChartsealError::VoteCap);
        }
        voter.vote = ballot;

        let pending = self.ballot(&self.pending_wallet, &self.pending_keys);
        if self.is_pending() && self.votes(&pending, now) < self.guardian_threshold {
            self.clear_pending();
        }
        if withdrawn {
            return Ok(0);
        }
        let votes = self.votes(&ballot, now);
        // What enough agreed on stands until they do not, or until nobody finished it in its time.
        let lapsed = now.saturating_sub(self.ready_at) >= RECOVERY_WINDOW;
        if votes >= self.guardian_threshold && (!self.is_pending() || lapsed) {
            self.pending_wallet = *wallet;
            self.pending_keys = *keys;
            self.ready_at = now.checked_add(self.delay).ok_or(ChartsealError::Overflow)?;
        }
        Ok(votes)
    }

    /// Forgets every vote and what they led to.
    pub fn clear_recovery(&mut self) {
        for guardian in &mut self.guardians {
            guardian.vote = [0; 32];
        }
        self.clear_pending();
    }

    fn clear_pending(&mut self) {
        self.pending_wallet = Address::default();
        self.pending_keys = Keys::zeroed();
        self.ready_at = 0;
    }
}
