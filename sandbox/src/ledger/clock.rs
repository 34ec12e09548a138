//! Slots, block times and block hashes. All three follow from the genesis and the wall clock alone, so they need not be
//! stored, go on through a restart as if nothing had happened, and come out the same when the journal is replayed. Who sets
//! the clock forward makes the ledger's time run ahead of the wall clock from then on; that stands in the journal.
//!
//! Slot 1 begins at the genesis time, and every slot is as long as the last. A block's hash is a hash of the genesis and
//! its slot: it does not depend on what is in the block, which is all that a transaction's lifetime needs.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use solana_hash::Hash;

use super::record::Journey;

/// How many slots a blockhash is good for: `MAX_PROCESSING_AGE` of a validator.
pub(crate) const BLOCKHASH_LIFETIME: u64 = 150;

/// The first slot.
pub(crate) const FIRST_SLOT: u64 = 1;

/// How many slots an epoch has, as on Solana's clusters. Nothing here is staked, so it only serves to answer.
pub(crate) const SLOTS_PER_EPOCH: u64 = 432_000;

/// The last time that anybody can travel to, in milliseconds since 1970: the end of the year 9999.
pub(crate) const END_OF_TIME_MS: u64 = 253_402_300_799_999;

/// Where the ledger is in time, and which block hashes a transaction may name.
#[derive(Debug)]
pub(crate) struct SlotClock {
    genesis_hash: Hash,
    genesis_ms: u64,
    slot_ms: u64,
    slot: u64,
    ahead_ms: u64,
    recent: HashMap<Hash, u64>,
}

impl SlotClock {
    pub(crate) fn new(genesis_hash: Hash, genesis_ms: u64, slot_ms: u64) -> Self {
        let mut clock = Self {
            genesis_hash,
            genesis_ms,
            slot_ms: slot_ms.max(1),
            slot: 0,
            ahead_ms: 0,
            recent: HashMap::new(),
        };
        clock.advance_to(FIRST_SLOT);
        clock
    }

    /// The slot whose block is being filled.
    pub(crate) fn slot(&self) -> u64 {
        self.slot
    }

    /// How long a slot is, in milliseconds.
    pub(crate) fn slot_ms(&self) -> u64 {
        self.slot_ms
    }

    /// The newest slot whose block is complete.
    pub(crate) fn complete(&self) -> u64 {
        self.slot - 1
    }

    /// The slot that the wall clock, in milliseconds since 1970, has reached. It may lie behind [`SlotClock::slot`] when
    /// somebody sets the wall clock back.
    pub(crate) fn slot_at(&self, unix_ms: u64) -> u64 {
        FIRST_SLOT + unix_ms.saturating_add(self.ahead_ms).saturating_sub(self.genesis_ms) / self.slot_ms
    }

    /// The first slot that begins at a time, in milliseconds since 1970, or after it.
    pub(crate) fn slot_from(&self, unix_ms: u64) -> u64 {
        FIRST_SLOT + unix_ms.saturating_sub(self.genesis_ms).div_ceil(self.slot_ms)
    }

    /// When `slot` begins, in milliseconds since 1970.
    fn unix_ms(&self, slot: u64) -> u64 {
        let since = slot.saturating_sub(FIRST_SLOT).saturating_mul(self.slot_ms);
        self.genesis_ms.saturating_add(since)
    }

    /// What it takes to be at the beginning of `slot` when the wall clock, in milliseconds since 1970, is there; `None`
    /// where that is no way forward.
    pub(crate) fn journey_to(&self, slot: u64, wall_ms: u64) -> Option<Journey> {
        (slot > self.slot).then(|| Journey {
            slot,
            ahead_ms: self.unix_ms(slot).saturating_sub(wall_ms),
        })
    }

    /// Makes a journey.
    pub(crate) fn travel(&mut self, journey: Journey) {
        self.ahead_ms = journey.ahead_ms;
        self.advance_to(journey.slot);
    }

    /// Whether a slot begins before the end of time.
    pub(crate) fn is_in_time(&self, slot: u64) -> bool {
        self.unix_ms(slot) <= END_OF_TIME_MS
    }

    /// Moves on to `slot`, never back. Tells whether it moved.
    pub(crate) fn advance_to(&mut self, slot: u64) -> bool {
        if slot <= self.slot {
            return false;
        }
        let kept = slot.saturating_sub(BLOCKHASH_LIFETIME);
        self.recent.retain(|_, of| *of >= kept);
        for complete in kept.max(self.slot)..slot {
            self.recent.insert(self.blockhash(complete), complete);
        }
        self.slot = slot;
        true
    }

    /// When `slot` began, in seconds since 1970.
    pub(crate) fn unix_time(&self, slot: u64) -> i64 {
        i64::try_from(self.unix_ms(slot) / 1_000).unwrap_or(i64::MAX)
    }

    /// The hash of the block of `slot`.
    pub(crate) fn blockhash(&self, slot: u64) -> Hash {
        let digest = Sha256::new()
            .chain_update(b"chartseal/sandbox/blockhash/v1")
            .chain_update(self.genesis_hash.as_ref())
            .chain_update(slot.to_le_bytes())
            .finalize();
        Hash::new_from_array(digest.into())
    }

    /// The newest complete block's hash, and the last slot in which a transaction may name it.
    pub(crate) fn latest(&self) -> (Hash, u64) {
        (self.blockhash(self.complete()), self.complete() + BLOCKHASH_LIFETIME)
    }

    /// Whether a transaction may name this block hash now.
    pub(crate) fn is_recent(&self, blockhash: &Hash) -> bool {
        self.recent.contains_key(blockhash)
    }

    /// The recent complete slots and their hashes, newest first, as the `SlotHashes` sysvar has them.
    pub(crate) fn recent(&self) -> impl Iterator<Item = (u64, Hash)> + '_ {
        (self.slot.saturating_sub(BLOCKHASH_LIFETIME)..self.slot)
            .rev()
            .map(|slot| (slot, self.blockhash(slot)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn clock() -> SlotClock {
        SlotClock::new(Hash::new_from_array([1; 32]), 1_000_000, 400)
    }

    #[test]
    fn slots_follow_the_wall_clock_and_never_go_back() {
        let mut clock = clock();
        assert_eq!(clock.slot(), 1);
        assert_eq!(clock.slot_at(1_000_000 + 400 * 10), 11);
        assert!(clock.advance_to(11));
        assert!(!clock.advance_to(5));
        assert_eq!((clock.slot(), clock.complete()), (11, 10));
        assert_eq!(clock.unix_time(1), 1_000);
        assert_eq!(clock.unix_time(11), 1_004);
    }

    #[test]
    fn a_blockhash_lives_150_slots() {
        let mut clock = clock();
        clock.advance_to(500);
        let (hash, last) = clock.latest();
        assert_eq!(last, 649);
        clock.advance_to(last);
        assert!(clock.is_recent(&hash));
        clock.advance_to(last + 1);
        assert!(!clock.is_recent(&hash));
        assert_eq!(clock.recent.len(), 150);
        assert!(clock.recent().all(|(slot, hash)| clock.recent[&hash] == slot));
    }

    #[test]
    fn after_a_journey_the_clock_goes_on_from_there() {
        let mut clock = clock();
        let wall = 1_000_000 + 400 * 10;
        clock.advance_to(clock.slot_at(wall));
        let arrival = clock.slot_from(9_000_001);
        assert!(clock.unix_time(arrival) >= 9_000 && clock.unix_time(arrival - 1) < 9_001);
        let journey = clock.journey_to(arrival, wall).unwrap();
        clock.travel(journey);
        assert_eq!(clock.slot(), arrival);
        assert_eq!(clock.slot_at(wall), arrival, "the wall clock has not moved");
        assert_eq!(clock.slot_at(wall + 400), arrival + 1);
        assert_eq!(clock.journey_to(arrival, wall), None, "there is no way but forward");
    }

    #[test]
    fn a_jump_forgets_all_that_is_older() {
        let mut clock = clock();
        clock.advance_to(10);
        let (hash, _) = clock.latest();
        clock.advance_to(1_000_000);
        assert!(!clock.is_recent(&hash));
        assert!(clock.is_recent(&clock.blockhash(999_999)));
        assert!(clock.is_recent(&clock.blockhash(999_850)));
        assert!(!clock.is_recent(&clock.blockhash(999_849)));
        assert!(!clock.is_recent(&clock.blockhash(1_000_000)));
    }
}
