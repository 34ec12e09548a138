//! The first phase: powers of a point tau that nobody knows, and the same times alpha and times beta. It depends on the
//! circuit's size only.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup};
use ark_ff::One as _;
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    fault::{CeremonyError, Fault},
    share::{Exponent, Share, Weights, same_ratio, sum_g1, sum_g2},
    tape::{ReadError, Sink, Source},
};

/// What a party draws in the first phase, and forgets.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct PhaseOne {
    pub(super) tau: Fr,
    pub(super) alpha: Fr,
    pub(super) beta: Fr,
}

/// For a domain of N points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Powers {
    /// tau^i, for i below 2N - 1.
    pub(super) tau_g1: Vec<G1Affine>,
    /// tau^i, for i below N.
    pub(super) tau_g2: Vec<G2Affine>,
    /// alpha tau^i, for i below N.
    pub(super) alpha_g1: Vec<G1Affine>,
    /// beta tau^i, for i below N.
    pub(super) beta_g1: Vec<G1Affine>,
    pub(super) beta_g2: G2Affine,
}

impl Powers {
    /// Before anybody has contributed: tau, alpha and beta are 1.
    pub(super) fn begin(size: usize) -> Self {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        Self {
            tau_g1: vec![g1; 2 * size - 1],
            tau_g2: vec![g2; size],
            alpha_g1: vec![g1; size],
            beta_g1: vec![g1; size],
            beta_g2: g2,
        }
    }

    /// How many points the domain has.
    pub(super) fn size(&self) -> usize {
        self.tau_g2.len()
    }

    /// Multiplies every exponent by a party's share of it.
    pub(super) fn moved_by(&self, by: &PhaseOne) -> Self {
        let powers = powers_of(&by.tau, self.tau_g1.len());
        let times = |factor: &Fr| {
            Zeroizing::new(
                powers[..self.size()]
                    .iter()
                    .map(|power| *power * factor)
                    .collect::<Vec<_>>(),
            )
        };
        Self {
            tau_g1: multiplied(&self.tau_g1, &powers),
            tau_g2: multiplied(&self.tau_g2, &powers),
            alpha_g1: multiplied(&self.alpha_g1, &times(&by.alpha)),
            beta_g1: multiplied(&self.beta_g1, &times(&by.beta)),
            beta_g2: (self.beta_g2 * by.beta).into_affine(),
        }
    }

    /// Whether this follows from what stood before by the shares of tau, alpha and beta, and belongs together.
    pub(super) fn check(&self, before: &Self, shares: &[Share; 3], weights: &mut Weights) -> Result<(), Fault> {
        let [tau, alpha, beta] = shares;
        tau.moved(before.tau_g1[1], self.tau_g1[1], Exponent::Tau)?;
        alpha.moved(before.alpha_g1[0], self.alpha_g1[0], Exponent::Alpha)?;
        beta.moved(before.beta_g1[0], self.beta_g1[0], Exponent::Beta)?;

        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let require = |holds: bool, what| if holds { Ok(()) } else { Err(Fault::Inconsistent(what)) };
        require(
            self.tau_g1[0] == g1 && self.tau_g2[0] == g2,
            "a power of tau to the 0 is not 1",
        )?;
        let tau_g2 = self.tau_g2[1];
        require(
            same_ratio((self.tau_g1[1], g1), (tau_g2, g2)),
            "tau differs between the groups",
        )?;
        let grows = |points: &[G1Affine], weights: &mut Weights| {
            let steps = points.len() - 1;
            let weights = weights.draw(steps);
            same_ratio(
                (sum_g1(&points[1..], &weights), sum_g1(&points[..steps], &weights)),
                (tau_g2, g2),
            )
        };
        require(grows(&self.tau_g1, weights), "the powers of tau in the first group")?;
        require(grows(&self.alpha_g1, weights), "the powers of tau times alpha")?;
        require(grows(&self.beta_g1, weights), "the powers of tau times beta")?;
        let steps = self.size() - 1;
        let drawn = weights.draw(steps);
        let (next, these) = (sum_g2(&self.tau_g2[1..], &drawn), sum_g2(&self.tau_g2[..steps], &drawn));
        require(
            same_ratio((self.tau_g1[1], g1), (next, these)),
            "the powers of tau in the second group",
        )?;
        require(
            same_ratio((self.beta_g1[0], g1), (self.beta_g2, g2)),
            "beta differs between the groups",
        )
    }

    pub(super) fn read(source: &mut Source<'_>, size: usize) -> Result<Self, ReadError> {
        Ok(Self {
            tau_g1: source.many_g1(2 * size - 1)?,
            tau_g2: source.many_g2(size)?,
            alpha_g1: source.many_g1(size)?,
            beta_g1: source.many_g1(size)?,
            beta_g2: source.g2()?,
        })
    }

    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Result<(), CeremonyError> {
        sink.many_g1(&self.tau_g1)?;
        sink.many_g2(&self.tau_g2)?;
        sink.many_g1(&self.alpha_g1)?;
        sink.many_g1(&self.beta_g1)?;
        sink.many_g2(&[self.beta_g2])
    }
}

/// 1, x, x^2 and so on.
fn powers_of(x: &Fr, count: usize) -> Zeroizing<Vec<Fr>> {
    let mut powers = Zeroizing::new(Vec::with_capacity(count));
    let mut power = Zeroizing::new(Fr::one());
    for _ in 0..count {
        powers.push(*power);
        *power *= x;
    }
    powers
}

/// Each point by its factor; there may be more factors than points.
pub(super) fn multiplied<G: ark_ec::AffineRepr<ScalarField = Fr>>(points: &[G], factors: &[Fr]) -> Vec<G> {
    let moved: Vec<G::Group> = points
        .par_iter()
        .zip(factors)
        .map(|(point, factor)| *point * factor)
        .collect();
    CurveGroup::normalize_batch(&moved)
}
