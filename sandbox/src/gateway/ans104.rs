//! ANS-104 data items: their header, their id, and what their signature covers.
//!
//! The format is that of the [ANS-104 standard](https://github.com/ArweaveTeam/arweave-standards/blob/master/ans/ANS-104.md):
//! signature type (2 bytes, little-endian), signature, owner, target and anchor each behind a byte that says whether they
//! are there, the number of tags and the length of their Avro encoding (8 bytes each), the tags, the data. The id is
//! the SHA-256 of the signature. Of the signature types those with ed25519 are read, which are all that Solana's wallets make.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256, Sha384};

/// The most tags, and the longest encoding of them in bytes, as the standard has it.
const MAX_TAGS: u64 = 128;
const MAX_TAGS_LENGTH: usize = 4096;

/// Signature type, signature, owner, target, anchor, two lengths, tags: no header is longer.
pub(crate) const MAX_HEADER: usize = 2 + 64 + 32 + 33 + 33 + 16 + MAX_TAGS_LENGTH;

/// What is wrong with an item. The messages go to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("Data item parsing error! The item ends within its header")]
    Truncated,
    #[error(
        "Data item parsing error! Signature type {0} is not supported; the sandbox reads 2 (ed25519) and 4 (Solana)"
    )]
    SignatureType(u16),
    #[error("Data item parsing error! {0} is neither there nor absent")]
    Presence(&'static str),
    #[error("Data item parsing error! The tags {0}")]
    Tags(&'static str),
    #[error("Invalid Data Item! The signature does not match")]
    Signature,
}

/// A name and a value that anybody can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Everything before the data.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    kind: u16,
    pub(crate) signature: [u8; 64],
    /// The signer's public key.
    pub(crate) owner: [u8; 32],
    pub(crate) target: Vec<u8>,
    pub(crate) anchor: Vec<u8>,
    tag_bytes: Vec<u8>,
    /// The tags, decoded.
    pub(crate) tags: Vec<Tag>,
    /// How many bytes the header takes.
    pub(crate) length: usize,
}

impl Header {
    /// Reads the header from the beginning of an item. `None`: it does not end within these bytes.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, ItemError> {
        let mut cursor = Cursor { bytes, at: 0 };
        match Self::read_from(&mut cursor) {
            Ok(header) => Ok(Some(header)),
            Err(ItemError::Truncated) if bytes.len() < MAX_HEADER => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_from(cursor: &mut Cursor<'_>) -> Result<Self, ItemError> {
        let kind = u16::from_le_bytes(cursor.array()?);
        if kind != 2 && kind != 4 {
            return Err(ItemError::SignatureType(kind));
        }
        let signature = cursor.array()?;
        let owner = cursor.array()?;
        let target = cursor.optional("The target")?;
        let anchor = cursor.optional("The anchor")?;
        let count = u64::from_le_bytes(cursor.array()?);
        let length = usize::try_from(u64::from_le_bytes(cursor.array()?)).unwrap_or(usize::MAX);
        if count > MAX_TAGS || length > MAX_TAGS_LENGTH {
            return Err(ItemError::Tags("are more than the standard allows"));
        }
        let tag_bytes = cursor.take(length)?.to_vec();
        let tags = read_tags(&tag_bytes)?;
        if tags.len() as u64 != count {
            return Err(ItemError::Tags("are not as many as announced"));
        }
        Ok(Self {
            kind,
            signature,
            owner,
            target,
            anchor,
            tag_bytes,
            tags,
            length: cursor.at,
        })
    }

    /// The header as it was read.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length);
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        bytes.extend_from_slice(&self.signature);
        bytes.extend_from_slice(&self.owner);
        for optional in [&self.target, &self.anchor] {
            bytes.push(u8::from(!optional.is_empty()));
            bytes.extend_from_slice(optional);
        }
        bytes.extend_from_slice(&(self.tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.tag_bytes.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.tag_bytes);
        bytes
    }

    /// The item's id: base64url of the SHA-256 of its signature.
    pub(crate) fn id(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.signature))
    }

    /// The owner's address as Arweave writes it: base64url of the SHA-256 of the public key.
    pub(crate) fn owner_address(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.owner))
    }

    /// The value of the first tag of this name, in any case.
    pub(crate) fn tag(&self, name: &str) -> Option<&[u8]> {
        self.tags
            .iter()
            .find(|tag| tag.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|tag| tag.value.as_slice())
    }

    /// Checks the signature over the header and the data.
    pub(crate) fn verify(&self, data: DataHash) -> Result<(), ItemError> {
        let kind = self.kind.to_string();
        let parts = [
            blob(b"dataitem"),
            blob(b"1"),
            blob(kind.as_bytes()),
            blob(&self.owner),
            blob(&self.target),
            blob(&self.anchor),
            blob(&self.tag_bytes),
            data.finish(),
        ];
        let message = list(&parts);
        let key = VerifyingKey::from_bytes(&self.owner).map_err(|_| ItemError::Signature)?;
        let signature = Signature::from_bytes(&self.signature);
        let verified = match self.kind {
            // Wallets refuse to sign bytes that could be a transaction, so type 4 signs them as hexadecimal text.
            4 => key.verify_strict(hex(&message).as_bytes(), &signature),
            _ => key.verify_strict(&message, &signature),
        };
        verified.map_err(|_| ItemError::Signature)
    }
}

/// The deep hash of a blob whose length is known only at its end.
#[derive(Debug, Default)]
pub(crate) struct DataHash {
    hasher: Sha384,
    length: u64,
}

impl DataHash {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn finish(self) -> [u8; 48] {
        let tag = Sha384::digest(format!("blob{}", self.length));
        Sha384::new()
            .chain_update(tag)
            .chain_update(self.hasher.finalize())
            .finalize()
            .into()
    }
}

/// The deep hash of a list of blobs.
pub(crate) fn deep_hash(blobs: &[&[u8]]) -> [u8; 48] {
    list(&blobs.iter().map(|bytes| blob(bytes)).collect::<Vec<_>>())
}

/// The deep hash of a blob.
pub(crate) fn blob(bytes: &[u8]) -> [u8; 48] {
    let mut hash = DataHash::default();
    hash.update(bytes);
    hash.finish()
}

/// The deep hash of a list, of those of what is in it.
pub(crate) fn list(parts: &[[u8; 48]]) -> [u8; 48] {
    let begin: [u8; 48] = Sha384::digest(format!("list{}", parts.len())).into();
    parts.iter().fold(begin, |hash, part| {
        Sha384::new().chain_update(hash).chain_update(part).finalize().into()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Tags are an Avro array of records of two byte strings: blocks of a count and as many items, ended by a count of 0.
/// A negative count is followed by the block's length in bytes.
fn read_tags(bytes: &[u8]) -> Result<Vec<Tag>, ItemError> {
    const CUT: ItemError = ItemError::Tags("end too early");
    let mut tags = Vec::new();
    if bytes.is_empty() {
        return Ok(tags);
    }
    let mut cursor = Cursor { bytes, at: 0 };
    loop {
        let count = cursor.long()?;
        if count == 0 {
            break;
        }
        if count < 0 {
            cursor.long()?;
        }
        for _ in 0..count.unsigned_abs() {
            if tags.len() as u64 == MAX_TAGS {
                return Err(ItemError::Tags("are more than the standard allows"));
            }
            let name = cursor.string().map_err(|_| CUT)?;
            let value = cursor.string().map_err(|_| CUT)?;
            if name.is_empty() || name.len() > 1024 || value.is_empty() || value.len() > 3072 {
                return Err(ItemError::Tags("have a name or value that is empty or too long"));
            }
            tags.push(Tag { name, value });
        }
    }
    if cursor.at == bytes.len() {
        Ok(tags)
    } else {
        Err(ItemError::Tags("are followed by more bytes"))
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ItemError> {
        let end = self.at.checked_add(length).ok_or(ItemError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(ItemError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ItemError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn optional(&mut self, what: &'static str) -> Result<Vec<u8>, ItemError> {
        match self.take(1)? {
            [0] => Ok(Vec::new()),
            [1] => Ok(self.take(32)?.to_vec()),
            _ => Err(ItemError::Presence(what)),
        }
    }

    /// A zigzag integer of variable length.
    fn long(&mut self) -> Result<i64, ItemError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1).map_err(|_| ItemError::Tags("end too early"))? else {
                return Err(ItemError::Tags("end too early"));
            };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let magnitude = i64::try_from(value >> 1).unwrap_or(i64::MAX);
                return Ok(if value & 1 == 0 { magnitude } else { -magnitude - 1 });
            }
        }
        Err(ItemError::Tags("have a number that does not end"))
    }

    fn string(&mut self) -> Result<Vec<u8>, ItemError> {
        let length = usize::try_from(self.long()?).map_err(|_| ItemError::Tags("have a negative length"))?;
        Ok(self.take(length)?.to_vec())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    /// A header with two tags and a target, and the data `hello`, signed.
    fn item(kind: u16) -> Vec<u8> {
        let key = SigningKey::from_bytes(&[5; 32]);
        let owner = key.verifying_key().to_bytes();
        let tags = b"\x04\x18Content-Type\x14text/plain\x06App\x02x\x00";
        let message = deep_hash(&[
            b"dataitem",
            b"1",
            kind.to_string().as_bytes(),
            &owner,
            &[9; 32],
            b"",
            tags,
            b"hello",
        ]);
        let signature = if kind == 4 {
            key.sign(hex(&message).as_bytes())
        } else {
            key.sign(&message)
        };
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        bytes.extend_from_slice(&owner);
        bytes.push(1);
        bytes.extend_from_slice(&[9; 32]);
        bytes.push(0);
        bytes.extend_from_slice(&2u64.to_le_bytes());
        bytes.extend_from_slice(&(tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(tags);
        bytes.extend_from_slice(b"hello");
        bytes
    }

    fn verify(bytes: &[u8]) -> Result<Header, ItemError> {
        let header = Header::read(bytes)?.ok_or(ItemError::Truncated)?;
        let mut data = DataHash::default();
        data.update(&bytes[header.length..]);
        header.verify(data).map(|()| header)
    }

    #[test]
    fn both_kinds_of_signature_are_verified() {
        for kind in [2, 4] {
            let header = verify(&item(kind)).unwrap();
            assert_eq!(header.tag("content-type"), Some(&b"text/plain"[..]));
            assert_eq!(header.id().len(), 43);
            assert_eq!(header.encode(), item(kind)[..header.length]);
        }
    }

    #[test]
    fn any_flipped_byte_is_refused() {
        let whole = item(2);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(verify(&bytes).is_err(), "byte {at}");
        }
        assert!(verify(&whole[..whole.len() - 1]).is_err());
    }

    #[test]
    fn a_header_that_is_cut_asks_for_more() {
        let whole = item(2);
        let length = Header::read(&whole).unwrap().unwrap().length;
        for cut in 0..length {
            assert!(Header::read(&whole[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        assert!(Header::read(&whole[..length]).unwrap().is_some());
    }

    #[test]
    fn malformed_tags_are_refused() {
        for bytes in [
            &b"\x02"[..],
            b"\x02\x02a\x02b",
            b"\x02\x02a\x00\x00",
            b"\x02\x01",
            b"\x00\x00",
            &[0xff; 12],
        ] {
            assert!(matches!(read_tags(bytes), Err(ItemError::Tags(_))), "{bytes:?}");
        }
        assert_eq!(
            read_tags(b"\x01\x08\x02a\x02b\x00").unwrap().len(),
            1,
            "a block with its length"
        );
        assert_eq!(read_tags(b"\x00").unwrap().len(), 0);
    }
}
