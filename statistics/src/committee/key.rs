//! A committee's public key, with the proofs that make it checkable without what was said while it was made, and a member's
//! share of it.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use zeroize::Zeroizing;

use super::{
    dealing::one_of_each,
    setup::{CommitteeError, Setup},
};
use crate::{
    group::{Point, h},
    shamir,
    sigma::Equality,
    transcript::Transcript,
};

/// A member's share of the public key: `Y_i = s_i P`, with the proof that it is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyShare {
    /// `Y_i`.
    pub point: Point,
    /// `Y_i` is to `P` what `S_i` is to `H`.
    pub proof: Equality,
}

impl KeyShare {
    pub(crate) fn prove(key: &CommitteeKey, member: u8, secret: &Scalar) -> Result<Self, CommitteeError> {
        let public = key.public.open()?;
        let own = secret * public;
        let mut transcript = key.transcript(member);
        Ok(Self {
            point: Point::of(&own),
            proof: Equality::prove(&mut transcript, &h(), &[(public, own)], secret)?,
        })
    }
}

/// The key that clinics encrypt to, and what its members' proofs are held against.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CommitteeKey {
    /// Who made it.
    pub setup: Setup,
    /// `P = s^-1 H`, where nobody knows `s`.
    pub public: Point,
    /// `S_i = s_i H` of each member.
    pub shares: Vec<Point>,
    /// What each member proved.
    pub proofs: Vec<KeyShare>,
}

impl CommitteeKey {
    /// Whether the members' shares open what is encrypted to the key: each proves `Y_i = s_i P`, and the `Y_i` lie on one
    /// polynomial of degree `k - 1` that is `H` at 0. So `s P == H` for the `s` that any `k` of them share.
    ///
    /// This does not show that nobody knows `s`: that is what taking part in the making, or its [`super::Ceremony`], is for.
    ///
    /// # Errors
    /// [`CommitteeError`], with the member whose proof fails.
    pub fn check(&self) -> Result<(), CommitteeError> {
        self.setup.check()?;
        one_of_each(&self.setup, &self.shares)?;
        one_of_each(&self.setup, &self.proofs)?;
        let public = self.public.open_key()?;
        let mut points = vec![(0, h())];
        for (member, (share, proof)) in self.setup.indices().zip(self.shares.iter().zip(&self.proofs)) {
            let own = proof_holds(&mut self.transcript(member), &public, share, proof);
            points.push((member, own.ok_or(CommitteeError::KeyShare { member })?));
        }
        if !shamir::on_one_polynomial(&points, self.setup.degree()) {
            return Err(CommitteeError::Inconsistent);
        }
        Ok(())
    }

    /// SHA-256 of the setup, the key and the members' shares: what studies and proofs are bound to.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        let mut transcript = Transcript::new("committee/key");
        self.append_to(&mut transcript);
        transcript.digest()
    }

    /// `S_i` of a member.
    ///
    /// # Errors
    /// [`CommitteeError::NoMember`], [`CommitteeError::Encoding`].
    pub fn share(&self, member: u8) -> Result<RistrettoPoint, CommitteeError> {
        let share = self.shares.get(usize::from(member).wrapping_sub(1));
        Ok(share.ok_or(CommitteeError::NoMember { member })?.open_key()?)
    }

    fn append_to(&self, transcript: &mut Transcript) {
        self.setup.append_to(transcript);
        transcript.append("public", &self.public.0);
        transcript.append_number("shares", self.shares.len() as u64);
        for share in &self.shares {
            transcript.append("share", &share.0);
        }
    }

    fn transcript(&self, member: u8) -> Transcript {
        let mut transcript = Transcript::new("committee/key-share");
        self.append_to(&mut transcript);
        transcript.append("by", &[member]);
        transcript
    }
}

fn proof_holds(
    transcript: &mut Transcript,
    public: &RistrettoPoint,
    share: &Point,
    proof: &KeyShare,
) -> Option<RistrettoPoint> {
    let (share, own) = (share.open_key().ok()?, proof.point.open_key().ok()?);
    let proved = proof.proof.verify(transcript, &h(), &share, &[(*public, own)]);
    proved.ok().map(|()| own)
}

/// A member's share of a committee's secret. Whoever has `k` of them reads everything that any clinic ever encrypted to
/// the key, not totals alone.
pub struct MemberKey {
    committee: [u8; 32],
    index: u8,
    secret: Zeroizing<Scalar>,
}

impl MemberKey {
    pub(crate) fn new(key: &CommitteeKey, index: u8, secret: Zeroizing<Scalar>) -> Result<Self, CommitteeError> {
        if key.share(index)? != *secret * h() {
            return Err(CommitteeError::OtherKey);
        }
        Ok(Self {
            committee: key.id(),
            index,
            secret,
        })
    }

    /// The share from the 32 bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`CommitteeError::OtherKey`] where they are not this member's share of that key.
    pub fn from_bytes(key: &CommitteeKey, index: u8, bytes: &[u8; 32]) -> Result<Self, CommitteeError> {
        let secret = Scalar::from_canonical_bytes(*bytes).into_option();
        Self::new(key, index, Zeroizing::new(secret.ok_or(CommitteeError::OtherKey)?))
    }

    /// The secret, to be kept under lock: 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret().to_bytes())
    }

    /// The member's number, from 1.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }

    /// [`CommitteeKey::id`] of the key that it is a share of.
    #[must_use]
    pub fn committee(&self) -> &[u8; 32] {
        &self.committee
    }

    pub(crate) fn secret(&self) -> &Scalar {
        &self.secret
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKey(member {} of {})", self.index, hex::encode(self.committee))
    }
}
