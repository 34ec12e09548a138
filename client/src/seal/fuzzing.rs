//! The doors of [`crate::fuzzing`] into sealing.

use zeroize::Zeroizing;

use super::break_glass::{self, KeyShare};
use super::envelope::EnvelopeError;
use super::leaves::leaves;
use super::manifest::Content;
use super::segment::ShardCipher;
use super::shard::{self, OpenedSegments};
use super::{
    DataKey, Manifest, ManifestBody, ManifestError, Placing, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, ShardEntry,
};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN, TAG_LEN};

/// A data key of these bytes; `None` never, for there are enough of them.
#[must_use]
pub fn data_key(bytes: &[u8; 32]) -> Option<DataKey> {
    DataKey::from_slice(bytes)
}

/// Whether two data keys are the same.
#[must_use]
pub fn same_data_key(a: &DataKey, b: &DataKey) -> bool {
    crypto::same(a.as_bytes(), b.as_bytes())
}

/// Makes the bytes of a manifest; always the same for the same content.
///
/// # Errors
/// [`ManifestError`].
pub fn seal_manifest(
    key: &DataKey,
    owner: [u8; 32],
    shards: &[ShardEntry],
    placing: &Placing,
    body: &ManifestBody,
) -> Result<Vec<u8>, ManifestError> {
    let content = Content {
        shards: shards.to_vec(),
        placing: placing.clone(),
    };
    Manifest::seal(key, [0; NONCE_LEN], owner, &content, body)
}

/// Reads a share of a data key as it stands in its envelope.
///
/// # Errors
/// [`EnvelopeError`].
pub fn decode_share(bytes: &[u8]) -> Result<KeyShare, EnvelopeError> {
    break_glass::decode(bytes)
}

/// Writes a share as it stands in its envelope.
///
/// # Errors
/// [`EnvelopeError`].
pub fn encode_share(share: &KeyShare) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    break_glass::encode(share)
}

/// Seals a plaintext as the segments of one shard.
///
/// # Errors
/// [`CryptoError`].
pub fn seal_segments(
    key: &DataKey,
    ids: &RecordIds,
    number: u32,
    salt: &[u8; 16],
    plaintext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let cipher = ShardCipher::new(key, ids, number, salt)?;
    let mut parts: Vec<&[u8]> = plaintext.chunks(SEGMENT_PLAIN_LEN).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let mut segments = Vec::new();
    for (part, index) in parts.iter().zip(0_u32..) {
        let start = segments.len();
        segments.extend_from_slice(part);
        segments.extend_from_slice(&[0; TAG_LEN]);
        let last = index as usize + 1 == parts.len();
        cipher.seal(index, last, segments.get_mut(start..).unwrap_or_default())?;
    }
    Ok(segments)
}

/// The leaf list of segments, and what a manifest says of them: what an author writes, or a forger.
#[must_use]
pub fn describe_segments(segments: &[u8], salt: [u8; 16]) -> Option<(Vec<u8>, ShardEntry)> {
    let leaf_list = leaves(segments).as_flattened().to_vec();
    let count = u32::try_from(segments.len().div_ceil(SEGMENT_LEN)).ok()?;
    let last_segment = u32::try_from(segments.chunks(SEGMENT_LEN).last()?.len()).ok()?;
    let entry = ShardEntry {
        salt,
        root: shard::shard_root(count, last_segment, &leaf_list),
        segments: count,
        last_segment,
    };
    Some((leaf_list, entry))
}

/// Holds a leaf list against a shard's root, and segments, from the `first` on, against their leaves.
#[must_use]
pub fn segments_match(entry: &ShardEntry, leaf_list: &[u8], first: u32, segments: &[u8]) -> bool {
    shard::check(entry, leaf_list, first, &mut segments.to_vec(), None).is_ok()
}

/// Holds segments, from the `first` on, against their leaves and these against the shard's root, and decrypts them;
/// `None` where one is not right or does not open.
#[must_use]
pub fn open_segments(
    key: &DataKey,
    ids: &RecordIds,
    number: u32,
    (leaf_list, entry): &(Vec<u8>, ShardEntry),
    first: u32,
    segments: &[u8],
) -> Option<Vec<u8>> {
    let cipher = ShardCipher::new(key, ids, number, &entry.salt).ok()?;
    let mut segments = segments.to_vec();
    shard::check(entry, leaf_list, first, &mut segments, Some(&cipher)).ok()?;
    let opened = OpenedSegments::new(segments);
    Some(opened.plaintexts().collect::<Vec<_>>().concat())
}
