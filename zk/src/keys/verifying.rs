//! The verifying key's file, 1,064 bytes:
//!
//! | bytes | content |
//! | --- | --- |
//! | 4 | `CSVK` |
//! | 1 | version, 1 |
//! | 1 | kind: 0 for tests only, 1 of a ceremony |
//! | 2 | zeros |
//! | 32 | hash of the circuit |
//! | 32 | hash of the ceremony's transcript; zeros for tests |
//! | 32 | SHA-256 of the proving key |
//! | 64, 3 x 128 | alpha in G1; beta, gamma, delta in G2 |
//! | 8 x 64 | for the constant 1 and each public input, a point of G1 |

use ark_bn254::Bn254;
use chartseal_program::proof::{KEY, KeyKind, VERIFYING_KEY};

use groth16_solana::groth16::{Groth16Verifier, Groth16Verifyingkey};
use thiserror::Error;

use super::KeyError;
use crate::{
    Field, Proof, Statement,
    circuit::PUBLIC_INPUTS,
    encoding::{self, G1Bytes, G2Bytes},
};

/// A proof that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the proof does not hold for this statement under this key")]
pub struct Refused;

/// What proofs are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// Where it comes from.
    pub kind: KeyKind,
    /// [`crate::Relation::hash`].
    pub circuit: [u8; 32],
    /// SHA-256 of the ceremony's transcript; zeros for tests.
    pub transcript: [u8; 32],
    /// SHA-256 of the proving key's file.
    pub proving_key: [u8; 32],
    pub(crate) alpha: G1Bytes,
    pub(crate) beta: G2Bytes,
    pub(crate) gamma: G2Bytes,
    pub(crate) delta: G2Bytes,
    pub(crate) inputs: [G1Bytes; PUBLIC_INPUTS + 1],
}

impl VerifyingKey {
    /// Bytes of the file.
    pub const SIZE: usize = KEY;
    const MAGIC: &[u8; 4] = b"CSVK";
    const VERSION: u8 = 1;

    /// The key that the contract carries.
    ///
    /// # Errors
    /// None: the contract would not compile with another file.
    pub fn of_contract() -> Result<Self, KeyError> {
        Self::parse(VERIFYING_KEY)
    }

    /// Puts arkworks' key into the contract's form.
    ///
    /// # Errors
    /// [`KeyError::OtherCircuit`] where the key has another number of public inputs.
    pub(crate) fn of(
        key: &ark_groth16::VerifyingKey<Bn254>,
        kind: KeyKind,
        [circuit, transcript, proving_key]: [[u8; 32]; 3],
    ) -> Result<Self, KeyError> {
        let inputs: Vec<G1Bytes> = key.gamma_abc_g1.iter().map(encoding::g1).collect();
        Ok(Self {
            kind,
            circuit,
            transcript,
            proving_key,
            alpha: encoding::g1(&key.alpha_g1),
            beta: encoding::g2(&key.beta_g2),
            gamma: encoding::g2(&key.gamma_g2),
            delta: encoding::g2(&key.delta_g2),
            inputs: inputs.try_into().map_err(|_| KeyError::OtherCircuit)?,
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            KeyKind::TestOnly => 0,
            KeyKind::Ceremony => 1,
        };
        let mut bytes = Vec::with_capacity(Self::SIZE);
        bytes.extend(Self::MAGIC);
        bytes.extend([Self::VERSION, kind, 0, 0]);
        for hash in [&self.circuit, &self.transcript, &self.proving_key] {
            bytes.extend(hash);
        }
        bytes.extend(self.alpha);
        for point in [&self.beta, &self.gamma, &self.delta] {
            bytes.extend(point);
        }
        bytes.extend(self.inputs.as_flattened());
        bytes
    }

    /// Reads the file's bytes. Whether the points are points, the verifier finds out.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut rest = bytes;
        if take::<4>(&mut rest)? != *Self::MAGIC {
            return Err(KeyError::Malformed("it does not begin with CSVK"));
        }
        let [version, kind, reserved @ ..] = take::<4>(&mut rest)?;
        if version != Self::VERSION {
            return Err(KeyError::Malformed("it has another version than 1"));
        }
        let kind = match kind {
            0 => KeyKind::TestOnly,
            1 => KeyKind::Ceremony,
            _ => return Err(KeyError::Malformed("it is of no known kind")),
        };
        if reserved != [0, 0] {
            return Err(KeyError::Malformed("its reserved bytes are not zero"));
        }
        let key = Self {
            kind,
            circuit: take(&mut rest)?,
            transcript: take(&mut rest)?,
            proving_key: take(&mut rest)?,
            alpha: take(&mut rest)?,
            beta: take(&mut rest)?,
            gamma: take(&mut rest)?,
            delta: take(&mut rest)?,
            inputs: take_inputs(&mut rest)?,
        };
        if !rest.is_empty() {
            return Err(KeyError::Malformed("something follows it"));
        }
        if (key.kind == KeyKind::TestOnly) != (key.transcript == [0; 32]) {
            return Err(KeyError::Malformed("its kind and its transcript contradict each other"));
        }
        Ok(key)
    }

    /// Verifies a proof under this key, as the contract does under its own (`chartseal_program::proof::verify`): whoever has
    /// held a ceremony sees that its key works before a contract is built with it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, statement: &Statement, proof: &Proof) -> Result<(), Refused> {
        self.verify_inputs(&statement.inputs(), proof)
    }

    pub(crate) fn verify_inputs(&self, inputs: &[Field; PUBLIC_INPUTS], proof: &Proof) -> Result<(), Refused> {
        let key = Groth16Verifyingkey {
            nr_pubinputs: self.inputs.len(),
            vk_alpha_g1: self.alpha,
            vk_beta_g2: self.beta,
            vk_gamma_g2: self.gamma,
            vk_delta_g2: self.delta,
            vk_ic: &self.inputs,
            vk_commitment: None,
        };
        let (a, b, c) = proof.points().ok_or(Refused)?;
        Groth16Verifier::new(a, b, c, inputs, &key)
            .and_then(|mut verifier| verifier.verify())
            .map_err(|_| Refused)
    }

    /// Refuses a key for tests outside of development: in builds without debug assertions.
    ///
    /// # Errors
    /// [`KeyError::TestOnly`].
    pub fn fit_for_use(&self) -> Result<(), KeyError> {
        self.fit_for(cfg!(debug_assertions))
    }

    fn fit_for(&self, development: bool) -> Result<(), KeyError> {
        match self.kind {
            KeyKind::TestOnly if !development => Err(KeyError::TestOnly),
            KeyKind::TestOnly | KeyKind::Ceremony => Ok(()),
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (taken, rest) = bytes
        .split_first_chunk()
        .ok_or(KeyError::Malformed("it is too short"))?;
    *bytes = rest;
    Ok(*taken)
}

fn take_inputs(bytes: &mut &[u8]) -> Result<[G1Bytes; PUBLIC_INPUTS + 1], KeyError> {
    let mut inputs = [[0; 64]; PUBLIC_INPUTS + 1];
    for input in &mut inputs {
        *input = take(bytes)?;
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: KeyKind) -> VerifyingKey {
        let transcript = if kind == KeyKind::Ceremony { [2; 32] } else { [0; 32] };
        VerifyingKey {
            kind,
            circuit: [1; 32],
            transcript,
            proving_key: [3; 32],
            alpha: [4; 64],
            beta: [5; 128],
            gamma: [6; 128],
            delta: [7; 128],
            inputs: std::array::from_fn(|n| [u8::try_from(n).unwrap(); 64]),
        }
    }

    #[test]
    fn a_key_survives_its_file() {
        for kind in [KeyKind::TestOnly, KeyKind::Ceremony] {
            let bytes = key(kind).to_bytes();
            assert_eq!(bytes.len(), VerifyingKey::SIZE);
            assert_eq!(VerifyingKey::parse(&bytes).unwrap(), key(kind));
        }
    }

    #[test]
    fn no_prefix_of_a_key_is_one_nor_is_a_key_with_more_behind_it() {
        let mut bytes = key(KeyKind::Ceremony).to_bytes();
        for length in 0..bytes.len() {
            assert!(VerifyingKey::parse(&bytes[..length]).is_err(), "{length}");
        }
        bytes.push(0);
        assert!(VerifyingKey::parse(&bytes).is_err());
    }

    #[test]
    fn another_head_is_refused() {
        for at in 0..8 {
            let mut bytes = key(KeyKind::Ceremony).to_bytes();
            bytes[at] ^= 0x80;
            assert!(VerifyingKey::parse(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_key_for_tests_cannot_pass_for_one_of_a_ceremony() {
        let mut bytes = key(KeyKind::TestOnly).to_bytes();
        bytes[5] = 1;
        assert!(VerifyingKey::parse(&bytes).is_err());
    }

    #[test]
    fn outside_of_development_a_key_for_tests_is_refused() {
        assert!(matches!(key(KeyKind::TestOnly).fit_for(false), Err(KeyError::TestOnly)));
        assert!(key(KeyKind::TestOnly).fit_for(true).is_ok());
        assert!(key(KeyKind::Ceremony).fit_for(false).is_ok());
    }
}
