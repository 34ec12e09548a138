//! Points of BN254 as the chain's syscalls want them: coordinates of 32 bytes, big-endian, not compressed, the part of i
//! first in the extension field. The point at infinity is all zeros.

use ark_bn254::{Fq, G1Affine, G2Affine};
use ark_ec::AffineRepr as _;
use ark_ff::{BigInteger as _, PrimeField as _};

/// A point of the first group.
pub(crate) type G1Bytes = [u8; 64];
/// A point of the second group.
pub(crate) type G2Bytes = [u8; 128];

pub(crate) fn g1(point: &G1Affine) -> G1Bytes {
    let mut bytes = [0; 64];
    if let Some((x, y)) = point.xy() {
        put(&mut bytes, [x, y]);
    }
    bytes
}

pub(crate) fn g2(point: &G2Affine) -> G2Bytes {
    let mut bytes = [0; 128];
    if let Some((x, y)) = point.xy() {
        put(&mut bytes, [x.c1, x.c0, y.c1, y.c0]);
    }
    bytes
}

fn put<const N: usize>(bytes: &mut [u8], coordinates: [Fq; N]) {
    for (bytes, coordinate) in bytes.chunks_exact_mut(32).zip(coordinates) {
        bytes.copy_from_slice(&coordinate.into_bigint().to_bytes_be());
    }
}
