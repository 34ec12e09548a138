//! What happened: every transaction that is in a block, found by signature, by address and by slot. It is kept in memory
//! and rebuilt from the journal at start.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::TransactionStatusMeta;

/// A transaction in a block, and what it did.
#[derive(Debug)]
pub(crate) struct Executed {
    /// The block's slot.
    pub(crate) slot: u64,
    /// The block's time, in seconds since 1970.
    pub(crate) block_time: i64,
    /// The transaction as it was sent.
    pub(crate) transaction: VersionedTransaction,
    /// Its first signature, which names it.
    pub(crate) signature: Signature,
    /// Every account it names, also by lookup table, in the order of its indices.
    pub(crate) keys: Vec<Address>,
    /// Its outcome, in the terms of a validator.
    pub(crate) meta: TransactionStatusMeta,
}

impl Executed {
    /// Whether it names this account.
    pub(crate) fn mentions(&self, address: &Address) -> bool {
        self.keys.contains(address)
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    all: Vec<Arc<Executed>>,
    by_signature: HashMap<Signature, usize>,
    by_address: HashMap<Address, Vec<usize>>,
}

impl History {
    /// Adds the newest. Slots never decrease.
    pub(crate) fn push(&mut self, executed: Arc<Executed>) {
        let index = self.all.len();
        self.by_signature.insert(executed.signature, index);
        for key in &executed.keys {
            let of = self.by_address.entry(*key).or_default();
            if of.last() != Some(&index) {
                of.push(index);
            }
        }
        self.all.push(executed);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, signature: &Signature) -> Option<&Arc<Executed>> {
        self.by_signature.get(signature).map(|&index| &self.all[index])
    }

    /// Those in the block of `slot`, in the order in which they were executed.
    pub(crate) fn in_slot(&self, slot: u64) -> &[Arc<Executed>] {
        let begin = self.all.partition_point(|executed| executed.slot < slot);
        let end = self.all.partition_point(|executed| executed.slot <= slot);
        &self.all[begin..end]
    }

    /// Those that name `address`, newest first: older than `before`, newer than `until`, at most `limit`. An unknown
    /// `before` finds nothing and an unknown `until` bounds nothing, as with a validator.
    pub(crate) fn of_address(
        &self,
        address: &Address,
        before: Option<&Signature>,
        until: Option<&Signature>,
        limit: usize,
    ) -> Vec<Arc<Executed>> {
        let end = match before {
            None => self.all.len(),
            Some(signature) => self.by_signature.get(signature).copied().unwrap_or(0),
        };
        let begin = until
            .and_then(|signature| self.by_signature.get(signature))
            .map_or(0, |&index| index + 1);
        let Some(indices) = self.by_address.get(address) else {
            return Vec::new();
        };
        let within: Range<usize> = indices.partition_point(|&i| i < begin)..indices.partition_point(|&i| i < end);
        let within = if within.start < within.end {
            &indices[within]
        } else {
            &[]
        };
        within
            .iter()
            .rev()
            .take(limit)
            .map(|&index| Arc::clone(&self.all[index]))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn executed(n: u8, slot: u64, keys: &[u8]) -> Arc<Executed> {
        Arc::new(Executed {
            slot,
            block_time: 0,
            transaction: VersionedTransaction::default(),
            signature: signature(n),
            keys: keys.iter().map(|&k| Address::new_from_array([k; 32])).collect(),
            meta: TransactionStatusMeta::default(),
        })
    }

    fn signature(n: u8) -> Signature {
        Signature::from([n; 64])
    }

    fn history() -> History {
        let mut history = History::default();
        for (n, slot, keys) in [
            (1, 3, &[9, 1][..]),
            (2, 3, &[9, 9]),
            (3, 5, &[1]),
            (4, 7, &[9]),
            (5, 7, &[9, 1]),
        ] {
            history.push(executed(n, slot, keys));
        }
        history
    }

    fn found(history: &History, before: Option<u8>, until: Option<u8>, limit: usize) -> Vec<u8> {
        let (before, until) = (before.map(signature), until.map(signature));
        history
            .of_address(
                &Address::new_from_array([9; 32]),
                before.as_ref(),
                until.as_ref(),
                limit,
            )
            .iter()
            .map(|e| e.signature.as_ref()[0])
            .collect()
    }

    #[test]
    fn an_address_is_paged_newest_first() {
        let history = history();
        assert_eq!(found(&history, None, None, 1000), [5, 4, 2, 1]);
        assert_eq!(found(&history, None, None, 2), [5, 4]);
        assert_eq!(found(&history, Some(4), None, 2), [2, 1]);
        assert_eq!(found(&history, None, Some(2), 1000), [5, 4]);
        assert_eq!(found(&history, Some(5), Some(1), 1000), [4, 2]);
        assert_eq!(found(&history, Some(1), Some(4), 1000), [0; 0]);
        assert_eq!(found(&history, Some(99), None, 1000), [0; 0]);
        assert_eq!(found(&history, None, Some(99), 1000), [5, 4, 2, 1]);
    }

    #[test]
    fn a_slot_holds_its_own() {
        let history = history();
        let of = |slot| {
            history
                .in_slot(slot)
                .iter()
                .map(|e| e.signature.as_ref()[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(of(3), [1, 2]);
        assert_eq!(of(4), Vec::<u8>::new());
        assert_eq!(of(7), [4, 5]);
    }
}
