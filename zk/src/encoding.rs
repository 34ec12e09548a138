//! Points of BN254 as the chain's syscalls want them: coordinates of 32 bytes, big-endian, not compressed, the part of i
//! first in the extension field. The point at infinity is all zeros.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr as _;
use ark_ff::{BigInteger as _, BigInteger256, PrimeField as _};

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

/// Reads a point, if the coordinates are canonical and lie on the curve: every such point is one of the group.
pub(crate) fn read_g1(bytes: &G1Bytes) -> Option<G1Affine> {
    let [x, y] = coordinates(bytes)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(G1Affine::identity());
    }
    let point = G1Affine::new_unchecked(x, y);
    point.is_on_curve().then_some(point)
}

/// Reads a point, if the coordinates are canonical and lie on the curve. Whether it is one of the group, which takes
/// longer, is left to the caller.
pub(crate) fn read_g2(bytes: &G2Bytes) -> Option<G2Affine> {
    let [x1, x0, y1, y0] = coordinates(bytes)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(G2Affine::identity());
    }
    let point = G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1));
    point.is_on_curve().then_some(point)
}

fn coordinates<const N: usize>(bytes: &[u8]) -> Option<[Fq; N]> {
    let mut coordinates = [Fq::default(); N];
    for (coordinate, bytes) in coordinates.iter_mut().zip(bytes.as_chunks::<32>().0) {
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_be_bytes(*bytes);
        }
        *coordinate = Fq::from_bigint(BigInteger256::new(limbs))?;
    }
    Some(coordinates)
}

fn put<const N: usize>(bytes: &mut [u8], coordinates: [Fq; N]) {
    for (bytes, coordinate) in bytes.chunks_exact_mut(32).zip(coordinates) {
        bytes.copy_from_slice(&coordinate.into_bigint().to_bytes_be());
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::UniformRand as _;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;

    #[test]
    fn points_survive_their_bytes() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for point in [G1Affine::rand(&mut rng), G1Affine::generator(), G1Affine::identity()] {
            assert_eq!(read_g1(&g1(&point)), Some(point));
        }
        for point in [G2Affine::rand(&mut rng), G2Affine::generator(), G2Affine::identity()] {
            assert_eq!(read_g2(&g2(&point)), Some(point));
        }
    }

    #[test]
    fn what_lies_beside_the_curve_is_no_point() {
        let mut bytes = g1(&G1Affine::generator());
        bytes[63] ^= 1;
        assert_eq!(read_g1(&bytes), None);
        let mut bytes = g2(&G2Affine::generator());
        bytes[127] ^= 1;
        assert_eq!(read_g2(&bytes), None);
    }

    #[test]
    fn a_coordinate_has_one_encoding() {
        // The generator is (1, 2): one plus the modulus is another way to write its first coordinate.
        let mut bytes = g1(&G1Affine::generator());
        bytes[..32].copy_from_slice(&Fq::MODULUS.to_bytes_be());
        bytes[31] += 1;
        assert_eq!(read_g1(&bytes), None);
    }
}
