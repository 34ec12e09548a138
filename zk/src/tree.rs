//! The tree of anonymous grants off chain: all of it, where the account on chain keeps only what it needs to go on. Readers
//! and patients take paths from it. A path that was read a while ago is mended by the changes since, without the tree.

use chartseal_program::{
    membership::{CAPACITY, NO_LEAF, ZEROS, node},
    state::Change,
};
use thiserror::Error;

use crate::{DEPTH, Field, NotCanonical};

/// Why a tree or a path does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A leaf or a node is no field element.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// All leaves are taken.
    #[error("all {CAPACITY} leaves of the tree are taken; open another tree")]
    Full,
    /// No leaf was made at this place.
    #[error("no leaf was made at place {0} of the tree; read the tree anew if one was made since")]
    NoSuchLeaf(u32),
    /// The leaf was revoked.
    #[error("the leaf at place {0} of the tree was revoked")]
    Revoked(u32),
    /// A change that does not follow upon what is known.
    #[error("after root {have} comes the change to root {}, not the one to root {got}; apply all changes in their order", have + 1)]
    Gap {
        /// Number of the newest root that is known.
        have: u64,
        /// Number of the root that the change made.
        got: u64,
    },
}

/// All leaves, and every node that has a leaf below it.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The nodes of each level from the left, the leaves first; what is not there is empty.
    levels: [Vec<Field>; DEPTH + 1],
    number: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            levels: std::array::from_fn(|_| Vec::new()),
            number: 0,
        }
    }
}

impl Tree {
    /// A tree without leaves: its root has the number 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree with these leaves, of which those that are zero were revoked: faster than one by one. What number its root
    /// has, only the chain knows.
    ///
    /// # Errors
    /// A leaf is no field element; there are more than the tree has room for.
    pub fn from_leaves(leaves: Vec<Field>, number: u64) -> Result<Self, TreeError> {
        if leaves.len() > CAPACITY as usize {
            return Err(TreeError::Full);
        }
        let mut tree = Self {
            number,
            ..Self::default()
        };
        let mut nodes = leaves;
        for (level, zero) in ZEROS.iter().enumerate().take(DEPTH) {
            let above = nodes
                .chunks(2)
                .map(|pair| join(&pair[0], pair.get(1).unwrap_or(zero)))
                .collect::<Result<_, _>>()?;
            tree.levels[level] = std::mem::replace(&mut nodes, above);
        }
        tree.levels[DEPTH] = nodes;
        Ok(tree)
    }

    /// The root.
    pub fn root(&self) -> Field {
        self.node(DEPTH, 0)
    }

    /// Number of the root: how often the tree was changed.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many leaves were ever made.
    pub fn leaves(&self) -> u32 {
        // As many as there is room for at most, which is checked where they are made.
        u32::try_from(self.levels[0].len()).unwrap_or(CAPACITY)
    }

    /// The leaf at a place, zero if it was revoked; none if none was made.
    pub fn leaf(&self, index: u32) -> Option<&Field> {
        self.levels[0].get(index as usize)
    }

    /// Adds a leaf at the next place.
    ///
    /// # Errors
    /// The tree is full; the leaf is no field element.
    pub fn append(&mut self, leaf: &Field) -> Result<Change, TreeError> {
        let index = self.leaves();
        if index >= CAPACITY {
            return Err(TreeError::Full);
        }
        self.write(index, leaf)
    }

    /// Takes a leaf out: it becomes zero.
    ///
    /// # Errors
    /// There is no such leaf, or not any more.
    pub fn revoke(&mut self, index: u32) -> Result<Change, TreeError> {
        match self.leaf(index) {
            None => Err(TreeError::NoSuchLeaf(index)),
            Some(&NO_LEAF) => Err(TreeError::Revoked(index)),
            Some(_) => self.write(index, &NO_LEAF),
        }
    }

    /// The path of a leaf to the newest root.
    ///
    /// # Errors
    /// There is no such leaf, or not any more.
    pub fn path(&self, index: u32) -> Result<Path, TreeError> {
        match self.leaf(index) {
            None => Err(TreeError::NoSuchLeaf(index)),
            Some(&NO_LEAF) => Err(TreeError::Revoked(index)),
            Some(_) => {
                let sibling = |level: usize| self.node(level, (index as usize >> level) ^ 1);
                Ok(Path {
                    index,
                    number: self.number,
                    siblings: std::array::from_fn(sibling),
                })
            }
        }
    }

    fn node(&self, level: usize, at: usize) -> Field {
        self.levels[level].get(at).copied().unwrap_or(ZEROS[level])
    }

    /// Computes everything above a leaf before it writes any of it, so that a failure changes nothing.
    fn write(&mut self, index: u32, leaf: &Field) -> Result<Change, TreeError> {
        let mut change = Change {
            index: index.into(),
            nodes: [NO_LEAF; DEPTH],
        };
        let mut hash = *leaf;
        for (level, kept) in change.nodes.iter_mut().enumerate() {
            *kept = hash;
            let at = index as usize >> level;
            let sibling = self.node(level, at ^ 1);
            hash = if at & 1 == 0 {
                join(&hash, &sibling)
            } else {
                join(&sibling, &hash)
            }?;
        }
        for (level, node) in change.nodes.iter().chain([&hash]).enumerate() {
            let (nodes, at) = (&mut self.levels[level], index as usize >> level);
            match nodes.get_mut(at) {
                Some(kept) => *kept = *node,
                None => nodes.push(*node),
            }
        }
        self.number += 1;
        Ok(change)
    }
}

/// The way from a leaf to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Which leaf, from the left, beginning with 0.
    pub index: u32,
    /// Number of the root that it leads to.
    pub number: u64,
    /// The nodes beside the way, the leaf's first.
    pub siblings: [Field; DEPTH],
}

impl Path {
    /// The root that a leaf has by this path.
    ///
    /// # Errors
    /// The leaf or a node is no field element.
    pub fn root(&self, leaf: &Field) -> Result<Field, TreeError> {
        let levels = self.siblings.iter().enumerate();
        levels.clone().try_fold(*leaf, |hash, (level, sibling)| {
            if self.index >> level & 1 == 0 {
                join(&hash, sibling)
            } else {
                join(sibling, &hash)
            }
        })
    }

    /// Leads to the next root, after a change that made it.
    ///
    /// # Errors
    /// [`TreeError::Gap`] where another change comes first; [`TreeError::Revoked`] where the change is of this very leaf.
    pub fn mend(&mut self, number: u64, change: &Change) -> Result<(), TreeError> {
        if self.number.checked_add(1) != Some(number) {
            return Err(TreeError::Gap {
                have: self.number,
                got: number,
            });
        }
        // Where the two ways meet, the changed one is the sibling just below.
        let apart = change.index ^ u64::from(self.index);
        let level = apart.checked_ilog2().ok_or(TreeError::Revoked(self.index))?;
        let sibling = self
            .siblings
            .get_mut(level as usize)
            .ok_or(TreeError::NoSuchLeaf(self.index))?;
        *sibling = change.nodes[level as usize];
        self.number = number;
        Ok(())
    }

    /// The siblings without the empty ones at the end, as the program's instructions take them.
    pub fn trimmed(&self) -> &[Field] {
        let empty = self
            .siblings
            .iter()
            .zip(&ZEROS)
            .rev()
            .take_while(|(sibling, zero)| sibling == zero)
            .count();
        &self.siblings[..DEPTH - empty]
    }
}

fn join(left: &Field, right: &Field) -> Result<Field, TreeError> {
    node(left, right).map_err(|_| {
        NotCanonical {
            what: "a leaf or a node of the tree",
        }
        .into()
    })
}
