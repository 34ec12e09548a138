//! What a clinic contributes: its numbers under the committee's key, and proofs that they are numbers as they should be,
//! that the clinic knows them, and that they were made for this study, this epoch and this clinic.
//!
//! A ciphertext is Solana's grouped twisted ElGamal: `C = x G + r H`, `D = r P` for the committee and `D' = r P'` for the
//! clinic itself, which so can open later what it gave ([`ClinicKey::open`]). Of each two ciphertexts a proof says that the
//! handles are right, and of each four that the numbers are below 2^16; these are the bytes that the ZK ElGamal program of
//! Solana verifies ([`Contribution::validity`], [`Contribution::range`]), and here the same code verifies them. To them this
//! package adds:
//! - [`Openings`]: whoever made the contribution knows every number and every blinding. The proof is bound to study, epoch
//!   and clinic, so nobody passes off another's ciphertexts, as they are or blinded anew, as its own;
//! - a balance: `C_count` less the sum of the bins' `C` is a multiple of `H` that the clinic knows, so the bins sum to the
//!   count. The numbers are below 2^16 and at most ten bins are added, so the sums agree as numbers, not only modulo the
//!   group's order.
//!
//! **What is not proved**: that sum and squares are those of the observations, or that there are any observations. A clinic
//! that lies within the ranges is not found out, except where the published totals contradict each other.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use bytemuck::AnyBitPattern;
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::IsIdentity as _};
use sha2::{Digest as _, Sha512};
use solana_zk_sdk::{
    encryption::discrete_log::DiscreteLog,
    zk_elgamal_proof_program::proof_data::{
        BatchedGroupedCiphertext2HandlesValidityProofData, BatchedRangeProofU64Data, ZkProofData as _,
    },
};
use zeroize::Zeroizing;

use crate::{
    budget::BudgetError,
    group::{EncodingError, Point, RandomError, h, random},
    sigma::{Knowledge, Openings},
    study::{FIRST_BIN, GROUP, LIMB_BITS, Study, StudyError, Summary},
    transcript::Transcript,
};

mod seal;
#[cfg(test)]
pub(crate) mod tests;

/// Bytes of a proof that two ciphertexts' handles are right.
pub const VALIDITY_PROOF_LEN: usize = 160;
/// Bytes of a proof that four numbers are below 2^16.
pub const RANGE_PROOF_LEN: usize = 672;
/// The most commitments that the context of a range proof has room for.
const RANGE_CONTEXT: usize = 8;

/// A number of a clinic, encrypted: 96 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ciphertext {
    /// `C = x G + r H`.
    pub commitment: Point,
    /// `D = r P`.
    pub handle: Point,
    /// `D' = r P'`.
    pub own_handle: Point,
}

/// All that a clinic contributes to a study: 5,724 bytes for ten bins.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Contribution {
    /// Who contributes: a clinic's id.
    pub clinic: [u8; 16],
    /// The clinic's own key for this study.
    pub own_key: Point,
    /// Count, sum, squares and bins in limbs, and zeros up to a multiple of four.
    pub ciphertexts: Vec<Ciphertext>,
    /// One proof for each two ciphertexts.
    pub validity: Vec<[u8; VALIDITY_PROOF_LEN]>,
    /// One proof for each four ciphertexts.
    pub ranges: Vec<[u8; RANGE_PROOF_LEN]>,
    /// The clinic knows what it encrypted.
    pub openings: Openings,
    /// The bins sum to the count.
    pub balance: Knowledge,
}

/// Why a contribution is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContributionError {
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(
        "the contribution does not have as many ciphertexts and proofs as the study asks for: make it for this study"
    )]
    Form,
    #[error("the clinic's own key is none ({0}): make the contribution anew")]
    OwnKey(EncodingError),
    #[error("ciphertext {place} is none ({error}): make the contribution anew")]
    Ciphertext { place: usize, error: EncodingError },
    #[error("ciphertexts {} and {} cannot be opened by the committee and the clinic: make the contribution anew", 2 * .pair, 2 * .pair + 1)]
    Validity { pair: usize },
    #[error("of the numbers {} to {} one is not below 2^16, or not proved to be: make the contribution anew", 4 * .group, 4 * .group + 3)]
    Range { group: usize },
    #[error(
        "the clinic does not prove that it knows what it contributes, for this study, epoch and clinic: it may have been copied from another"
    )]
    Openings,
    #[error("the bins do not sum to the count, or are not proved to: sum the observations up again")]
    Balance,
}

/// Why a contribution is not made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error("the summary has {got} bins where the study has {expected}: sum up for this study")]
    Bins { expected: usize, got: usize },
    #[error("the study has noise, which costs budget: seal with one")]
    NeedsBudget,
    #[error(transparent)]
    Budget(#[from] BudgetError),
    #[error("the clinic's own key for this study comes to the identity: take another secret")]
    OwnKey,
    #[error("the proofs could not be made of these numbers ({0}): check that the summary is of this study")]
    Proving(String),
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Contribution {
    /// Checks all proofs.
    ///
    /// # Errors
    /// [`ContributionError`], the first fault.
    pub fn verify(&self, study: &Study) -> Result<(), ContributionError> {
        let commitments = self.check_form(study)?;
        for pair in 0..self.validity.len() {
            let data = self.validity(study, pair).ok_or(ContributionError::Form)?;
            data.verify_proof().map_err(|_| ContributionError::Validity { pair })?;
        }
        for group in 0..self.ranges.len() {
            let data = self.range(group).ok_or(ContributionError::Form)?;
            data.verify_proof().map_err(|_| ContributionError::Range { group })?;
        }
        let openings = self
            .openings
            .verify(&mut self.transcript(study, "openings"), &commitments);
        openings.map_err(|_| ContributionError::Openings)?;
        let difference = balance(&commitments, study);
        let balanced = self
            .balance
            .verify(&mut self.transcript(study, "balance"), &h(), &difference);
        balanced.map_err(|_| ContributionError::Balance)
    }

    /// The proof about ciphertexts `2 * pair` and `2 * pair + 1`: the 416 bytes that the ZK ElGamal program takes.
    #[must_use]
    pub fn validity(&self, study: &Study, pair: usize) -> Option<BatchedGroupedCiphertext2HandlesValidityProofData> {
        let two = self.ciphertexts.as_chunks::<2>().0.get(pair)?;
        let mut bytes = [study.key.0, self.own_key.0].concat();
        for ciphertext in two {
            for point in [ciphertext.commitment, ciphertext.handle, ciphertext.own_handle] {
                bytes.extend_from_slice(&point.0);
            }
        }
        bytes.extend_from_slice(self.validity.get(pair)?);
        read(&bytes)
    }

    /// The proof about ciphertexts `4 * group` to `4 * group + 3`: the 936 bytes that the ZK ElGamal program takes.
    #[must_use]
    pub fn range(&self, group: usize) -> Option<BatchedRangeProofU64Data> {
        let four = self.ciphertexts.as_chunks::<GROUP>().0.get(group)?;
        let mut bytes = Vec::with_capacity(33 * RANGE_CONTEXT + RANGE_PROOF_LEN);
        for ciphertext in four {
            bytes.extend_from_slice(&ciphertext.commitment.0);
        }
        bytes.resize(32 * RANGE_CONTEXT, 0);
        bytes.extend_from_slice(&[LIMB_BITS; GROUP]);
        bytes.resize(33 * RANGE_CONTEXT, 0);
        bytes.extend_from_slice(self.ranges.get(group)?);
        read(&bytes)
    }

    /// SHA-256 of the study and of the contribution, proofs and all.
    #[must_use]
    pub fn digest(&self, study: &Study) -> [u8; 32] {
        let mut transcript = self.transcript(study, "whole");
        for proof in &self.validity {
            transcript.append("validity", proof);
        }
        for proof in &self.ranges {
            transcript.append("range", proof);
        }
        let numbers = [
            &self.openings.value_response,
            &self.openings.blinding_response,
            &self.balance.response,
        ];
        for number in numbers {
            transcript.append("response", &number.0);
        }
        for point in [&self.openings.commitment, &self.balance.commitment] {
            transcript.append("commitment", &point.0);
        }
        transcript.digest()
    }

    /// What a clinic publishes before any contribution is shown, so that none is made by looking at another's. The salt is
    /// 32 random bytes, shown with the contribution.
    #[must_use]
    pub fn promise(&self, study: &Study, salt: &[u8; 32]) -> [u8; 32] {
        let mut transcript = Transcript::new("contribution/promise");
        study.append_to(&mut transcript);
        transcript.append("clinic", &self.clinic);
        transcript.append("salt", salt);
        transcript.append("contribution", &self.digest(study));
        transcript.digest()
    }

    fn check_form(&self, study: &Study) -> Result<Vec<RistrettoPoint>, ContributionError> {
        study.check()?;
        let expected = study.ciphertexts();
        let lengths = (self.ciphertexts.len(), self.validity.len(), self.ranges.len());
        if lengths != (expected, expected / 2, expected / GROUP) {
            return Err(ContributionError::Form);
        }
        // The ZK ElGamal program takes the identity for the second key: then its handle would say nothing.
        self.own_key.open_key().map_err(ContributionError::OwnKey)?;
        let open = |(place, ciphertext): (usize, &Ciphertext)| {
            let refused = |error| ContributionError::Ciphertext { place, error };
            ciphertext.handle.open_key().map_err(refused)?;
            ciphertext.own_handle.open_key().map_err(refused)?;
            ciphertext.commitment.open_key().map_err(refused)
        };
        self.ciphertexts.iter().enumerate().map(open).collect()
    }

    fn transcript(&self, study: &Study, what: &str) -> Transcript {
        let mut transcript = Transcript::new("contribution");
        transcript.append("what", what.as_bytes());
        study.append_to(&mut transcript);
        transcript.append("clinic", &self.clinic);
        transcript.append("own key", &self.own_key.0);
        transcript.append_number("ciphertexts", self.ciphertexts.len() as u64);
        for ciphertext in &self.ciphertexts {
            transcript.append("commitment", &ciphertext.commitment.0);
            transcript.append("handle", &ciphertext.handle.0);
            transcript.append("own handle", &ciphertext.own_handle.0);
        }
        transcript
    }
}

/// The count's commitment less those of the bins.
fn balance(commitments: &[RistrettoPoint], study: &Study) -> RistrettoPoint {
    let count = commitments.first().copied().unwrap_or_default();
    let bins = commitments.get(FIRST_BIN..study.limbs()).unwrap_or_default();
    count - bins.iter().sum::<RistrettoPoint>()
}

fn read<T: AnyBitPattern>(bytes: &[u8]) -> Option<T> {
    bytemuck::try_pod_read_unaligned(bytes).ok()
}

/// The secret by which a clinic opens its own contributions, to see what it gave. Every study has a key of its own from it.
pub struct ClinicKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for ClinicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClinicKey(..)")
    }
}

impl ClinicKey {
    /// A new random one.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn new() -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// From the 32 bytes of [`to_bytes`](Self::to_bytes), or of any other secret of the clinic that has all their entropy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The secret, to be kept under lock.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The numbers that the clinic contributed, with noise and shift where the study has them; nothing where the contribution is not by this key, or is none. It takes a
    /// search of 2^16 steps for each.
    #[must_use]
    pub fn open(&self, study: &Study, contribution: &Contribution) -> Option<Summary> {
        let secret = self.secret(study);
        let number = |ciphertext: &Ciphertext| {
            let encoded = ciphertext.commitment.open().ok()? - *secret * ciphertext.own_handle.open().ok()?;
            DiscreteLog::new_for_g(encoded).decode_u32()
        };
        let limbs = contribution.ciphertexts.get(..study.limbs())?;
        let limbs: Zeroizing<Vec<u64>> = Zeroizing::new(limbs.iter().map(number).collect::<Option<_>>()?);
        Summary::of_limbs(&limbs)
    }

    fn secret(&self, study: &Study) -> Zeroizing<Scalar> {
        let mut about = Transcript::new("clinic-key");
        study.append_to(&mut about);
        let mut hasher = Sha512::new();
        hasher.update(b"chartseal/statistics/clinic-key/v1");
        hasher.update(self.0.as_slice());
        hasher.update(about.digest());
        let wide = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }

    fn public(&self, study: &Study) -> Result<RistrettoPoint, SealError> {
        let public = self.secret(study).invert() * h();
        if public.is_identity() {
            return Err(SealError::OwnKey);
        }
        Ok(public)
    }
}
