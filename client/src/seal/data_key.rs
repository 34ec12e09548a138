//! The data key: 32 random bytes, new for every version of every record, and what is derived from it. It leaves this
//! process only inside envelopes.

use std::fmt;

use zeroize::Zeroizing;

use super::RecordIds;
use crate::CryptoError;
use crate::crypto;

const SHARD_LABEL: &[u8] = b"chartseal/shard/v1";
const COMMIT_LABEL: &[u8] = b"chartseal/commit/v1";
const MANIFEST_LABEL: &[u8] = b"chartseal/manifest/v1";

/// The key of one version of one record.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(Zeroizing::new(crypto::random()?)))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a manifest shows of its key. GCM alone lets a forger make a ciphertext that opens under two keys; a hash of
    /// the key in the clear does not.
    pub(super) fn commitment(&self) -> Result<[u8; 32], CryptoError> {
        Ok(*crypto::derive::<32>(&self.0, &[], &[COMMIT_LABEL])?)
    }

    /// The key of the encrypted part of the manifest.
    pub(super) fn manifest_key(&self, ids: &RecordIds) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
        crypto::derive(&self.0, &[], &[MANIFEST_LABEL, &ids.record, &ids.version.to_le_bytes()])
    }

    /// 32 bytes of key, then 7 of nonce prefix, for one shard.
    pub(super) fn shard_key(
        &self,
        ids: &RecordIds,
        shard: u32,
        salt: &[u8; 16],
    ) -> Result<Zeroizing<[u8; 39]>, CryptoError> {
        crypto::derive(
            &self.0,
            salt,
            &[
                SHARD_LABEL,
                &ids.record,
                &ids.version.to_le_bytes(),
                &shard.to_le_bytes(),
            ],
        )
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}
