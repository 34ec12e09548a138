//! Transactions as a ledger holds them, built by hand: each call of the program carries its event as the program emits
//! it, with real chains.

use std::collections::BTreeMap;

use anchor_lang::{Event, event::EVENT_IX_TAG_LE, prelude::Address};
use chartseal_indexer::source::{Call, Transaction};
use chartseal_program::{
    log::{Chain, ChainKind, Chained, Link},
    membership::{DEPTH, Field, NO_LEAF, ZEROS, node},
    seeds::{Id, address::event_authority},
    state::GrantTree,
};

/// A program that is not ours.
pub(crate) const STRANGER: Address = Address::new_from_array([66; 32]);

/// A ledger and the chains on it.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) transactions: Vec<Transaction>,
    /// Indices of transactions that failed.
    pub(crate) failed: Vec<usize>,
    /// Where the chains stand: what the program's accounts say.
    pub(crate) heads: BTreeMap<(ChainKind, Id), Chain>,
    /// What the accounts of trees say besides.
    pub(crate) trees: BTreeMap<Id, Grown>,
    /// The clock, in seconds since 1970.
    pub(crate) now: i64,
}

/// A tree for grants without a name, as the contract keeps it, and its leaves, as it does not.
#[derive(Clone)]
pub(crate) struct Grown {
    pub(crate) account: GrantTree,
    leaves: Vec<Field>,
}

impl Grown {
    pub(crate) fn new(id: &Id) -> Self {
        let mut account: GrantTree = bytemuck::Zeroable::zeroed();
        account.begin(id, 255);
        Self {
            account,
            leaves: Vec::new(),
        }
    }

    pub(crate) fn append(&mut self, leaf: &Field) -> u32 {
        self.leaves.push(*leaf);
        self.account.append(leaf).unwrap_or_else(|_| panic!("no room"))
    }

    pub(crate) fn remove(&mut self, index: u32, now: i64) {
        let (mut level, mut place, mut path) = (self.leaves.clone(), index as usize, Vec::new());
        for zero in ZEROS.iter().take(DEPTH) {
            path.push(*level.get(place ^ 1).unwrap_or(zero));
            level = level
                .chunks(2)
                .map(|pair| node(&pair[0], pair.get(1).unwrap_or(zero)).unwrap())
                .collect();
            place /= 2;
        }
        let leaf = std::mem::replace(&mut self.leaves[index as usize], NO_LEAF);
        let number = self.account.number;
        self.account.remove(&leaf, index, &path, number, now).unwrap();
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            now: 1_750_000_000,
            ..Self::default()
        }
    }

    /// The bytes of the chain's next event; its chain moves on.
    pub(crate) fn event<E: Chained>(&mut self, subject: &Id, event: impl FnOnce(Link) -> E) -> Vec<u8> {
        self.now += 7;
        let chain = self
            .heads
            .entry((E::CHAIN, *subject))
            .or_insert_with(|| Chain::begin(E::CHAIN, subject));
        chain
            .extend(subject, self.now, event)
            .unwrap_or_else(|_| panic!("chain full"))
            .data()
    }

    /// A transaction with one instruction for each group of events.
    pub(crate) fn add(&mut self, groups: &[&[Vec<u8>]]) -> &mut Transaction {
        let mut calls = Vec::new();
        for (outer, events) in groups.iter().enumerate() {
            calls.push(instruction(outer));
            for (inner, bytes) in events.iter().enumerate() {
                calls.push(emission(outer, inner, bytes));
            }
        }
        self.push(calls)
    }

    /// A transaction of one instruction that emits one event.
    pub(crate) fn emit<E: Chained>(&mut self, subject: &Id, event: impl FnOnce(Link) -> E) {
        let bytes = self.event(subject, event);
        self.add(&[&[bytes]]);
    }

    /// A transaction that failed; whatever it did was undone.
    pub(crate) fn add_failed(&mut self) {
        let events = [vec![1, 2, 3]];
        self.failed.push(self.transactions.len());
        self.add(&[&events]);
    }

    /// Three transactions to a slot, so that the order within a slot matters.
    pub(crate) fn push(&mut self, calls: Vec<Call>) -> &mut Transaction {
        let index = self.transactions.len();
        let slot = 100 + index as u64 / 3;
        self.transactions.push(Transaction {
            signature: signature(index),
            slot,
            blockhash: blockhash(slot),
            block_time: Some(1_750_000_000 + slot as i64),
            calls,
        });
        self.transactions.last_mut().unwrap()
    }

    pub(crate) fn is_failed(&self, index: usize) -> bool {
        self.failed.contains(&index)
    }

    /// Events in the first so many transactions.
    pub(crate) fn events_in(&self, transactions: usize) -> usize {
        let of = |(index, transaction): (usize, &Transaction)| match self.is_failed(index) {
            true => 0,
            false => transaction.calls.iter().filter(|call| is_event(call)).count(),
        };
        self.transactions.iter().take(transactions).enumerate().map(of).sum()
    }

    pub(crate) fn events(&self) -> usize {
        self.events_in(self.transactions.len())
    }
}

pub(crate) fn signature(index: usize) -> [u8; 64] {
    let mut signature = [7; 64];
    // Not in the order of time, as real ones are not.
    signature[0] = (index as u8).wrapping_mul(37);
    signature[1..9].copy_from_slice(&(index as u64).to_le_bytes());
    signature
}

pub(crate) fn blockhash(slot: u64) -> [u8; 32] {
    let mut hash = [9; 32];
    hash[..8].copy_from_slice(&slot.to_le_bytes());
    hash
}

/// An outer call of our program.
pub(crate) fn instruction(outer: usize) -> Call {
    Call {
        outer: outer as u16,
        inner: None,
        depth: 1,
        program: chartseal_program::ID,
        accounts: vec![Address::new_from_array([1; 32])],
        data: vec![1, 2, 3, 4, 5, 6, 7, 8],
    }
}

/// The program's call to itself that carries an event.
pub(crate) fn emission(outer: usize, inner: usize, bytes: &[u8]) -> Call {
    Call {
        outer: outer as u16,
        inner: Some(inner as u16),
        depth: 2,
        program: chartseal_program::ID,
        accounts: vec![event_authority()],
        data: [EVENT_IX_TAG_LE, bytes].concat(),
    }
}

fn is_event(call: &Call) -> bool {
    call.inner.is_some()
        && call.program == chartseal_program::ID
        && call.accounts == [event_authority()]
        && call.data.starts_with(EVENT_IX_TAG_LE)
}
