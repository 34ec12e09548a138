//! Segments: the unit of encryption. A shard's segments are sealed as a STREAM (Hoang, Reyhanitabar, Rogaway, Vizár,
//! CRYPTO 2015): the nonce is the shard's 7-byte prefix, the segment's number and a flag on the last one, so that
//! segments that were reordered, repeated, dropped or taken from elsewhere do not open. The associated data binds suite,
//! patient, record, version and segment size.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

use super::{DataKey, RecordIds, SEGMENT_LEN, SUITE};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN, TAG_LEN};

const HEADER_LABEL: &[u8] = b"chartseal/header/v1";
const PREFIX_LEN: usize = 7;

/// Seals and opens the segments of one shard. Each shard has a key of its own, so numbers make unique nonces.
pub(super) struct ShardCipher {
    key: LessSafeKey,
    prefix: [u8; PREFIX_LEN],
    aad: [u8; 32],
}

impl ShardCipher {
    pub(super) fn new(key: &DataKey, ids: &RecordIds, shard: u32, salt: &[u8; 16]) -> Result<Self, CryptoError> {
        let derived = key.shard_key(ids, shard, salt)?;
        let (key, prefix) = derived.split_first_chunk::<32>().ok_or(CryptoError::Refused)?;
        let prefix = prefix.try_into().map_err(|_| CryptoError::Refused)?;
        Ok(Self {
            key: crypto::aes256gcm(key)?,
            prefix,
            aad: header_hash(ids),
        })
    }

    /// Seals a segment in place: its plaintext, then 16 bytes of room for the tag.
    pub(super) fn seal(&self, number: u32, last: bool, segment: &mut [u8]) -> Result<(), CryptoError> {
        let len = segment.len().checked_sub(TAG_LEN).ok_or(CryptoError::Refused)?;
        let (plaintext, room) = segment.split_at_mut(len);
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(number, last), Aad::from(&self.aad), plaintext)?;
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a segment in place, or gives `None`; the plaintext is all but the last 16 bytes.
    pub(super) fn open<'a>(&self, number: u32, last: bool, segment: &'a mut [u8]) -> Option<&'a [u8]> {
        let opened = self
            .key
            .open_in_place(self.nonce(number, last), Aad::from(&self.aad), segment);
        opened.ok().map(|plaintext| &*plaintext)
    }

    fn nonce(&self, number: u32, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let (prefix, rest) = nonce.split_at_mut(PREFIX_LEN);
        prefix.copy_from_slice(&self.prefix);
        let (counter, flag) = rest.split_at_mut(4);
        counter.copy_from_slice(&number.to_be_bytes());
        flag.copy_from_slice(&[u8::from(last)]);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn header_hash(ids: &RecordIds) -> [u8; 32] {
    let size = u32::try_from(SEGMENT_LEN).unwrap_or(u32::MAX);
    let version = ids.version.to_le_bytes();
    crypto::sha256(&[
        HEADER_LABEL,
        &[SUITE],
        &ids.patient,
        &ids.record,
        &version,
        &size.to_le_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const IDS: RecordIds = RecordIds {
        patient: [1; 16],
        record: [2; 16],
        version: 3,
    };

    fn cipher(key: &DataKey, ids: &RecordIds, shard: u32, salt: u8) -> ShardCipher {
        ShardCipher::new(key, ids, shard, &[salt; 16]).unwrap()
    }

    #[test]
    fn a_segment_opens_only_in_its_own_place() {
        let key = DataKey::generate().unwrap();
        let mut sealed = [b"plain".as_slice(), &[0; TAG_LEN]].concat();
        cipher(&key, &IDS, 4, 5).seal(6, false, &mut sealed).unwrap();

        let opens = |cipher: ShardCipher, number: u32, last: bool| {
            cipher.open(number, last, &mut sealed.clone()).map(<[u8]>::to_vec)
        };
        assert_eq!(opens(cipher(&key, &IDS, 4, 5), 6, false).unwrap(), b"plain");
        assert!(opens(cipher(&key, &IDS, 4, 5), 7, false).is_none(), "another number");
        assert!(opens(cipher(&key, &IDS, 4, 5), 6, true).is_none(), "as the last one");
        assert!(opens(cipher(&key, &IDS, 5, 5), 6, false).is_none(), "another shard");
        assert!(opens(cipher(&key, &IDS, 4, 6), 6, false).is_none(), "another salt");
        for ids in [
            RecordIds {
                patient: [9; 16],
                ..IDS
            },
            RecordIds { record: [9; 16], ..IDS },
            RecordIds { version: 9, ..IDS },
        ] {
            assert!(opens(cipher(&key, &ids, 4, 5), 6, false).is_none(), "{ids:?}");
        }
        assert!(
            opens(cipher(&DataKey::generate().unwrap(), &IDS, 4, 5), 6, false).is_none(),
            "another key"
        );
    }

    #[test]
    fn a_segment_without_room_for_its_tag_is_refused() {
        let cipher = cipher(&DataKey::generate().unwrap(), &IDS, 0, 0);
        assert!(cipher.seal(0, true, &mut [0; TAG_LEN - 1]).is_err());
        assert!(cipher.open(0, true, &mut [0; TAG_LEN - 1]).is_none());
    }
}
