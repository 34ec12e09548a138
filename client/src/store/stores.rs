//! The stores that a record's bytes go to: one, or several of which any few are enough. With several, each shard is cut
//! into pieces by an erasure code, one piece for each store, and the manifest is kept whole at all of them.

use super::BlobStore;

/// An erasure code: a shard becomes `data` pieces and `parity` more of the same length, and any `data` of them give it
/// back. `1 + m` is a whole copy at each of `1 + m` stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Pieces that are enough, at least 1.
    pub data: u8,
    /// Pieces that may be lost.
    pub parity: u8,
}

impl Code {
    /// One store, which must not lose anything.
    pub const ONE: Self = Self { data: 1, parity: 0 };

    /// Pieces of a shard.
    #[must_use]
    pub fn pieces(&self) -> usize {
        usize::from(self.data) + usize::from(self.parity)
    }
}

/// Stores that keep records together.
#[derive(Debug, Clone)]
pub struct Stores<S> {
    members: Vec<S>,
    code: Code,
}

impl<S: BlobStore> Stores<S> {
    /// A single store.
    #[must_use]
    pub fn one(store: S) -> Self {
        Self {
            members: vec![store],
            code: Code::ONE,
        }
    }

    /// The stores: piece `i` of a shard is at member `i`.
    #[must_use]
    pub fn members(&self) -> &[S] {
        &self.members
    }

    /// How shards are spread over them.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}
