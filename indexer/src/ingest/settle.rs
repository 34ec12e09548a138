//! Holds what was read and was not final against the ledger: what is final now is noted, what was dropped is taken back.
//!
//! What is final is settled only in the order in which the ledger lists it, each transaction in its slot and under its
//! block's hash, and with none between that was not read: a node whose listing lagged when it was asked first costs a
//! second reading and never an event.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::{Indexer, until};
use crate::{
    Error,
    sink::Entry,
    source::{Commitment, Listed, RpcSource, SourceError},
};

impl Indexer {
    /// Settles what has become final, and takes back the rest where it does not agree with that. Returns how many
    /// transactions that were.
    pub(super) async fn settle(&mut self, stop: &CancellationToken) -> Result<usize, Error> {
        if self.writer.tail().is_empty() {
            return Ok(0);
        }
        let (agreed, due) = until(stop, self.agreed_to_be_final()).await??;
        self.writer.promote(agreed, stop).await?;
        let rest = self.writer.tail().len();
        match agreed < due {
            true => self.writer.roll_back(0, stop).await.map(|()| rest),
            false => Ok(0),
        }
    }

    /// How many of the tail are final as they were read, and how many would have to be.
    async fn agreed_to_be_final(&self) -> Result<(usize, usize), Error> {
        let tail = self.writer.tail();
        let slot = self.source.final_slot().await?;
        let due = tail.iter().take_while(|entry| entry.slot <= slot).count();
        if due == 0 {
            return Ok((0, 0));
        }
        let settled = self.writer.settled();
        let listed = self.source.list_final_after(settled.as_ref(), slot).await?;
        let same = agreement(&tail[..due], &listed);
        let agreed = in_their_blocks(&self.source, &tail[..same], Commitment::Finalized).await?;
        Ok((agreed, due))
    }

    /// Takes back of the tail what the ledger does not have any more. Returns how many transactions that were.
    pub(super) async fn check_tail(&mut self, stop: &CancellationToken) -> Result<usize, Error> {
        let tail = self.writer.tail().len();
        if tail == 0 {
            return Ok(0);
        }
        let keep = until(stop, self.still_there()).await??;
        if keep < tail {
            self.writer.roll_back(keep, stop).await?;
        }
        Ok(tail - keep)
    }

    /// How many of the tail the ledger has as they were read.
    async fn still_there(&self) -> Result<usize, Error> {
        let tail = self.writer.tail();
        let settled = self.writer.settled();
        let least = tail.last().map_or(0, |entry| entry.slot);
        let listed = self.source.list_again_after(settled.as_ref(), least).await?;
        let same = agreement(tail, &listed);
        Ok(in_their_blocks(&self.source, &tail[..same], self.source.commitment()).await?)
    }
}

/// How many of these, from the first one, the ledger lists in the same order and slots.
fn agreement(tail: &[Entry], listed: &[Listed]) -> usize {
    tail.iter()
        .zip(listed)
        .take_while(|(entry, listed)| {
            (entry.signature, entry.slot) == (listed.signature, listed.slot)
                && entry.blockhash.is_none() == listed.failed
        })
        .count()
}

/// How many of these, from the first one, stand under the hashes that their slots' blocks have now.
async fn in_their_blocks(source: &RpcSource, tail: &[Entry], commitment: Commitment) -> Result<usize, SourceError> {
    let slots: BTreeSet<u64> = tail
        .iter()
        .filter(|entry| entry.blockhash.is_some())
        .map(|entry| entry.slot)
        .collect();
    let hashes = source.blockhashes(slots.iter().copied(), commitment).await?;
    let hashes: BTreeMap<u64, [u8; 32]> = slots.into_iter().zip(hashes).collect();
    let fits = |entry: &&Entry| entry.blockhash.is_none() || hashes.get(&entry.slot).copied() == entry.blockhash;
    Ok(tail.iter().take_while(fits).count())
}
