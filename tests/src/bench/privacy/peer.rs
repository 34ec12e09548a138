//! Verification by arkworks itself, which is what one would take outside of Solana: the key in its form, prepared once.

use anyhow::{Result, ensure};
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ff::PrimeField as _;
use ark_groth16::{Groth16, PreparedVerifyingKey, VerifyingKey, prepare_verifying_key};
use chartseal_program::proof::{INPUTS, KEY, PROOF, Statement};

/// Bytes of a verifying key's file before its points.
const HEADER: usize = KEY - 64 - 3 * 128 - (INPUTS + 1) * 64;

/// A verifying key that is ready to verify.
pub(super) struct Peer(PreparedVerifyingKey<Bn254>);

impl Peer {
    /// Of a verifying key's file.
    ///
    /// # Errors
    /// Where it is not as long as one, or has a point that is none.
    pub(super) fn of(file: &[u8]) -> Result<Self> {
        ensure!(file.len() == KEY, "a verifying key has {KEY} bytes, not {}", file.len());
        let mut rest = &file[HEADER..];
        let key = VerifyingKey {
            alpha_g1: g1(&mut rest)?,
            beta_g2: g2(&mut rest)?,
            gamma_g2: g2(&mut rest)?,
            delta_g2: g2(&mut rest)?,
            gamma_abc_g1: (0..=INPUTS).map(|_| g1(&mut rest)).collect::<Result<_>>()?,
        };
        Ok(Self(prepare_verifying_key(&key)))
    }

    /// Whether it takes a proof. Like ours, it reads points and numbers from their bytes first.
    ///
    /// # Errors
    /// Where a point is none.
    pub(super) fn verify(&self, statement: &Statement, proof: &[u8; PROOF]) -> Result<bool> {
        let mut rest = proof.as_slice();
        let proof = ark_groth16::Proof {
            // Ours has it negated.
            a: -g1(&mut rest)?,
            b: g2(&mut rest)?,
            c: g1(&mut rest)?,
        };
        let inputs = statement.inputs().map(|input| Fr::from_be_bytes_mod_order(&input));
        Ok(Groth16::<Bn254>::verify_proof(&self.0, &proof, &inputs)?)
    }
}

fn g1(bytes: &mut &[u8]) -> Result<G1Affine> {
    let point = G1Affine::new_unchecked(coordinate(bytes)?, coordinate(bytes)?);
    ensure!(point.is_on_curve(), "a point is not on the first curve");
    Ok(point)
}

fn g2(bytes: &mut &[u8]) -> Result<G2Affine> {
    let point = G2Affine::new_unchecked(extended(bytes)?, extended(bytes)?);
    ensure!(
        point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve(),
        "a point is not of the second group"
    );
    Ok(point)
}

/// The part of i comes first.
fn extended(bytes: &mut &[u8]) -> Result<Fq2> {
    let c1 = coordinate(bytes)?;
    Ok(Fq2::new(coordinate(bytes)?, c1))
}

fn coordinate(bytes: &mut &[u8]) -> Result<Fq> {
    let Some((coordinate, rest)) = bytes.split_first_chunk::<32>() else {
        anyhow::bail!("there are too few bytes for another point");
    };
    *bytes = rest;
    Ok(Fq::from_be_bytes_mod_order(coordinate))
}
