//! From what a reader holds to what the prover takes. The reader has the secret of its grant and the leaf that the program
//! made of it; the tree gives the path; the request says what for and when. Of these, [`build`] makes the public statement
//! and the witness, and says at once, in the reader's terms, where no proof is possible.

use std::fmt;

use ark_bn254::Fr;
use light_poseidon::PoseidonError;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    AnonymousTerms, DEPTH, Field, NotCanonical, Statement,
    circuit::Values,
    field::{self, poseidon},
    tree::Path,
};

/// Why there is nothing to prove.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// A value is no field element.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// The leaf was made for another secret.
    #[error("the grant's leaf was made for another secret; use the secret whose commitment the patient was given")]
    OtherSecret,
    /// The leaf has not all rights that are asked for.
    #[error(
        "the grant does not give every right that is asked for (asked {asked:#010b}, given {granted:#010b}); ask for less"
    )]
    NotGranted {
        /// Bits that were asked for.
        asked: u8,
        /// Bits of the leaf.
        granted: u8,
    },
    /// No right is asked for.
    #[error("no right is asked for; name at least one")]
    NothingAsked,
    /// The grant has ended.
    #[error("the grant ended at {expires} (seconds since 1970), and it is {now}; ask the patient for a new one")]
    Expired {
        /// When the leaf ends.
        expires: i64,
        /// What time the statement says it is.
        now: i64,
    },
    /// A time before 1970.
    #[error("times are seconds since 1970 and not negative, and one of the grant's end and the time given is")]
    NegativeTime,
    /// The path's index lies outside the tree.
    #[error("a tree of {DEPTH} levels has no leaf {0}")]
    NoSuchLeaf(u32),
    /// The system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The hash function refused its input.
    #[error("cannot hash: {0}")]
    Hash(#[from] PoseidonError),
}

/// What makes a grant its reader's: drawn for every invitation anew, and never told to anybody.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct GrantSecret {
    secret: Fr,
    salt: Fr,
}

impl fmt::Debug for GrantSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantSecret").finish_non_exhaustive()
    }
}

impl GrantSecret {
    /// Draws a secret.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn random() -> Result<Self, WitnessError> {
        Ok(Self {
            secret: field::random()?,
            salt: field::random()?,
        })
    }

    /// Reads a secret: 32 bytes of the secret itself, then 32 of the salt.
    ///
    /// # Errors
    /// Either half is no field element.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, NotCanonical> {
        let [secret, salt] = split(bytes);
        Ok(Self {
            secret: field::read("the grant's secret", secret)?,
            salt: field::read("the grant's salt", salt)?,
        })
    }

    /// Writes the secret, to be kept as carefully as a key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        bytes[..32].copy_from_slice(&field::write(&self.secret));
        bytes[32..].copy_from_slice(&field::write(&self.salt));
        bytes
    }

    /// What the patient is given to make the grant with: P2(P1(secret), salt).
    ///
    /// # Errors
    /// None that is known; the hash function's own.
    pub fn commitment(&self) -> Result<Field, WitnessError> {
        let identity = Zeroizing::new(poseidon(&[self.secret])?);
        Ok(field::write(&poseidon(&[*identity, self.salt])?))
    }
}

fn split(bytes: &[u8; 64]) -> [&Field; 2] {
    let (halves, _) = bytes.as_chunks::<32>();
    [&halves[0], &halves[1]]
}

/// What hides a record in its handle; the key service alone is told.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Blind(Fr);

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind(..)")
    }
}

impl Blind {
    /// Draws a blind, for one request.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn random() -> Result<Self, WitnessError> {
        Ok(Self(field::random()?))
    }

    /// Reads a blind.
    ///
    /// # Errors
    /// The bytes are no field element.
    pub fn from_bytes(bytes: &Field) -> Result<Self, NotCanonical> {
        Ok(Self(field::read("the blind", bytes)?))
    }

    /// Writes the blind.
    pub fn to_bytes(&self) -> Zeroizing<Field> {
        Zeroizing::new(field::write(&self.0))
    }
}

/// What a proof is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of program, verifier and epoch.
    pub scope: Field,
    /// Of program, exchange, verifier and relayer.
    pub message: Field,
    /// Seconds since 1970.
    pub now: i64,
    /// Bits of `Action` that are to be used.
    pub rights: u8,
}

/// What is known to the prover alone.
#[derive(Debug, Clone)]
pub struct Witness(pub(crate) Values);

/// Makes the statement and its witness, of the grant with these terms on this record. The root is the one that the path leads to: whoever verifies says whether that is
/// one of the tree's.
///
/// # Errors
/// Any of [`WitnessError`]: the grant does not cover the request, or a value makes no sense.
pub fn build(
    secret: &GrantSecret,
    record: &Field,
    terms: &AnonymousTerms,
    path: &Path,
    request: &Request,
    blind: &Blind,
) -> Result<(Statement, Witness), WitnessError> {
    check(secret, terms, request)?;
    if path.index >> DEPTH != 0 {
        return Err(WitnessError::NoSuchLeaf(path.index));
    }
    let mut siblings = [Fr::default(); DEPTH];
    for (sibling, bytes) in siblings.iter_mut().zip(&path.siblings) {
        *sibling = field::read("a node of the path", bytes)?;
    }
    let mut values = Values::blank();
    values.siblings = siblings;
    values.index = std::array::from_fn(|level| path.index >> level & 1 == 1);
    values.scope = field::read("the scope", &request.scope)?;
    values.now = Fr::from(seconds(request.now)?);
    values.message = field::read("the message", &request.message)?;
    values.asked = Fr::from(request.rights);
    values.secret = secret.secret;
    values.salt = secret.salt;
    values.record = field::read("the record", record)?;
    values.granted = Fr::from(terms.rights);
    values.expires = Fr::from(seconds(terms.expires)?);
    (values.key_high, values.key_low) = field::halves(&terms.key);
    values.blind = blind.0;
    values.complete()?;
    let statement = Statement {
        root: field::write(&values.root),
        nullifier: field::write(&values.nullifier),
        scope: request.scope,
        now: seconds(request.now)?,
        handle: field::write(&values.handle),
        message: request.message,
        rights: request.rights,
    };
    Ok((statement, Witness(values)))
}

fn check(secret: &GrantSecret, terms: &AnonymousTerms, request: &Request) -> Result<(), WitnessError> {
    if secret.commitment()? != terms.commitment {
        return Err(WitnessError::OtherSecret);
    }
    if request.rights == 0 {
        return Err(WitnessError::NothingAsked);
    }
    if request.rights & !terms.rights != 0 {
        return Err(WitnessError::NotGranted {
            asked: request.rights,
            granted: terms.rights,
        });
    }
    if request.now >= terms.expires {
        return Err(WitnessError::Expired {
            expires: terms.expires,
            now: request.now,
        });
    }
    Ok(())
}

fn seconds(time: i64) -> Result<u64, WitnessError> {
    u64::try_from(time).map_err(|_| WitnessError::NegativeTime)
}
