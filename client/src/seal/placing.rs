//! Where the payloads of a record's shards are, as the manifest says it: each whole, in one data item that every store
//! keeps alike; or each cut into pieces by an erasure code, a data item and a store for each piece. What is named is
//! the signature of an item: its hash is the item's id, and with it and the bytes anybody can make the item again, so
//! that a lost one can be repaired without the key that signed it.

use borsh::{BorshDeserialize, BorshSerialize};

use super::ManifestError;
use crate::store::{Code, ItemId, ans104};

/// A piece of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Piece {
    /// The signature of its data item.
    pub signature: [u8; 64],
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Piece {
    /// The id of its data item.
    #[must_use]
    pub fn item(&self) -> ItemId {
        ans104::item_id(&self.signature)
    }
}

/// The data items of a record's shards.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Placing {
    /// The signature of each shard's item.
    Whole(Vec<[u8; 64]>),
    /// The pieces of all shards, those of the first one first.
    Spread {
        /// Pieces that are enough, at least 2.
        data: u8,
        /// Pieces that may be lost.
        parity: u8,
        /// `data + parity` for each shard.
        pieces: Vec<Piece>,
    },
}

/// The items of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The signature of its one item.
    Whole(&'a [u8; 64]),
    /// Its pieces, piece `i` at store `i`.
    Spread(Code, &'a [Piece]),
}

impl Placing {
    /// How shards are spread.
    #[must_use]
    pub fn code(&self) -> Code {
        match *self {
            Self::Whole(_) => Code::ONE,
            Self::Spread { data, parity, .. } => Code { data, parity },
        }
    }

    /// The items of a shard.
    #[must_use]
    pub fn of(&self, shard: usize) -> Option<Place<'_>> {
        match self {
            Self::Whole(signatures) => signatures.get(shard).map(Place::Whole),
            Self::Spread { pieces, .. } => {
                let each = self.code().pieces();
                let start = shard.checked_mul(each)?;
                let pieces = pieces.get(start..start.checked_add(each)?)?;
                Some(Place::Spread(self.code(), pieces))
            }
        }
    }

    pub(super) fn check(&self, shards: usize) -> Result<(), ManifestError> {
        let listed = match self {
            Self::Whole(signatures) => signatures.len(),
            Self::Spread { data, .. } if *data < 2 || self.code().checked().is_err() => {
                return Err(ManifestError::BadShards("their code is not one of ours"));
            }
            Self::Spread { pieces, .. } if !pieces.len().is_multiple_of(self.code().pieces()) => {
                return Err(ManifestError::BadShards("a shard has too few pieces"));
            }
            Self::Spread { pieces, .. } => pieces.len() / self.code().pieces(),
        };
        if listed == shards {
            Ok(())
        } else {
            Err(ManifestError::BadShards("there are more or fewer of them than items"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PIECE: Piece = Piece {
        signature: [1; 64],
        sha256: [2; 32],
    };

    #[test]
    fn every_shard_has_all_its_pieces() {
        let spread = |data, parity, pieces| Placing::Spread {
            data,
            parity,
            pieces: vec![PIECE; pieces],
        };
        spread(4, 2, 12).check(2).unwrap();
        assert!(matches!(spread(4, 2, 12).of(1), Some(Place::Spread(_, pieces)) if pieces.len() == 6));
        assert!(spread(4, 2, 12).of(2).is_none());
        for (wrong, shards) in [
            (spread(4, 2, 11), 2),
            (spread(4, 2, 12), 3),
            (spread(1, 2, 6), 2),
            (spread(0, 0, 0), 1),
            (Placing::Whole(vec![[0; 64]]), 2),
        ] {
            assert!(wrong.check(shards).is_err(), "{wrong:?}");
        }
    }
}
