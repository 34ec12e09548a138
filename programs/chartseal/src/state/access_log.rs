use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::{
    log::{Chain, Chained, Encoded, Link},
    seeds::Id,
};

/// Entries that a log keeps on chain. All of them are in its events.
pub const RING: usize = 16;

/// One of the last things that happened, in 72 bytes.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Entry {
    /// Place in the chain, from 1; zero is an entry that was never written.
    pub seq: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// The request, or the id of what was made or changed.
    pub id: Id,
    /// The wallet that signed.
    pub wallet: Address,
    /// The first bytes of the event's discriminator: as many as tell the kinds of events apart.
    pub event: [u8; 2],
    /// A `Basis` or, in a refusal log, a `Reason`; [`NO_OUTCOME`] where neither applies.
    pub outcome: u8,
    pub reserved: [u8; 5],
}

/// `outcome` of an entry that neither a basis nor a reason applies to.
pub const NO_OUTCOME: u8 = u8::MAX;

impl Entry {
    /// An entry that has no place yet: the ring gives it one.
    pub fn new(event: &[u8], at: i64, id: &Id, wallet: &Address, outcome: u8) -> Self {
        let event = event.first_chunk().copied().unwrap_or_default();
        Self {
            seq: 0,
            at,
            id: *id,
            wallet: *wallet,
            event,
            outcome,
            reserved: [0; 5],
        }
    }
}

/// The last entries; the one of `seq` n stands at n modulo 16.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Ring {
    pub entries: [Entry; RING],
}

impl Ring {
    /// Keeps the chain's newest event, over the oldest entry.
    // What remains of a division by `RING` is less than that.
    #[allow(clippy::cast_possible_truncation)]
    pub fn keep(&mut self, chain: &Chain, entry: Entry) {
        self.entries[(chain.seq % RING as u64) as usize] = Entry {
            seq: chain.seq,
            ..entry
        };
    }
}

/// All that was done about a patient. Seeds: `log`, patient's id.
#[account]
#[derive(Debug)]
pub struct AccessLog {
    /// The patient's id.
    pub patient: Id,
    pub chain: Chain,
    pub ring: Ring,
    pub bump: u8,
    pub reserved: [u8; 7],
}

impl AccessLog {
    /// Writes an event: a link of the chain and an entry of the ring. It remains to be emitted.
    ///
    /// `id` names what it is about (a request, a grant, a record), `wallet` who signed, `outcome` is a `Basis` or
    /// [`NO_OUTCOME`].
    ///
    /// # Errors
    /// [`ChartsealError::Overflow`](crate::ChartsealError::Overflow) after 2^64 - 1 events.
    pub fn write<E: Chained>(
        &mut self,
        id: &Id,
        wallet: &Address,
        outcome: u8,
        now: i64,
        event: impl FnOnce(Link) -> E,
    ) -> Result<Encoded> {
        let patient = self.patient;
        let event = self.chain.extend(&patient, now, event)?;
        self.ring
            .keep(&self.chain, Entry::new(E::DISCRIMINATOR, now, id, wallet, outcome));
        Ok(event)
    }
}
