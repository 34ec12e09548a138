//! ANS-104 data items: how bytes come to stand on Arweave. We make the plainest kind, signed with ed25519 (signature
//! type 2), with no target, anchor or tags, so that an item says nothing but who signed it and how long it is. Parsing
//! takes every item of that signature type, bounds everything before it is read, and never panics.
//!
//! Layout (ANS-104, integers little-endian): signature type (2), signature (64), owner (32), target flag (1, then 32 if
//! set), anchor flag (1, then 32 if set), number of tags (8), bytes of tags (8), tags (Avro), data. The signature is over
//! the deep hash of `["dataitem", "1", "2", owner, target, anchor, tags, data]`, and the item's id is its SHA-256.

mod deep_hash;
mod rebuild;
mod tags;

use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha384};
use thiserror::Error;

use self::deep_hash::{Chunk, deep_hash};
pub use self::rebuild::item_from_parts;
pub use self::tags::Tag;
use super::ItemId;
use crate::crypto;
use crate::keys::StorageKey;

const SIGNATURE_TYPE: u16 = 2;
/// Bytes before the data of an item of ours.
pub const HEADER_LEN: usize = 2 + 64 + 32 + 1 + 1 + 8 + 8;

/// Bytes that are no data item, or not a valid one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Ans104Error {
    /// It ends within the named field.
    #[error("the data item ends within its {0}; it was cut or is none")]
    Truncated(&'static str),
    /// Another signature scheme than ed25519.
    #[error("the data item has signature type {0}; only 2 (ed25519) is understood")]
    UnknownSignatureType(u16),
    /// A presence flag that is neither 0 nor 1.
    #[error("the {0} flag of the data item is {1} instead of 0 or 1")]
    BadFlag(&'static str, u8),
    /// Tags that ANS-104 does not allow.
    #[error("the tags of the data item are not valid: {0}")]
    BadTags(&'static str),
    /// The signature is not the owner's over these bytes.
    #[error("the data item does not match its signature: it may have been tampered with or damaged")]
    BadSignature,
}

/// A data item that was just signed: what a store takes.
#[derive(Debug, Clone)]
pub struct SignedItem {
    id: ItemId,
    bytes: Bytes,
}

impl SignedItem {
    /// Signs data, copying it once.
    #[must_use]
    pub fn sign(data: &[u8], key: &StorageKey) -> Self {
        let mut buffer = vec![0; HEADER_LEN];
        buffer.extend_from_slice(data);
        let id = write_header(&mut buffer, key);
        Self {
            id,
            bytes: buffer.into(),
        }
    }

    /// An item whose header [`write_header`] wrote.
    pub(crate) fn from_parts(id: ItemId, bytes: Bytes) -> Self {
        Self { id, bytes }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ItemId {
        self.id
    }

    /// The whole item, header and data.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The data alone: what a gateway serves under the id.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// Signs the data after the first [`HEADER_LEN`] bytes of a buffer and writes the header into these. A buffer that is
/// shorter than a header is an item of no data, cut short: callers make room first.
pub(crate) fn write_header(buffer: &mut [u8], key: &StorageKey) -> ItemId {
    let data = buffer.get(HEADER_LEN..).unwrap_or_default();
    let sha384 = Sha384::digest(data).into();
    item_id(&write_header_over(buffer, &sha384, key))
}

/// The same for data whose SHA-384 is known: many are hashed side by side (see [`chartseal_kernels::hash`]). Gives the
/// signature.
pub(crate) fn write_header_over(buffer: &mut [u8], sha384: &[u8; 48], key: &StorageKey) -> [u8; 64] {
    let (header, data) = buffer.split_at_mut(HEADER_LEN.min(buffer.len()));
    let owner = key.address();
    let len = data.len();
    let signature = key.sign(&signed_message(&owner, &[], &[], &[], Chunk::Hashed { len, sha384 }));
    let fields: [&[u8]; 4] = [&SIGNATURE_TYPE.to_le_bytes(), &signature, &owner, &[0; 1 + 1 + 8 + 8]];
    header.iter_mut().zip(fields.concat()).for_each(|(to, from)| *to = from);
    signature
}

/// The id of the item that has this signature: SHA-256 of it.
#[must_use]
pub fn item_id(signature: &[u8; 64]) -> ItemId {
    ItemId(crypto::sha256(&[signature]))
}

fn signed_message(owner: &[u8; 32], target: &[u8], anchor: &[u8], tags: &[u8], data: Chunk<'_>) -> [u8; 48] {
    let signature_type = SIGNATURE_TYPE.to_string();
    deep_hash(&Chunk::List(&[
        Chunk::Blob(b"dataitem"),
        Chunk::Blob(b"1"),
        Chunk::Blob(signature_type.as_bytes()),
        Chunk::Blob(owner),
        Chunk::Blob(target),
        Chunk::Blob(anchor),
        Chunk::Blob(tags),
        data,
    ]))
}

/// A data item as somebody sent it; [`verify`](Self::verify) says whether its owner signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedItem<'a> {
    /// The signature.
    pub signature: [u8; 64],
    /// The ed25519 public key of the signer.
    pub owner: [u8; 32],
    /// Whom it is sent to, if to anybody.
    pub target: Option<[u8; 32]>,
    /// An arbitrary value against replay, if any.
    pub anchor: Option<[u8; 32]>,
    /// Its tags.
    pub tags: Vec<Tag<'a>>,
    /// Its data.
    pub data: &'a [u8],
    raw_tags: &'a [u8],
}

impl<'a> ParsedItem<'a> {
    /// Takes an item apart.
    ///
    /// # Errors
    /// [`Ans104Error`]; the signature is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Ans104Error> {
        let mut rest = Fields(bytes);
        let signature_type = u16::from_le_bytes(rest.array("signature type")?);
        if signature_type != SIGNATURE_TYPE {
            return Err(Ans104Error::UnknownSignatureType(signature_type));
        }
        let signature = rest.array("signature")?;
        let owner = rest.array("owner")?;
        let target = rest.optional("target")?;
        let anchor = rest.optional("anchor")?;
        let tag_count = u64::from_le_bytes(rest.array("number of tags")?);
        let tag_bytes = u64::from_le_bytes(rest.array("length of tags")?);
        let raw_tags = rest.slice(tags::checked_len(tag_count, tag_bytes)?, "tags")?;
        let tags = tags::parse(raw_tags, tag_count)?;
        Ok(Self {
            signature,
            owner,
            target,
            anchor,
            tags,
            data: rest.0,
            raw_tags,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ItemId {
        item_id(&self.signature)
    }

    /// Checks the signature over everything else in the item.
    ///
    /// # Errors
    /// [`Ans104Error::BadSignature`].
    pub fn verify(&self) -> Result<(), Ans104Error> {
        let target = self.target.as_ref().map_or(&[] as &[u8], |target| target.as_slice());
        let anchor = self.anchor.as_ref().map_or(&[] as &[u8], |anchor| anchor.as_slice());
        let message = signed_message(&self.owner, target, anchor, self.raw_tags, Chunk::Blob(self.data));
        VerifyingKey::from_bytes(&self.owner)
            .and_then(|owner| owner.verify_strict(&message, &Signature::from_bytes(&self.signature)))
            .map_err(|_| Ans104Error::BadSignature)
    }
}

/// Takes fields off the front of an item.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Ans104Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Ans104Error::Truncated(field))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn slice(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], Ans104Error> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Ans104Error::Truncated(field))?;
        self.0 = rest;
        Ok(taken)
    }

    fn optional(&mut self, field: &'static str) -> Result<Option<[u8; 32]>, Ans104Error> {
        match self.array(field)? {
            [0] => Ok(None),
            [1] => Ok(Some(self.array(field)?)),
            [flag] => Err(Ans104Error::BadFlag(field, flag)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn item(data: &[u8]) -> SignedItem {
        SignedItem::sign(data, &StorageKey::from_secret(&[7; 32]))
    }

    #[test]
    fn a_signed_item_parses_and_verifies() {
        for data in [&b""[..], b"x", &[9; 70_000]] {
            let item = item(data);
            let parsed = ParsedItem::parse(item.bytes()).unwrap();
            parsed.verify().unwrap();
            assert_eq!(parsed.id(), item.id());
            assert_eq!((parsed.data, item.data()), (data, data));
            assert_eq!(parsed.owner, StorageKey::from_secret(&[7; 32]).address());
            assert!(parsed.tags.is_empty() && parsed.target.is_none() && parsed.anchor.is_none());
        }
    }

    #[test]
    fn an_item_cut_within_its_header_names_the_field() {
        let item = item(b"");
        for end in 0..HEADER_LEN {
            assert!(
                matches!(ParsedItem::parse(&item.bytes()[..end]), Err(Ans104Error::Truncated(_))),
                "{end}"
            );
        }
    }

    #[test]
    fn an_item_altered_or_cut_anywhere_does_not_verify() {
        let item = item(b"sealed bytes");
        for position in 0..item.bytes().len() {
            let mut altered = item.bytes().to_vec();
            altered[position] ^= 1;
            let verified = ParsedItem::parse(&altered).and_then(|parsed| parsed.verify());
            assert!(verified.is_err(), "byte {position}");
            let verified = ParsedItem::parse(&item.bytes()[..position]).and_then(|parsed| parsed.verify());
            assert!(verified.is_err(), "cut at {position}");
        }
    }

    #[test]
    fn an_item_with_target_anchor_and_tags_verifies() {
        let key = StorageKey::from_secret(&[7; 32]);
        let (owner, target, anchor) = (key.address(), [1; 32], [2; 32]);
        // One block of one tag, "a": "bc", then the end of the array.
        let tags = [2, 2, b'a', 4, b'b', b'c', 0];
        let signature = key.sign(&signed_message(&owner, &target, &anchor, &tags, Chunk::Blob(b"data")));
        let parts: [&[u8]; 11] = [
            &[2, 0],
            &signature,
            &owner,
            &[1],
            &target,
            &[1],
            &anchor,
            &1_u64.to_le_bytes(),
            &7_u64.to_le_bytes(),
            &tags,
            b"data",
        ];
        let bytes = parts.concat();
        let parsed = ParsedItem::parse(&bytes).unwrap();
        parsed.verify().unwrap();
        assert_eq!(
            parsed.tags,
            [Tag {
                name: b"a",
                value: b"bc"
            }]
        );
        assert_eq!(
            (parsed.target, parsed.anchor, parsed.data),
            (Some(target), Some(anchor), &b"data"[..])
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), ours: bool) {
            if ours && bytes.len() > 1 {
                bytes[..2].copy_from_slice(&[2, 0]);
                for flag in [98, 99].into_iter().filter(|flag| *flag < bytes.len()).collect::<Vec<_>>() {
                    bytes[flag] &= 1;
                }
            }
            let _ = ParsedItem::parse(&bytes).map(|parsed| parsed.verify());
        }
    }
}
