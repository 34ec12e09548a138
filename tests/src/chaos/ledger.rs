//! A ledger that forks: blocks that everybody takes for confirmed, and some of which turn out to be on a branch that dies.
//! Of what stood in those, some comes again in another block, some much later, some never. What a seed makes does not
//! depend on how fast it is read. What is final never changes.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};
use solana_address::Address;

use super::world::{Executed, Signed, World, bytes};
use crate::kills::Dice;

/// A block is final once so many slots came after it.
const FINAL_AFTER: u64 = 12;
/// A dying branch has so many slots at most.
const LONGEST_BRANCH: u64 = 6;
/// Of a hundred slots, how many begin a branch that dies, and how many are skipped.
const FORKS: u64 = 9;
const SKIPPED: u64 = 8;
/// Transactions that are new in a slot, at most.
const NEW: u64 = 5;

/// A block, with what its transactions did.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) slot: u64,
    pub(super) hash: [u8; 32],
    pub(super) parent: (u64, [u8; 32]),
    pub(super) time: i64,
    pub(super) transactions: Vec<Executed>,
}

/// What happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Happened {
    /// Branches that died.
    pub(super) forks: u64,
    /// Transactions that stood in a block that was dropped ...
    pub(super) dropped: u64,
    /// ... and stand in another one now.
    pub(super) again: u64,
    /// Transactions of the branch that lives.
    pub(super) transactions: u64,
    /// Those of them that failed.
    pub(super) failed: u64,
}

/// The ledger, at its tip.
pub(super) struct Ledger {
    world: World,
    blocks: Vec<Block>,
    slot: u64,
    settled: u64,
    begin: VecDeque<Signed>,
    /// Where the ledger goes on from, once the branch that it is on has died.
    fork: Option<Fork>,
    /// What will be sent again, and in which slot.
    again: Vec<(u64, Signed)>,
    /// What stands in blocks that are not final, as it was sent.
    sent: Vec<(u64, Signed)>,
    happened: Happened,
    dice: Dice,
    /// Nothing new comes.
    closed: bool,
}

struct Fork {
    world: World,
    blocks: usize,
    from: u64,
    until: u64,
}

impl Ledger {
    pub(super) fn new(seed: u64) -> Result<Self> {
        let mut dice = Dice::new(seed);
        let (world, begin) = World::new(&mut dice)?;
        Ok(Self {
            world,
            blocks: vec![Block {
                slot: 0,
                hash: bytes(&mut dice),
                parent: (0, [0; 32]),
                time: 0,
                transactions: Vec::new(),
            }],
            slot: 0,
            settled: 0,
            begin: begin.into(),
            fork: None,
            again: Vec::new(),
            sent: Vec::new(),
            happened: Happened::default(),
            dice,
            closed: false,
        })
    }

    /// The blocks of the branch that everybody sees, oldest first.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The newest slot.
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }

    /// The newest slot that is final.
    pub(super) fn final_slot(&self) -> u64 {
        self.settled
    }

    /// The blocks that the next slot drops, and in which something succeeded.
    pub(super) fn doomed(&self) -> Vec<[u8; 32]> {
        let Some(fork) = self.fork.as_ref().filter(|fork| fork.until <= self.slot) else {
            return Vec::new();
        };
        let dropped = self.blocks.iter().skip(fork.blocks);
        let has_events = |block: &&Block| block.transactions.iter().any(|executed| executed.error.is_none());
        dropped.filter(has_events).map(|block| block.hash).collect()
    }

    /// What a dying branch grows from is final at most, and not what is on it. What is final stays so.
    fn settle(&mut self) {
        let settled = self.slot.saturating_sub(FINAL_AFTER);
        let settled = self.fork.as_ref().map_or(settled, |fork| settled.min(fork.from));
        self.settled = self.settled.max(settled);
    }

    /// Every account of the program at the tip.
    pub(super) fn accounts(&self) -> Vec<(Address, Vec<u8>)> {
        self.world.accounts()
    }

    pub(super) fn happened(&self) -> Happened {
        let transactions = self.blocks.iter().flat_map(|block| &block.transactions);
        let failed = transactions.clone().filter(|executed| executed.error.is_some()).count();
        Happened {
            transactions: transactions.count() as u64,
            failed: failed as u64,
            ..self.happened
        }
    }

    /// From now on only what is under way still comes, and no branch begins.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether everything is final that there will be.
    pub(super) fn is_settled(&self) -> bool {
        let last = self.blocks.iter().rev().find(|block| !block.transactions.is_empty());
        self.closed
            && self.fork.is_none()
            && self.again.is_empty()
            && last.is_none_or(|block| block.slot <= self.final_slot())
    }

    /// One slot later.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.slot += 1;
        if self.fork.as_ref().is_some_and(|fork| fork.until < self.slot) {
            self.switch();
        }
        if self.fork.is_none() && self.begin.is_empty() && !self.closed && self.dice.below(100) < FORKS {
            self.fork = Some(Fork {
                world: self.world.clone(),
                blocks: self.blocks.len(),
                from: self.slot - 1,
                until: self.slot + self.dice.below(LONGEST_BRANCH),
            });
        }
        if self.dice.below(100) >= SKIPPED {
            self.produce()?;
        }
        self.settle();
        Ok(())
    }

    /// The branch dies. Now and then the new one uses its slots for other blocks.
    fn switch(&mut self) {
        let Some(fork) = self.fork.take() else { return };
        self.world = fork.world;
        let dropped: Vec<Block> = self.blocks.drain(fork.blocks..).collect();
        let from = dropped.first().map_or(self.slot, |block| block.slot);
        self.happened.forks += 1;
        self.happened.dropped += dropped.iter().map(|block| block.transactions.len() as u64).sum::<u64>();
        if self.dice.below(5) == 0 {
            self.slot = fork.from + 1;
        }
        let sent = std::mem::take(&mut self.sent);
        for (slot, signed) in sent {
            if slot < from {
                self.sent.push((slot, signed));
                continue;
            }
            let when = match self.dice.below(20) {
                0..=3 => continue,
                4..=14 => self.slot + self.dice.below(3),
                _ => self.slot + self.dice.below(2 * FINAL_AFTER),
            };
            self.again.push((when, signed));
        }
    }

    fn produce(&mut self) -> Result<()> {
        let parent = self.blocks.last().context("a ledger without blocks")?;
        let parent = (parent.slot, parent.hash);
        let time = self.world.enter(self.slot)?;
        let mut block = Block {
            slot: self.slot,
            hash: bytes(&mut self.dice),
            parent,
            time,
            transactions: Vec::new(),
        };
        let slot = self.slot;
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.again)
            .into_iter()
            .partition(|(at, _)| *at <= slot);
        self.again = later;
        for (_, signed) in now {
            self.happened.again += u64::from(self.include(&mut block, signed));
        }
        let first = self.begin.len().min(3);
        for signed in self.begin.drain(..first).collect::<Vec<_>>() {
            self.include(&mut block, signed);
        }
        if first == 0 && !self.closed {
            for _ in 0..self.dice.below(NEW + 1) {
                let signed = self.world.act(&mut self.dice)?;
                self.include(&mut block, signed);
            }
        }
        self.blocks.push(block);
        let settled = self.settled;
        self.sent.retain(|(slot, _)| *slot > settled);
        Ok(())
    }

    fn include(&mut self, block: &mut Block, signed: Signed) -> bool {
        let executed = self.world.execute(&signed);
        let included = executed.is_some();
        block.transactions.extend(executed);
        if included {
            self.sent.push((block.slot, signed));
        }
        included
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use anchor_lang::event::EVENT_IX_TAG_LE;
    use chartseal_program::{
        events::AnyEvent,
        log::{Chain, ChainKind},
        seeds::Id,
    };

    use super::*;

    /// The events of some blocks, by their names; every chain must be whole.
    fn events(blocks: &[Block]) -> BTreeSet<&'static str> {
        let mut chains: BTreeMap<(ChainKind, Id), Chain> = BTreeMap::new();
        let mut names = BTreeSet::new();
        let calls = blocks
            .iter()
            .flat_map(|block| &block.transactions)
            .filter(|executed| executed.error.is_none())
            .flat_map(|executed| executed.meta.inner_instructions.iter().flatten());
        for bytes in calls.filter_map(|call| call.instruction.data.strip_prefix(EVENT_IX_TAG_LE)) {
            let event = AnyEvent::decode(bytes).unwrap();
            let (kind, link) = (event.chain(), event.link());
            let chain = chains
                .entry((kind, link.subject))
                .or_insert_with(|| Chain::begin(kind, &link.subject));
            *chain = chain.follow(kind, &link.subject, link.seq, bytes).unwrap();
            names.insert(event.name());
        }
        names
    }

    fn hashes(blocks: &[Block], until: u64) -> Vec<(u64, [u8; 32])> {
        let settled = blocks.iter().take_while(|block| block.slot <= until);
        settled.map(|block| (block.slot, block.hash)).collect()
    }

    #[test]
    fn branches_die_and_what_is_final_stays() {
        let mut ledger = Ledger::new(11).unwrap();
        let mut settled = Vec::new();
        for _ in 0..400 {
            ledger.advance().unwrap();
            let now = hashes(ledger.blocks(), ledger.final_slot());
            assert!(now.starts_with(&settled));
            settled = now;
            let parents = ledger.blocks().windows(2);
            assert!(
                parents
                    .clone()
                    .all(|pair| pair[1].parent == (pair[0].slot, pair[0].hash))
            );
        }
        let happened = ledger.happened();
        assert!(happened.forks > 10, "{happened:?}");
        assert!(
            happened.dropped > 20 && happened.again > 10 && happened.failed > 5,
            "{happened:?}"
        );
        let names = events(ledger.blocks());
        for name in [
            "PatientOpened",
            "RecordCreated",
            "RecordAmended",
            "RecordErased",
            "GrantCreated",
            "GrantRevoked",
            "PolicySet",
            "AccessRequested",
            "RequestDecided",
            "EmergencyOpened",
            "AccessAllowed",
            "ActionRefused",
            "BatchAnchored",
            "RecordPromoted",
            "DelegateNamed",
            "DelegateRevoked",
            "GuardiansSet",
            "MemberStandingSet",
            "EmergencyReviewed",
        ] {
            assert!(names.contains(name), "{name} is not among {names:?}");
        }
    }

    #[test]
    fn whatever_a_branch_took_away_the_ledger_goes_on() {
        // In the last one a batch comes again to a branch on which its patient never was.
        for seed in (0..8).chain([1_003]) {
            let mut ledger = Ledger::new(seed).unwrap();
            for _ in 0..200 {
                ledger.advance().unwrap();
            }
        }
    }

    #[test]
    fn what_is_doomed_is_dropped_in_the_next_slot() {
        let mut ledger = Ledger::new(11).unwrap();
        let mut seen = 0;
        for _ in 0..200 {
            let doomed = ledger.doomed();
            let forks = ledger.happened().forks;
            ledger.advance().unwrap();
            let mut left = ledger.blocks().iter().map(|block| block.hash);
            assert!(left.all(|hash| !doomed.contains(&hash)));
            if !doomed.is_empty() {
                assert_eq!(ledger.happened().forks, forks + 1);
                seen += 1;
            }
        }
        assert!(seen > 5, "{seen}");
    }

    #[test]
    fn a_seed_makes_the_same_ledger_again_and_it_comes_to_an_end() {
        let run = |seed| {
            let mut ledger = Ledger::new(seed).unwrap();
            for _ in 0..60 {
                ledger.advance().unwrap();
            }
            ledger.close();
            while !ledger.is_settled() {
                ledger.advance().unwrap();
            }
            hashes(ledger.blocks(), u64::MAX)
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }
}
