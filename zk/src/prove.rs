//! The prover. It looks first whether the witness meets every constraint, because a proof of something false would only
//! be refused later, by somebody who cannot say why.

use std::fmt;

use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, r1cs_to_qap::LibsnarkReduction};
use ark_relations::gr1cs::SynthesisError;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Statement, circuit::Membership, encoding, field, keys::ProvingKey, relation::assign, witness::Witness};

/// Why no proof was made.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The statement is not the one that the witness was made with.
    #[error("the statement and the witness do not belong together; take both from one call of `build`")]
    OtherStatement,
    /// The witness breaks the statement.
    #[error("the witness does not meet the statement, so there is nothing to prove; build both anew")]
    NotSatisfied,
    /// The system gave no randomness, without which a proof would tell its witness.
    #[error("the system gave no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The circuit and the key do not go together.
    #[error("cannot prove with this key: {0}")]
    Synthesis(#[from] SynthesisError),
}

/// A Groth16 proof: A (64 bytes, negated, as the verifier adds it), B (128) and C (64), coordinates big-endian.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; Proof::SIZE]);

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", hex::encode(self.0))
    }
}

impl From<[u8; Proof::SIZE]> for Proof {
    fn from(bytes: [u8; Proof::SIZE]) -> Self {
        Self(bytes)
    }
}

impl Proof {
    /// Bytes of a proof.
    pub const SIZE: usize = chartseal_program::proof::PROOF;

    /// The proof's bytes.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        self.0
    }

    /// A, B and C, of which a proof always consists.
    pub(crate) fn points(&self) -> Option<(&[u8; 64], &[u8; 128], &[u8; 64])> {
        let (a, rest) = self.0.split_first_chunk()?;
        let (b, rest) = rest.split_first_chunk()?;
        Some((a, b, rest.first_chunk()?))
    }

    fn of(proof: &ark_groth16::Proof<Bn254>) -> Self {
        let mut bytes = [0; Self::SIZE];
        bytes[..64].copy_from_slice(&encoding::g1(&-proof.a));
        bytes[64..192].copy_from_slice(&encoding::g2(&proof.b));
        bytes[192..].copy_from_slice(&encoding::g1(&proof.c));
        Self(bytes)
    }
}

/// Proves a statement. Every proof of the same statement is another one; they cannot be linked by their bytes.
///
/// What this function keeps of the witness it wipes. arkworks computes on copies of its own, which it does not wipe: they
/// are left to the allocator, so a process that proves should not be one that others can read.
///
/// # Errors
/// The witness does not meet the statement or the key is another circuit's; see [`ProveError`].
pub fn prove(key: &ProvingKey, statement: &Statement, witness: &Witness) -> Result<Proof, ProveError> {
    let relation = key.relation();
    let assignment = assign(Membership::of(&witness.0))?;
    if !relation.is_satisfied(&assignment) {
        return Err(ProveError::NotSatisfied);
    }
    if !assignment[1..relation.instance()]
        .iter()
        .map(field::write)
        .eq(statement.inputs())
    {
        return Err(ProveError::OtherStatement);
    }
    groth16(key, &assignment)
}

/// The proof itself, of an assignment that satisfies.
pub(crate) fn groth16(key: &ProvingKey, assignment: &[Fr]) -> Result<Proof, ProveError> {
    let relation = key.relation();
    let (r, s) = (Zeroizing::new(field::random()?), Zeroizing::new(field::random()?));
    let proof = Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
        key.inner(),
        *r,
        *s,
        relation.matrices(),
        relation.instance(),
        relation.constraints(),
        assignment,
    )?;
    Ok(Proof::of(&proof))
}
