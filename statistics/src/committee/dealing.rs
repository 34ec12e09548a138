//! The first two rounds: every member deals to all, and promises what it will reveal before it sees what others deal, so
//! that nobody chooses its own part by theirs.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::IsIdentity as _};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::{
    sealing::{self, SealedShare, Share},
    setup::{CommitteeError, Setup},
};
use crate::{
    group::{Point, h, random},
    shamir::Polynomial,
    sigma::Knowledge,
    transcript::Transcript,
};

/// What one member deals, until it has been sent; secret.
pub struct Dealing {
    setup: Setup,
    dealer: u8,
    salt: [u8; 32],
    key: Polynomial,
    mask: Polynomial,
    zero: Polynomial,
}

impl fmt::Debug for Dealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealing(of member {})", self.dealer)
    }
}

/// What a member reveals in the second round: Feldman's commitments, each coefficient times `H`, the constant one first.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reveal {
    /// Hides the commitments in the promise.
    pub salt: [u8; 32],
    /// `k` points: its part of the key.
    pub key: Vec<Point>,
    /// `k` points: its part of the number that the key is multiplied with.
    pub mask: Vec<Point>,
    /// `2k - 1` points, the first the identity: what hides the shares of the product.
    pub zero: Vec<Point>,
    /// It knows the first point of `key`.
    pub key_proof: Knowledge,
    /// It knows the first point of `mask`.
    pub mask_proof: Knowledge,
}

impl Dealing {
    /// Draws the polynomials of the member of this number.
    ///
    /// # Errors
    /// [`CommitteeError`] where the setup is none, the member is not in it, or there is no randomness.
    pub fn new(setup: &Setup, dealer: u8) -> Result<Self, CommitteeError> {
        Self::of_seed(setup, dealer, &Zeroizing::new(random()?))
    }

    /// The same from 32 random bytes, which a member keeps where the rounds are apart in time: the same seed, setup and
    /// number make the same dealing. A member that has a [`super::MemberKey`] destroys its seed.
    ///
    /// # Errors
    /// [`CommitteeError`] where the setup is none, or the member is not in it.
    pub fn of_seed(setup: &Setup, dealer: u8, seed: &[u8; 32]) -> Result<Self, CommitteeError> {
        setup.check()?;
        if !setup.indices().any(|index| index == dealer) {
            return Err(CommitteeError::NoMember { member: dealer });
        }
        let mut about = Transcript::new("committee/dealing");
        setup.append_to(&mut about);
        about.append("dealer", &[dealer]);
        let about = about.digest();
        let derive = |what: u8, power: u8| {
            let mut hasher = Sha512::new();
            hasher.update(b"chartseal/statistics/dealing/v1");
            hasher.update(seed);
            hasher.update(about);
            hasher.update([what, power]);
            Zeroizing::new(<[u8; 64]>::from(hasher.finalize()))
        };
        let number = |what, power| Zeroizing::new(Scalar::from_bytes_mod_order_wide(&derive(what, power)));
        let mut salt = [0; 32];
        salt.copy_from_slice(derive(0, 0).split_at(32).0);
        Ok(Self {
            dealer,
            salt,
            key: Polynomial::new(setup.degree(), |power| number(1, power)),
            mask: Polynomial::new(setup.degree(), |power| number(2, power)),
            zero: Polynomial::new(setup.product_degree(), |power| match power {
                0 => Zeroizing::new(Scalar::ZERO),
                _ => number(3, power),
            }),
            setup: setup.clone(),
        })
    }

    /// First round: what all members are to have before any of them reveals.
    #[must_use]
    pub fn promise(&self) -> [u8; 32] {
        let [key, mask, zero] = self.points();
        promise(&self.setup, self.dealer, &self.salt, [&key, &mask, &zero])
    }

    /// Second round: what all are to see, and a share for each member, this one too. It takes the promises of all, in
    /// their order, so that none can be made after it.
    ///
    /// # Errors
    /// [`CommitteeError::Messages`], [`CommitteeError::OwnPromise`], [`CommitteeError::EncryptionKey`],
    /// [`CommitteeError::Random`].
    pub fn reveal(&self, promises: &[[u8; 32]]) -> Result<(Reveal, Vec<SealedShare>), CommitteeError> {
        let session = session(&self.setup, promises)?;
        let own = usize::from(self.dealer).wrapping_sub(1);
        if promises.get(own) != Some(&self.promise()) {
            return Err(CommitteeError::OwnPromise { member: self.dealer });
        }
        let [key, mask, zero] = self.points();
        let prove = |what, polynomial: &Polynomial| {
            let mut transcript = possession(&session, self.dealer, what);
            Knowledge::prove(&mut transcript, &h(), &polynomial.constant())
        };
        let reveal = Reveal {
            salt: self.salt,
            key,
            mask,
            zero,
            key_proof: prove("key", &self.key)?,
            mask_proof: prove("mask", &self.mask)?,
        };
        let shares = self.setup.indices().map(|receiver| {
            let share = Share {
                key: self.key.at(receiver),
                mask: self.mask.at(receiver),
                zero: self.zero.at(receiver),
            };
            sealing::seal(&self.setup, &session, (self.dealer, receiver), &share)
        });
        Ok((reveal, shares.collect::<Result<_, _>>()?))
    }

    fn points(&self) -> [Vec<Point>; 3] {
        [&self.key, &self.mask, &self.zero].map(|polynomial| polynomial.commitments().iter().map(Point::of).collect())
    }
}

/// The commitments of one dealer, checked.
#[derive(Clone, Debug)]
pub(crate) struct Commitments {
    pub(crate) key: Vec<RistrettoPoint>,
    pub(crate) mask: Vec<RistrettoPoint>,
    pub(crate) zero: Vec<RistrettoPoint>,
}

impl Reveal {
    /// Checks what a dealer revealed against its promise, its form and its proofs.
    pub(crate) fn check(
        &self,
        setup: &Setup,
        session: &[u8; 32],
        dealer: u8,
        promised: &[u8; 32],
    ) -> Result<Commitments, CommitteeError> {
        if promise(setup, dealer, &self.salt, [&self.key, &self.mask, &self.zero]) != *promised {
            return Err(CommitteeError::Promise { dealer });
        }
        let form = |what| CommitteeError::Form { dealer, what };
        let open = |points: &[Point], degree: u8| {
            if points.len() != usize::from(degree) + 1 {
                return Err(form("polynomials of another degree"));
            }
            let points: Result<Vec<_>, _> = points.iter().map(Point::open).collect();
            points.map_err(|_| form("commitments that are no points"))
        };
        let commitments = Commitments {
            key: open(&self.key, setup.degree())?,
            mask: open(&self.mask, setup.degree())?,
            zero: open(&self.zero, setup.product_degree())?,
        };
        let first = |points: &[RistrettoPoint]| points.first().copied().unwrap_or_default();
        if !first(&commitments.zero).is_identity() {
            return Err(form("shares of zero that are not of zero"));
        }
        let proved = [
            ("key", first(&commitments.key), &self.key_proof),
            ("mask", first(&commitments.mask), &self.mask_proof),
        ];
        if proved.iter().any(|(_, constant, _)| constant.is_identity()) {
            return Err(form("shares of zero in place of a secret"));
        }
        for (what, constant, proof) in proved {
            let proved = proof.verify(&mut possession(session, dealer, what), &h(), &constant);
            proved.map_err(|_| CommitteeError::Possession { dealer })?;
        }
        Ok(commitments)
    }
}

/// What an attempt is known by once all have promised.
pub(crate) fn session(setup: &Setup, promises: &[[u8; 32]]) -> Result<[u8; 32], CommitteeError> {
    setup.check()?;
    one_of_each(setup, promises)?;
    let mut transcript = Transcript::new("committee/session");
    setup.append_to(&mut transcript);
    for promise in promises {
        transcript.append("promise", promise);
    }
    Ok(transcript.digest())
}

/// Whether there are as many messages as members.
pub(crate) fn one_of_each<T>(setup: &Setup, messages: &[T]) -> Result<(), CommitteeError> {
    let (expected, got) = (setup.members.len(), messages.len());
    if expected != got {
        return Err(CommitteeError::Messages { expected, got });
    }
    Ok(())
}

pub(super) fn promise(setup: &Setup, dealer: u8, salt: &[u8; 32], points: [&Vec<Point>; 3]) -> [u8; 32] {
    let mut transcript = Transcript::new("committee/promise");
    setup.append_to(&mut transcript);
    transcript.append("dealer", &[dealer]);
    transcript.append("salt", salt);
    for (label, points) in ["key", "mask", "zero"].into_iter().zip(points) {
        transcript.append_number(label, points.len() as u64);
        for point in points {
            transcript.append("coefficient", &point.0);
        }
    }
    transcript.digest()
}

fn possession(session: &[u8; 32], dealer: u8, what: &str) -> Transcript {
    let mut transcript = Transcript::new("committee/possession");
    transcript.append("session", session);
    transcript.append("dealer", &[dealer]);
    transcript.append("of", what.as_bytes());
    transcript
}
