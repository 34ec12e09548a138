//! A secret of 32 bytes shared among several, so that any k of them give it back and fewer learn nothing of it (Shamir,
//! "How to share a secret", 1979), byte by byte over GF(2^8) with the polynomial of AES. Arithmetic takes the same time
//! whatever the bytes are. A share that was altered is not noticed here: whoever combines shares holds the outcome against
//! what it knows of the secret.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::CryptoError;
use crate::crypto;

/// One of the parts that a secret was shared into.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    /// Where the polynomials were evaluated, from 1. Different for each share of a secret.
    pub index: u8,
    /// Their values there.
    pub value: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({}, ..)", self.index)
    }
}

/// Shares that cannot be made or combined.
#[derive(Debug, Error)]
pub enum SharesError {
    /// More needed than there are, or none.
    #[error("{threshold} of {count} is no way to share a secret; choose at least one, and no more than there are")]
    Threshold {
        /// How many would be needed.
        threshold: u8,
        /// How many there would be.
        count: u8,
    },
    /// Two shares of the same index, one of index zero, or no shares at all.
    #[error("these are not different shares of a secret; ask for those that are missing")]
    NotDifferent,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Shares a secret among `count`, of whom any `threshold` give it back.
///
/// # Errors
/// [`SharesError::Threshold`].
pub fn split(secret: &[u8; 32], threshold: u8, count: u8) -> Result<Vec<Share>, SharesError> {
    if threshold == 0 || threshold > count {
        return Err(SharesError::Threshold { threshold, count });
    }
    // One polynomial for each byte; the secret is its value at zero, the other coefficients are random.
    let mut coefficients = vec![Zeroizing::new(*secret)];
    for _ in 1..threshold {
        coefficients.push(Zeroizing::new(crypto::random()?));
    }
    let shares = (1..=count).map(|index| {
        let mut value = Zeroizing::new([0; 32]);
        for coefficient in coefficients.iter().rev() {
            for (byte, coefficient) in value.iter_mut().zip(coefficient.iter()) {
                *byte = multiply(*byte, index) ^ coefficient;
            }
        }
        Share { index, value }
    });
    Ok(shares.collect())
}

/// The secret that these shares give: the one that was shared, where they are unaltered shares of it and as many as are
/// needed; something else otherwise.
///
/// # Errors
/// [`SharesError::NotDifferent`].
pub fn combine(shares: &[Share]) -> Result<Zeroizing<[u8; 32]>, SharesError> {
    let mut seen = [false; 256];
    for share in shares {
        if share.index == 0 || std::mem::replace(&mut seen[usize::from(share.index)], true) {
            return Err(SharesError::NotDifferent);
        }
    }
    if shares.is_empty() {
        return Err(SharesError::NotDifferent);
    }
    let mut secret = Zeroizing::new([0; 32]);
    for share in shares {
        // Lagrange's polynomial of this share at zero. Subtraction is exclusive or.
        let weight = shares
            .iter()
            .filter(|other| other.index != share.index)
            .fold(1, |weight, other| {
                multiply(weight, multiply(other.index, inverse(other.index ^ share.index)))
            });
        for (byte, value) in secret.iter_mut().zip(share.value.iter()) {
            *byte ^= multiply(*value, weight);
        }
    }
    Ok(secret)
}

/// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, without a branch or a table that the bytes would choose.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & ((b >> bit) & 1).wrapping_neg();
        a = (a << 1) ^ ((a >> 7).wrapping_neg() & 0x1b);
    }
    product
}

/// The number that gives one with `a`, which is not zero: a^254.
fn inverse(a: u8) -> u8 {
    let (mut power, mut inverse) = (a, 1);
    for _ in 1..8 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: [u8; 32] = *b"thirty-two bytes that are secret";

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for a in 1..=u8::MAX {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
            assert_eq!(multiply(a, 0), 0);
        }
    }

    #[test]
    fn any_k_of_n_give_the_secret_back_and_fewer_give_another() {
        for count in 1..=5u8 {
            for threshold in 1..=count {
                let shares = split(&SECRET, threshold, count).unwrap();
                for chosen in 0u32..1 << count {
                    let some: Vec<Share> = shares
                        .iter()
                        .filter(|share| chosen & (1 << (share.index - 1)) != 0)
                        .cloned()
                        .collect();
                    if some.is_empty() {
                        continue;
                    }
                    let whole = *combine(&some).unwrap() == SECRET;
                    assert_eq!(
                        whole,
                        some.len() >= usize::from(threshold),
                        "{threshold} of {count}: {chosen:b}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_share_fits_every_secret() {
        // Whatever the secret is, there is a second share that gives it with this first one: so the first tells nothing.
        let share = split(&SECRET, 2, 2).unwrap().swap_remove(0);
        let mut secrets = std::collections::BTreeSet::new();
        for byte in 0..=u8::MAX {
            let other = Share {
                index: 2,
                value: Zeroizing::new([byte; 32]),
            };
            secrets.insert(combine(&[share.clone(), other]).unwrap()[0]);
        }
        assert_eq!(secrets.len(), 256);
    }

    #[test]
    fn an_altered_share_gives_another_secret() {
        let mut shares = split(&SECRET, 3, 3).unwrap();
        shares[1].value[7] ^= 1;
        assert_ne!(*combine(&shares).unwrap(), SECRET);
    }

    #[test]
    fn what_cannot_be_shared_or_combined_is_said_to_be_so() {
        for (threshold, count) in [(0, 3), (4, 3), (1, 0)] {
            let shared = split(&SECRET, threshold, count);
            assert!(
                matches!(shared, Err(SharesError::Threshold { .. })),
                "{threshold} of {count}"
            );
        }
        let share = split(&SECRET, 2, 2).unwrap().swap_remove(0);
        let zero = Share {
            index: 0,
            ..share.clone()
        };
        for shares in [vec![], vec![share.clone(), share], vec![zero]] {
            assert!(matches!(combine(&shares), Err(SharesError::NotDifferent)));
        }
    }

    #[test]
    fn no_share_is_printed() {
        let share = split(&SECRET, 1, 1).unwrap().swap_remove(0);
        assert_eq!(format!("{share:?}"), "Share(1, ..)");
    }
}
