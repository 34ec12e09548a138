//! SHA-256 and SHA-384 (FIPS 180-4) of many inputs at once.

use sha2::{Digest as _, Sha256, Sha384};

/// SHA-256 of each input. Fastest where neighbours have the same length.
#[must_use]
pub fn sha256_each(inputs: &[&[u8]]) -> Vec<[u8; 32]> {
    inputs.iter().map(|input| Sha256::digest(input).into()).collect()
}

/// SHA-384 of each input. Fastest where neighbours have the same length.
#[must_use]
pub fn sha384_each(inputs: &[&[u8]]) -> Vec<[u8; 48]> {
    inputs.iter().map(|input| Sha384::digest(input).into()).collect()
}
