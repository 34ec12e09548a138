//! The third and fourth round: the product of the key's secret and its mask is opened, the public key follows from it, and
//! every member proves its share of that.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::IsIdentity as _};
use zeroize::Zeroizing;

use super::{
    dealing::{Commitments, Reveal, one_of_each, session},
    key::{CommitteeKey, KeyShare, MemberKey},
    sealing::{self, SealedShare, Seat, Share},
    setup::{CommitteeError, Setup},
};
use crate::{
    group::{Number, Point, h},
    shamir,
    sigma::Equality,
    transcript::Transcript,
};

/// What all members dealt, checked; public.
#[derive(Clone, Debug)]
pub struct Dealt {
    setup: Setup,
    session: [u8; 32],
    dealers: Vec<Commitments>,
    members: Vec<Exponents>,
}

/// One member's shares, times `H`.
#[derive(Clone, Copy, Debug)]
struct Exponents {
    key: RistrettoPoint,
    mask: RistrettoPoint,
    zero: RistrettoPoint,
}

/// A member's share of the product, which is opened: `u_i = s_i r_i + z_i`, with the proof that it is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Product {
    /// `u_i`.
    pub value: Number,
    /// `u_i H - Z_i` is to `R_i` what `S_i` is to `H`.
    pub proof: Equality,
}

impl Dealt {
    /// Checks what was revealed against what was promised; both in the order of the members.
    ///
    /// # Errors
    /// [`CommitteeError`], with the dealer who is at fault.
    pub fn check(setup: &Setup, promises: &[[u8; 32]], reveals: &[Reveal]) -> Result<Self, CommitteeError> {
        let session = session(setup, promises)?;
        one_of_each(setup, reveals)?;
        let dealers: Vec<Commitments> = setup
            .indices()
            .zip(promises.iter().zip(reveals))
            .map(|(dealer, (promise, reveal))| reveal.check(setup, &session, dealer, promise))
            .collect::<Result<_, _>>()?;
        let members = setup.indices().map(|index| {
            let sum = |of: fn(&Commitments) -> &Vec<RistrettoPoint>| -> RistrettoPoint {
                dealers
                    .iter()
                    .map(|dealer| shamir::committed_at(of(dealer), index))
                    .sum()
            };
            Exponents {
                key: sum(|dealer| &dealer.key),
                mask: sum(|dealer| &dealer.mask),
                zero: sum(|dealer| &dealer.zero),
            }
        });
        Ok(Self {
            setup: setup.clone(),
            session,
            members: members.collect(),
            dealers,
        })
    }

    /// Opens the product and makes the public key of it; the shares in the order of the members.
    ///
    /// # Errors
    /// [`CommitteeError::Messages`]; [`CommitteeError::Product`] with the member whose share is not proved.
    pub fn open(&self, products: &[Product]) -> Result<Opened<'_>, CommitteeError> {
        one_of_each(&self.setup, products)?;
        let mut shares = Vec::with_capacity(products.len());
        for ((member, exponents), product) in self.setup.indices().zip(&self.members).zip(products) {
            let fault = |_| CommitteeError::Product { member };
            let value = product.value.open().map_err(fault)?;
            let pair = (exponents.mask, value * h() - exponents.zero);
            let mut transcript = self.product_transcript(member, &product.value, exponents);
            let proved = product.proof.verify(&mut transcript, &h(), &exponents.key, &[pair]);
            proved.map_err(|_| CommitteeError::Product { member })?;
            shares.push((member, value));
        }
        // Each share is proved, so all lie on the one polynomial of degree 2k - 2; n points are enough of them.
        let product = shamir::number_at(&shares, 0);
        let masks: Vec<_> = self
            .setup
            .indices()
            .zip(self.members.iter().map(|member| member.mask))
            .collect();
        let public = product.invert() * shamir::point_at(&masks, 0);
        if product == Scalar::ZERO || public.is_identity() {
            return Err(CommitteeError::Zero);
        }
        Ok(Opened { dealt: self, public })
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    fn product_transcript(&self, member: u8, value: &Number, exponents: &Exponents) -> Transcript {
        let mut transcript = Transcript::new("committee/product");
        self.setup.append_to(&mut transcript);
        transcript.append("session", &self.session);
        transcript.append("member", &[member]);
        transcript.append("value", &value.0);
        transcript.append_point("key", &exponents.key);
        transcript.append_point("mask", &exponents.mask);
        transcript.append_point("zero", &exponents.zero);
        transcript
    }

    /// The share that a dealer sent, where it is the one that it committed to.
    fn receive(&self, seat: &Seat, sealed: &SealedShare) -> Option<Share> {
        let dealer = self.dealers.get(usize::from(sealed.dealer).wrapping_sub(1))?;
        let share = sealing::open(&self.session, seat, sealed)?;
        let fits = |number: &Scalar, commitments: &[RistrettoPoint]| {
            number * h() == shamir::committed_at(commitments, sealed.receiver)
        };
        let all = fits(&share.key, &dealer.key) && fits(&share.mask, &dealer.mask) && fits(&share.zero, &dealer.zero);
        all.then_some(share)
    }
}

/// Settles a complaint about a share in an attempt that has failed by it, given the share as whatever carried it says that
/// the dealer sent it. The member who complains shows the secret of its
/// [`Seat`], which is of no other use any more. Returns who is at fault: the dealer where its share really is a bad one, and
/// the member where the share is good or the secret is not that of its seat.
#[must_use]
pub fn at_fault(dealt: &Dealt, sealed: &SealedShare, shown: &[u8; 32]) -> u8 {
    let place = usize::from(sealed.receiver).wrapping_sub(1);
    match Seat::of(shown) {
        Some(seat) if dealt.setup.members.get(place) == Some(&seat.public()) => {
            if dealt.receive(&seat, sealed).is_some() {
                sealed.receiver
            } else {
                sealed.dealer
            }
        }
        _ => sealed.receiver,
    }
}

/// A member with the sums of the shares that it was dealt; secret.
pub struct Holder {
    index: u8,
    pub(super) share: Share,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder(member {})", self.index)
    }
}

impl Holder {
    /// Opens and checks the shares that were sent to the member, one of each dealer in their order.
    ///
    /// # Errors
    /// [`CommitteeError::Share`] with the first dealer whose share is not the one that it committed to.
    pub fn receive(dealt: &Dealt, seat: &Seat, index: u8, sealed: &[SealedShare]) -> Result<Self, CommitteeError> {
        let place = usize::from(index).wrapping_sub(1);
        let own = dealt.setup.members.get(place);
        if *own.ok_or(CommitteeError::NoMember { member: index })? != seat.public() {
            return Err(CommitteeError::NotTheSeat { member: index });
        }
        one_of_each(&dealt.setup, sealed)?;
        let zero = || Zeroizing::new(Scalar::ZERO);
        let mut sum = Share {
            key: zero(),
            mask: zero(),
            zero: zero(),
        };
        for (dealer, sealed) in dealt.setup.indices().zip(sealed) {
            let addressed = sealed.dealer == dealer && sealed.receiver == index;
            let share = addressed.then(|| dealt.receive(seat, sealed)).flatten();
            let share = share.ok_or(CommitteeError::Share { dealer })?;
            *sum.key += &*share.key;
            *sum.mask += &*share.mask;
            *sum.zero += &*share.zero;
        }
        Ok(Self { index, share: sum })
    }

    /// Third round: its share of the product, to be seen by all.
    ///
    /// # Errors
    /// [`CommitteeError::NoMember`], [`CommitteeError::Random`].
    pub fn product(&self, dealt: &Dealt) -> Result<Product, CommitteeError> {
        let exponents = dealt.members.get(usize::from(self.index).wrapping_sub(1));
        let exponents = exponents.ok_or(CommitteeError::NoMember { member: self.index })?;
        let value = *self.share.key * *self.share.mask + *self.share.zero;
        let pair = (exponents.mask, value * h() - exponents.zero);
        let value = Number::of(&value);
        let mut transcript = dealt.product_transcript(self.index, &value, exponents);
        Ok(Product {
            value,
            proof: Equality::prove(&mut transcript, &h(), &[pair], &self.share.key)?,
        })
    }

    /// Fourth round: its share of the public key, to be seen by all.
    ///
    /// # Errors
    /// [`CommitteeError::Random`].
    pub fn key_share(&self, opened: &Opened<'_>) -> Result<KeyShare, CommitteeError> {
        KeyShare::prove(&opened.unproved(), self.index, &self.share.key)
    }

    /// The member's share, once the key is proved.
    ///
    /// # Errors
    /// [`CommitteeError::OtherKey`] where the share is not of that key.
    pub fn finish(self, key: &CommitteeKey) -> Result<MemberKey, CommitteeError> {
        MemberKey::new(key, self.index, self.share.key)
    }
}

/// The public key of a committee, not yet proved by its members.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    dealt: &'a Dealt,
    public: RistrettoPoint,
}

impl Opened<'_> {
    /// The key with the members' proofs, in their order.
    ///
    /// # Errors
    /// [`CommitteeError::Messages`]; [`CommitteeError::KeyShare`] with the member whose proof fails.
    pub fn finish(&self, shares: &[KeyShare]) -> Result<CommitteeKey, CommitteeError> {
        let mut key = self.unproved();
        key.proofs = shares.to_vec();
        key.check()?;
        Ok(key)
    }

    fn unproved(&self) -> CommitteeKey {
        CommitteeKey {
            setup: self.dealt.setup().clone(),
            public: Point::of(&self.public),
            shares: self.dealt.members.iter().map(|member| Point::of(&member.key)).collect(),
            proofs: Vec::new(),
        }
    }
}
