//! The file's content and bytes.

use borsh::{BorshDeserialize, BorshSerialize};
use chartseal_program::{
    log::{Chain, ChainKind, sha256_of},
    seeds::{Id, NO_ID, address},
};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::CheckError;

/// What a file begins with.
pub(crate) const MAGIC: &[u8; 16] = b"chartseal/audit\n";
/// The version of the format that follows.
pub const VERSION: u16 = 1;

/// Separates the digest, and what is signed, from every other hash and signature of the system.
const DIGEST: &[u8] = b"chartseal/audit-digest/v1";
const SIGNED: &[u8] = b"chartseal/audit-signature/v1";

pub(crate) const HASH: usize = 32;
pub(crate) const SIGNATURE: usize = 64;

/// All that a file says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Audit {
    /// The program whose log it is.
    pub program: [u8; 32],
    /// The hash of the cluster's first block, which names the cluster.
    pub genesis_hash: [u8; 32],
    /// Seconds since 1970, by the clock of the machine that wrote it.
    pub exported_at: i64,
    /// How far the database was that it was written from.
    pub frontier: Frontier,
    pub subject: Subject,
    /// The subject's own chains, then those that say who the others are.
    pub chains: Vec<ExportedChain>,
}

/// The last transaction that a database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Frontier {
    pub signature: [u8; 64],
    pub slot: u64,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    Registry,
    Institution(Id),
    Patient(Id),
}

impl Subject {
    /// The chains that it has, in the order of the file.
    pub fn chains(&self) -> Vec<(ChainKind, Id)> {
        match self {
            Self::Registry => vec![(ChainKind::Registry, NO_ID)],
            Self::Institution(id) => vec![(ChainKind::Institution, *id)],
            Self::Patient(id) => vec![(ChainKind::Log, *id), (ChainKind::Refusals, *id)],
        }
    }

    /// What it is, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Institution(_) => "institution",
            Self::Patient(_) => "patient",
        }
    }

    /// Its id; zeros for the registry.
    pub fn id(&self) -> Id {
        match self {
            Self::Registry => NO_ID,
            Self::Institution(id) | Self::Patient(id) => *id,
        }
    }
}

/// One chain, from its first event to its head on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExportedChain {
    /// Place of the kind in [`ChainKind::ALL`].
    pub kind: u8,
    /// The id of whose chain it is; zeros for the registry.
    pub subject: Id,
    /// The account that keeps its head.
    pub account: [u8; 32],
    /// The slot in which that account was read.
    pub slot: u64,
    /// How many events the chain had there ...
    pub seq: u64,
    /// ... and its hash after the last of them.
    pub head: [u8; 32],
    /// All of them, in order.
    pub events: Vec<Placed>,
}

impl ExportedChain {
    /// The kind of the chain, where there is such a kind.
    pub fn kind(&self) -> Option<ChainKind> {
        ChainKind::ALL.get(usize::from(self.kind)).copied()
    }

    /// The byte that stands for a kind.
    pub fn kind_byte(kind: ChainKind) -> u8 {
        match kind {
            ChainKind::Registry => 0,
            ChainKind::Institution => 1,
            ChainKind::Log => 2,
            ChainKind::Refusals => 3,
            ChainKind::Tree => 4,
        }
    }

    /// The account that keeps the head of a chain.
    pub fn account_of(kind: ChainKind, subject: &Id) -> [u8; 32] {
        match kind {
            ChainKind::Registry => address::registry(),
            ChainKind::Institution => address::institution(subject),
            ChainKind::Log => address::access_log(subject),
            ChainKind::Refusals => address::refusal_log(subject),
            ChainKind::Tree => address::tree(subject),
        }
        .to_bytes()
    }

    /// Where the ledger had the chain.
    pub fn chain(&self) -> Chain {
        Chain {
            seq: self.seq,
            head: self.head,
        }
    }
}

/// An event, and where it stands on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Placed {
    /// The transaction's first signature.
    pub signature: [u8; 64],
    pub slot: u64,
    /// Hash of the block of that slot.
    pub blockhash: [u8; 32],
    /// When the cluster says that the block was made, in seconds since 1970.
    pub block_time: Option<i64>,
    /// Which instruction of the transaction, from 0.
    pub outer: u16,
    /// Which inner instruction of that one, from 0.
    pub inner: u16,
    /// The event as it was emitted: discriminator, Borsh fields, head.
    pub body: Vec<u8>,
}

/// The bytes of a file: signed, where there is a key.
///
/// # Errors
/// Where there is more of something than the format can count (2^32 - 1).
pub fn write(audit: &Audit, key: Option<&SigningKey>) -> Result<Vec<u8>, CheckError> {
    let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
    let signer = key.map(|key| key.verifying_key().to_bytes());
    audit
        .serialize(&mut bytes)
        .and_then(|()| signer.serialize(&mut bytes))
        .map_err(|error| CheckError::Form(error.to_string()))?;
    let digest = digest_of(&bytes);
    bytes.extend_from_slice(&digest);
    if let Some(key) = key {
        bytes.extend_from_slice(&key.sign(&signed(&digest)).to_bytes());
    }
    Ok(bytes)
}

pub(crate) fn digest_of(bytes: &[u8]) -> [u8; HASH] {
    sha256_of(&[DIGEST, bytes])
}

/// What a signer signs.
pub(crate) fn signed(digest: &[u8; HASH]) -> Vec<u8> {
    [SIGNED, digest].concat()
}
