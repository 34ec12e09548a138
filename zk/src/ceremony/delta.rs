//! The second phase: delta, by which everything that the witness alone determines is divided, so that no other proof than
//! one of the whole circuit can be put together from the key.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::Field as _;
use zeroize::Zeroizing;

use super::{
    fault::{CeremonyError, Fault},
    powers::multiplied,
    share::{Exponent, Share, Weights, same_ratio, sum_g1},
    tape::{ReadError, Sink, Source},
};

/// What the second phase moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) g1: G1Affine,
    pub(super) g2: G2Affine,
    /// tau^i (tau^N - 1) / delta.
    pub(super) h: Vec<G1Affine>,
    /// Of the witness: (beta A + alpha B + C) / delta.
    pub(super) l: Vec<G1Affine>,
}

impl Delta {
    /// Before anybody has contributed: delta is 1.
    pub(super) fn begin(h: Vec<G1Affine>, l: Vec<G1Affine>) -> Self {
        Self {
            g1: G1Affine::generator(),
            g2: G2Affine::generator(),
            h,
            l,
        }
    }

    /// Multiplies delta by a party's share. Were it zero, which none ever is, nobody would take the result.
    pub(super) fn moved_by(&self, by: &Fr) -> Self {
        let inverse = Zeroizing::new(by.inverse().unwrap_or_default());
        let inverses = Zeroizing::new(vec![*inverse; self.h.len().max(self.l.len())]);
        Self {
            g1: (self.g1 * by).into_affine(),
            g2: (self.g2 * by).into_affine(),
            h: multiplied(&self.h, &inverses),
            l: multiplied(&self.l, &inverses),
        }
    }

    /// Whether this follows from what stood before by the share of delta, and belongs together.
    pub(super) fn check(&self, before: &Self, share: &Share, weights: &mut Weights) -> Result<(), Fault> {
        share.moved(before.g1, self.g1, Exponent::Delta)?;
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let require = |holds: bool, what| if holds { Ok(()) } else { Err(Fault::Inconsistent(what)) };
        require(
            same_ratio((self.g1, g1), (self.g2, g2)),
            "delta differs between the groups",
        )?;
        let shrinks = |before: &[G1Affine], now: &[G1Affine], weights: &mut Weights| {
            let weights = weights.draw(now.len());
            same_ratio((sum_g1(before, &weights), sum_g1(now, &weights)), (share.g2, g2))
        };
        require(
            shrinks(&before.h, &self.h, weights),
            "the multiples of the vanishing polynomial",
        )?;
        require(shrinks(&before.l, &self.l, weights), "the witness' sums of polynomials")
    }

    pub(super) fn read(source: &mut Source<'_>, h: usize, l: usize) -> Result<Self, ReadError> {
        Ok(Self {
            g1: source.g1()?,
            g2: source.g2()?,
            h: source.many_g1(h)?,
            l: source.many_g1(l)?,
        })
    }

    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Result<(), CeremonyError> {
        sink.many_g1(&[self.g1])?;
        sink.many_g2(&[self.g2])?;
        sink.many_g1(&self.h)?;
        sink.many_g1(&self.l)
    }
}
