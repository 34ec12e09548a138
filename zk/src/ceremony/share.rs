//! One party's share of one exponent: what it multiplies by, in both groups, and a proof that it knows the number. After
//! Kohlweiss, Maller, Siim and Volkhov, "Snarky Ceremonies" (eprint 2021/219), section 6, which needs no beacon.

use std::fmt;

use ark_bn254::{Bn254, Fq, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _, VariableBaseMSM as _, pairing::Pairing as _};
use ark_ff::{PrimeField as _, Zero as _};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use sha2::{Digest as _, Sha256, Sha512};

use super::fault::Fault;
use crate::encoding;

/// Which exponent a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exponent {
    /// The point at which the polynomials are evaluated.
    Tau,
    /// The shift of the first factor.
    Alpha,
    /// The shift of the second.
    Beta,
    /// What the witness' part is divided by; the second phase's only.
    Delta,
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tau => "tau",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Delta => "delta",
        })
    }
}

/// A share of an exponent, without the exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) g1: G1Affine,
    pub(super) g2: G2Affine,
    /// The exponent times a point that the transcript so far, this contribution's shares and its party's name determine,
    /// so that nobody can use it again at another place.
    pub(super) knowledge: G1Affine,
}

impl Share {
    /// The share's two points, to which the proof of knowledge is bound.
    pub(super) fn of(exponent: &Fr) -> (G1Affine, G2Affine) {
        (
            (G1Affine::generator() * exponent).into_affine(),
            (G2Affine::generator() * exponent).into_affine(),
        )
    }

    pub(super) fn prove((g1, g2): (G1Affine, G2Affine), exponent: &Fr, which: Exponent, bound_to: &[u8; 32]) -> Self {
        Self {
            g1,
            g2,
            knowledge: (challenge(which, bound_to) * exponent).into_affine(),
        }
    }

    /// Whether both points are of the same number, which is not zero, and whose maker knew it.
    pub(super) fn check(&self, which: Exponent, bound_to: &[u8; 32]) -> Result<(), Fault> {
        let known = !self.g1.is_zero()
            && same_ratio((self.g1, G1Affine::generator()), (self.g2, G2Affine::generator()))
            && same_ratio(
                (self.knowledge, challenge(which, bound_to)),
                (self.g2, G2Affine::generator()),
            );
        known.then_some(()).ok_or(Fault::Knowledge(which))
    }

    /// Whether a point became another by this share.
    pub(super) fn moved(&self, from: G1Affine, to: G1Affine, which: Exponent) -> Result<(), Fault> {
        same_ratio((to, from), (self.g2, G2Affine::generator()))
            .then_some(())
            .ok_or(Fault::Step(which))
    }
}

/// What the proofs of knowledge of one contribution are bound to.
pub(super) fn binding(transcript: &[u8; 32], name: &str, shares: &[(G1Affine, G2Affine)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chartseal/ceremony/binding/v1");
    hash.update(transcript);
    hash.update((name.len() as u64).to_le_bytes());
    hash.update(name);
    for (g1, g2) in shares {
        hash.update(encoding::g1(g1));
        hash.update(encoding::g2(g2));
    }
    hash.finalize().into()
}

/// A point whose logarithm nobody knows: the first number counted up to that, hashed, is a coordinate of one.
fn challenge(which: Exponent, bound_to: &[u8; 32]) -> G1Affine {
    let mut count = 0_u64;
    loop {
        let mut hash = Sha512::new();
        hash.update(b"chartseal/ceremony/challenge/v1");
        hash.update(which.to_string());
        hash.update(bound_to);
        hash.update(count.to_le_bytes());
        let wide: [u8; 64] = hash.finalize().into();
        // The group has as many points as the curve, so this is one of it.
        if let Some(point) = G1Affine::get_point_from_x_unchecked(Fq::from_le_bytes_mod_order(&wide), wide[0] & 1 == 1)
        {
            return point;
        }
        count += 1;
    }
}

/// Whether `a.0 : a.1` in the first group is as `b.0 : b.1` in the second.
pub(super) fn same_ratio(a: (G1Affine, G1Affine), b: (G2Affine, G2Affine)) -> bool {
    Bn254::multi_pairing([a.0, -a.1], [b.1, b.0]).is_zero()
}

/// Random weights of 128 bits, which follow from all that they weigh: where a sum with them agrees, so do the parts, but
/// for one chance in 2^128.
pub(super) struct Weights(ChaCha20Rng);

impl Weights {
    pub(super) fn new(transcript: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"chartseal/ceremony/weights/v1");
        hash.update(transcript);
        Self(ChaCha20Rng::from_seed(hash.finalize().into()))
    }

    pub(super) fn draw(&mut self, count: usize) -> Vec<Fr> {
        let mut one = || Fr::from(u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64()));
        (0..count).map(|_| one()).collect()
    }
}

pub(super) fn sum_g1(points: &[G1Affine], weights: &[Fr]) -> G1Affine {
    ark_bn254::G1Projective::msm_unchecked(points, weights).into_affine()
}

pub(super) fn sum_g2(points: &[G2Affine], weights: &[Fr]) -> G2Affine {
    ark_bn254::G2Projective::msm_unchecked(points, weights).into_affine()
}
