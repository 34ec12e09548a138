//! A dealer's shares on their way to one member: HPKE (RFC 9180, X25519, HKDF-SHA-256, AES-256-GCM), bound to everything
//! that was agreed and promised before, to the dealer and to the receiver. A share that was moved anywhere else does not
//! open.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::scalar::Scalar;
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256, single_shot_open, single_shot_seal,
};
use zeroize::Zeroizing;

use super::setup::{CommitteeError, Setup};
use crate::{
    group::{RandomError, random},
    transcript::Transcript,
};

type Kem = X25519HkdfSha256;
type Secret = <Kem as hpke::Kem>::PrivateKey;

const NUMBERS: usize = 3;
const PLAIN_LEN: usize = 32 * NUMBERS;

/// The key that a member receives shares with. It is made for one attempt at one committee and for nothing else: then a
/// member who is sent a bad share can show the key to all, who see it too ([`super::at_fault`]).
pub struct Seat {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Seat {
    /// A new random key.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn new() -> Result<Self, RandomError> {
        Self::of(&Zeroizing::new(random()?)).ok_or(RandomError)
    }

    /// The seat of a secret that a member showed.
    #[must_use]
    pub fn of(secret: &[u8; 32]) -> Option<Self> {
        let key = Secret::from_bytes(secret).ok()?;
        Some(Self {
            secret: Zeroizing::new(*secret),
            public: Kem::sk_to_pk(&key).to_bytes().into(),
        })
    }

    /// What stands in [`Setup::members`].
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The secret, to keep between the rounds, or to show in a dispute once the attempt has failed. Whoever has it reads
    /// every share that this member was sent.
    #[must_use]
    pub fn secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.secret
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", hex::encode(self.public))
    }
}

/// What one dealer sends to one member: 32 bytes of encapsulated key, and 112 that hold three numbers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedShare {
    /// Who dealt it.
    pub dealer: u8,
    /// For whom.
    pub receiver: u8,
    /// HPKE's.
    pub encapsulated: [u8; 32],
    /// HPKE's.
    pub ciphertext: Vec<u8>,
}

/// The values of a dealer's polynomials at one member, or the sums over all dealers.
pub(crate) struct Share {
    /// Of the key.
    pub(crate) key: Zeroizing<Scalar>,
    /// Of what the key is multiplied with, so that the product can be opened.
    pub(crate) mask: Zeroizing<Scalar>,
    /// Of zero.
    pub(crate) zero: Zeroizing<Scalar>,
}

pub(crate) fn seal(
    setup: &Setup,
    session: &[u8; 32],
    (dealer, receiver): (u8, u8),
    share: &Share,
) -> Result<SealedShare, CommitteeError> {
    let place = usize::from(receiver).wrapping_sub(1);
    let public = setup.members.get(place);
    let public = public.ok_or(CommitteeError::NoMember { member: receiver })?;
    let bad_key = |_| CommitteeError::EncryptionKey { member: receiver };
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(public).map_err(bad_key)?;
    let mut plain = Zeroizing::new([0; PLAIN_LEN]);
    for (bytes, number) in plain
        .as_chunks_mut::<32>()
        .0
        .iter_mut()
        .zip([&share.key, &share.mask, &share.zero])
    {
        bytes.copy_from_slice(number.as_bytes());
    }
    let info = info(session, dealer, receiver);
    let sealed = single_shot_seal::<AesGcm256, HkdfSha256, Kem>(&OpModeS::Base, &public, &info, plain.as_slice(), &[]);
    let (encapsulated, ciphertext) = sealed.map_err(bad_key)?;
    Ok(SealedShare {
        dealer,
        receiver,
        encapsulated: encapsulated.to_bytes().into(),
        ciphertext,
    })
}

/// What the share says; nothing where it does not open or is none.
pub(crate) fn open(session: &[u8; 32], seat: &Seat, sealed: &SealedShare) -> Option<Share> {
    let secret = Secret::from_bytes(seat.secret.as_slice()).ok()?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&sealed.encapsulated).ok()?;
    let info = info(session, sealed.dealer, sealed.receiver);
    let mode = OpModeR::Base;
    let ciphertext = &sealed.ciphertext;
    let plain =
        single_shot_open::<AesGcm256, HkdfSha256, Kem>(&mode, &secret, &encapsulated, &info, ciphertext, &[]).ok()?;
    let plain = Zeroizing::new(plain);
    let ([key, mask, zero], []) = plain.as_chunks::<32>() else {
        return None;
    };
    let number = |bytes: &[u8; 32]| Scalar::from_canonical_bytes(*bytes).into_option().map(Zeroizing::new);
    Some(Share {
        key: number(key)?,
        mask: number(mask)?,
        zero: number(zero)?,
    })
}

fn info(session: &[u8; 32], dealer: u8, receiver: u8) -> [u8; 32] {
    let mut info = Transcript::new("committee/share");
    info.append("session", session);
    info.append("dealer", &[dealer]);
    info.append("receiver", &[receiver]);
    info.digest()
}
