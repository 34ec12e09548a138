//! Grants without a name, and proofs of access.

use anchor_lang::prelude::*;

use crate::{
    log::Link,
    membership::{AnonymousTerms, Field},
    seeds::Id,
};

/// A tree for grants without a name was made.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct TreeOpened {
    pub link: Link,
    pub by: Address,
    pub head: [u8; 32],
}

/// Whoever decides for the patient granted rights to somebody whom the chain does not know.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AnonymousGrantCreated {
    pub link: Link,
    pub record: Id,
    pub issuer: Address,
    pub tree: Id,
    /// Place of the leaf in the tree, from 0.
    pub index: u32,
    /// Number of the root that came of it.
    pub number: u64,
    pub root: Field,
    pub terms: AnonymousTerms,
    pub head: [u8; 32],
}

/// A grant without a name ended before its time.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AnonymousGrantRevoked {
    pub link: Link,
    pub record: Id,
    pub by: Address,
    pub tree: Id,
    /// Place of the leaf in the tree, from 0.
    pub index: u32,
    /// Number of the root that came of it.
    pub number: u64,
    pub root: Field,
    pub head: [u8; 32],
}

/// Somebody proved a right to a record, and neither is known: the nullifier is the entry.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AccessProven {
    pub link: Link,
    /// Chosen by the reader: names this access to the verifier.
    pub exchange: Id,
    pub nullifier: Field,
    /// Names the record to whoever knows it and the blind.
    pub handle: Field,
    pub verifier: Address,
    pub relayer: Address,
    pub epoch: u64,
    /// The time that the proof names, in seconds since 1970.
    pub now: i64,
    /// One bit for each `Action`.
    pub rights: u8,
    /// Number of the root that it rests on.
    pub number: u64,
    pub head: [u8; 32],
}

/// The rent of a nullifier whose epoch is over was returned.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct NullifierClosed {
    pub link: Link,
    pub nullifier: Field,
    pub payer: Address,
    pub head: [u8; 32],
}
