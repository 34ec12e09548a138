//! The group that everything is computed in: ristretto255 (RFC 9496), of prime order, with the two bases of Solana's
//! twisted ElGamal. Points and numbers travel as 32 canonical bytes and are refused in any other form, so that nobody makes
//! a second encoding of the same proof.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::IsIdentity as _,
};
use solana_zk_sdk::encryption::pedersen;
use zeroize::{Zeroize as _, Zeroizing};

/// The base that values are encoded with: the base point of ristretto255.
pub const G: RistrettoPoint = pedersen::G;

/// The base that is blinded with, and that keys are of: nobody knows its logarithm to [`G`], for it is a hash.
#[must_use]
pub fn h() -> RistrettoPoint {
    *pedersen::H
}

/// Why 32 bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    #[error("32 bytes are no point of ristretto255 in its canonical form: send what the prover made, unaltered")]
    NotAPoint,
    #[error("a point is the identity, where that would prove nothing: make the key or the proof anew")]
    Identity,
    #[error("32 bytes are no number below the order of the group: send what the prover made, unaltered")]
    NotANumber,
}

/// The operating system's generator gave nothing; no secret was made without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes: nothing was made; try again once it does")]
pub struct RandomError;

/// A point as it travels: 32 bytes, compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Point(pub [u8; 32]);

impl Point {
    /// The canonical bytes of a point.
    #[must_use]
    pub fn of(point: &RistrettoPoint) -> Self {
        Self(point.compress().to_bytes())
    }

    /// The point.
    ///
    /// # Errors
    /// [`EncodingError::NotAPoint`].
    pub fn open(&self) -> Result<RistrettoPoint, EncodingError> {
        CompressedRistretto(self.0).decompress().ok_or(EncodingError::NotAPoint)
    }

    /// The point, where the identity is none: keys, and bases of proofs.
    ///
    /// # Errors
    /// [`EncodingError::NotAPoint`], [`EncodingError::Identity`].
    pub fn open_key(&self) -> Result<RistrettoPoint, EncodingError> {
        let point = self.open()?;
        if point.is_identity() {
            return Err(EncodingError::Identity);
        }
        Ok(point)
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Point({})", hex::encode(self.0))
    }
}

/// A number modulo the order of the group, as it travels: 32 bytes, little-endian. It is for what everybody may see.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Number(pub [u8; 32]);

impl Number {
    /// The canonical bytes of a number.
    #[must_use]
    pub fn of(number: &Scalar) -> Self {
        Self(number.to_bytes())
    }

    /// The number.
    ///
    /// # Errors
    /// [`EncodingError::NotANumber`] where it is not below the order.
    pub fn open(&self) -> Result<Scalar, EncodingError> {
        Scalar::from_canonical_bytes(self.0)
            .into_option()
            .ok_or(EncodingError::NotANumber)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", hex::encode(self.0))
    }
}

/// Bytes of the system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// A number that nobody can guess, without bias.
pub(crate) fn random_scalar() -> Result<Zeroizing<Scalar>, RandomError> {
    let mut wide = random::<64>()?;
    let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
    wide.zeroize();
    Ok(scalar)
}

/// `x^n * points[0] + ... + x * points[n - 1]` of `n` points, by Horner's rule: only additions and multiplications by one
/// number, so that a program on chain needs no arithmetic of scalars for it.
pub(crate) fn fold<'a>(points: impl IntoIterator<Item = &'a RistrettoPoint>, x: &Scalar) -> RistrettoPoint {
    points
        .into_iter()
        .fold(RistrettoPoint::default(), |sum, point| (sum + point) * x)
}

/// The same of numbers.
pub(crate) fn fold_numbers<'a>(numbers: impl IntoIterator<Item = &'a Scalar>, x: &Scalar) -> Scalar {
    numbers.into_iter().fold(Scalar::ZERO, |sum, number| (sum + number) * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_bytes_are_points_and_numbers() {
        assert_eq!(Point::of(&G).open().unwrap(), G);
        assert_eq!(Point([0; 32]).open_key(), Err(EncodingError::Identity));
        assert_eq!(Point([255; 32]).open(), Err(EncodingError::NotAPoint));
        // The order itself is zero again, in a second form.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        assert_eq!(Number(order.try_into().unwrap()).open(), Err(EncodingError::NotANumber));
        assert_eq!(Number::of(&-Scalar::ONE).open().unwrap(), -Scalar::ONE);
    }

    #[test]
    fn folding_points_is_folding_their_logarithms() {
        let x = Scalar::from(7u8);
        let numbers = [Scalar::from(3u8), Scalar::from(0u8), Scalar::from(10u8)];
        let points = numbers.map(|number| number * G);
        assert_eq!(fold_numbers(&numbers, &x), Scalar::from(3 * 343 + 10 * 7u64));
        assert_eq!(fold(&points, &x), fold_numbers(&numbers, &x) * G);
    }
}
