//! The words of consent: roles, actions, purposes, and what a decision can answer.
//!
//! Accounts keep them as single bytes, because a zero-copy account must accept every bit pattern; `from_byte` gives the
//! word back, and a byte without a word gives no right. Events and instructions carry the words themselves (one byte,
//! the variant's index, as Borsh writes it).

use anchor_lang::prelude::*;

/// Declares a one-byte enum whose discriminants are its Borsh tags (0, 1, 2, ...).
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $byte:literal => $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant = $byte),* }

        impl $name {
            /// Every word of the kind, in the order of their bytes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that a byte of an account stands for.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$variant),)* _ => None }
            }

            /// The byte that an account keeps.
            pub const fn byte(self) -> u8 {
                self as u8
            }

            /// The word as people write it, in tables, on command lines and in JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The opposite of [`word`](Self::word).
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What kind of body an institution is.
    InstitutionKind {
        Hospital = 0 => "hospital",
        Laboratory = 1 => "laboratory",
        Insurer = 2 => "insurer",
        ResearchBody = 3 => "research-body",
        Regulator = 4 => "regulator",
    }
}

words! {
    /// Where an institution or a member stands. Only `Active` ones have rights.
    Standing {
        /// Named by the admin or the institution; its own key has not signed yet.
        Invited = 0 => "invited",
        Active = 1 => "active",
        Suspended = 2 => "suspended",
    }
}

words! {
    /// What a member does. A role limits purposes and actions before any grant is looked at.
    Role {
        Doctor = 0 => "doctor",
        Nurse = 1 => "nurse",
        Technician = 2 => "technician",
        Insurer = 3 => "insurer",
        Researcher = 4 => "researcher",
        Auditor = 5 => "auditor",
    }
}

words! {
    /// What somebody wants to do with a record. Each is also a right that a grant can carry.
    Action {
        Read = 0 => "read",
        Append = 1 => "append",
        Amend = 2 => "amend",
        Share = 3 => "share",
        Aggregate = 4 => "aggregate",
    }
}

words! {
    /// What it is for. `Personal` is for patients and for persons they name; no profession has it.
    Purpose {
        Treatment = 0 => "treatment",
        Payment = 1 => "payment",
        Operations = 2 => "operations",
        Research = 3 => "research",
        Legal = 4 => "legal",
        Emergency = 5 => "emergency",
        Personal = 6 => "personal",
    }
}

words! {
    /// Whom a grant names.
    GranteeKind {
        Member = 0 => "member",
        Institution = 1 => "institution",
        Person = 2 => "person",
    }
}

words! {
    /// In what capacity somebody acted.
    ActorKind {
        Patient = 0 => "patient",
        Member = 1 => "member",
        Person = 2 => "person",
        /// For the patient, by a delegation.
        Delegate = 3 => "delegate",
    }
}

words! {
    /// Why an action was allowed.
    Basis {
        /// The record is the actor's own.
        Patient = 0 => "patient",
        /// The patient signed this very transaction.
        Consent = 1 => "consent",
        /// The actor wrote the record.
        Author = 2 => "author",
        /// The actor's institution opened the patient, who has no wallet yet.
        Steward = 3 => "steward",
        /// A live grant names the actor.
        Grant = 4 => "grant",
        /// The patient named the actor its delegate.
        Delegate = 5 => "delegate",
        /// A policy of the patient shares such records with the actor's institution, or enrols it as author.
        Policy = 6 => "policy",
        /// The actor opened an emergency. Patient and institution review it.
        Emergency = 7 => "emergency",
    }
}

words! {
    /// Why an action was refused. The first that applies, in the order of the rules in `policy.rs`.
    Reason {
        RecordErased = 0 => "record-erased",
        MemberInvited = 1 => "member-not-accepted",
        MemberSuspended = 2 => "member-suspended",
        MemberExpired = 3 => "member-expired",
        InstitutionNotActive = 4 => "institution-not-active",
        RoleForbidsContent = 5 => "role-forbids-content",
        RoleForbidsAction = 6 => "role-forbids-action",
        RoleForbidsPurpose = 7 => "role-forbids-purpose",
        PurposeNotPersonal = 8 => "purpose-not-personal",
        NoGrant = 9 => "no-grant",
        GrantForeign = 10 => "grant-of-another-patient",
        GrantNotYours = 11 => "grant-names-another",
        GrantRevoked = 12 => "grant-revoked",
        GrantNotYetValid = 13 => "grant-not-yet-valid",
        GrantExpired = 14 => "grant-expired",
        GrantExhausted = 15 => "grant-exhausted",
        GrantOtherSubject = 16 => "grant-for-another-record",
        RightNotGranted = 17 => "right-not-granted",
        PurposeNotGranted = 18 => "purpose-not-granted",
        NotTheAuthor = 19 => "not-the-author",
        AncestorMissing = 20 => "grant-ancestor-missing",
        AncestorLapsed = 21 => "grant-ancestor-lapsed",
        TooDeep = 22 => "grant-passed-on-too-often",
        BeyondParent = 23 => "grant-beyond-its-parent",
        DelegateNotAccepted = 24 => "delegation-not-accepted",
        DelegateRevoked = 25 => "delegation-revoked",
        DelegateExpired = 26 => "delegation-expired",
        PolicyForeign = 27 => "policy-of-another-patient",
        PolicyNotYours = 28 => "policy-names-another",
        PolicyExpired = 29 => "policy-expired",
        PolicyOtherClass = 30 => "policy-for-other-records",
        NotEnrolled = 31 => "institution-not-enrolled",
        NoEmergencyCredential = 32 => "no-emergency-credential",
        EmergencyUnreviewed = 33 => "emergency-awaits-review",
        EmergencyCap = 34 => "emergencies-reached-their-cap",
        EmergencyForeign = 35 => "emergency-of-another-patient",
        EmergencyNotYours = 36 => "emergency-of-another-member",
        EmergencyOver = 37 => "emergency-over",
        PurposeNotEmergency = 38 => "purpose-not-emergency",
        DelegateForeign = 39 => "delegation-for-another-patient",
        OlderVersion = 40 => "older-version",
    }
}

words! {
    /// What an actor rests its right on, beside its capacity.
    ClaimKind {
        Nothing = 0 => "nothing",
        Grant = 1 => "grant",
        Policy = 2 => "policy",
        Emergency = 3 => "emergency",
        Delegation = 4 => "delegation",
    }
}

words! {
    /// What a patient decided about a request.
    RequestState {
        Open = 0 => "open",
        Approved = 1 => "approved",
        Denied = 2 => "denied",
    }
}

words! {
    /// Whose review of an emergency it is.
    Reviewer {
        Patient = 0 => "patient",
        Institution = 1 => "institution",
    }
}

words! {
    /// What a review of an emergency found.
    Verdict {
        Justified = 0 => "justified",
        /// Ends the emergency at once.
        Unjustified = 1 => "unjustified",
    }
}

words! {
    /// How far an agreement is.
    AgreementState {
        /// The consumer proposed it; the provider has not signed.
        Proposed = 0 => "proposed",
        Active = 1 => "active",
        /// The rest was returned. Nothing can be settled any more.
        Closed = 2 => "closed",
    }
}

words! {
    /// What became of a record.
    RecordStatus {
        Active = 0 => "active",
        /// Its keys were destroyed. The account stays, as a tombstone.
        Erased = 1 => "erased",
    }
}

impl Standing {
    /// Whether somebody may be given this standing who has accepted, or not, before.
    pub const fn is_open_to(self, accepted: bool) -> bool {
        match self {
            Self::Invited => !accepted,
            Self::Active => accepted,
            Self::Suspended => true,
        }
    }
}

impl Action {
    /// The bit of this right in a grant's `rights`.
    pub const fn bit(self) -> u8 {
        1 << self.byte()
    }

    /// Every bit that stands for a right.
    pub const MASK: u8 = (1 << Self::ALL.len()) - 1;
}

impl Purpose {
    /// The bit of this purpose in a grant's `purposes`.
    pub const fn bit(self) -> u8 {
        1 << self.byte()
    }

    /// Every bit that stands for a purpose.
    pub const MASK: u8 = (1 << Self::ALL.len()) - 1;
}

/// Highest sharing class plus one. A class is a coarse label that the patient chooses and that is public: it must not
/// say what a record is about.
pub const CLASSES: u8 = 32;
