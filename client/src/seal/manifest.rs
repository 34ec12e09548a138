//! The manifest: what a record's ciphertext consists of, and, encrypted, what it means. In the clear stand only the
//! suite, a commitment to the key and where which shards are, so that anybody can check a record without being able to read
//! it. Its SHA-256 is on chain, and it is stored as a data item whose id is the record's locator.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic `CHSEALMF` |
//! | 2 | version of the format, 1 (integers are little-endian, the rest is borsh) |
//! | 1 | suite |
//! | 32 | commitment to the data key |
//! | 32 | owner: the ed25519 key that signed the data items |
//! | 4 + 56 n | shards: salt (16), root (32), segments (4), sealed length of the last one (4) |
//! | 1 + ... | [`Placing`]: 0, then the signature (64) of each shard's item; or 1, then the code and, for each piece of each shard, signature (64) and SHA-256 (32) |
//! | 4 | length of the rest |
//! | 12 | random nonce |
//! | ... | AES-256-GCM under a key derived from the data key; AAD: all bytes before the length |
//!
//! The plaintext is a [`ManifestBody`] in borsh, padded with zeros so that its length does not tell that of the name.

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::placing::{Place, Placing};
use super::{DataKey, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_SEGMENTS, SUITE, merkle, padding};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN, TAG_LEN};
use crate::media::{FrameIndex, MediaError};
use crate::store::Code;

const MAGIC: &[u8; 8] = b"CHSEALMF";
const VERSION: u16 = 1;
/// The longest manifest that is made or read, in bytes. It is enough for 0.9 TB in one record, or for 0.2 TB in pieces of
/// 4 + 2; of a file that compresses, for accordingly more.
pub(super) const MAX_LEN: usize = 32 << 20;
/// The shortest encrypted part, in bytes: with the usual media types it does not tell names of up to a hundred letters
/// apart. Small files are many, and a record is no smaller than its manifest.
const FLOOR: u64 = 256;
/// Bytes of a shard's entry, of a piece's, and of a frame's in the index.
const ENTRY_LEN: usize = 16 + 32 + 4 + 4;
const PIECE_LEN: usize = 64 + 32;
const FRAME_LEN: usize = 1 + 4 + 4;
/// The longest file name and media type, in bytes.
const MAX_TEXT_LEN: usize = 1024;

/// A manifest that is none, or that does not fit the key or the record.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The bytes do not begin as a manifest does.
    #[error("this is not a manifest; the locator may belong to something else")]
    NotAManifest,
    /// Made by a newer release.
    #[error("manifest of version {0}, which this release does not know; use a newer release")]
    UnknownVersion(u16),
    /// Sealed with another suite.
    #[error("manifest of suite {0}, which this release does not know; use a newer release")]
    UnknownSuite(u8),
    /// It ends too early.
    #[error("the manifest was cut; fetch it again, or from another gateway")]
    Truncated,
    /// It goes on after its end.
    #[error("the manifest has {0} bytes after its end; it was altered")]
    TrailingBytes(usize),
    /// More than 32 MiB.
    #[error("a manifest of {0} bytes is longer than the 33554432 that are allowed; store the file in parts")]
    TooLong(usize),
    /// Shards that are not as we make them.
    #[error("the manifest's list of shards is impossible ({0}); it was altered, or made by something else")]
    BadShards(&'static str),
    /// A name or media type that is too long.
    #[error("a file name or media type of {0} bytes is too long; the limit is 1024")]
    TextTooLong(usize),
    /// The key is not the one that the manifest commits to.
    #[error(
        "this is not the key of this record: it does not match the manifest's commitment; ask for the right version"
    )]
    WrongKey,
    /// The key fits, and the encrypted part does not open.
    #[error(
        "the manifest does not open with its own key: it may have been tampered with, or belongs to another record"
    )]
    Altered,
    /// It opens, and describes something else than was asked for.
    #[error("the manifest is that of another record or version")]
    OtherRecord,
    /// Its frames are not as they should be.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A shard as the manifest names it. All but the last of a record are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ShardEntry {
    /// The salt of its key.
    pub salt: [u8; 16],
    /// Its root.
    pub root: [u8; 32],
    /// How many segments it has, 1 to 64.
    pub segments: u32,
    /// Sealed bytes of the last one, 16 to 65,536.
    pub last_segment: u32,
}

impl ShardEntry {
    /// Sealed bytes, without the leaf list.
    #[must_use]
    pub fn sealed_len(&self) -> u64 {
        u64::from(self.segments.saturating_sub(1)) * SEGMENT_LEN as u64 + u64::from(self.last_segment)
    }

    /// All bytes of the data item's data: segments, then leaves.
    #[must_use]
    pub fn payload_len(&self) -> u64 {
        self.sealed_len() + u64::from(self.segments) * 32
    }

    /// Plaintext bytes.
    pub(super) fn plain_len(&self) -> u64 {
        self.sealed_len() - u64::from(self.segments) * TAG_LEN as u64
    }

    fn is_full(&self) -> bool {
        self.segments as usize == SHARD_SEGMENTS && self.last_segment as usize == SEGMENT_LEN
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.segments == 0 || self.segments as usize > SHARD_SEGMENTS {
            return Err(ManifestError::BadShards("a shard has no segments or too many"));
        }
        let last = self.last_segment as usize;
        // Only an empty record has an empty segment.
        let shortest = if self.segments == 1 { TAG_LEN } else { TAG_LEN + 1 };
        if last < shortest || last > SEGMENT_LEN {
            return Err(ManifestError::BadShards("a segment is too short or too long"));
        }
        Ok(())
    }
}

/// The encrypted part.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ManifestBody {
    /// What the file belongs to.
    pub ids: RecordIds,
    /// The file's name, as its author gave it: not safe as a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes, where its author wanted it; what is opened is authenticated without it.
    pub sha256: Option<[u8; 32]>,
    /// Its frames.
    pub frames: FrameIndex,
}

impl ManifestBody {
    /// Fails early where [`Manifest::seal`] would fail late.
    pub(super) fn check_text(text: &str) -> Result<(), ManifestError> {
        if text.len() > MAX_TEXT_LEN {
            Err(ManifestError::TextTooLong(text.len()))
        } else {
            Ok(())
        }
    }

    fn check(&self) -> Result<(), ManifestError> {
        Self::check_text(&self.name)?;
        Self::check_text(&self.media_type)?;
        self.frames.check()?;
        if self.frames.original_len() == self.length {
            Ok(())
        } else {
            Err(ManifestError::Altered)
        }
    }
}

/// What the clear part lists: the shards, and where they are.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Content {
    pub(super) shards: Vec<ShardEntry>,
    pub(super) placing: Placing,
}

impl Content {
    fn check(&self) -> Result<(), ManifestError> {
        check_shards(&self.shards)?;
        self.placing.check(self.shards.len())
    }
}

/// Fails for so many shards and frames that their manifest might be too long.
pub(super) fn check_len(shards: usize, frames: usize, code: Code) -> Result<(), ManifestError> {
    let len = foreseen_len(shards, frames, code);
    if len > MAX_LEN {
        Err(ManifestError::TooLong(len))
    } else {
        Ok(())
    }
}

/// Bytes of a manifest at most.
fn foreseen_len(shards: usize, frames: usize, code: Code) -> usize {
    let placed = if code.data < 2 { 64 } else { code.pieces() * PIECE_LEN };
    let frames = frames.saturating_mul(FRAME_LEN);
    // Padding adds an eighth at most; the rest are fields of fixed size and two texts.
    let padded = frames.saturating_add(frames / 8);
    shards
        .saturating_mul(ENTRY_LEN + placed)
        .saturating_add(padded)
        .saturating_add(4 * MAX_TEXT_LEN)
}

/// SHA-256 of a manifest's bytes: what stands on chain.
#[must_use]
pub fn manifest_hash(bytes: &[u8]) -> [u8; 32] {
    crypto::sha256(&[bytes])
}

/// A manifest whose clear part was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    commitment: [u8; 32],
    owner: [u8; 32],
    shards: Vec<ShardEntry>,
    placing: Placing,
    clear: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    sealed: Vec<u8>,
}

impl Manifest {
    /// Makes the bytes of a manifest. The nonce is not used again with this key, but for the same manifest.
    pub(super) fn seal(
        key: &DataKey,
        nonce: [u8; NONCE_LEN],
        owner: [u8; 32],
        content: &Content,
        body: &ManifestBody,
    ) -> Result<Vec<u8>, ManifestError> {
        body.check()?;
        content.check()?;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.push(SUITE);
        write(&mut bytes, &(key.commitment()?, owner, content))?;

        let mut plaintext = Vec::new();
        write(&mut plaintext, body)?;
        let padded = padding::padme(FLOOR.max(plaintext.len() as u64));
        plaintext.resize(
            usize::try_from(padded).map_err(|_| ManifestError::TooLong(plaintext.len()))?,
            0,
        );

        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&crypto::seal(
            &*key.manifest_key(&body.ids)?,
            nonce,
            &bytes,
            &plaintext,
        )?);
        write(&mut bytes, &sealed)?;
        if bytes.len() > MAX_LEN {
            Err(ManifestError::TooLong(bytes.len()))
        } else {
            Ok(bytes)
        }
    }

    /// Reads the clear part. Nothing is decrypted, and nothing is believed that has no bounds.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_LEN {
            return Err(ManifestError::TooLong(bytes.len()));
        }
        let truncated_within = |prefix: &[u8]| !bytes.is_empty() && prefix.starts_with(bytes);
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            return Err(if truncated_within(MAGIC) {
                ManifestError::Truncated
            } else {
                ManifestError::NotAManifest
            });
        };
        let version: u16 = read(&mut rest)?;
        if version != VERSION {
            return Err(ManifestError::UnknownVersion(version));
        }
        let suite: u8 = read(&mut rest)?;
        if suite != SUITE {
            return Err(ManifestError::UnknownSuite(suite));
        }
        let (commitment, owner, content): ([u8; 32], [u8; 32], Content) = read(&mut rest)?;
        let clear = bytes.get(..bytes.len() - rest.len()).unwrap_or_default().to_vec();
        let body: Vec<u8> = read(&mut rest)?;
        if !rest.is_empty() {
            return Err(ManifestError::TrailingBytes(rest.len()));
        }
        content.check()?;
        let Content { shards, placing } = content;
        let (nonce, sealed) = body.split_first_chunk().ok_or(ManifestError::Truncated)?;
        Ok(Self {
            commitment,
            owner,
            shards,
            placing,
            clear,
            nonce: *nonce,
            sealed: sealed.to_vec(),
        })
    }

    /// The shards, in order.
    #[must_use]
    pub fn shards(&self) -> &[ShardEntry] {
        &self.shards
    }

    /// Who signed the data items of the shards.
    #[must_use]
    pub fn owner(&self) -> [u8; 32] {
        self.owner
    }

    /// Where the shards are.
    #[must_use]
    pub fn placing(&self) -> &Placing {
        &self.placing
    }

    /// A shard and its data items.
    #[must_use]
    pub fn shard(&self, number: usize) -> Option<(&ShardEntry, Place<'_>)> {
        Some((self.shards.get(number)?, self.placing.of(number)?))
    }

    /// The content root of these shards: Merkle root over their roots.
    #[must_use]
    pub fn content_root(&self) -> [u8; 32] {
        content_root(&self.shards)
    }

    /// Bytes that the store keeps for these shards.
    #[must_use]
    pub fn padded_size(&self) -> u64 {
        self.shards.iter().map(ShardEntry::payload_len).sum()
    }

    /// Plaintext bytes in all shards: frames and padding.
    pub(super) fn plain_len(&self) -> u64 {
        self.shards.iter().map(ShardEntry::plain_len).sum()
    }

    /// Whether this is the record's data key.
    ///
    /// # Errors
    /// [`ManifestError::Crypto`].
    pub fn commits_to(&self, key: &DataKey) -> Result<bool, ManifestError> {
        Ok(crypto::same(&key.commitment()?, &self.commitment))
    }

    /// Decrypts the rest. The key is held against the commitment before anything is opened with it.
    ///
    /// # Errors
    /// [`ManifestError::WrongKey`], [`ManifestError::Altered`], [`ManifestError::OtherRecord`].
    pub fn open(&self, key: &DataKey, ids: &RecordIds) -> Result<ManifestBody, ManifestError> {
        if !self.commits_to(key)? {
            return Err(ManifestError::WrongKey);
        }
        let opened = crypto::open(&*key.manifest_key(ids)?, self.nonce, &self.clear, &self.sealed)?;
        let plaintext = opened.ok_or(ManifestError::Altered)?;
        let mut rest = plaintext.as_slice();
        let body: ManifestBody = read(&mut rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(ManifestError::TrailingBytes(rest.len()));
        }
        if body.ids != *ids {
            return Err(ManifestError::OtherRecord);
        }
        body.check()?;
        if body.frames.encoded_len() > self.plain_len() {
            return Err(ManifestError::BadShards("they hold less than the frames"));
        }
        Ok(body)
    }
}

pub(super) fn content_root(shards: &[ShardEntry]) -> [u8; 32] {
    let roots: Vec<[u8; 32]> = shards.iter().map(|shard| shard.root).collect();
    merkle::root(merkle::CONTENT_LABEL, &roots)
}

fn check_shards(shards: &[ShardEntry]) -> Result<(), ManifestError> {
    let Some((last, full)) = shards.split_last() else {
        return Err(ManifestError::BadShards("there are none"));
    };
    if u32::try_from(shards.len()).is_err() {
        return Err(ManifestError::BadShards("there are more than 2^32"));
    }
    if full.iter().any(|shard| !shard.is_full()) {
        return Err(ManifestError::BadShards("one before the last is not full"));
    }
    last.check()?;
    if shards.len() > 1 && last.last_segment as usize == SEGMENT_LEN - SEGMENT_PLAIN_LEN {
        return Err(ManifestError::BadShards("the last one is empty"));
    }
    Ok(())
}

fn write<T: BorshSerialize>(to: &mut Vec<u8>, value: &T) -> Result<(), ManifestError> {
    let length = to.len();
    // Borsh fails only where a list has more than 2^32 elements.
    value.serialize(to).map_err(|_| ManifestError::TooLong(length))
}

/// Reads a value off the front. Borsh allocates no more than the bytes that are there can fill.
fn read<T: BorshDeserialize>(rest: &mut &[u8]) -> Result<T, ManifestError> {
    T::deserialize(rest).map_err(|_| ManifestError::Truncated)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Codec, Frame};

    #[test]
    fn no_manifest_is_longer_than_was_foreseen() {
        let ids = RecordIds {
            patient: [1; 16],
            record: [2; 16],
            version: 3,
        };
        let key = DataKey::generate().unwrap();
        for (shards, frames) in [(1, 1), (7, 100), (300, 5_000)] {
            let mut index = FrameIndex::default();
            (0..frames).for_each(|_| index.push(Frame::new(Codec::Raw, 8_192, 8_192)));
            let full = ShardEntry {
                salt: [0; 16],
                root: [0; 32],
                segments: 64,
                last_segment: 65_536,
            };
            let content = Content {
                shards: vec![full; shards],
                placing: Placing::Whole(vec![[0; 64]; shards]),
            };
            let body = ManifestBody {
                ids,
                name: "n".repeat(MAX_TEXT_LEN),
                media_type: "t".repeat(MAX_TEXT_LEN),
                length: index.original_len(),
                sha256: Some([0; 32]),
                frames: index,
            };
            let sealed = Manifest::seal(&key, [0; 12], [0; 32], &content, &body).unwrap();
            let foreseen = foreseen_len(shards, frames, Code::ONE);
            assert!(sealed.len() <= foreseen, "{} > {foreseen}", sealed.len());
            assert!(foreseen < sealed.len() * 5 / 4 + 8 * MAX_TEXT_LEN);
        }
    }
}
