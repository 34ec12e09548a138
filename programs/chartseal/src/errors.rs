//! What makes an instruction fail. A refusal by policy is no error: it is decided, logged, and the instruction
//! succeeds.

use anchor_lang::prelude::*;

/// Declares the errors once: for the chain as numbers from 6000, for the IDL and for clients with their texts.
macro_rules! errors {
    ($($name:ident: $text:literal,)+) => {
        /// Numbers are stable: new errors are appended.
        #[error_code]
        #[derive(Debug, PartialEq, Eq)]
        pub enum ChartsealError {
            $(#[doc = $text] #[msg($text)] $name),+
        }

        #[cfg(not(target_os = "solana"))]
        impl ChartsealError {
            /// Name and text of each, in the order of their numbers.
            pub const TEXTS: &'static [(&'static str, &'static str)] = &[$((stringify!($name), $text)),+];

            /// Name and text of the error that a transaction failed with, if it is one of ours.
            pub fn text(code: u32) -> Option<(&'static str, &'static str)> {
                Self::TEXTS.get(usize::try_from(code.checked_sub(FIRST)?).ok()?).copied()
            }
        }
    };
}

/// Number of the first error, as Anchor counts.
#[cfg(not(target_os = "solana"))]
const FIRST: u32 = 6000;

errors! {
    NotUpgradeAuthority: "only the program's upgrade authority may create the registry",
    NotAdmin: "only the registry's admin may do this",
    NotProposedAdmin: "only the admin that was proposed may accept",
    Paused: "the program is paused: what takes rights away still works, everything else waits",
    NotInstitutionAuthority: "only the institution's authority may do this",
    InstitutionNotActive: "the institution is not active: it must have accepted and not be suspended",
    AlreadyAccepted: "this was accepted before",
    NotInvited: "only the wallet that was invited may accept, and only while the invitation stands",
    ForeignMember: "this member belongs to another institution",
    NotPatient: "only the patient's wallet may do this; where the instruction says so also a delegate that shares, or the steward of a patient without a wallet",
    Stranger: "the signer is not registered here: it is neither the patient, nor this member, nor named by this grant",
    ForeignPatient: "this account belongs to another patient",
    NotAGrantSlot: "the account passed as a grant is neither a grant nor an empty address of one",
    InstitutionMissing: "a member acts together with its institution: pass both or neither",
    RefusalCap: "refusals of this actor reached their cap for the hour: nothing was decided, try again later",
    StaleVersion: "the record has no such version, or is at another than expected: read it again",
    BadClass: "the sharing class is out of range (0 to 31)",
    BadMask: "a grant needs at least one right and one purpose, and none that does not exist",
    BadSubject: "a grant is on one record or on a set of classes, not on both and not on neither",
    BadValidity: "a grant ends after it begins, and in the future",
    NoUses: "a grant that may be used no times is no grant",
    BadGrantee: "the grantee's account is not of the kind that the grant names",
    AlreadyRevoked: "the grant was revoked before",
    ZeroId: "an id or a key of zeros stands for none and cannot be used",
    BadStanding: "this would change nothing, or is not a status that may be set",
    Overflow: "a counter would overflow",
    ExpiryInPast: "the expiry is in the past",
    RecordErased: "the record was erased",
    BumpNot255: "the address of this id has another bump than 255: draw another id",
    GrantMismatch: "a grant's id and its account go together: name neither, or both and of the same grant",
    RoleNotOfKind: "an institution of this kind has no members of this role",
    NoContent: "allowed, but a hash of the content is zeros: seal the file and send its hashes",
    NoSteward: "only a hospital or a laboratory opens a patient who has no wallet",
    OneClaim: "an action rests on one claim: pass a grant, a policy or an emergency, not several",
    OneCapacity: "somebody acts in one capacity: as a member or as a delegate, not both",
    NotProposed: "only the wallet that was proposed may accept",
    NotDelegate: "only the wallet that the patient named may accept, and only while the delegation stands",
    BadRights: "a delegation needs at least one right, and none that does not exist",
    BadGuardians: "guardians are up to five different wallets with keys, none the patient's, and the threshold is between one and their number",
    BadDelay: "the delay of a recovery is between one day and thirty days",
    NotGuardian: "only a guardian of this patient may vote",
    NoRecovery: "there is no such vote, or not enough of them: nothing is to be taken back, objected to or finished",
    TooEarly: "the patient can still object: the recovery's delay has not passed",
    TooLate: "the recovery was not finished within thirty days: a guardian has to vote for it again",
    BadHolders: "break-glass holders are up to five different institutions, and the threshold is between one and their number",
    MemberNotActive: "the member is not active: it must have accepted, not be suspended, and not have expired",
    BeyondRole: "the role may not ask for these rights or purposes",
    RequestCap: "requests of this member reached their cap for the hour: try again later",
    AlreadyDecided: "the request was decided before",
    BeyondRequest: "the terms give more than was asked for: grant it apart, or give less",
    BadPolicy: "a policy needs an active institution, a purpose where it shares anything, and nothing that does not exist",
    BadDuration: "an emergency lasts between one second and twelve hours",
    OwnReview: "nobody reviews an emergency that the same wallet opened",
    NotReviewer: "only the patient, or the authority or an auditor of the opener's institution, reviews an emergency",
    AlreadyReviewed: "this review was made before",
    RoleWithoutEmergencies: "only doctors and nurses of a hospital hold the emergency credential",
    BadBatch: "a batch has between one and 65,536 records, and a root and a locator that are not zeros",
    NotInBatch: "the proof does not show that this record is in the batch",
    NotErased: "only an erased record's keys are attested to be destroyed",
    BadParty: "an agreement is between two different institutions, and only they sign it",
    BadPrice: "a price or a deposit of nothing is none",
    BadMint: "this mint cannot be used: it belongs to another program, or has an extension that is not allowed",
    BadTokenAccount: "the token account is not the one that the agreement names, or is not of its mint or owner",
    AgreementNotActive: "the agreement is not active: it must have been accepted and be neither closed nor expired",
    AgreementClosed: "the agreement was closed before",
    NotAgreed: "the agreement is not about this record: its class, its institution or the purpose differs",
    NotApproved: "the patient did not approve this request, or it is not about this record",
    UnexpectedBalance: "the token program moved another amount than it was told to",
    BadAgreement: "an agreement is about at least one sharing class, and not for personal purposes",
    BeyondDelegation: "a delegate gives no right that it does not have itself, and none for longer than it acts",
    VoteCap: "votes of this guardian reached their cap for the day: try again later",
    OwnHandover: "a steward hands a patient over to the patient, not to itself",
    NotAField: "these 32 bytes are no element of the proof system's field: they have to be less than its order",
    TreeFull: "the tree has no room for another leaf: use another tree",
    StalePath: "the path is older than the changes that the tree remembers: read it again",
    NotInTree: "the path does not show that this grant is in the tree: it was revoked, or is another record's",
    StaleRoot: "the tree has moved on from this root, or a revocation has made it void: prove it anew",
    ClockSkew: "the time that the proof names is more than a minute from the clock",
    BadProof: "the proof does not hold for what it is shown for",
    NotThePayer: "the rent of a nullifier goes to whoever paid it",
    EpochNotOver: "the nullifier's epoch is not over: as long as it could be used again, it stands",
}
