//! The leaves of a shard: SHA-256 of each of its sealed segments. All segments but the last have the same length, so
//! several are hashed at once, side by side in the registers of one core.

use chartseal_kernels::hash;

use super::SEGMENT_LEN;

/// Segments that are encrypted before they are hashed: as many as are hashed side by side.
pub(super) const GROUP: usize = 16;

/// One leaf for each segment of `segments`, the last of which may be shorter.
pub(super) fn leaves(segments: &[u8]) -> Vec<[u8; 32]> {
    let segments: Vec<&[u8]> = segments.chunks(SEGMENT_LEN).collect();
    hash::sha256_each(&segments)
}
