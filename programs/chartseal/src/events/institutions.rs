//! Institutions and their members.

use anchor_lang::prelude::*;

use crate::{
    log::Link,
    seeds::Id,
    vocabulary::{InstitutionKind, Role, Standing},
};

/// The admin approved an institution and named its authority, which has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct InstitutionRegistered {
    pub link: Link,
    pub institution: Address,
    pub kind: InstitutionKind,
    pub authority: Address,
    /// Seconds since 1970: from here on the approval gives no right.
    pub expires: i64,
    pub head: [u8; 32],
}

/// The institution's authority accepted and published its keys.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct InstitutionAccepted {
    pub link: Link,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    pub head: [u8; 32],
}

/// The admin suspended an institution, or lifted that.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct InstitutionStandingSet {
    pub link: Link,
    pub standing: Standing,
    pub head: [u8; 32],
}

/// The admin approved an institution until another time.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct InstitutionRenewed {
    pub link: Link,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// An institution's authority named its successor, who has to accept, or withdrew that with zeros.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AuthorityProposed {
    pub link: Link,
    pub proposed: Address,
    pub head: [u8; 32],
}

/// The successor accepted.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AuthorityAccepted {
    pub link: Link,
    pub authority: Address,
    pub head: [u8; 32],
}

/// An institution named a member, whose wallet has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct MemberRegistered {
    pub link: Link,
    pub member: Address,
    pub member_id: Id,
    pub wallet: Address,
    pub role: Role,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// A member's wallet accepted and published its keys.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct MembershipAccepted {
    pub link: Link,
    pub member: Address,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    pub head: [u8; 32],
}

/// An institution suspended a member, or lifted that.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct MemberStandingSet {
    pub link: Link,
    pub member: Address,
    pub standing: Standing,
    pub head: [u8; 32],
}

/// An institution set another end to a membership.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct MemberRenewed {
    pub link: Link,
    pub member: Address,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// A hospital gave a member the credential to open emergencies, or took it back.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct EmergencyCredentialSet {
    pub link: Link,
    pub member: Address,
    pub holds: bool,
    pub head: [u8; 32],
}
