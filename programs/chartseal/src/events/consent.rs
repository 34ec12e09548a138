//! What patients allow: grants, policies, requests, and what emergencies take.

use anchor_lang::prelude::*;

use crate::{
    log::Link,
    seeds::Id,
    vocabulary::{ActorKind, GranteeKind, Purpose, Reviewer, Verdict},
};

/// Whoever decides for the patient granted rights.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct GrantCreated {
    pub link: Link,
    pub grant: Id,
    pub issuer: Address,
    pub terms: Terms,
    pub head: [u8; 32],
}

/// A grantee passed on what it may share.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct GrantPassedOn {
    pub link: Link,
    pub request: Id,
    pub grant: Id,
    /// The grant that it descends from. It must live for this one to give a right, and a use counts against both.
    pub parent: Id,
    /// How many grants it descends from, 1 to 3.
    pub depth: u8,
    pub actor: Actor,
    pub purpose: Purpose,
    pub terms: Terms,
    pub head: [u8; 32],
}

/// A grant ended before its time.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct GrantRevoked {
    pub link: Link,
    pub grant: Id,
    pub by: Address,
    pub head: [u8; 32],
}

/// The patient changed what it shares with an institution by itself. Nothing at all withdraws it.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct PolicySet {
    pub link: Link,
    pub institution: Id,
    /// Classes of new records, one bit each.
    pub classes: u32,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// Whether the institution's members may add records of these classes.
    pub enrols: bool,
    /// Seconds since 1970.
    pub expires: i64,
    pub by: Address,
    pub head: [u8; 32],
}

/// A member asked for a grant.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AccessRequested {
    pub link: Link,
    pub request: Id,
    pub actor: Actor,
    /// The one record it is about, or zeros.
    pub record: Id,
    /// Sharing classes, one bit each, or zero.
    pub classes: u32,
    /// One bit for each `Action`.
    pub rights: u8,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// Seconds since 1970: how long the grant is wanted for.
    pub until: i64,
    pub head: [u8; 32],
}

/// The patient approved a request, with a grant on these terms, or denied it: then grant and terms are zeros.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RequestDecided {
    pub link: Link,
    pub request: Id,
    pub approved: bool,
    pub by: Address,
    pub grant: Id,
    pub terms: Terms,
    pub head: [u8; 32],
}

/// A member opened an emergency: the patient is told by this.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct EmergencyOpened {
    pub link: Link,
    pub emergency: Id,
    pub actor: Actor,
    /// Salted hash of the reason that the institution keeps.
    pub reason_hash: [u8; 32],
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// The patient, or the opener's institution, reviewed an emergency.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct EmergencyReviewed {
    pub link: Link,
    pub emergency: Id,
    pub reviewer: Reviewer,
    pub by: Address,
    pub verdict: Verdict,
    pub head: [u8; 32],
}

/// Who acted, and in what capacity.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    /// The wallet that signed.
    pub wallet: Address,
    /// Address of the Member or Delegate account by which it acted, or zeros.
    pub credential: Address,
    /// Id of the member's institution, or of the steward whose authority signs. Zeros where there is neither.
    pub institution: Id,
}

/// What a grant allows, to whom, and when.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The one record it is about, or zeros.
    pub record: Id,
    /// The sharing classes that it is about, one bit each, or zero.
    pub classes: u32,
    pub grantee_kind: GranteeKind,
    /// Address of the Member or Institution account, or the person's wallet.
    pub grantee: Address,
    /// A person's X25519 public key, or zeros where it is not known. Zeros for others: their accounts have theirs.
    pub grantee_key: [u8; 32],
    /// One bit for each `Action`.
    pub rights: u8,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// Seconds since 1970: valid from here ...
    pub not_before: i64,
    /// ... until just before here.
    pub expires: i64,
    /// How often it may be used; `u32::MAX` is without limit.
    pub uses: u32,
}
