//! What a stream told of, kept until it is asked for: the node's listing says what exists, and then a transaction that is
//! here need not be asked for. Whatever is not here, or stands in another slot than the listing says, is the node's to give. What
//! a transaction did is believed of whoever told of it, as it is of the node.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Call, Listed, Signature, Transaction};

/// The most transactions that are kept, the most bytes of them, and the most blocks. The oldest make room.
const TRANSACTIONS: usize = 1_024;
const BYTES: usize = 64 << 20;
const BLOCKS: usize = 512;

/// What is said of a block, and not of its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) slot: u64,
    pub(super) hash: [u8; 32],
    pub(super) time: Option<i64>,
}

/// A transaction that succeeded, without what only its block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) signature: Signature,
    pub(super) slot: u64,
    pub(super) calls: Vec<Call>,
}

#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    transactions: HashMap<Signature, Told>,
    /// In the order in which they came.
    order: VecDeque<Signature>,
    /// Of all transactions.
    bytes: usize,
    blocks: BTreeMap<u64, Block>,
}

impl Told {
    /// How much memory it takes, about.
    fn size(&self) -> usize {
        let call = |call: &Call| size_of::<Call>() + size_of_val(call.accounts.as_slice()) + call.data.len();
        size_of::<Self>() + self.calls.iter().map(call).sum::<usize>()
    }
}

impl Kept {
    fn add(&mut self, told: Told) {
        let signature = told.signature;
        self.bytes += told.size();
        // One that is told of again may stand in another block now.
        match self.transactions.insert(signature, told) {
            Some(before) => self.bytes -= before.size(),
            None => self.order.push_back(signature),
        }
        while self.order.len() > TRANSACTIONS || self.bytes > BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, signature: &Signature) -> Option<Told> {
        let told = self.transactions.remove(signature)?;
        self.bytes -= told.size();
        Some(told)
    }
}

impl Ahead {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here is left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a transaction. Says whether its block is known, so that it can be given.
    pub(super) fn transaction(&self, told: Told) -> bool {
        let mut kept = self.kept();
        let is_complete = kept.blocks.contains_key(&told.slot);
        kept.add(told);
        is_complete
    }

    /// Keeps a block. Says whether a transaction waited for it.
    pub(super) fn block(&self, block: Block) -> bool {
        let mut kept = self.kept();
        kept.blocks.insert(block.slot, block);
        while kept.blocks.len() > BLOCKS {
            kept.blocks.pop_first();
        }
        kept.transactions.values().any(|told| told.slot == block.slot)
    }

    /// Gives a transaction that stands where the listing says, once: who asks again doubts it, and is to ask the node.
    pub(super) fn take(&self, listed: &Listed) -> Option<Transaction> {
        let mut kept = self.kept();
        let block = *kept.blocks.get(&listed.slot)?;
        let told = kept.remove(&listed.signature)?;
        kept.order.retain(|signature| *signature != listed.signature);
        (told.slot == listed.slot).then_some(Transaction {
            signature: told.signature,
            slot: told.slot,
            blockhash: block.hash,
            block_time: block.time,
            calls: told.calls,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(number: usize, slot: u64) -> Told {
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&number.to_le_bytes());
        let calls = Vec::new();
        Told { signature, slot, calls }
    }

    fn block(slot: u64) -> Block {
        let (hash, time) = ([7; 32], Some(1));
        Block { slot, hash, time }
    }

    #[test]
    fn a_transaction_is_given_once_and_where_it_is_listed() {
        let ahead = Ahead::default();
        let listed = |number, slot| Listed {
            slot,
            ..listed_from(&told(number, slot))
        };
        assert!(!ahead.transaction(told(1, 5)));
        assert_eq!(ahead.take(&listed(1, 5)), None, "its block is not known yet");
        assert!(ahead.block(block(5)));
        assert!(!ahead.block(block(6)), "nobody waited for it");
        let given = ahead.take(&listed(1, 5)).unwrap();
        assert_eq!((given.slot, given.blockhash, given.block_time), (5, [7; 32], Some(1)));
        assert_eq!(ahead.take(&listed(1, 5)), None);
        assert!(ahead.transaction(told(2, 5)));
        assert_eq!(ahead.take(&listed(2, 6)), None, "it stands in another slot");
    }

    #[test]
    fn the_oldest_make_room() {
        let ahead = Ahead::default();
        for number in 0..TRANSACTIONS + 10 {
            ahead.transaction(told(number, 5));
            ahead.transaction(told(number, 5));
        }
        for slot in 0..BLOCKS as u64 + 10 {
            ahead.block(block(slot));
        }
        let kept = ahead.kept();
        assert_eq!(
            (kept.transactions.len(), kept.order.len()),
            (TRANSACTIONS, TRANSACTIONS)
        );
        assert!(!kept.transactions.contains_key(&told(9, 5).signature));
        assert!(kept.transactions.contains_key(&told(10, 5).signature));
        assert_eq!(
            (kept.blocks.len(), *kept.blocks.first_key_value().unwrap().0),
            (BLOCKS, 10)
        );
    }

    #[test]
    fn no_more_bytes_are_kept_than_there_is_room_for() {
        let long = |number, bytes: usize| {
            let call = Call {
                outer: 0,
                inner: None,
                depth: 1,
                program: chartseal_program::ID,
                accounts: vec![chartseal_program::ID; 2],
                data: vec![0; bytes],
            };
            Told {
                calls: vec![call],
                ..told(number, 5)
            }
        };
        let ahead = Ahead::default();
        for number in 0..10 {
            ahead.transaction(long(number, BYTES / 4));
            ahead.transaction(long(number, BYTES / 4));
        }
        let numbers = || {
            let mut numbers: Vec<_> = ahead.kept().transactions.keys().map(|signature| signature[0]).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(numbers(), [7, 8, 9]);
        // One that is longer than that alone is not kept, and room is made again by what is given.
        ahead.transaction(long(20, BYTES));
        assert!(numbers().is_empty());
        assert_eq!(ahead.kept().bytes, 0);
        ahead.block(block(5));
        ahead.transaction(long(21, 9));
        assert!(ahead.take(&listed_from(&told(21, 5))).is_some());
        let kept = ahead.kept();
        assert_eq!((kept.bytes, kept.order.len()), (0, 0));
    }

    fn listed_from(told: &Told) -> Listed {
        Listed {
            signature: told.signature,
            slot: told.slot,
            failed: false,
            settled: false,
        }
    }
}
