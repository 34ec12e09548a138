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
    vocabulary::{
        Action, ActorKind, Basis, GranteeKind, InstitutionKind, Purpose, Reason, Reviewer, Role, Standing, Verdict,
    },
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
    Institution: InstitutionRegistered, InstitutionAccepted, InstitutionStandingSet, InstitutionRenewed,
        AuthorityProposed, AuthorityAccepted, MemberRegistered, MembershipAccepted, MemberStandingSet, MemberRenewed,
        EmergencyCredentialSet, BatchAnchored, AgreementProposed, AgreementAccepted, AgreementFunded, AgreementClosed;
    Log: PatientOpened, WalletProposed, WalletAccepted, PatientKeyRotated, DelegateNamed, DelegationAccepted,
        DelegateRevoked, GuardiansSet, BreakGlassSet, RecoveryVoted, RecoveryObjected, RecoveryFinished, RecordCreated,
        RecordAmended, RecordPromoted, RecordErased, ErasureAttested, GrantCreated, GrantPassedOn, GrantRevoked,
        PolicySet, AccessRequested, RequestDecided, EmergencyOpened, EmergencyReviewed, AccessAllowed, AccessSettled;
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

/// An institution offered another to pay for access. A link of the consumer's chain, like all of an agreement's but
/// its settlements.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementProposed {
    pub link: Link,
    pub agreement: Id,
    /// Id of the institution whose records are paid for.
    pub provider: Id,
    /// Sharing classes, one bit each.
    pub classes: u32,
    pub purpose: Purpose,
    pub mint: Address,
    pub token_program: Address,
    /// Token account that the deposit lies in.
    pub escrow: Address,
    /// Token account that the rest goes back to.
    pub refund: Address,
    /// Smallest units of the mint for one version of one record.
    pub price: u64,
    /// Seconds since 1970.
    pub expires: i64,
    pub head: [u8; 32],
}

/// The provider accepted.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementAccepted {
    pub link: Link,
    pub agreement: Id,
    /// Token account that the provider is paid to.
    pub payee: Address,
    pub head: [u8; 32],
}

/// A deposit arrived in escrow.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementFunded {
    pub link: Link,
    pub agreement: Id,
    /// Smallest units by which the escrow's balance grew; less than was sent where the mint takes a fee.
    pub received: u64,
    pub head: [u8; 32],
}

/// The agreement ended, and what was left in escrow went back.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AgreementClosed {
    pub link: Link,
    pub agreement: Id,
    pub by: Address,
    /// Token account that the rest went to.
    pub refund: Address,
    /// Smallest units that left the escrow.
    pub returned: u64,
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

/// The patient's wallet, or the steward of one without, named the next wallet, which has to accept. Zeros withdraw that.
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
    /// How many guardians vote for the same wallet and keys now.
    pub votes: u8,
    /// Seconds since 1970 from which on it can be finished, once there are enough votes; zero until then.
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

/// The patient approved a request, with a grant on these terms, or denied it: then grant and rights are zeros.
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

/// One version of a record was paid for.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AccessSettled {
    pub link: Link,
    /// Id of the institution that pays.
    pub consumer: Id,
    pub agreement: Id,
    pub record: Id,
    pub version: u32,
    /// The approved request that it rests on.
    pub request: Id,
    pub wallet: Address,
    /// Smallest units of the mint that left the escrow.
    pub amount: u64,
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
    /// What was claimed: a grant, a delegation, an emergency, or the institution of a policy. Zeros where nothing was.
    pub under: Id,
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
    /// The member's institution, or zeros.
    pub institution: Id,
}

/// A guardian, as the patient names it.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardianNamed {
    pub wallet: Address,
    /// X25519 public key, to which its share of the patient's encryption key is wrapped.
    pub encryption_key: [u8; 32],
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
