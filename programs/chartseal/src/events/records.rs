//! Records: written, read, refused, erased.

use anchor_lang::prelude::*;

use super::Actor;
use crate::{
    errors::ChartsealError,
    log::Link,
    seeds::Id,
    vocabulary::{Action, Basis, ClaimKind, Purpose, Reason},
};

/// A member committed to many records at once. Whose they are is in the leaves only.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct BatchAnchored {
    pub link: Link,
    pub batch: Id,
    /// Address of the Member account: the author of the batch's records.
    pub author: Address,
    pub wallet: Address,
    pub root: [u8; 32],
    pub locator: [u8; 32],
    pub count: u32,
    pub head: [u8; 32],
}

/// A record's first version.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecordCreated {
    pub link: Link,
    pub request: Id,
    pub record: Id,
    pub class: u8,
    pub author: Actor,
    pub purpose: Purpose,
    pub basis: Basis,
    /// What the basis rests on (see [`Basis`]): grant, delegation, emergency, or institution of a policy.
    pub under: Id,
    pub content: Content,
    pub head: [u8; 32],
}

/// A record's next version.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecordAmended {
    pub link: Link,
    pub request: Id,
    pub record: Id,
    pub version: u32,
    pub author: Actor,
    pub purpose: Purpose,
    pub basis: Basis,
    /// What the basis rests on (see [`Basis`]): grant, delegation, emergency, or institution of a policy.
    pub under: Id,
    pub content: Content,
    /// Hash of the version before (see `Record::version_hash`).
    pub previous: [u8; 32],
    pub head: [u8; 32],
}

/// A record of a batch got an account of its own. Its author is the batch's.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecordPromoted {
    pub link: Link,
    pub request: Id,
    pub record: Id,
    pub class: u8,
    /// Id of the institution whose batch it is.
    pub institution: Id,
    pub batch: Id,
    /// Place in the batch, from 0.
    pub index: u32,
    /// Address of the Member account that anchored the batch.
    pub author: Address,
    /// Who promoted it.
    pub actor: Actor,
    pub purpose: Purpose,
    pub basis: Basis,
    /// What the basis rests on (see [`Basis`]): grant, delegation, emergency, or institution of a policy.
    pub under: Id,
    pub content: Content,
    pub head: [u8; 32],
}

/// A record became a tombstone: nobody reads it any more.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecordErased {
    pub link: Link,
    pub record: Id,
    /// The newest version that there was.
    pub version: u32,
    pub by: Address,
    pub head: [u8; 32],
}

/// Whoever keeps keys attests that those of an erased record were destroyed.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct ErasureAttested {
    pub link: Link,
    pub record: Id,
    pub actor: Actor,
    /// SHA-256 of the receipt, which says which keys.
    pub receipt: [u8; 32],
    pub head: [u8; 32],
}

/// Somebody may read a record: what a key store waits for before it releases the wrapped key.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AccessAllowed {
    pub link: Link,
    pub request: Id,
    pub record: Id,
    pub version: u32,
    pub actor: Actor,
    pub purpose: Purpose,
    pub basis: Basis,
    /// What the basis rests on (see [`Basis`]): grant, delegation, emergency, or institution of a policy.
    pub under: Id,
    pub head: [u8; 32],
}

/// Somebody who is registered was refused.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct ActionRefused {
    pub link: Link,
    pub request: Id,
    pub record: Id,
    pub action: Action,
    pub actor: Actor,
    pub purpose: Purpose,
    pub reason: Reason,
    /// What was claimed ...
    pub claim: ClaimKind,
    /// ... and its id: the grant's, the delegation's, the emergency's, or that of the institution of a policy. Zeros
    /// where nothing was.
    pub under: Id,
    pub head: [u8; 32],
}

/// Where a version's ciphertext is, and what it must hash to.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// SHA-256 of the manifest's bytes.
    pub manifest_hash: [u8; 32],
    /// Merkle root over the shards.
    pub root: [u8; 32],
    /// Id of the manifest's data item.
    pub locator: [u8; 32],
    /// Sealed bytes, after padding.
    pub padded_size: u64,
}

impl Content {
    /// Refuses content that nobody sealed. Whoever only wants to know whether it may write, before it seals and uploads
    /// anything, sends zeros: a refusal is logged like any other, and an allowed attempt fails here and changes
    /// nothing.
    pub fn validate(&self) -> Result<()> {
        let sealed = self.manifest_hash != [0; 32] && self.root != [0; 32] && self.locator != [0; 32];
        require!(sealed, ChartsealError::NoContent);
        Ok(())
    }
}
