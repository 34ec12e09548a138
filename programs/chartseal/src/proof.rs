//! Checking a proof of access: Groth16 (Groth, EUROCRYPT 2016) over BN254, under the one key that this program carries.
//!
//! The key stands in `zk/verifying.key`, and its first bytes say where it is from: from a ceremony of several parties,
//! of whom one honest one is enough, or from a public seed, for trying things out. Whoever knows what a key was made
//! from can prove anything under it, so a release of the client does not work with one of the second kind.

use anchor_lang::prelude::*;
use groth16_solana::groth16::{Groth16Verifier, Groth16Verifyingkey};

use crate::{membership::Field, ChartsealError};

/// Public inputs of a proof.
pub const INPUTS: usize = 7;

/// Bytes of a proof: A, negated, and C (64 each, points of G1) around B (128, a point of G2), uncompressed and big-endian,
/// as the chain's syscalls take them.
pub const PROOF: usize = 256;

/// Bytes of the key: a header of 104, four points, and one for each public input and one.
pub const KEY: usize = HEADER + 64 + 3 * 128 + (INPUTS + 1) * 64;

/// The key, as a file.
pub static VERIFYING_KEY: &[u8; KEY] = include_bytes!("../zk/verifying.key");

const MAGIC: [u8; 4] = *b"CSVK";
const VERSION: u8 = 1;
const HEADER: usize = 8 + 3 * 32;

/// Where a key is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// From a public seed: anybody can make a proof of anything.
    TestOnly,
    /// From a ceremony.
    Ceremony,
}

/// What the key's file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHeader {
    pub kind: KeyKind,
    /// SHA-256 of the circuit's constraints.
    pub circuit: [u8; 32],
    /// SHA-256 of the ceremony's transcript, or zeros.
    pub transcript: [u8; 32],
    /// SHA-256 of the proving key that belongs to it.
    pub proving_key: [u8; 32],
}

/// Header of the key that this program carries.
pub const KEY_HEADER: KeyHeader = {
    let bytes = VERIFYING_KEY;
    let magic: [u8; 4] = chunk(bytes, 0);
    let known = magic[0] == MAGIC[0] && magic[1] == MAGIC[1] && magic[2] == MAGIC[2] && magic[3] == MAGIC[3];
    assert!(known && bytes[4] == VERSION && bytes[6] == 0 && bytes[7] == 0);
    // Zeros are a point at infinity, which binds nothing: under a key of such points anything is a proof of anything.
    let mut at = HEADER;
    while at < KEY {
        assert!(!is_nothing(&chunk(bytes, at)));
        at += 64;
    }
    KeyHeader {
        kind: match bytes[5] {
            0 => KeyKind::TestOnly,
            1 => KeyKind::Ceremony,
            _ => panic!(),
        },
        circuit: chunk(bytes, 8),
        transcript: chunk(bytes, 40),
        proving_key: chunk(bytes, 72),
    }
};

static FACTORS: [[u8; 64]; INPUTS + 1] = {
    let mut points = [[0; 64]; INPUTS + 1];
    let mut n = 0;
    while n <= INPUTS {
        points[n] = chunk(VERIFYING_KEY, HEADER + 64 + 3 * 128 + 64 * n);
        n += 1;
    }
    points
};

static GROTH16: Groth16Verifyingkey<'static> = Groth16Verifyingkey {
    nr_pubinputs: INPUTS + 1,
    vk_alpha_g1: chunk(VERIFYING_KEY, HEADER),
    vk_beta_g2: chunk(VERIFYING_KEY, HEADER + 64),
    vk_gamma_g2: chunk(VERIFYING_KEY, HEADER + 192),
    vk_delta_g2: chunk(VERIFYING_KEY, HEADER + 320),
    vk_ic: &FACTORS,
    vk_commitment: None,
};

/// Whether these bytes are zeros: a point of G1, or half of one of G2, that is none.
const fn is_nothing(bytes: &[u8; 64]) -> bool {
    let mut n = 0;
    while n < 64 {
        if bytes[n] != 0 {
            return false;
        }
        n += 1;
    }
    true
}

/// `N` bytes of the key, while compiling.
const fn chunk<const N: usize>(bytes: &[u8; KEY], from: usize) -> [u8; N] {
    let mut chunk = [0; N];
    let mut n = 0;
    while n < N {
        chunk[n] = bytes[from + n];
        n += 1;
    }
    chunk
}

/// What a proof is shown for, all of it public. In the order of the circuit's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    pub root: Field,
    pub nullifier: Field,
    pub scope: Field,
    /// Seconds since 1970.
    pub now: u64,
    pub handle: Field,
    pub message: Field,
    /// The rights that are claimed, one bit for each `Action`.
    pub rights: u8,
}

impl Statement {
    /// The circuit's public inputs.
    pub fn inputs(&self) -> [Field; INPUTS] {
        [
            self.root,
            self.nullifier,
            self.scope,
            crate::membership::small(self.now),
            self.handle,
            self.message,
            crate::membership::small(self.rights.into()),
        ]
    }
}

/// Checks a proof.
///
/// # Errors
/// [`ChartsealError::BadProof`], also where an input is no field element or the proof no three points.
#[inline(never)]
pub fn verify(statement: &Statement, proof: &[u8; PROOF]) -> Result<()> {
    let (a, rest) = proof.split_first_chunk::<64>().ok_or(ChartsealError::BadProof)?;
    let (b, rest) = rest.split_first_chunk::<128>().ok_or(ChartsealError::BadProof)?;
    let (c, _) = rest.split_first_chunk::<64>().ok_or(ChartsealError::BadProof)?;
    let inputs = statement.inputs();
    // `verify` refuses inputs that are not less than the field's order. `verify_unchecked` would take a nullifier plus the
    // order for another one.
    Groth16Verifier::new(a, b, c, &inputs, &GROTH16)
        .and_then(|mut verifier| verifier.verify())
        .map_err(|_| ChartsealError::BadProof.into())
}
