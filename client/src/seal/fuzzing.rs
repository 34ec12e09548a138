//! The doors of [`crate::fuzzing`] into sealing.

use zeroize::Zeroizing;

use super::break_glass::{self, KeyShare};
use super::envelope::EnvelopeError;
use super::{DataKey, Manifest, ManifestBody, ManifestError, ShardEntry};
use crate::crypto;

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

/// Makes the bytes of a manifest.
///
/// # Errors
/// [`ManifestError`].
pub fn seal_manifest(key: &DataKey, shards: &[ShardEntry], body: &ManifestBody) -> Result<Vec<u8>, ManifestError> {
    Manifest::seal(key, shards, body)
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
