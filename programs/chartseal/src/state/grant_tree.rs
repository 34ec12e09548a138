use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::{
    log::{Chain, ChainKind},
    membership::{node, Field, CAPACITY, DEPTH, NO_LEAF, ZEROS},
    seeds::Id,
    ChartsealError,
};

/// Roots that a tree remembers: a proof takes a second, and others change the tree meanwhile.
pub const ROOTS: usize = 64;

/// Changes that a tree remembers whole, so that paths which were read before them can be mended.
pub const CHANGES: usize = 10;

/// Seconds after which a revocation makes every root before it void. Together, so that a revocation does not undo at
/// once what everybody else is just proving. For the record itself it counts at once (see `AnonymousSet`).
pub const FLOOR_DELAY: i64 = 60;

/// Grants without a name, as leaves of a tree of depth 20 (see [`crate::membership`]). Seeds: `tree`, id.
#[account]
#[derive(Debug)]
pub struct GrantTree {
    pub id: Id,
    pub chain: Chain,
    /// How often the tree was changed: the number of its newest root. Without leaves it has root 0.
    pub number: u64,
    /// Leaves that were ever made.
    pub leaves: u64,
    /// Number of the first root that counts.
    pub floor: u64,
    /// What the floor rises to, [`FLOOR_DELAY`] after `pending_since`.
    pub pending_floor: u64,
    /// Seconds since 1970.
    pub pending_since: i64,
    /// On each level the last node that is a left one: what the next leaf's path needs.
    pub frontier: [Field; DEPTH],
    /// The newest roots; the one of number n stands at n modulo 64.
    pub roots: [Field; ROOTS],
    /// The newest changes; the one that made root n stands at n modulo 10.
    pub changes: [Change; CHANGES],
    pub bump: u8,
    pub reserved: [u8; 7],
}

/// What one change wrote.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Change {
    /// Place of the leaf, from 0.
    pub index: u64,
    /// The leaf and what stands above it, without the root.
    pub nodes: [Field; DEPTH],
}

impl GrantTree {
    /// A tree without leaves. The account is new.
    pub fn begin(&mut self, id: &Id, bump: u8) {
        self.id = *id;
        self.bump = bump;
        self.chain = Chain::begin(ChainKind::Tree, id);
        self.roots[0] = ZEROS[DEPTH];
    }

    /// The newest root.
    pub fn root(&self) -> &Field {
        &self.roots[place(self.number, ROOTS)]
    }

    /// The root of this number, if it is remembered and no revocation has made it void by now.
    ///
    /// # Errors
    /// [`ChartsealError::StaleRoot`].
    pub fn accepted(&self, number: u64, now: i64) -> Result<&Field> {
        let age = self.number.checked_sub(number).ok_or(ChartsealError::StaleRoot)?;
        let remembered = age < ROOTS as u64;
        require!(remembered && number >= self.floor_at(now), ChartsealError::StaleRoot);
        Ok(&self.roots[place(number, ROOTS)])
    }

    /// Number of the first root that counts at this time, in seconds since 1970.
    pub fn floor_at(&self, now: i64) -> u64 {
        if now.saturating_sub(self.pending_since) >= FLOOR_DELAY {
            self.pending_floor
        } else {
            self.floor
        }
    }

    /// Adds a leaf: its place.
    ///
    /// # Errors
    /// [`ChartsealError::TreeFull`]; [`ChartsealError::NotAField`] of a leaf that is none.
    #[allow(clippy::needless_range_loop)] // Several arrays are walked level by level.
    pub fn append(&mut self, leaf: &Field) -> Result<u32> {
        let index = u32::try_from(self.leaves).unwrap_or(CAPACITY);
        require!(index < CAPACITY, ChartsealError::TreeFull);
        let mut change = Change {
            index: index.into(),
            nodes: ZEROS_BELOW_ROOT,
        };
        let mut hash = *leaf;
        for level in 0..DEPTH {
            change.nodes[level] = hash;
            hash = if (index >> level) & 1 == 0 {
                self.frontier[level] = hash;
                node(&hash, &ZEROS[level])?
            } else {
                node(&self.frontier[level], &hash)?
            };
        }
        self.leaves += 1;
        self.keep(change, &hash)?;
        Ok(index)
    }

    /// Takes a leaf out, which stood at this place when the root of number `read_at` was the newest: `path` are its
    /// siblings then, from below; the empty ones at the end may be left out.
    ///
    /// # Errors
    /// [`ChartsealError::StalePath`] where more has changed since than is remembered; [`ChartsealError::NotInTree`].
    #[allow(clippy::needless_range_loop)] // The same.
    pub fn remove(&mut self, leaf: &Field, index: u32, path: &[Field], read_at: u64, now: i64) -> Result<()> {
        let place_of_leaf = u64::from(index);
        require!(
            path.len() <= DEPTH && place_of_leaf < self.leaves && *leaf != NO_LEAF,
            ChartsealError::NotInTree
        );
        let mut siblings = ZEROS_BELOW_ROOT;
        siblings[..path.len()].copy_from_slice(path);
        self.mend(&mut siblings, place_of_leaf, read_at)?;
        require!(
            root_of(leaf, place_of_leaf, &siblings)? == *self.root(),
            ChartsealError::NotInTree
        );

        let last = self.leaves - 1;
        let mut change = Change {
            index: place_of_leaf,
            nodes: ZEROS_BELOW_ROOT,
        };
        let mut hash = NO_LEAF;
        for level in 0..DEPTH {
            change.nodes[level] = hash;
            let at = place_of_leaf >> level;
            if at == (last >> level) & !1 {
                self.frontier[level] = hash;
            }
            hash = joined(at, &hash, &siblings[level])?;
        }
        self.keep(change, &hash)?;
        self.raise_floor(now);
        Ok(())
    }

    /// Puts what has changed since into a path that was read then.
    fn mend(&self, siblings: &mut [Field; DEPTH], index: u64, read_at: u64) -> Result<()> {
        let missed = self.number.checked_sub(read_at).ok_or(ChartsealError::StalePath)?;
        require!(missed <= CHANGES as u64, ChartsealError::StalePath);
        for number in (read_at..self.number).map(|before| before + 1) {
            let change = &self.changes[place(number, CHANGES)];
            // Where the two paths meet, the changed one is the sibling just below.
            let apart = change.index ^ index;
            require!(apart != 0, ChartsealError::NotInTree);
            let level = apart.ilog2() as usize;
            *siblings.get_mut(level).ok_or(ChartsealError::StalePath)? = change.nodes[level];
        }
        Ok(())
    }

    fn keep(&mut self, change: Change, root: &Field) -> Result<()> {
        self.number = self.number.checked_add(1).ok_or(ChartsealError::Overflow)?;
        self.changes[place(self.number, CHANGES)] = change;
        self.roots[place(self.number, ROOTS)] = *root;
        Ok(())
    }

    /// The roots before the newest do not count any more, from a while from now.
    fn raise_floor(&mut self, now: i64) {
        self.floor = self.floor_at(now);
        if self.pending_floor <= self.floor {
            self.pending_since = now;
        }
        self.pending_floor = self.number;
    }
}

const ZEROS_BELOW_ROOT: [Field; DEPTH] = {
    let mut zeros = [NO_LEAF; DEPTH];
    let mut level = 0;
    while level < DEPTH {
        zeros[level] = ZEROS[level];
        level += 1;
    }
    zeros
};

// What remains of a division by a length is less than that.
#[allow(clippy::cast_possible_truncation)]
fn place(number: u64, length: usize) -> usize {
    (number % length as u64) as usize
}

fn joined(at: u64, hash: &Field, sibling: &Field) -> Result<Field> {
    if at & 1 == 0 {
        node(hash, sibling)
    } else {
        node(sibling, hash)
    }
}

fn root_of(leaf: &Field, index: u64, siblings: &[Field; DEPTH]) -> Result<Field> {
    let mut hash = *leaf;
    for (level, sibling) in siblings.iter().enumerate() {
        hash = joined(index >> level, &hash, sibling)?;
    }
    Ok(hash)
}
