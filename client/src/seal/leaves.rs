//! The leaves of a shard: SHA-256 of each of its sealed segments. All segments but the last have the same length, so
//! several can be hashed at once; that is why this is a function over many and has a file of its own.

use sha2::{Digest as _, Sha256};

use super::SEGMENT_LEN;

/// One leaf for each segment of `segments`, the last of which may be shorter.
pub(super) fn leaves(segments: &[u8]) -> Vec<[u8; 32]> {
    segments
        .chunks(SEGMENT_LEN)
        .map(|segment| Sha256::digest(segment).into())
        .collect()
}
