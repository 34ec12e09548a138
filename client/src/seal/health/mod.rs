//! What each store has of a record, and making good what is lost. Every copy and every piece is fetched and held against
//! the manifest, which is held against the chain; what is missing or damaged is made anew from any that are enough, as
//! the very data item that it was, and is read back before it counts. It takes no key and no right: a record's author
//! may be gone. At no time more than a few shards are in memory.

mod survey;

use std::collections::BTreeMap;
use std::fmt;

use self::survey::Survey;
use super::{OnChain, OpenError, ProgressFn};
use crate::keys::StorageKey;
use crate::store::{BlobStore, Stores};

/// A part of a record that stores keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The manifest, whole at each.
    Manifest,
    /// A shard, from 0: whole at each, or a piece of it at each.
    Shard(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest"),
            Self::Shard(number) => write!(f, "shard {number}"),
        }
    }
}

/// What a store has of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// What it must have.
    Good,
    /// Nothing.
    Missing,
    /// Something else.
    Damaged,
    /// It does not say.
    Unreachable(String),
}

impl State {
    /// A word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// What is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of what.
    pub part: Part,
    /// At which store, from 0.
    pub store: usize,
    /// What is there instead.
    pub state: State,
}

/// A part of which too little is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostPart {
    /// Which.
    pub part: Part,
    /// Copies or pieces that are good, wherever they are.
    pub good: usize,
    /// How many it takes.
    pub needed: usize,
    /// Stores that did not say whether they have theirs: what is lost may come back with them.
    pub unreachable: usize,
}

/// How a record is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What the stores are called.
    pub stores: Vec<String>,
    /// Parts that were looked at.
    pub parts: usize,
    /// Whatever is not good, by part and store.
    pub faults: Vec<Fault>,
    /// What cannot be read any more.
    pub lost: Vec<LostPart>,
}

impl Health {
    /// Whether every store has all that it must have.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.lost.is_empty()
    }

    /// Whether the record can be read from what is good.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.lost.is_empty()
    }

    /// How many parts a store has in a state other than good.
    #[must_use]
    pub fn count(&self, store: usize, is: impl Fn(&State) -> bool) -> usize {
        let faults = self.faults.iter();
        faults.filter(|fault| fault.store == store && is(&fault.state)).count()
    }

    fn add(&mut self, part: Part, needed: usize, elsewhere: usize, states: Vec<State>) {
        self.parts += 1;
        let good = elsewhere + states.iter().filter(|state| **state == State::Good).count();
        if good < needed {
            let unreachable = |state: &&State| matches!(state, State::Unreachable(_));
            self.lost.push(LostPart {
                part,
                good,
                needed,
                unreachable: states.iter().filter(unreachable).count(),
            });
        }
        let bad = states
            .into_iter()
            .enumerate()
            .filter(|(_, state)| *state != State::Good);
        self.faults
            .extend(bad.map(|(store, state)| Fault { part, store, state }));
    }
}

/// What a repair came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// How the record was kept.
    pub before: Health,
    /// How it is kept now.
    pub after: Health,
    /// Copies and pieces that were made anew, stored, and read back.
    pub restored: u64,
    /// Stores that did not take theirs, from 0, and the first reason that each gave.
    pub refused: BTreeMap<usize, String>,
}

/// Looks at all that stores have of a record.
///
/// # Errors
/// [`OpenError`] where a good manifest was found and is not usable. Whatever stores do is part of the answer.
pub async fn health<S: BlobStore>(
    locator: [u8; 32],
    on_chain: &OnChain,
    stores: &Stores<S>,
    progress: ProgressFn<'_>,
) -> Result<Health, OpenError> {
    Ok(Survey::new(stores, None, progress)
        .of(locator, on_chain, false)
        .await?
        .before)
}

/// Looks at all that stores have of a record, and stores anew what is not good, where enough is. The `signer` is asked
/// only for a manifest whose signature no store can tell: if it is the record's author, it can sign that again.
///
/// # Errors
/// As [`health`]. A store that does not take its part keeps its fault in the answer.
pub async fn repair<S: BlobStore>(
    locator: [u8; 32],
    on_chain: &OnChain,
    stores: &Stores<S>,
    signer: Option<&StorageKey>,
    progress: ProgressFn<'_>,
) -> Result<Repaired, OpenError> {
    Survey::new(stores, signer, progress).of(locator, on_chain, true).await
}
