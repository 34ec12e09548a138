//! The tree of anonymous grants off chain.

use crate::{DEPTH, Field};

/// The way from a leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Which leaf, from the left, beginning with 0.
    pub index: u32,
    /// The nodes beside the way, the leaf's first.
    pub siblings: [Field; DEPTH],
}
