//! Every change and every decision, as the indexer and auditors read them.
//!
//! An instruction emits exactly one event, by a call of the program to itself (Anchor's `emit_cpi!`), so that it stands
//! among the transaction's inner instructions, where it can be neither cut off nor flooded out. `link` says where it
//! stands in its chain (see [`crate::log`]), `head` is the chain's hash after it. Members and institutions are named by
//! the addresses of their accounts, persons by their wallets; records, grants and requests by their ids.

use anchor_lang::prelude::*;

use crate::{
    errors::ChartsealError,
    log::{ChainKind, Chained, Link},
    seeds::Id,
    vocabulary::{Action, ActorKind, Basis, GranteeKind, InstitutionKind, Purpose, Reason, Role, Standing},
};

/// Declares which chain each event belongs to, and the sum of all events.
macro_rules! events {
    ($($chain:ident: $($name:ident),+;)+) => {
        $($(impl Chained for $name {
            const CHAIN: ChainKind = ChainKind::$chain;
            fn link(&self) -> &Link { &self.link }
            fn head(&self) -> &[u8; 32] { &self.head }
        })+)+

        /// Any event of the program.
        #[cfg(not(target_os = "solana"))]
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyEvent { $($($name($name)),+),+ }

        #[cfg(not(target_os = "solana"))]
        impl AnyEvent {
            /// Reads an event as it was emitted: discriminator, Borsh fields, nothing after them.
            ///
            /// # Errors
            /// [`Malformed`] where the discriminator is none of ours, or the fields do not fit to the last byte.
            pub fn decode(bytes: &[u8]) -> core::result::Result<Self, Malformed> {
                let (tag, mut body) = bytes.split_at_checked(8).ok_or(Malformed)?;
                $($(if tag == $name::DISCRIMINATOR {
                    let event = <$name as anchor_lang::wincode::SchemaRead<'_, anchor_lang::BorshConfig>>::get(&mut body)
                        .map_err(|_| Malformed)?;
                    return if body.is_empty() { Ok(Self::$name(event)) } else { Err(Malformed) };
                })+)+
                Err(Malformed)
            }

            /// The event's bytes, as it was emitted.
            pub fn encode(&self) -> alloc::vec::Vec<u8> {
                match self { $($(Self::$name(event) => event.data()),+),+ }
            }

            /// The event's name.
            pub fn name(&self) -> &'static str {
                match self { $($(Self::$name(_) => stringify!($name)),+),+ }
            }

            /// The chain that it belongs to.
            pub fn chain(&self) -> ChainKind {
                match self { $($(Self::$name(_) => $name::CHAIN),+),+ }
            }

            /// Where it stands in its chain.
            pub fn link(&self) -> &Link {
                match self { $($(Self::$name(event) => event.link()),+),+ }
            }

            /// The chain's head after it.
            pub fn head(&self) -> &[u8; 32] {
                match self { $($(Self::$name(event) => event.head()),+),+ }
            }
        }
    };
}

events! {
    Registry: RegistryCreated, AdminProposed, AdminAccepted, PauseSet;
    Institution: InstitutionRegistered, InstitutionAccepted, InstitutionStandingSet,
        MemberRegistered, MembershipAccepted, MemberStandingSet;
    Log: PatientOpened, RecordCreated, RecordAmended, GrantCreated, GrantRevoked, AccessAllowed;
    Refusals: ActionRefused;
}

/// Bytes that are no event of this program.
#[cfg(not(target_os = "solana"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

#[cfg(not(target_os = "solana"))]
impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "these bytes are no event of the Chartseal program; was it upgraded? Then upgrade this software too",
        )
    }
}

#[cfg(not(target_os = "solana"))]
impl core::error::Error for Malformed {}

/// The registry was made, by the program's upgrade authority.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RegistryCreated {
    pub link: Link,
    pub admin: Address,
    pub head: [u8; 32],
}

/// The admin named a successor, who has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AdminProposed {
    pub link: Link,
    pub proposed: Address,
    pub head: [u8; 32],
}

/// The successor accepted.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AdminAccepted {
    pub link: Link,
    pub admin: Address,
    pub head: [u8; 32],
}

/// The program was paused, or goes on.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct PauseSet {
    pub link: Link,
    pub paused: bool,
    pub head: [u8; 32],
}

/// The admin approved an institution and named its authority, which has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct InstitutionRegistered {
    pub link: Link,
    pub institution: Address,
    pub kind: InstitutionKind,
    pub authority: Address,
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
    pub grant: Id,
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
    pub grant: Id,
    pub content: Content,
    /// Hash of the version before (see `Record::version_hash`).
    pub previous: [u8; 32],
    pub head: [u8; 32],
}

/// The patient, or the steward of one without a wallet, granted rights.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct GrantCreated {
    pub link: Link,
    pub grant: Id,
    pub issuer: Address,
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
    pub grant: Id,
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
    /// The grant that was claimed, or zeros.
    pub grant: Id,
    pub head: [u8; 32],
}

/// Who acted, and in what capacity.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    /// The wallet that signed.
    pub wallet: Address,
    /// Address of the Member account, or zeros.
    pub member: Address,
    /// The member's institution, or zeros.
    pub institution: Id,
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
    /// anything, sends zeros: a refusal is logged like any other, and an allowed attempt fails here and changes nothing.
    pub fn validate(&self) -> Result<()> {
        let sealed = self.manifest_hash != [0; 32] && self.root != [0; 32] && self.locator != [0; 32];
        require!(sealed, ChartsealError::NoContent);
        Ok(())
    }
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
