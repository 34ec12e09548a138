//! Shards: up to 64 segments and the list of their leaves, sealed in the buffer in which they travel as a data item.
//! The leaf list lets a reader check any segment against the shard's root without fetching the others.
//!
//! Root: SHA-256(label || number of segments || length of the last sealed one (u32, little-endian) || leaves).

use bytes::Bytes;

use super::leaves::leaves;
use super::manifest::ShardEntry;
use super::pool::{Pool, Pooled};
use super::segment::ShardCipher;
use super::{DataKey, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN};
use crate::CryptoError;
use crate::crypto::{self, TAG_LEN};
use crate::keys::StorageKey;
use crate::store::SignedItem;
use crate::store::ans104::{self, HEADER_LEN};

const ROOT_LABEL: &[u8] = b"chartseal/shard/root/v1";

/// The root of a shard, from its leaf list as it is stored.
pub(super) fn shard_root(segments: u32, last_segment: u32, leaf_list: &[u8]) -> [u8; 32] {
    crypto::sha256(&[
        ROOT_LABEL,
        &segments.to_le_bytes(),
        &last_segment.to_le_bytes(),
        leaf_list,
    ])
}

/// A shard that is being filled with plaintext, each segment at its final place with room for its tag.
pub(super) struct OpenShard {
    buffer: Pooled,
    plain_len: usize,
}

/// A shard that is ready for the store, and how the manifest names it.
pub(super) struct SealedShard {
    pub(super) item: SignedItem,
    pub(super) entry: ShardEntry,
}

impl OpenShard {
    pub(super) fn new(pool: &Pool) -> Self {
        Self {
            buffer: pool.take(),
            plain_len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain_len == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.plain_len == SHARD_PLAIN_LEN
    }

    /// Adds what fits and says how much that was.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some(room) = self.room(rest.len()) {
            let (now, later) = rest.split_at(room.len());
            room.copy_from_slice(now);
            self.plain_len += now.len();
            rest = later;
        }
        bytes.len() - rest.len()
    }

    /// Adds as many of `count` zeros as fit and says how many that were.
    pub(super) fn push_zeros(&mut self, count: u64) -> u64 {
        let mut left = usize::try_from(count).unwrap_or(usize::MAX).min(SHARD_PLAIN_LEN);
        let before = self.plain_len;
        while let Some(room) = self.room(left) {
            room.fill(0);
            let filled = room.len();
            self.plain_len += filled;
            left -= filled;
        }
        (self.plain_len - before) as u64
    }

    /// The next at most `wanted` bytes of the segment that is being filled; `None` when nothing is wanted or left.
    fn room(&mut self, wanted: usize) -> Option<&mut [u8]> {
        let (segment, within) = (self.plain_len / SEGMENT_PLAIN_LEN, self.plain_len % SEGMENT_PLAIN_LEN);
        let len = wanted
            .min(SEGMENT_PLAIN_LEN - within)
            .min(SHARD_PLAIN_LEN - self.plain_len);
        let start = HEADER_LEN + segment * SEGMENT_LEN + within;
        if len == 0 {
            None
        } else {
            self.buffer.bytes.get_mut(start..start + len)
        }
    }

    /// Encrypts the segments, adds the leaves and signs the whole as a data item, all in place.
    pub(super) fn seal(
        mut self,
        key: &DataKey,
        ids: &RecordIds,
        shard: u32,
        storage_key: &StorageKey,
    ) -> Result<SealedShard, CryptoError> {
        let salt = crypto::random()?;
        let cipher = ShardCipher::new(key, ids, shard, &salt)?;
        // An empty file still has a segment, so that its being empty is authenticated.
        let segments = self.plain_len.div_ceil(SEGMENT_PLAIN_LEN).max(1);
        let last_segment = self.plain_len - (segments - 1) * SEGMENT_PLAIN_LEN + TAG_LEN;
        let sealed_len = (segments - 1) * SEGMENT_LEN + last_segment;
        let item_len = HEADER_LEN + sealed_len + segments * 32;

        let payload = self
            .buffer
            .bytes
            .get_mut(HEADER_LEN..item_len)
            .ok_or(CryptoError::Refused)?;
        let (sealed, leaf_list) = payload.split_at_mut(sealed_len);
        let (segments, last_segment) = (fits_u32(segments)?, fits_u32(last_segment)?);
        for (number, segment) in (0..segments).zip(sealed.chunks_mut(SEGMENT_LEN)) {
            cipher.seal(number, number + 1 == segments, segment)?;
        }
        leaf_list.copy_from_slice(leaves(sealed).as_flattened());
        let root = shard_root(segments, last_segment, leaf_list);

        self.buffer.len = item_len;
        let item = self.buffer.bytes.get_mut(..item_len).ok_or(CryptoError::Refused)?;
        let id = ans104::write_header(item, storage_key);
        Ok(SealedShard {
            item: SignedItem::from_parts(id, Bytes::from_owner(self.buffer)),
            entry: ShardEntry {
                item: id.0,
                salt,
                root,
                segments,
                last_segment,
            },
        })
    }
}

fn fits_u32(len: usize) -> Result<u32, CryptoError> {
    u32::try_from(len).map_err(|_| CryptoError::Refused)
}

/// Holds a leaf list against the shard's root, and segments, from the `first` on, against their leaves.
pub(super) fn matches(entry: &ShardEntry, leaf_list: &[u8], first: u32, segments: &[u8]) -> bool {
    if !crypto::same(&shard_root(entry.segments, entry.last_segment, leaf_list), &entry.root) {
        return false;
    }
    let (listed, rest) = leaf_list.as_chunks::<32>();
    let found = leaves(segments);
    let start = first as usize;
    rest.is_empty()
        && listed.len() == entry.segments as usize
        && listed
            .get(start..start.saturating_add(found.len()))
            .is_some_and(|listed| listed == found)
}

/// Segments of one shard, decrypted where they lay.
pub(super) struct OpenedSegments(Vec<u8>);

impl OpenedSegments {
    /// Decrypts consecutive segments, from the `first` on. Fails with the number of the one that does not open.
    pub(super) fn open(
        cipher: &ShardCipher,
        entry: &ShardEntry,
        first: u32,
        mut segments: Vec<u8>,
    ) -> Result<Self, u32> {
        for (number, segment) in (first..).zip(segments.chunks_mut(SEGMENT_LEN)) {
            cipher
                .open(number, number + 1 == entry.segments, segment)
                .ok_or(number)?;
        }
        Ok(Self(segments))
    }

    /// The plaintexts, in order.
    pub(super) fn plaintexts(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .chunks(SEGMENT_LEN)
            .map(|segment| &segment[..segment.len().saturating_sub(TAG_LEN)])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::ans104::ParsedItem;

    const IDS: RecordIds = RecordIds {
        patient: [1; 16],
        record: [2; 16],
        version: 3,
    };

    struct Fixture {
        key: DataKey,
        plain: Vec<u8>,
        entry: ShardEntry,
        segments: Vec<u8>,
        leaf_list: Vec<u8>,
    }

    fn sealed(plain_len: usize) -> Fixture {
        let key = DataKey::generate().unwrap();
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(plain_len).collect();
        let mut shard = OpenShard::new(&Pool::default());
        assert_eq!(shard.push(&plain), plain_len);
        let SealedShard { item, entry } = shard.seal(&key, &IDS, 0, &StorageKey::generate().unwrap()).unwrap();
        let parsed = ParsedItem::parse(item.bytes()).unwrap();
        parsed.verify().unwrap();
        let (segments, leaf_list) = parsed.data.split_at(parsed.data.len() - 32 * entry.segments as usize);
        assert_eq!(entry.payload_len(), parsed.data.len() as u64);
        Fixture {
            key,
            plain,
            entry,
            segments: segments.to_vec(),
            leaf_list: leaf_list.to_vec(),
        }
    }

    #[test]
    fn a_shard_opens_to_what_was_sealed() {
        for len in [
            0,
            1,
            SEGMENT_PLAIN_LEN - 1,
            SEGMENT_PLAIN_LEN,
            SEGMENT_PLAIN_LEN + 1,
            SHARD_PLAIN_LEN,
        ] {
            let Fixture {
                key,
                plain,
                entry,
                segments,
                leaf_list,
            } = sealed(len);
            assert!(matches(&entry, &leaf_list, 0, &segments));
            let cipher = ShardCipher::new(&key, &IDS, 0, &entry.salt).unwrap();
            let opened = OpenedSegments::open(&cipher, &entry, 0, segments).unwrap();
            assert_eq!(opened.plaintexts().collect::<Vec<_>>().concat(), plain);
        }
    }

    #[test]
    fn a_full_shard_takes_nothing_more() {
        let mut shard = OpenShard::new(&Pool::default());
        assert!(shard.is_empty());
        assert_eq!(shard.push(&[1; 10]), 10);
        assert_eq!(shard.push_zeros(u64::MAX), (SHARD_PLAIN_LEN - 10) as u64);
        assert!(shard.is_full());
        assert_eq!((shard.push(b"x"), shard.push_zeros(1)), (0, 0));
    }

    #[test]
    fn cut_reordered_swapped_and_repeated_segments_do_not_match_their_root() {
        let Fixture {
            entry,
            segments,
            leaf_list,
            ..
        } = sealed(3 * SEGMENT_PLAIN_LEN + 5);
        let part = |number: usize| &segments[number * SEGMENT_LEN..((number + 1) * SEGMENT_LEN).min(segments.len())];
        assert!(
            matches(&entry, &leaf_list, 1, &[part(1), part(2)].concat()),
            "a part of it matches"
        );
        for (what, wrong) in [
            ("cut", segments[..segments.len() - 1].to_vec()),
            ("reordered", [part(1), part(0), part(2), part(3)].concat()),
            ("repeated", [part(0), part(0), part(2), part(3)].concat()),
            ("without one", [part(0), part(2), part(3)].concat()),
            ("with one more", [&segments, part(3)].concat()),
        ] {
            assert!(!matches(&entry, &leaf_list, 0, &wrong), "{what}");
        }
        assert!(!matches(&entry, &leaf_list, 1, part(2)));
        assert!(!matches(&entry, &leaf_list, u32::MAX, part(2)));
    }

    #[test]
    fn a_leaf_list_that_fits_other_segments_does_not_match_the_root() {
        let ours = sealed(3 * SEGMENT_PLAIN_LEN);
        let other = sealed(3 * SEGMENT_PLAIN_LEN);
        assert!(!matches(&ours.entry, &other.leaf_list, 0, &other.segments));
        assert!(!matches(
            &ours.entry,
            &ours.leaf_list[..64],
            0,
            &ours.segments[..2 * SEGMENT_LEN]
        ));
        assert!(!matches(&ours.entry, &[], 0, &[]));
    }

    #[test]
    fn segments_in_another_place_do_not_decrypt_even_if_the_root_is_a_forgers() {
        let Fixture {
            key, entry, segments, ..
        } = sealed(3 * SEGMENT_PLAIN_LEN);
        let cipher = ShardCipher::new(&key, &IDS, 0, &entry.salt).unwrap();
        let mut swapped = segments.clone();
        swapped.rotate_left(SEGMENT_LEN);
        assert_eq!(OpenedSegments::open(&cipher, &entry, 0, swapped).err(), Some(0));
        // Cut after the second: its number fits, but it was not sealed as the last one.
        let shorter = ShardEntry { segments: 2, ..entry };
        assert_eq!(
            OpenedSegments::open(&cipher, &shorter, 0, segments[..2 * SEGMENT_LEN].to_vec()).err(),
            Some(1)
        );
    }
}
