//! Elements of the scalar field of BN254 as bytes: 32, big-endian, below the field's order.

use ark_bn254::Fr;
use ark_ff::{BigInteger256, PrimeField as _};
use light_poseidon::{Poseidon, PoseidonError, PoseidonHasher as _};
use sha2::{Digest as _, Sha512};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Field;

/// Bytes that spell no field element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} is not a field element: 32 bytes, big-endian, below the order of BN254's scalar field")]
pub struct NotCanonical {
    /// What the bytes were meant to be.
    pub what: &'static str,
}

/// Reads a canonical field element.
pub(crate) fn read(what: &'static str, bytes: &Field) -> Result<Fr, NotCanonical> {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    let read = Fr::from_bigint(BigInteger256::new(limbs)).ok_or(NotCanonical { what });
    limbs.zeroize();
    read
}

/// Writes a field element.
pub(crate) fn write(element: &Fr) -> Field {
    let mut bytes = [0; 32];
    let integer = Zeroizing::new(element.into_bigint());
    for (bytes, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(integer.0.iter().rev()) {
        *bytes = limb.to_be_bytes();
    }
    bytes
}

/// The two halves of 32 bytes, high and low, each as the integer that it spells.
pub(crate) fn halves(bytes: &[u8; 32]) -> (Fr, Fr) {
    let (high, low) = bytes.split_at(16);
    (Fr::from_be_bytes_mod_order(high), Fr::from_be_bytes_mod_order(low))
}

/// A field element from the system's randomness, uniform but for 2^-256.
pub(crate) fn random() -> Result<Fr, getrandom::Error> {
    let mut seed = Zeroizing::new([0; 64]);
    getrandom::fill(seed.as_mut())?;
    Ok(Fr::from_le_bytes_mod_order(seed.as_ref()))
}

/// A field element that follows from a seed and a label, uniform but for 2^-256.
pub(crate) fn derive(seed: &[u8], label: &[u8]) -> Fr {
    let mut hash = Sha512::new();
    hash.update(b"chartseal/zk-derive/v1");
    hash.update([u8::try_from(label.len()).unwrap_or(u8::MAX)]);
    hash.update(label);
    hash.update(seed);
    let mut wide: [u8; 64] = hash.finalize().into();
    let element = Fr::from_le_bytes_mod_order(&wide);
    wide.zeroize();
    element
}

/// Poseidon of 1 to 12 elements, as circomlib has it.
pub(crate) fn poseidon(inputs: &[Fr]) -> Result<Fr, PoseidonError> {
    Poseidon::<Fr>::new_circom(inputs.len())?.hash(inputs)
}

#[cfg(test)]
mod tests {
    use ark_ff::{One as _, Zero as _};

    use super::*;

    fn order() -> Field {
        let mut bytes = write(&-Fr::one());
        bytes[31] += 1;
        bytes
    }

    #[test]
    fn elements_survive_being_written_and_read() {
        for element in [Fr::zero(), Fr::one(), -Fr::one(), Fr::from(u64::MAX), random().unwrap()] {
            assert_eq!(read("it", &write(&element)), Ok(element));
        }
        assert_eq!(write(&Fr::from(0x0102_u64))[30..], [1, 2]);
    }

    #[test]
    fn the_order_and_what_lies_above_it_are_refused() {
        assert!(read("it", &order()).is_err());
        assert!(read("it", &[255; 32]).is_err());
    }

    #[test]
    fn halves_are_big_endian_integers() {
        let mut bytes = [0; 32];
        (bytes[15], bytes[31]) = (3, 7);
        assert_eq!(halves(&bytes), (Fr::from(3), Fr::from(7)));
    }

    #[test]
    fn another_label_or_seed_derives_another_element() {
        assert_eq!(derive(b"seed", b"tau"), derive(b"seed", b"tau"));
        assert_ne!(derive(b"seed", b"tau"), derive(b"seed", b"beta"));
        assert_ne!(derive(b"seed", b"tau"), derive(b"seee", b"tau"));
        assert_ne!(derive(b"xseed", b"tau"), derive(b"seed", b"taux"));
    }
}
