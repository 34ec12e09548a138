//! Proofs of knowledge about logarithms, as few as the protocol needs: of one logarithm (Schnorr), of one logarithm that
//! many pairs of points share (Chaum and Pedersen), and of the openings of many commitments. Each is made non-interactive
//! by a [`Transcript`], which the caller begins with what the proof is about and for; the proof adds its bases, its
//! statement and its first message. So a proof holds for one statement in one context only.
//!
//! Every equation has the form `s*B == R + c*Y`, with `R` and `s` in the proof and `c` hashed: a program on chain checks
//! it with additions and multiplications alone. Sums that a challenge weighs are folded by Horner's rule, for the same
//! reason.

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::IsIdentity as _};
use zeroize::Zeroizing;

use crate::{
    group::{self, EncodingError, G, Number, Point, RandomError},
    transcript::Transcript,
};

/// Why a proof is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error("the proof is not of this statement, or was made for another occasion: ask the prover for the right one")]
    Refused,
}

/// Knowledge of `x` with `x*B == Y` (Schnorr): 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Knowledge {
    /// `k*B`.
    pub commitment: Point,
    /// `k + c*x`.
    pub response: Number,
}

impl Knowledge {
    /// Proves that the prover knows the logarithm `secret` of `secret * base`.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn prove(transcript: &mut Transcript, base: &RistrettoPoint, secret: &Scalar) -> Result<Self, RandomError> {
        transcript.append_point("base", base);
        transcript.append_point("public", &(secret * base));
        let nonce = transcript.nonce(&[secret])?;
        let commitment = Point::of(&(*nonce * base));
        transcript.append("commitment", &commitment.0);
        let challenge = transcript.challenge("challenge");
        Ok(Self {
            commitment,
            response: Number::of(&(*nonce + challenge * secret)),
        })
    }

    /// Whether the prover knew the logarithm of `public`.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(
        &self,
        transcript: &mut Transcript,
        base: &RistrettoPoint,
        public: &RistrettoPoint,
    ) -> Result<(), ProofError> {
        refuse_identity(base)?;
        transcript.append_point("base", base);
        transcript.append_point("public", public);
        transcript.append("commitment", &self.commitment.0);
        let challenge = transcript.challenge("challenge");
        holds(self.response.open()? * base == self.commitment.open()? + challenge * public)
    }
}

/// One logarithm in several bases: `x*B == Y` and `x*D == E` for each pair (`D`, `E`) (Chaum and Pedersen): 96 bytes.
///
/// Many pairs are weighed with the powers of one challenge, which is drawn after all of them are hashed: if one pair had
/// another logarithm, at most as many challenges as there are pairs, of 2^248, would make the sums agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Equality {
    /// `k*B`.
    pub commitment: Point,
    /// `k` times the folded `D`.
    pub folded_commitment: Point,
    /// `k + c*x`.
    pub response: Number,
}

impl Equality {
    /// Proves that `secret` is the logarithm of `secret * base` and of the second point of each pair to the first.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn prove(
        transcript: &mut Transcript,
        base: &RistrettoPoint,
        pairs: &[(RistrettoPoint, RistrettoPoint)],
        secret: &Scalar,
    ) -> Result<Self, RandomError> {
        let (folded, _) = fold_pairs(transcript, base, &(secret * base), pairs);
        let nonce = transcript.nonce(&[secret])?;
        let commitment = Point::of(&(*nonce * base));
        let folded_commitment = Point::of(&(*nonce * folded));
        transcript.append("commitment", &commitment.0);
        transcript.append("folded commitment", &folded_commitment.0);
        let challenge = transcript.challenge("challenge");
        Ok(Self {
            commitment,
            folded_commitment,
            response: Number::of(&(*nonce + challenge * secret)),
        })
    }

    /// Whether all have one logarithm.
    ///
    /// # Errors
    /// [`ProofError`]; no pairs at all prove nothing and are refused.
    pub fn verify(
        &self,
        transcript: &mut Transcript,
        base: &RistrettoPoint,
        public: &RistrettoPoint,
        pairs: &[(RistrettoPoint, RistrettoPoint)],
    ) -> Result<(), ProofError> {
        refuse_identity(base)?;
        holds(!pairs.is_empty())?;
        for (first, _) in pairs {
            refuse_identity(first)?;
        }
        let (first, second) = fold_pairs(transcript, base, public, pairs);
        transcript.append("commitment", &self.commitment.0);
        transcript.append("folded commitment", &self.folded_commitment.0);
        let challenge = transcript.challenge("challenge");
        let response = self.response.open()?;
        holds(response * base == self.commitment.open()? + challenge * public)?;
        holds(response * first == self.folded_commitment.open()? + challenge * second)
    }
}

fn fold_pairs(
    transcript: &mut Transcript,
    base: &RistrettoPoint,
    public: &RistrettoPoint,
    pairs: &[(RistrettoPoint, RistrettoPoint)],
) -> (RistrettoPoint, RistrettoPoint) {
    transcript.append_point("base", base);
    transcript.append_point("public", public);
    transcript.append_number("pairs", pairs.len() as u64);
    for (first, second) in pairs {
        transcript.append_point("first", first);
        transcript.append_point("second", second);
    }
    let weight = transcript.challenge("weight");
    (
        group::fold(pairs.iter().map(|(first, _)| first), &weight),
        group::fold(pairs.iter().map(|(_, second)| second), &weight),
    )
}

/// Knowledge of the openings (`x`, `r`) of many commitments `x*G + r*H`: 96 bytes for any number of them.
///
/// This is the batched proof of Gennaro, Leigh, Sundaram and Yerazunis (ASIACRYPT 2004): one first message, one challenge
/// `c`, and responses that weigh the `n` witnesses with `c` to `c^n`. From accepting answers to `n + 1` challenges on the
/// same first message all openings follow (a Vandermonde matrix), so it is special-sound, and knowing one random
/// combination of the openings does not suffice: who did would fail all but `n` of 2^248 challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Openings {
    /// `a*G + b*H`.
    pub commitment: Point,
    /// `a` and the weighed values.
    pub value_response: Number,
    /// `b` and the weighed blindings.
    pub blinding_response: Number,
}

impl Openings {
    /// Proves the knowledge of the values and blindings of their commitments, in this order.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn prove(transcript: &mut Transcript, openings: &[(Scalar, Scalar)]) -> Result<Self, RandomError> {
        let commitments: Vec<_> = openings.iter().map(|(x, r)| x * G + r * group::h()).collect();
        append_commitments(transcript, &commitments);
        let secrets: Vec<&Scalar> = openings.iter().flat_map(|(x, r)| [x, r]).collect();
        let [a, b] = [transcript.nonce(&secrets)?, transcript.nonce(&secrets)?];
        let commitment = Point::of(&(*a * G + *b * group::h()));
        transcript.append("commitment", &commitment.0);
        let challenge = transcript.challenge("challenge");
        let value = Zeroizing::new(group::fold_numbers(openings.iter().map(|(x, _)| x), &challenge));
        let blinding = Zeroizing::new(group::fold_numbers(openings.iter().map(|(_, r)| r), &challenge));
        Ok(Self {
            commitment,
            value_response: Number::of(&(*a + *value)),
            blinding_response: Number::of(&(*b + *blinding)),
        })
    }

    /// Whether the prover knew an opening of every commitment.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, transcript: &mut Transcript, commitments: &[RistrettoPoint]) -> Result<(), ProofError> {
        append_commitments(transcript, commitments);
        transcript.append("commitment", &self.commitment.0);
        let challenge = transcript.challenge("challenge");
        let left = self.value_response.open()? * G + self.blinding_response.open()? * group::h();
        holds(left == self.commitment.open()? + group::fold(commitments, &challenge))
    }
}

fn append_commitments(transcript: &mut Transcript, commitments: &[RistrettoPoint]) {
    transcript.append_number("commitments", commitments.len() as u64);
    for commitment in commitments {
        transcript.append_point("committed", commitment);
    }
}

fn refuse_identity(point: &RistrettoPoint) -> Result<(), ProofError> {
    if point.is_identity() {
        return Err(EncodingError::Identity.into());
    }
    Ok(())
}

fn holds(equation: bool) -> Result<(), ProofError> {
    if equation { Ok(()) } else { Err(ProofError::Refused) }
}

#[cfg(test)]
mod tests;
