//! Making a contribution.

use curve25519_dalek::scalar::Scalar;
use solana_zk_sdk::{
    encryption::{
        elgamal::ElGamalPubkey,
        grouped_elgamal::{GroupedElGamal, GroupedElGamalCiphertext},
        pedersen::{PedersenCommitment, PedersenOpening},
    },
    zk_elgamal_proof_program::{
        errors::ProofGenerationError,
        proof_data::{BatchedGroupedCiphertext2HandlesValidityProofData, BatchedRangeProofU64Data},
    },
};
use zeroize::Zeroizing;

use super::{Ciphertext, ClinicKey, Contribution, SealError};
use crate::{
    budget::{Budget, BudgetError},
    group::{Number, Point, h, random_scalar},
    sigma::{Knowledge, Openings},
    study::{FIRST_BIN, GROUP, LIMB_BITS, Study, Summary},
};

/// A number with what it was encrypted with.
struct Sealed {
    number: Zeroizing<u64>,
    opening: PedersenOpening,
    ciphertext: GroupedElGamalCiphertext<2>,
}

impl Contribution {
    /// Encrypts what a clinic observed and proves all that is asked of it.
    ///
    /// # Errors
    /// [`SealError`] where the study is none or has noise, the summary is of another, or there is no randomness.
    pub fn seal(study: &Study, clinic: [u8; 16], own: &ClinicKey, summary: &Summary) -> Result<Self, SealError> {
        check_bins(study, summary)?;
        if study.noise.is_some() {
            return Err(SealError::NeedsBudget);
        }
        Self::seal_limbs(study, clinic, own, &summary.limbs())
    }

    /// The same with the study's noise, which is paid for first: every call costs, also where its contribution is thrown
    /// away.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::Budget`] where the study has no noise or the budget is spent.
    pub fn seal_with_noise(
        study: &Study,
        clinic: [u8; 16],
        own: &ClinicKey,
        summary: &Summary,
        budget: &mut Budget,
    ) -> Result<Self, SealError> {
        check_bins(study, summary)?;
        budget.spend(study)?;
        let noise = study.noise.ok_or(BudgetError::NoNoise)?;
        let noisy = noise.add_to(study, summary)?;
        Self::seal_limbs(study, clinic, own, &noisy.limbs())
    }

    /// The same of any numbers: what is proved of them need not hold.
    pub(super) fn seal_limbs(
        study: &Study,
        clinic: [u8; 16],
        own: &ClinicKey,
        limbs: &[u64],
    ) -> Result<Self, SealError> {
        let own_key = own.public(study)?;
        let keys = [pubkey(&study.key)?, pubkey(&Point::of(&own_key))?];
        let padding = study.ciphertexts().saturating_sub(limbs.len());
        let numbers = limbs.iter().copied().chain(std::iter::repeat_n(0, padding));
        let sealed: Vec<Sealed> = numbers
            .map(|number| Sealed::new(&keys, number))
            .collect::<Result<_, _>>()?;
        let mut contribution = Self {
            clinic,
            own_key: Point::of(&own_key),
            ciphertexts: sealed.iter().map(Sealed::ciphertext).collect(),
            validity: sealed
                .as_chunks()
                .0
                .iter()
                .map(|two| validity(&keys, two))
                .collect::<Result<_, _>>()?,
            ranges: sealed.as_chunks().0.iter().map(range).collect::<Result<_, _>>()?,
            openings: Openings {
                commitment: study.key,
                value_response: Number([0; 32]),
                blinding_response: Number([0; 32]),
            },
            balance: Knowledge {
                commitment: study.key,
                response: Number([0; 32]),
            },
        };
        // The transcripts hash the ciphertexts, which so must be there before these two.
        let openings = sealed
            .iter()
            .map(|sealed| (Scalar::from(*sealed.number), *sealed.opening.get_scalar()));
        let openings: Zeroizing<Vec<(Scalar, Scalar)>> = Zeroizing::new(openings.collect());
        contribution.openings = Openings::prove(&mut contribution.transcript(study, "openings"), &openings)?;
        let blinding = |place: usize| openings.get(place).map_or(Scalar::ZERO, |(_, blinding)| *blinding);
        let bins: Scalar = (FIRST_BIN..study.limbs()).map(blinding).sum();
        let difference = Zeroizing::new(blinding(0) - bins);
        let mut transcript = contribution.transcript(study, "balance");
        contribution.balance = Knowledge::prove(&mut transcript, &h(), &difference)?;
        Ok(contribution)
    }
}

fn check_bins(study: &Study, summary: &Summary) -> Result<(), SealError> {
    study.check()?;
    let (expected, got) = (study.bounds.len(), summary.bins.len());
    if expected != got {
        return Err(SealError::Bins { expected, got });
    }
    Ok(())
}

impl Sealed {
    fn new(keys: &[ElGamalPubkey; 2], number: u64) -> Result<Self, SealError> {
        let opening = PedersenOpening::new(*random_scalar()?);
        Ok(Self {
            number: Zeroizing::new(number),
            ciphertext: GroupedElGamal::encrypt_with(keys.each_ref(), number, &opening),
            opening,
        })
    }

    fn ciphertext(&self) -> Ciphertext {
        let [handle, own_handle] = self.ciphertext.handles.each_ref();
        Ciphertext {
            commitment: Point(self.commitment().to_bytes()),
            handle: Point(handle.to_bytes()),
            own_handle: Point(own_handle.to_bytes()),
        }
    }

    fn commitment(&self) -> &PedersenCommitment {
        &self.ciphertext.commitment
    }
}

fn pubkey(point: &Point) -> Result<ElGamalPubkey, SealError> {
    ElGamalPubkey::try_from(point.0.as_slice()).map_err(|error| SealError::Proving(error.to_string()))
}

fn validity<const LEN: usize>(keys: &[ElGamalPubkey; 2], two: &[Sealed; 2]) -> Result<[u8; LEN], SealError> {
    let ([first_key, second_key], [low, high]) = (keys, two);
    let data = BatchedGroupedCiphertext2HandlesValidityProofData::new(
        first_key,
        second_key,
        &low.ciphertext,
        &high.ciphertext,
        *low.number,
        *high.number,
        &low.opening,
        &high.opening,
    );
    proof_bytes(data.map(|data| data.proof))
}

fn range<const LEN: usize>(four: &[Sealed; GROUP]) -> Result<[u8; LEN], SealError> {
    let data = BatchedRangeProofU64Data::new(
        four.iter().map(Sealed::commitment).collect(),
        four.iter().map(|sealed| *sealed.number).collect(),
        vec![usize::from(LIMB_BITS); GROUP],
        four.iter().map(|sealed| &sealed.opening).collect(),
    );
    proof_bytes(data.map(|data| data.proof))
}

fn proof_bytes<const LEN: usize>(
    proof: Result<impl bytemuck::NoUninit, ProofGenerationError>,
) -> Result<[u8; LEN], SealError> {
    let proof = proof.map_err(|error| SealError::Proving(error.to_string()))?;
    let bytes = bytemuck::bytes_of(&proof).try_into();
    bytes.map_err(|_| SealError::Proving("of another length".to_owned()))
}
