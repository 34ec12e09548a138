//! Hash chains: what makes the log provably whole.
//!
//! Every event of the program is one link of one chain. The chain's account keeps how many links there are and the
//! hash of the last; whoever holds the events can recompute it, and a missing, added or altered one shows.
//!
//! ```text
//! first head = SHA-256(domain || program || subject)
//! head       = SHA-256(domain || program || subject || seq (u64 LE) || head before || event)
//! ```
//!
//! where `event` is the event as it is emitted (8-byte discriminator, then Borsh) without its last field, `head`.

use alloc::vec::Vec;
use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::seeds::Id;

/// The chains that exist. Each has a domain of its own, so that a link of one can never stand in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainKind {
    /// Admins, pause. Subject: zeros.
    Registry,
    /// An institution, its members and batches, and the agreements that it pays for. Subject: the institution's id.
    Institution,
    /// All that was done about a patient. Subject: the patient's id.
    Log,
    /// All that was refused about a patient. Subject: the patient's id.
    Refusals,
    /// Proofs of access that rest on a tree of grants without a name. Subject: the tree's id.
    Tree,
}

impl ChainKind {
    pub const ALL: [Self; 5] = [Self::Registry, Self::Institution, Self::Log, Self::Refusals, Self::Tree];

    /// Separates the chains' hashes from each other and from every other hash of the system.
    pub const fn domain(self) -> &'static [u8] {
        match self {
            Self::Registry => b"chartseal/registry/v1",
            Self::Institution => b"chartseal/institution/v1",
            Self::Log => b"chartseal/log/v1",
            Self::Refusals => b"chartseal/refusals/v1",
            Self::Tree => b"chartseal/tree/v1",
        }
    }

    /// The kind as people and tables name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Institution => "institution",
            Self::Log => "log",
            Self::Refusals => "refusals",
            Self::Tree => "tree",
        }
    }

    /// The opposite of [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Where a chain stands: 40 bytes inside the account that owns it.
#[derive(IdlType, Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Chain {
    /// How many links there are. The first one has `seq` 1.
    pub seq: u64,
    /// Hash of the last link, or of the subject alone where there is none yet.
    pub head: [u8; 32],
}

/// Where an event stands in its chain.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Id of the chain's subject.
    pub subject: Id,
    /// Place in the chain, from 1.
    pub seq: u64,
    /// The chain's clock, in seconds since 1970.
    pub at: i64,
}

/// An event that is a link of a chain: `link` is its first field and `head` its last.
pub trait Chained: Event {
    /// The chain that it belongs to.
    const CHAIN: ChainKind;

    /// Where it stands there.
    fn link(&self) -> &Link;

    /// The chain's head after it.
    fn head(&self) -> &[u8; 32];
}

/// Length of the hash at the end of each event.
const HEAD: usize = 32;

impl Chain {
    /// A chain without links.
    pub fn begin(kind: ChainKind, subject: &Id) -> Self {
        Self {
            seq: 0,
            head: sha256_of(&[kind.domain(), crate::ID.as_ref(), subject]),
        }
    }

    /// Adds the event that `event` makes of its place. What comes back is ready for `emit_cpi!`.
    ///
    /// # Errors
    /// [`ChartsealError::Overflow`](crate::ChartsealError::Overflow) after 2^64 - 1 links.
    pub fn extend<E: Chained>(&mut self, subject: &Id, at: i64, event: impl FnOnce(Link) -> E) -> Result<Encoded> {
        let seq = self.seq.checked_add(1).ok_or(crate::ChartsealError::Overflow)?;
        let mut bytes = event(Link {
            subject: *subject,
            seq,
            at,
        })
        .data();
        let body = bytes.len() - HEAD;
        let head = next_head(E::CHAIN, subject, seq, &self.head, &bytes[..body]);
        bytes[body..].copy_from_slice(&head);
        *self = Self { seq, head };
        Ok(Encoded(bytes))
    }

    /// Follows an event that was emitted before: the chain's state after it, if it is the next link.
    ///
    /// `bytes` is the event as it was emitted, with discriminator and head.
    pub fn follow(&self, kind: ChainKind, subject: &Id, seq: u64, bytes: &[u8]) -> Option<Self> {
        let (body, claimed) = bytes.split_at(bytes.len().checked_sub(HEAD)?);
        let next = self.seq.checked_add(1)?;
        let head = next_head(kind, subject, next, &self.head, body);
        (seq == next && head == claimed).then_some(Self { seq: next, head })
    }
}

fn next_head(kind: ChainKind, subject: &Id, seq: u64, before: &[u8; 32], event: &[u8]) -> [u8; 32] {
    sha256_of(&[
        kind.domain(),
        crate::ID.as_ref(),
        subject,
        &seq.to_le_bytes(),
        before,
        event,
    ])
}

/// SHA-256 of the parts, one after another.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    anchor_lang::solana_program::hash::hashv(parts).to_bytes()
}

/// An event with its head in place, as it goes out.
#[derive(Debug)]
pub struct Encoded(Vec<u8>);

impl Discriminator for Encoded {
    // The bytes begin with the discriminator of the event that they are.
    const DISCRIMINATOR: &'static [u8] = &[];
}

impl Event for Encoded {
    fn data(&self) -> Vec<u8> {
        self.0.clone()
    }
}
