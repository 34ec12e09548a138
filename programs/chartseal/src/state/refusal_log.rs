use anchor_lang::prelude::*;

use super::{
    access_log::{Entry, Ring},
    Tally, HOUR,
};
use crate::{
    events::ActionRefused,
    log::{Chain, Encoded, Link},
    seeds::Id,
    vocabulary::ActorKind,
};

/// Refusals that are logged for a patient within an hour, over all persons; and as many over the patient itself and its
/// delegates, whom no person crowds out.
pub const PERSON_REFUSALS_PER_HOUR: u32 = 60;

/// All that was refused about a patient. Seeds: `refusals`, patient's id. Apart from the access log, so that refusals
/// never crowd accesses out.
#[account]
#[derive(Debug)]
pub struct RefusalLog {
    /// The patient's id.
    pub patient: Id,
    pub chain: Chain,
    pub ring: Ring,
    /// Refusals of persons within an hour. Members are counted in their own accounts.
    pub persons: Tally,
    /// Refusals of the patient and its delegates within an hour.
    pub own: Tally,
    pub bump: u8,
    pub reserved: [u8; 7],
}

impl RefusalLog {
    /// Counts a refusal of somebody who is no member; false where the hour is full.
    pub fn count_refusal(&mut self, kind: ActorKind, now: i64) -> bool {
        let tally = match kind {
            ActorKind::Person | ActorKind::Member => &mut self.persons,
            ActorKind::Patient | ActorKind::Delegate => &mut self.own,
        };
        tally.count(HOUR, PERSON_REFUSALS_PER_HOUR, now)
    }

    /// Writes a refusal: a link of the chain and an entry of the ring. It remains to be emitted. Whoever calls has
    /// counted it.
    ///
    /// # Errors
    /// [`ChartsealError::Overflow`](crate::ChartsealError::Overflow) after 2^64 - 1 refusals.
    pub fn write(&mut self, now: i64, event: impl FnOnce(Link) -> ActionRefused) -> Result<Encoded> {
        let patient = self.patient;
        let mut entry = None;
        let event = self.chain.extend(&patient, now, |link| {
            let event = event(link);
            let reason = event.reason.byte();
            entry = Some(Entry::new(
                ActionRefused::DISCRIMINATOR,
                now,
                &event.request,
                &event.actor.wallet,
                reason,
            ));
            event
        })?;
        if let Some(entry) = entry {
            self.ring.keep(&self.chain, entry);
        }
        Ok(event)
    }
}
