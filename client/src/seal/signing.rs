//! Encrypted shards become data items: whole, or in pieces for several stores. What is signed is hashed by SHA-384, which
//! takes longer than encrypting; several payloads of one length are hashed side by side, so shards are signed in batches.

use bytes::Bytes;
use chartseal_kernels::hash;

use super::SealError;
use super::manifest::ShardEntry;
use super::placing::{Piece, Placing};
use super::pool::Pooled;
use super::shard::SealedShard;
use crate::keys::StorageKey;
use crate::store::ans104::{self, HEADER_LEN};
use crate::store::{Code, SignedItem};

/// Payloads that are hashed side by side: the lanes of a 512-bit register.
pub(super) const LANES: usize = 8;

/// A shard that is ready for the stores.
pub(super) struct SignedShard {
    pub(super) number: u32,
    pub(super) entry: ShardEntry,
    pub(super) placed: Placed,
    /// The one item for every store, or item `i` for store `i`.
    pub(super) items: Vec<SignedItem>,
    /// The shard that pieces were made of. They are not in the pool, but as long as this is, no further shard is begun.
    pub(super) _room: Option<Pooled>,
}

/// What the manifest says of one shard's items.
pub(super) enum Placed {
    Whole([u8; 64]),
    Spread(Vec<Piece>),
}

/// Shards to be signed together under this code: as many as are worth it.
pub(super) fn batch_len(code: Code) -> usize {
    if code.data < 2 {
        LANES
    } else {
        // Pieces of a shard have one length too.
        LANES.div_ceil(code.pieces())
    }
}

/// Makes the data items of some shards.
pub(super) fn sign(batch: Vec<SealedShard>, code: Code, key: &StorageKey) -> Result<Vec<SignedShard>, SealError> {
    if code.data < 2 {
        Ok(sign_whole(batch, key))
    } else {
        sign_pieces(batch, code, key)
    }
}

fn sign_whole(batch: Vec<SealedShard>, key: &StorageKey) -> Vec<SignedShard> {
    let payloads: Vec<&[u8]> = batch.iter().map(SealedShard::payload).collect();
    let hashes = hash::sha384_each(&payloads);
    let signed = batch.into_iter().zip(hashes).map(|(shard, sha384)| {
        let SealedShard {
            number,
            mut buffer,
            entry,
        } = shard;
        let len = buffer.len;
        let item = buffer.bytes.get_mut(..len).unwrap_or_default();
        let signature = ans104::write_header_over(item, &sha384, key);
        SignedShard {
            number,
            entry,
            placed: Placed::Whole(signature),
            items: vec![SignedItem::from_parts(
                ans104::item_id(&signature),
                Bytes::from_owner(buffer),
            )],
            _room: None,
        }
    });
    signed.collect()
}

fn sign_pieces(batch: Vec<SealedShard>, code: Code, key: &StorageKey) -> Result<Vec<SignedShard>, SealError> {
    let mut shards = Vec::with_capacity(batch.len());
    for SealedShard { number, buffer, entry } in batch {
        let payload = buffer.as_ref().get(HEADER_LEN..).unwrap_or_default();
        let pieces = code.cut(payload)?;
        shards.push((number, entry, pieces, buffer));
    }
    let pieces: Vec<&[u8]> = shards
        .iter()
        .flat_map(|(_, _, pieces, _)| pieces)
        .map(Vec::as_slice)
        .collect();
    let hashes = hash::sha256_each(&pieces).into_iter().zip(hash::sha384_each(&pieces));
    let mut hashes = hashes.collect::<Vec<_>>().into_iter();
    let signed = shards.into_iter().map(|(number, entry, pieces, room)| {
        let items = pieces.iter().zip(hashes.by_ref()).map(|(piece, (sha256, sha384))| {
            let mut bytes = vec![0; HEADER_LEN];
            bytes.extend_from_slice(piece);
            let signature = ans104::write_header_over(&mut bytes, &sha384, key);
            let item = SignedItem::from_parts(ans104::item_id(&signature), bytes.into());
            (Piece { signature, sha256 }, item)
        });
        let (placed, items) = items.unzip();
        SignedShard {
            number,
            entry,
            placed: Placed::Spread(placed),
            items,
            _room: Some(room),
        }
    });
    Ok(signed.collect())
}

/// A place for a shard that is not signed: of the length that a signed one has.
pub(super) fn unsigned(code: Code) -> Placed {
    let (signature, sha256) = ([0; 64], [0; 32]);
    if code.data < 2 {
        Placed::Whole(signature)
    } else {
        Placed::Spread(vec![Piece { signature, sha256 }; code.pieces()])
    }
}

/// The placing of all shards, in their order.
pub(super) fn placing(code: Code, placed: Vec<Placed>) -> Placing {
    if code.data < 2 {
        let whole = placed.into_iter().filter_map(|shard| match shard {
            Placed::Whole(signature) => Some(signature),
            Placed::Spread(_) => None,
        });
        return Placing::Whole(whole.collect());
    }
    let pieces = placed.into_iter().flat_map(|shard| match shard {
        Placed::Spread(pieces) => pieces,
        Placed::Whole(_) => Vec::new(),
    });
    Placing::Spread {
        data: code.data,
        parity: code.parity,
        pieces: pieces.collect(),
    }
}
