//! Grants without a name: the hashes by which a grant is a leaf of a tree, and what a proof of access says of it.
//!
//! A reader proves that one leaf of the tree gives it a right to a record, and shows neither which leaf nor who it is.
//! All values are elements of the scalar field of BN254, and all hashes but two are Poseidon (Grassi et al., USENIX
//! Security 2021) with circomlib's parameters, which the chain has as a syscall; `Pn` is that of n inputs. An id is the
//! number that its 16 bytes spell, an X25519 key two such numbers.
//!
//! ```text
//! commitment = P2(P1(secret), salt)                                     what a reader hands to the patient
//! record     = P2(patient, record id)
//! leaf       = P6(record, rights, expires, key's first half, key's second half, commitment); 0 is no leaf
//! node       = P2(left, right), in a tree of depth 20
//! scope      = SHA-256("chartseal/scope/v1" || program || verifier || epoch (u64 LE)), its first byte zeroed
//! message    = SHA-256("chartseal/access-message/v1" || program || exchange || verifier || relayer), the same
//! nullifier  = P3(secret, scope, record)
//! handle     = P2(record, blind)
//! ```

use anchor_lang::prelude::*;

use crate::{log::sha256_of, seeds::Id, ChartsealError};

/// A field element: 32 bytes, the highest first, less than the field's order.
pub type Field = [u8; 32];

/// Levels of a tree below its root: it has room for 2^20 leaves.
pub const DEPTH: usize = 20;

/// Leaves that a tree has room for.
pub const CAPACITY: u32 = 1 << DEPTH;

/// Seconds of an epoch: within one, a reader has one nullifier per record and verifier.
pub const EPOCH: u64 = 3_600;

/// Seconds by which the time that a proof names may differ from the clock.
pub const SKEW: i64 = 60;

/// What stands in the place of a leaf that was never made, or was revoked.
pub const NO_LEAF: Field = [0; 32];

/// Order of the field.
const ORDER: Field = field("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001");

/// Roots of the trees without leaves, of depth 0 to 20.
pub static ZEROS: [Field; DEPTH + 1] = [
    NO_LEAF,
    field("2098f5fb9e239eab3ceac3f27b81e481dc3124d55ffed523a839ee8446b64864"),
    field("1069673dcdb12263df301a6ff584a7ec261a44cb9dc68df067a4774460b1f1e1"),
    field("18f43331537ee2af2e3d758d50f72106467c6eea50371dd528d57eb2b856d238"),
    field("07f9d837cb17b0d36320ffe93ba52345f1b728571a568265caac97559dbc952a"),
    field("2b94cf5e8746b3f5c9631f4c5df32907a699c58c94b2ad4d7b5cec1639183f55"),
    field("2dee93c5a666459646ea7d22cca9e1bcfed71e6951b953611d11dda32ea09d78"),
    field("078295e5a22b84e982cf601eb639597b8b0515a88cb5ac7fa8a4aabe3c87349d"),
    field("2fa5e5f18f6027a6501bec864564472a616b2e274a41211a444cbe3a99f3cc61"),
    field("0e884376d0d8fd21ecb780389e941f66e45e7acce3e228ab3e2156a614fcd747"),
    field("1b7201da72494f1e28717ad1a52eb469f95892f957713533de6175e5da190af2"),
    field("1f8d8822725e36385200c0b201249819a6e6e1e4650808b5bebc6bface7d7636"),
    field("2c5d82f66c914bafb9701589ba8cfcfb6162b0a12acf88a8d0879a0471b5f85a"),
    field("14c54148a0940bb820957f5adf3fa1134ef5c4aaa113f4646458f270e0bfbfd0"),
    field("190d33b12f986f961e10c0ee44d8b9af11be25588cad89d416118e4bf4ebe80c"),
    field("22f98aa9ce704152ac17354914ad73ed1167ae6596af510aa5b3649325e06c92"),
    field("2a7c7c9b6ce5880b9f6f228d72bf6a575a526f29c66ecceef8b753d38bba7323"),
    field("2e8186e558698ec1c67af9c14d463ffc470043c9c2988b954d75dd643f36b992"),
    field("0f57c5571e9a4eab49e2c8cf050dae948aef6ead647392273546249d1c1ff10f"),
    field("1830ee67b5fb554ad5f63d4388800e1cfe78e310697d46e43c9ce36134f72cca"),
    field("2134e76ac5d21aab186c2be1dd8f84ee880a1e46eaf712f9d371b6df22191f3e"),
];

/// A field element from its 64 hexadecimal digits, while compiling.
const fn field(digits: &str) -> Field {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            _ => byte - b'a' + 10,
        }
    }
    let digits = digits.as_bytes();
    let mut field = [0; 32];
    let mut at = 0;
    while at < 32 {
        field[at] = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        at += 1;
    }
    field
}

/// Whether these bytes are a field element: each has one encoding only.
pub fn is_canonical(bytes: &Field) -> bool {
    *bytes < ORDER
}

/// Poseidon of up to 12 field elements.
///
/// # Errors
/// [`ChartsealError::NotAField`] where one of them is not less than the field's order.
pub fn poseidon(inputs: &[&Field]) -> Result<Field> {
    hash(inputs).ok_or_else(|| ChartsealError::NotAField.into())
}

#[cfg(target_os = "solana")]
use crate::runtime::poseidon as hash;

#[cfg(not(target_os = "solana"))]
fn hash(inputs: &[&Field]) -> Option<Field> {
    use light_poseidon::{Poseidon, PoseidonBytesHasher};
    let inputs: alloc::vec::Vec<&[u8]> = inputs.iter().map(|input| input.as_slice()).collect();
    Poseidon::<ark_bn254::Fr>::new_circom(inputs.len())
        .and_then(|mut poseidon| poseidon.hash_bytes_be(&inputs))
        .ok()
}

/// The number that 16 bytes spell.
pub fn number(bytes: &[u8; 16]) -> Field {
    let mut field = [0; 32];
    field[16..].copy_from_slice(bytes);
    field
}

/// A number as a field element.
pub fn small(number: u64) -> Field {
    let mut field = [0; 32];
    field[24..].copy_from_slice(&number.to_be_bytes());
    field
}

/// The record as a proof names it.
///
/// # Errors
/// None: ids are field elements. The result is that of [`poseidon`].
pub fn record(patient: &Id, record: &Id) -> Result<Field> {
    poseidon(&[&number(patient), &number(record)])
}

/// A grant without a name: what it gives, and to whom, as far as that is known to anybody but the reader.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnonymousTerms {
    /// One bit for each `Action`: reading, aggregating or both.
    pub rights: u8,
    /// Seconds since 1970: valid until just before here.
    pub expires: i64,
    /// X25519 public key (RFC 7748), drawn for this grant alone, to which envelopes are wrapped.
    pub key: [u8; 32],
    /// Commits the reader to its secret.
    pub commitment: Field,
}

impl AnonymousTerms {
    /// The leaf that stands for these terms on a record (see [`record`]).
    ///
    /// # Errors
    /// [`ChartsealError::NotAField`] of the commitment; [`ChartsealError::BadValidity`] of an end before 1970.
    pub fn leaf(&self, record: &Field) -> Result<Field> {
        let expires = u64::try_from(self.expires).map_err(|_| ChartsealError::BadValidity)?;
        let (mut first, mut second) = ([0; 32], [0; 32]);
        first[16..].copy_from_slice(&self.key[..16]);
        second[16..].copy_from_slice(&self.key[16..]);
        poseidon(&[
            record,
            &small(self.rights.into()),
            &small(expires),
            &first,
            &second,
            &self.commitment,
        ])
    }
}

/// What stands above two neighbours.
///
/// # Errors
/// [`ChartsealError::NotAField`].
pub fn node(left: &Field, right: &Field) -> Result<Field> {
    poseidon(&[left, right])
}

/// The epoch of a time, in seconds since 1970; times before that are of the first.
pub fn epoch(at: i64) -> u64 {
    u64::try_from(at).unwrap_or(0) / EPOCH
}

/// What nullifiers are drawn for: one verifier, one epoch.
pub fn scope(verifier: &Address, epoch: u64) -> Field {
    below_order(sha256_of(&[
        b"chartseal/scope/v1",
        crate::ID.as_ref(),
        verifier.as_ref(),
        &epoch.to_le_bytes(),
    ]))
}

/// What a proof was made for: one exchange with one verifier, through one relayer.
pub fn message(exchange: &Id, verifier: &Address, relayer: &Address) -> Field {
    below_order(sha256_of(&[
        b"chartseal/access-message/v1",
        crate::ID.as_ref(),
        exchange,
        verifier.as_ref(),
        relayer.as_ref(),
    ]))
}

/// A hash as a field element: without its first byte.
fn below_order(mut hash: [u8; 32]) -> Field {
    hash[0] = 0;
    hash
}
