//! Shamir's sharing over the scalars, with Feldman's commitments: a secret is a polynomial's value at 0, member `i` has its
//! value at `i`, and the coefficients times `H` let everybody compute what a member's share is in the exponent.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use zeroize::Zeroizing;

use crate::group::h;

/// A polynomial; its coefficients are wiped when it goes.
pub(crate) struct Polynomial(Zeroizing<Vec<Scalar>>);

impl Polynomial {
    /// The polynomial of this degree whose coefficient of each power is given.
    pub(crate) fn new(degree: u8, coefficient: impl Fn(u8) -> Zeroizing<Scalar>) -> Self {
        // Room for all of them, so that no piece stays behind when it grows.
        let mut coefficients = Zeroizing::new(Vec::with_capacity(usize::from(degree) + 1));
        for power in 0..=degree {
            coefficients.push(*coefficient(power));
        }
        Self(coefficients)
    }

    pub(crate) fn at(&self, index: u8) -> Zeroizing<Scalar> {
        let x = Scalar::from(index);
        Zeroizing::new(self.0.iter().rev().fold(Scalar::ZERO, |sum, c| sum * x + c))
    }

    /// Each coefficient times `H`, the constant one first.
    pub(crate) fn commitments(&self) -> Vec<RistrettoPoint> {
        self.0.iter().map(|c| c * h()).collect()
    }

    pub(crate) fn constant(&self) -> Zeroizing<Scalar> {
        self.at(0)
    }
}

/// What the polynomial of these commitments is at `index`, in the exponent.
pub(crate) fn committed_at(commitments: &[RistrettoPoint], index: u8) -> RistrettoPoint {
    let x = Scalar::from(index);
    commitments
        .iter()
        .rev()
        .fold(RistrettoPoint::default(), |sum, c| sum * x + c)
}

/// Lagrange's weight of member `index` among `all`, which are distinct, for the value at `at`.
pub(crate) fn weight(all: &[u8], index: u8, at: u8) -> Scalar {
    let (at, own) = (Scalar::from(at), Scalar::from(index));
    let others = all
        .iter()
        .filter(|&&other| other != index)
        .map(|&other| Scalar::from(other));
    let (above, below) = others.fold((Scalar::ONE, Scalar::ONE), |(above, below), other| {
        (above * (at - other), below * (own - other))
    });
    above * below.invert()
}

/// The value at `at` of the polynomial of least degree through the shares.
pub(crate) fn number_at(shares: &[(u8, Scalar)], at: u8) -> Scalar {
    let all: Vec<u8> = shares.iter().map(|(index, _)| *index).collect();
    shares
        .iter()
        .map(|(index, share)| weight(&all, *index, at) * share)
        .sum()
}

/// The same in the exponent.
pub(crate) fn point_at(shares: &[(u8, RistrettoPoint)], at: u8) -> RistrettoPoint {
    let all: Vec<u8> = shares.iter().map(|(index, _)| *index).collect();
    shares
        .iter()
        .map(|(index, share)| weight(&all, *index, at) * share)
        .sum()
}

/// Whether all points lie on one polynomial of this degree.
pub(crate) fn on_one_polynomial(shares: &[(u8, RistrettoPoint)], degree: u8) -> bool {
    let Some((first, rest)) = shares.split_at_checked(usize::from(degree) + 1) else {
        return false;
    };
    rest.iter().all(|(index, share)| point_at(first, *index) == *share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{G, random_scalar};

    fn random(degree: u8) -> Polynomial {
        Polynomial::new(degree, |_| random_scalar().unwrap())
    }

    #[test]
    fn as_many_shares_as_coefficients_give_the_secret_and_fewer_another_number() {
        let polynomial = random(2);
        let shares: Vec<_> = (1..=5).map(|i| (i, *polynomial.at(i))).collect();
        let secret = *polynomial.constant();
        assert_eq!(number_at(&shares[..3], 0), secret);
        assert_eq!(number_at(&shares[2..], 0), secret);
        assert_eq!(number_at(&shares, 0), secret);
        assert_ne!(number_at(&shares[..2], 0), secret);
        let points: Vec<_> = shares.iter().map(|(i, share)| (*i, share * G)).collect();
        assert_eq!(point_at(&points[1..4], 0), secret * G);
        for (index, share) in shares {
            assert_eq!(committed_at(&polynomial.commitments(), index), share * h());
        }
    }

    #[test]
    fn a_point_beside_the_polynomial_is_seen() {
        let polynomial = random(2);
        let mut points: Vec<_> = (0..=5).map(|i| (i, *polynomial.at(i) * G)).collect();
        assert!(on_one_polynomial(&points, 2));
        assert!(!on_one_polynomial(&points, 1));
        assert!(!on_one_polynomial(&points[..2], 2));
        for place in 0..points.len() {
            points[place].1 += G;
            assert!(!on_one_polynomial(&points, 2));
            points[place].1 -= G;
        }
    }
}
