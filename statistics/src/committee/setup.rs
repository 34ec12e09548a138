//! Who makes a key together, how many of them use it, and what can go wrong on the way.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    group::{EncodingError, RandomError},
    transcript::Transcript,
};

/// The most members that a committee has.
pub const MAX_MEMBERS: usize = 9;

/// What is agreed before a key is made. Members are numbered from 1 in the order of `members`; 0 is where the secret is.
///
/// The messages of the rounds are not signed here: whatever carries them (signed transactions, or a board that knows its
/// members) says who sent each.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Setup {
    /// 16 random bytes.
    pub committee: [u8; 16],
    /// Another one for every attempt.
    pub epoch: u64,
    /// How many members open a total: `k`, at least 2. Of `n` members at least `2k - 1` are needed, and no more than 9.
    pub threshold: u8,
    /// An X25519 public key of each member, made for this attempt (see [`super::Seat`]).
    pub members: Vec<[u8; 32]>,
}

impl Setup {
    /// Whether a key can be made by it.
    ///
    /// # Errors
    /// [`CommitteeError::Size`], [`CommitteeError::SameKey`].
    pub fn check(&self) -> Result<(), CommitteeError> {
        let (k, n) = (usize::from(self.threshold), self.members.len());
        if k < 2 || n > MAX_MEMBERS || n + 1 < 2 * k {
            return Err(CommitteeError::Size { k: self.threshold, n });
        }
        for ((member, key), place) in self.indices().zip(&self.members).zip(0..) {
            if self.members.iter().take(place).any(|other| other == key) {
                return Err(CommitteeError::SameKey { member });
            }
        }
        Ok(())
    }

    /// The members' numbers, from 1.
    pub fn indices(&self) -> impl Iterator<Item = u8> + use<> {
        // No more than MAX_MEMBERS pass the check.
        (1..=u8::MAX).take(self.members.len())
    }

    /// The degree of the polynomials that share the key.
    pub(crate) fn degree(&self) -> u8 {
        self.threshold.saturating_sub(1)
    }

    /// The degree of the polynomials that hide the product's shares.
    pub(crate) fn product_degree(&self) -> u8 {
        self.degree().saturating_mul(2)
    }

    pub(crate) fn append_to(&self, transcript: &mut Transcript) {
        transcript.append("committee", &self.committee);
        transcript.append_number("committee epoch", self.epoch);
        transcript.append("threshold", &[self.threshold]);
        transcript.append_number("members", self.members.len() as u64);
        for member in &self.members {
            transcript.append("member", member);
        }
    }
}

/// Why there is no key. Where one member is at fault it is named: begin again without it, with another epoch and new
/// [`super::Seat`]s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    #[error("{k} of {n} members is no committee: k is at least 2, n at least 2k - 1 and at most 9")]
    Size { k: u8, n: usize },
    #[error("member {member} has another member's encryption key: every member makes its own")]
    SameKey { member: u8 },
    #[error("there is no member {member}: they are numbered from 1 in the order of the setup")]
    NoMember { member: u8 },
    #[error("this key is not that of member {member} in the setup: use the seat whose public key was sent in")]
    NotTheSeat { member: u8 },
    #[error("member {member}'s encryption key cannot be sealed to: begin again without it")]
    EncryptionKey { member: u8 },
    #[error("{got} messages came where {expected} are needed, one of each member in their order: wait for all")]
    Messages { expected: usize, got: usize },
    #[error("the promises do not hold member {member}'s own: somebody altered them, reveal nothing and begin again")]
    OwnPromise { member: u8 },
    #[error("member {dealer} revealed other commitments than it had promised: begin again without it")]
    Promise { dealer: u8 },
    #[error("member {dealer} revealed what no honest dealing is ({what}): begin again without it")]
    Form { dealer: u8, what: &'static str },
    #[error("member {dealer} did not prove that it knows what it dealt: begin again without it")]
    Possession { dealer: u8 },
    #[error(
        "the share that member {dealer} sent does not open, or is not on the polynomials that it revealed: begin again without it"
    )]
    Share { dealer: u8 },
    #[error("member {member} did not prove its share of the product: begin again without it")]
    Product { member: u8 },
    #[error("member {member} did not prove its share of the key: begin again without it")]
    KeyShare { member: u8 },
    #[error("the dealt numbers come to zero, which happens by chance only once in 2^252: begin again")]
    Zero,
    #[error(
        "the members' shares do not belong to one key of this threshold: this is no key of theirs, trust no proof by it"
    )]
    Inconsistent,
    #[error("this is no key of that committee: take the one that all its members made")]
    OtherKey,
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error(transparent)]
    Random(#[from] RandomError),
}
