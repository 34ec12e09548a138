//! Patients: their wallets, keys, delegates and safeguards.

use anchor_lang::prelude::*;

use crate::{log::Link, seeds::Id};

/// A patient was opened: by itself, or by a steward institution as long as it has no wallet.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct PatientOpened {
    pub link: Link,
    /// Zeros where a steward opened it.
    pub wallet: Address,
    /// The institution's id, or zeros.
    pub steward: Id,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    pub head: [u8; 32],
}

/// The patient's wallet, or the steward of one without, named the next wallet, which has to accept. Zeros withdraw
/// that.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct WalletProposed {
    pub link: Link,
    pub proposed: Address,
    pub by: Address,
    pub head: [u8; 32],
}

/// The patient's next wallet accepted, with keys of its own. From here on it decides.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct WalletAccepted {
    pub link: Link,
    pub wallet: Address,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    /// From 1, increases with each change of keys.
    pub key_epoch: u32,
    pub head: [u8; 32],
}

/// The patient published other encryption keys.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct PatientKeyRotated {
    pub link: Link,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    /// From 1, increases with each change of keys.
    pub key_epoch: u32,
    pub head: [u8; 32],
}

/// The patient named a delegate, whose wallet has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct DelegateNamed {
    pub link: Link,
    pub delegate: Id,
    /// Address of the Delegate account.
    pub account: Address,
    pub wallet: Address,
    /// One bit for each `Action`.
    pub rights: u8,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// The delegate accepted and published its keys.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct DelegationAccepted {
    pub link: Link,
    pub delegate: Id,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    pub head: [u8; 32],
}

/// A delegation ended before its time: the patient took it, or the delegate gave it back.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct DelegateRevoked {
    pub link: Link,
    pub delegate: Id,
    pub by: Address,
    pub head: [u8; 32],
}

/// The patient named guardians, or none.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct GuardiansSet {
    pub link: Link,
    /// In their order, as many as there are.
    pub guardians: alloc::vec::Vec<GuardianNamed>,
    /// How many have to agree.
    pub threshold: u8,
    /// Seconds between their vote and the change of the wallet.
    pub delay: i64,
    pub head: [u8; 32],
}

/// The patient named the institutions that open its records together in an emergency, or none.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct BreakGlassSet {
    pub link: Link,
    /// Addresses of their Institution accounts, in their order.
    pub holders: alloc::vec::Vec<Address>,
    /// How many open a record together.
    pub threshold: u8,
    pub head: [u8; 32],
}

/// A guardian voted for a wallet.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecoveryVoted {
    pub link: Link,
    pub guardian: Address,
    /// The wallet that it votes for; zeros take a vote back.
    pub wallet: Address,
    /// The X25519 public key that comes with it.
    pub encryption_key: [u8; 32],
    /// How many guardians vote for the same wallet and keys now.
    pub votes: u8,
    /// The wallet that enough guardians vote for now, whatever this one votes for, or zeros.
    pub agreed: Address,
    /// Seconds since 1970 from which on that one can take over, or zero.
    pub ready_at: i64,
    pub head: [u8; 32],
}

/// The patient objected: every vote is void.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecoveryObjected {
    pub link: Link,
    /// The wallet that the guardians had agreed on, or zeros.
    pub wallet: Address,
    pub head: [u8; 32],
}

/// The wallet that the guardians agreed on took over.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RecoveryFinished {
    pub link: Link,
    pub wallet: Address,
    pub encryption_key: [u8; 32],
    pub post_quantum_key_hash: [u8; 32],
    /// From 1, increases with each change of keys.
    pub key_epoch: u32,
    pub head: [u8; 32],
}

/// A guardian, as the patient names it.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardianNamed {
    pub wallet: Address,
    /// X25519 public key, to which its share of the patient's encryption key is wrapped.
    pub encryption_key: [u8; 32],
}
