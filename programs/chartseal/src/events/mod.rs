//! Every change and every decision, as the indexer and auditors read them.
//!
//! An instruction emits exactly one event, by a call of the program to itself (Anchor's `emit_cpi!`), so that it stands
//! among the transaction's inner instructions, where it can be neither cut off nor flooded out. `link` says where it
//! stands in its chain (see [`crate::log`]), `head` is the chain's hash after it. Members and institutions are named by
//! the addresses of their accounts, persons by their wallets; records, grants and requests by their ids.

mod agreements;
mod anonymous;
mod consent;
mod institutions;
mod patients;
mod records;
mod registry;

pub use agreements::*;
pub use anonymous::*;
pub use consent::*;
pub use institutions::*;
pub use patients::*;
pub use records::*;
pub use registry::*;

use anchor_lang::prelude::*;

use crate::log::{ChainKind, Chained, Link};

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
    Institution: InstitutionRegistered, InstitutionAccepted, InstitutionStandingSet, InstitutionRenewed,
        AuthorityProposed, AuthorityAccepted, MemberRegistered, MembershipAccepted, MemberStandingSet, MemberRenewed,
        EmergencyCredentialSet, BatchAnchored, AgreementProposed, AgreementAccepted, AgreementFunded, AgreementClosed;
    Log: PatientOpened, WalletProposed, WalletAccepted, PatientKeyRotated, DelegateNamed, DelegationAccepted,
        DelegateRevoked, GuardiansSet, BreakGlassSet, RecoveryVoted, RecoveryObjected, RecoveryFinished, RecordCreated,
        RecordAmended, RecordPromoted, RecordErased, ErasureAttested, GrantCreated, GrantPassedOn, GrantRevoked,
        PolicySet, AccessRequested, RequestDecided, EmergencyOpened, EmergencyReviewed, AccessAllowed, AccessSettled,
        AnonymousGrantCreated, AnonymousGrantRevoked;
    Refusals: ActionRefused;
    Tree: TreeOpened, AccessProven, NullifierClosed;
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
