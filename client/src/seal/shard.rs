//! Shards: up to 64 segments and the list of their leaves, sealed in the buffer in which they travel as a data item.
//! The leaf list lets a reader check any segment against the shard's root without fetching the others.
//!
//! Root: SHA-256(label || number of segments || length of the last sealed one (u32, little-endian) || leaves).

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::input::Fill;
use super::leaves::{self, leaves};
use super::manifest::ShardEntry;
use super::pool::Pooled;
use super::segment::ShardCipher;
use super::{DataKey, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN};
use crate::CryptoError;
use crate::crypto::{self, TAG_LEN};
use crate::store::Borrowed;
use crate::store::ans104::HEADER_LEN;

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

/// A shard that was encrypted, in a buffer with room for the header of a data item before it.
pub(super) struct SealedShard {
    pub(super) number: u32,
    pub(super) buffer: Pooled,
    pub(super) entry: ShardEntry,
}

impl OpenShard {
    pub(super) fn new(buffer: Pooled) -> Self {
        Self { buffer, plain_len: 0 }
    }

    /// A full one whose plaintext is still to be read, group by group.
    pub(super) fn unread(buffer: Pooled) -> Self {
        Self {
            buffer,
            plain_len: SHARD_PLAIN_LEN,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain_len == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.plain_len == SHARD_PLAIN_LEN
    }

    /// Bytes of plaintext in it.
    pub(super) fn plain_len(&self) -> usize {
        self.plain_len
    }

    /// Adds what fits and says how much that was.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some(room) = self.room_for(rest.len()) {
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
        while let Some(room) = self.room_for(left) {
            room.fill(0);
            let filled = room.len();
            self.plain_len += filled;
            left -= filled;
        }
        (self.plain_len - before) as u64
    }

    /// The next at most `wanted` bytes of the segment that is being filled; `None` when nothing is wanted or left.
    fn room_for(&mut self, wanted: usize) -> Option<&mut [u8]> {
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

    /// The plaintext from a position on, a piece for each segment.
    pub(super) fn plaintexts_from(&self, position: usize) -> impl Iterator<Item = &[u8]> {
        let first = position / SEGMENT_PLAIN_LEN;
        (first..self.plain_len.div_ceil(SEGMENT_PLAIN_LEN)).filter_map(move |segment| {
            let from = position.saturating_sub(segment * SEGMENT_PLAIN_LEN);
            let to = SEGMENT_PLAIN_LEN.min(self.plain_len - segment * SEGMENT_PLAIN_LEN);
            let start = HEADER_LEN + segment * SEGMENT_LEN;
            self.buffer.bytes.get(start + from..start + to)
        })
    }

    /// Takes the shard apart into groups of segments, each of which is encrypted where it lies. Under the same salt the same
    /// plaintext gives the same bytes; a salt that was used must not be used for another plaintext that leaves this process.
    pub(super) fn begin(
        mut self,
        key: &DataKey,
        ids: &RecordIds,
        number: u32,
        salt: [u8; 16],
    ) -> Result<(BegunShard, Vec<Group>), CryptoError> {
        // An empty file still has a segment, so that its being empty is authenticated.
        let segments = self.plain_len.div_ceil(SEGMENT_PLAIN_LEN).max(1);
        let last_segment = self.plain_len - (segments - 1) * SEGMENT_PLAIN_LEN + TAG_LEN;
        let sealed_len = (segments - 1) * SEGMENT_LEN + last_segment;
        let item_len = HEADER_LEN + sealed_len + segments * 32;
        if item_len > self.buffer.bytes.len() {
            return Err(CryptoError::Refused);
        }

        let mut sealed = self.buffer.bytes.split_off(HEADER_LEN);
        let mut leaf_list = sealed.split_off(sealed_len);
        let rest = leaf_list.split_off(segments * 32);
        let mut groups = Vec::with_capacity(segments.div_ceil(leaves::GROUP));
        while !sealed.is_empty() {
            groups.push(Group {
                number: groups.len(),
                segments: sealed.split_to(sealed.len().min(leaves::GROUP * SEGMENT_LEN)),
                leaves: leaf_list.split_to(leaf_list.len().min(leaves::GROUP * 32)),
            });
        }
        self.buffer.len = item_len;
        let begun = BegunShard {
            number,
            cipher: ShardCipher::new(key, ids, number, &salt)?,
            salt,
            segments: fits_u32(segments)?,
            last_segment: fits_u32(last_segment)?,
            parts: Mutex::new(Parts {
                buffer: self.buffer,
                groups: groups.iter().map(|_| None).collect(),
                rest,
            }),
        };
        Ok((begun, groups))
    }
}

/// Some segments of a shard, with room for their leaves: what one core encrypts at a time.
pub(super) struct Group {
    number: usize,
    segments: BytesMut,
    leaves: BytesMut,
}

impl Group {
    /// Where its plaintext begins in that of the shard.
    pub(super) fn plain_start(&self) -> u64 {
        (self.number * leaves::GROUP * SEGMENT_PLAIN_LEN) as u64
    }

    /// Where the plaintext of each segment goes.
    pub(super) fn plaintexts_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let segments = self.segments.chunks_mut(SEGMENT_LEN);
        segments.filter_map(|segment| {
            segment
                .len()
                .checked_sub(TAG_LEN)
                .and_then(|len| segment.get_mut(..len))
        })
    }
}

/// A shard that was taken apart.
pub(super) struct BegunShard {
    number: u32,
    cipher: ShardCipher,
    salt: [u8; 16],
    segments: u32,
    last_segment: u32,
    parts: Mutex<Parts>,
}

/// What is left of a buffer when its groups are taken from it, and those that came back.
struct Parts {
    /// Its beginning: room for the header of a data item.
    buffer: Pooled,
    groups: Vec<Option<Group>>,
    /// What the shard does not need.
    rest: BytesMut,
}

impl BegunShard {
    /// Encrypts a group's segments and adds their leaves, in place.
    pub(super) fn encrypt(&self, group: &mut Group) -> Result<(), CryptoError> {
        let first = fits_u32(group.number * leaves::GROUP)?;
        for (segment, number) in group.segments.chunks_mut(SEGMENT_LEN).zip(first..) {
            self.cipher.seal(number, number + 1 == self.segments, segment)?;
        }
        // What was just encrypted is hashed while the processor still has it at hand.
        group.leaves.copy_from_slice(leaves(&group.segments).as_flattened());
        Ok(())
    }

    /// Takes an encrypted group back. With the last one the shard is whole: nothing was copied.
    pub(super) fn put_back(&self, group: Group) -> Option<SealedShard> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = group.number;
        *parts.groups.get_mut(number)? = Some(group);
        if parts.groups.iter().any(Option::is_none) {
            return None;
        }
        let (mut sealed, mut leaf_list) = (BytesMut::new(), BytesMut::new());
        for group in std::mem::take(&mut parts.groups).into_iter().flatten() {
            sealed.unsplit(group.segments);
            leaf_list.unsplit(group.leaves);
        }
        let root = shard_root(self.segments, self.last_segment, &leaf_list);
        let mut buffer = parts.buffer.take();
        buffer.bytes.unsplit(sealed);
        buffer.bytes.unsplit(leaf_list);
        buffer.bytes.unsplit(std::mem::take(&mut parts.rest));
        Some(SealedShard {
            number: self.number,
            buffer,
            entry: ShardEntry {
                salt: self.salt,
                root,
                segments: self.segments,
                last_segment: self.last_segment,
            },
        })
    }
}

impl Fill for OpenShard {
    fn room(&mut self) -> Option<&mut [u8]> {
        self.room_for(SEGMENT_PLAIN_LEN)
    }

    fn filled(&mut self, len: usize) {
        self.plain_len += len;
    }

    fn ended(&mut self) {}
}

impl SealedShard {
    /// Segments and leaves: what is signed and stored.
    pub(super) fn payload(&self) -> &[u8] {
        self.buffer.as_ref().get(HEADER_LEN..).unwrap_or_default()
    }
}

fn fits_u32(len: usize) -> Result<u32, CryptoError> {
    u32::try_from(len).map_err(|_| CryptoError::Refused)
}

/// The leaves of so many bytes of segments, from the `first` on, if the leaf list is that of the shard's root.
fn leaves_of<'a>(entry: &ShardEntry, leaf_list: &'a [u8], first: u32, len: usize) -> Option<&'a [[u8; 32]]> {
    if !crypto::same(&shard_root(entry.segments, entry.last_segment, leaf_list), &entry.root) {
        return None;
    }
    let (listed, rest) = leaf_list.as_chunks::<32>();
    let start = first as usize;
    let end = start.saturating_add(len.div_ceil(SEGMENT_LEN));
    let all_are_listed = rest.is_empty() && listed.len() == entry.segments as usize;
    listed.get(start..end).filter(|_| all_are_listed)
}

/// What is wrong with segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They, or the leaf list, are not what the root was made of.
    Differs,
    /// They are, and this one does not decrypt.
    Undecryptable(u32),
}

/// Holds a leaf list against the shard's root, and segments, from the `first` on, against their leaves; and decrypts each
/// of them where it lies, with a cipher, once it was found right. After a fault the segments are to be dropped.
pub(super) fn check(
    entry: &ShardEntry,
    leaf_list: &[u8],
    first: u32,
    segments: &mut [u8],
    cipher: Option<&ShardCipher>,
) -> Result<(), Fault> {
    let listed = leaves_of(entry, leaf_list, first, segments.len()).ok_or(Fault::Differs)?;
    let mut numbers = first..;
    // A few at a time: what was just hashed is decrypted while the processor still has it at hand.
    let groups = segments.chunks_mut(leaves::GROUP * SEGMENT_LEN);
    for (group, listed) in groups.zip(listed.chunks(leaves::GROUP)) {
        if leaves(group) != listed {
            return Err(Fault::Differs);
        }
        let Some(cipher) = cipher else { continue };
        for (segment, number) in group.chunks_mut(SEGMENT_LEN).zip(numbers.by_ref()) {
            cipher
                .open(number, number + 1 == entry.segments, segment)
                .ok_or(Fault::Undecryptable(number))?;
        }
    }
    Ok(())
}

/// Segments of one shard, decrypted where they lay.
pub(super) struct OpenedSegments(Bytes);

impl OpenedSegments {
    /// Segments that [`check`] decrypted.
    pub(super) fn new(segments: Vec<u8>) -> Self {
        Self(Bytes::from_owner(Borrowed(segments)))
    }

    /// The plaintexts, in order. They share the memory that the segments were in.
    pub(super) fn plaintexts(&self) -> impl Iterator<Item = Bytes> {
        (0..self.0.len()).step_by(SEGMENT_LEN).map(|start| {
            let end = self.0.len().min(start + SEGMENT_LEN);
            self.0.slice(start..end.saturating_sub(TAG_LEN).max(start))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seal::pool::Pool;
    use futures_util::FutureExt as _;

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

    /// Opens segments that anybody claims to be right.
    fn open(cipher: &ShardCipher, entry: &ShardEntry, leaf_list: &[u8], segments: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut segments = segments.to_vec();
        check(entry, leaf_list, 0, &mut segments, Some(cipher))?;
        let opened = OpenedSegments::new(segments);
        Ok(opened.plaintexts().collect::<Vec<_>>().concat())
    }

    /// An entry and a leaf list that segments match, whatever they are: what a forger would make.
    fn forged(entry: &ShardEntry, segments: &[u8]) -> (ShardEntry, Vec<u8>) {
        let leaf_list = leaves(segments).as_flattened().to_vec();
        let count = u32::try_from(leaf_list.len() / 32).unwrap();
        let root = shard_root(count, entry.last_segment, &leaf_list);
        let entry = ShardEntry {
            segments: count,
            root,
            ..*entry
        };
        (entry, leaf_list)
    }

    fn matches(entry: &ShardEntry, leaf_list: &[u8], first: u32, segments: &[u8]) -> bool {
        check(entry, leaf_list, first, &mut segments.to_vec(), None).is_ok()
    }

    fn empty() -> OpenShard {
        OpenShard::new(Pool::new(1).take().now_or_never().unwrap())
    }

    /// Seals a shard, every other group first.
    fn seal(shard: OpenShard, key: &DataKey, number: u32, salt: [u8; 16]) -> SealedShard {
        let place = |buffer: &Pooled| (buffer.bytes.as_ptr(), buffer.bytes.len(), buffer.bytes.capacity());
        let before = place(&shard.buffer);
        let (begun, groups) = shard.begin(key, &IDS, number, salt).unwrap();
        let (even, odd): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.number % 2 == 0);
        let sealed = odd.into_iter().chain(even).filter_map(|mut group| {
            begun.encrypt(&mut group).unwrap();
            begun.put_back(group)
        });
        let sealed = sealed.last().unwrap();
        assert_eq!(
            place(&sealed.buffer),
            before,
            "it is the one buffer again, and nothing was copied"
        );
        sealed
    }

    fn sealed(plain_len: usize) -> Fixture {
        let key = DataKey::generate().unwrap();
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(plain_len).collect();
        let mut shard = empty();
        assert_eq!(shard.push(&plain), plain_len);
        assert_eq!(shard.plaintexts_from(0).collect::<Vec<_>>().concat(), plain);
        let sealed = seal(shard, &key, 0, crypto::random().unwrap());
        let (entry, payload) = (sealed.entry, sealed.payload());
        let (segments, leaf_list) = payload.split_at(payload.len() - 32 * entry.segments as usize);
        assert_eq!(entry.payload_len(), payload.len() as u64);
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
            assert!(open(&cipher, &entry, &leaf_list, &segments) == Ok(plain));
        }
    }

    #[test]
    fn the_same_salt_gives_the_same_shard_and_another_one_another() {
        let key = DataKey::generate().unwrap();
        let sealed = |salt| {
            let mut shard = empty();
            shard.push(b"the same plaintext");
            seal(shard, &key, 7, salt).payload().to_vec()
        };
        assert_eq!(sealed([1; 16]), sealed([1; 16]));
        assert_ne!(sealed([1; 16]), sealed([2; 16]));
    }

    #[test]
    fn what_was_poured_is_read_back_from_anywhere() {
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(2 * SEGMENT_PLAIN_LEN + 9).collect();
        let mut shard = empty();
        shard.push(&plain);
        for from in [
            0,
            1,
            SEGMENT_PLAIN_LEN - 1,
            SEGMENT_PLAIN_LEN,
            2 * SEGMENT_PLAIN_LEN + 8,
            plain.len(),
        ] {
            let back = shard.plaintexts_from(from).collect::<Vec<_>>().concat();
            assert!(back == plain[from..], "from {from}");
        }
    }

    #[test]
    fn a_full_shard_takes_nothing_more() {
        let mut shard = empty();
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
        let (forgery, leaf_list) = forged(&entry, &swapped);
        assert_eq!(
            open(&cipher, &forgery, &leaf_list, &swapped),
            Err(Fault::Undecryptable(0))
        );
        // Cut after the second: its number fits, but it was not sealed as the last one.
        let cut = &segments[..2 * SEGMENT_LEN];
        let (forgery, leaf_list) = forged(&entry, cut);
        assert_eq!(open(&cipher, &forgery, &leaf_list, cut), Err(Fault::Undecryptable(1)));
    }
}
