//! The tree that stands behind a batch: one root on chain commits to many records, their order and their number.
//!
//! Its shape is that of RFC 9162, section 2.1, so a batch of any size has exactly one tree and each of its records
//! exactly one path. Leaves, nodes and root are hashed under labels of their own: no node passes for a leaf, no leaf of
//! one batch for one of another, and no list for a longer one.
//!
//! ```text
//! leaf = SHA-256("chartseal/batch-leaf/v1" || program || institution || batch || index (u32 LE) || patient || record
//!                || class (u8) || manifest hash || content root || locator || padded size (u64 LE))
//! node = SHA-256("chartseal/batch-node/v1" || left || right)
//! root = SHA-256("chartseal/batch-root/v1" || count (u32 LE) || the topmost node, or the only leaf)
//! ```

use crate::{events::Content, log::sha256_of, seeds::Id};

/// A SHA-256.
pub type Hash = [u8; 32];

const LEAF: &[u8] = b"chartseal/batch-leaf/v1";
const NODE: &[u8] = b"chartseal/batch-node/v1";
const ROOT: &[u8] = b"chartseal/batch-root/v1";

/// One record of a batch: all that its account will say once it is promoted.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// Id of the institution whose batch it is.
    pub institution: &'a Id,
    pub batch: &'a Id,
    /// Place in the batch, from 0.
    pub index: u32,
    pub patient: &'a Id,
    pub record: &'a Id,
    pub class: u8,
    pub content: &'a Content,
}

impl Leaf<'_> {
    /// What the tree is built over.
    pub fn hash(&self) -> Hash {
        let Content {
            manifest_hash,
            root,
            locator,
            padded_size,
        } = self.content;
        sha256_of(&[
            LEAF,
            crate::ID.as_ref(),
            self.institution,
            self.batch,
            &self.index.to_le_bytes(),
            self.patient,
            self.record,
            &[self.class],
            manifest_hash,
            root,
            locator,
            &padded_size.to_le_bytes(),
        ])
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256_of(&[NODE, left, right])
}

fn root_of(count: u32, top: &Hash) -> Hash {
    sha256_of(&[ROOT, &count.to_le_bytes(), top])
}

/// Whether `path` leads from the leaf of this hash, at this place among so many, to the root (RFC 9162, section
/// 2.1.3.2).
///
/// `path` has the siblings from the leaf upwards. It is refused where it is one longer or shorter than it has to be.
pub fn verify(leaf: &Hash, index: u32, count: u32, path: &[Hash], root: &Hash) -> bool {
    if index >= count {
        return false;
    }
    // Places of the leaf's ancestor and of the last node, in the level that the walk has reached.
    let (mut place, mut last) = (index, count - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            // The last node of a level may have no sibling there: it rises as it is until it has one.
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && root_of(count, &hash) == *root
}

#[cfg(not(target_os = "solana"))]
pub use tree::{levels, Tree};

/// Building the tree: off chain only.
#[cfg(not(target_os = "solana"))]
mod tree {
    use alloc::vec::Vec;

    use super::{node, root_of, Hash};

    /// The levels of a tree of RFC 9162's shape, from the leaves to the single topmost node: neighbours are joined, and
    /// the last node of an odd level rises as it is. `node` joins two. Of no leaves there is one level, and it is
    /// empty.
    pub fn levels(leaves: Vec<Hash>, node: impl Fn(&Hash, &Hash) -> Hash) -> Vec<Vec<Hash>> {
        let mut levels = Vec::new();
        let mut level = leaves;
        while level.len() > 1 {
            let above = level
                .chunks(2)
                .map(|pair| pair.get(1).map_or(pair[0], |right| node(&pair[0], right)))
                .collect();
            levels.push(core::mem::replace(&mut level, above));
        }
        levels.push(level);
        levels
    }

    /// The tree over a batch's leaves. It is built once and then gives the path of each.
    #[derive(Clone, Debug)]
    pub struct Tree {
        count: u32,
        root: Hash,
        levels: Vec<Vec<Hash>>,
    }

    impl Tree {
        /// The tree over the hashes of a batch's leaves, in their order. `None` of no leaves, and of more than 2^32 -
        /// 1.
        pub fn new(leaves: Vec<Hash>) -> Option<Self> {
            let count = u32::try_from(leaves.len()).ok()?;
            let levels = levels(leaves, node);
            let top = *levels.last()?.first()?;
            Some(Self {
                count,
                root: root_of(count, &top),
                levels,
            })
        }

        /// What is anchored.
        pub fn root(&self) -> Hash {
            self.root
        }

        /// How many leaves there are.
        pub fn count(&self) -> u32 {
            self.count
        }

        /// The siblings of a leaf and of its ancestors, from the leaf upwards, as [`verify`](super::verify) wants them.
        /// `None` where there is no such leaf.
        pub fn path(&self, index: u32) -> Option<Vec<Hash>> {
            let mut place = usize::try_from(index).ok()?;
            self.levels.first()?.get(place)?;
            let mut path = Vec::new();
            for level in &self.levels {
                path.extend(level.get(place ^ 1));
                place >>= 1;
            }
            Some(path)
        }
    }
}
