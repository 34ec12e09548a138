//! One thing that somebody tries: what, and eight numbers by which the details are chosen. A sequence of such steps can be
//! written down, shortened and told again.

use std::{fmt, str::FromStr};

macro_rules! kinds {
    ($($name:ident $word:literal $weight:literal,)+) => {
        /// What is tried. Each instruction is one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($name),+ }

        impl Kind {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];

            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// How often it is tried, among the others.
            fn weight(self) -> u32 {
                match self { $(Self::$name => $weight),+ }
            }
        }
    };
}

kinds! {
    Wait "wait" 6,
    Initialize "initialize" 1,
    ProposeAdmin "propose_admin" 1,
    AcceptAdmin "accept_admin" 2,
    SetPaused "set_paused" 4,
    RegisterInstitution "register_institution" 1,
    AcceptInstitution "accept_institution" 2,
    SetInstitutionStanding "set_institution_standing" 2,
    RenewInstitution "renew_institution" 1,
    ProposeAuthority "propose_authority" 1,
    AcceptAuthority "accept_authority" 2,
    RegisterMember "register_member" 2,
    AcceptMembership "accept_membership" 3,
    SetMemberStanding "set_member_standing" 3,
    RenewMember "renew_member" 1,
    SetEmergencyCredential "set_emergency_credential" 3,
    OpenPatient "open_patient" 1,
    ProposeWallet "propose_wallet" 1,
    AcceptWallet "accept_wallet" 2,
    RotatePatientKey "rotate_patient_key" 1,
    NameDelegate "name_delegate" 3,
    AcceptDelegation "accept_delegation" 4,
    RevokeDelegate "revoke_delegate" 1,
    SetGuardians "set_guardians" 2,
    SetBreakGlass "set_break_glass" 1,
    VoteRecovery "vote_recovery" 5,
    ObjectToRecovery "object_to_recovery" 1,
    FinishRecovery "finish_recovery" 3,
    CreateRecord "create_record" 12,
    AmendRecord "amend_record" 8,
    AnchorBatch "anchor_batch" 2,
    PromoteBatched "promote_batched" 4,
    EraseRecord "erase_record" 1,
    AttestErasure "attest_erasure" 2,
    AccessRecord "access_record" 24,
    CreateGrant "create_grant" 10,
    PassOnGrant "pass_on_grant" 8,
    RevokeGrant "revoke_grant" 3,
    SetPolicy "set_policy" 5,
    RequestAccess "request_access" 5,
    DecideRequest "decide_request" 8,
    OpenEmergency "open_emergency" 5,
    ReviewEmergency "review_emergency" 5,
    ProposeAgreement "propose_agreement" 4,
    AcceptAgreement "accept_agreement" 5,
    FundAgreement "fund_agreement" 5,
    SettleAccess "settle_access" 10,
    CloseAgreement "close_agreement" 1,
    OpenTree "open_tree" 1,
    CreateAnonymousGrant "create_anonymous_grant" 9,
    RevokeAnonymousGrant "revoke_anonymous_grant" 6,
    VerifyAccessProof "verify_access_proof" 3,
    CloseNullifier "close_nullifier" 3,
}

/// Numbers of a step.
pub(crate) const NUMBERS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) numbers: [u16; NUMBERS],
}

impl Step {
    pub(crate) fn random(random: &mut fastrand::Rng) -> Self {
        let total: u32 = Kind::ALL.iter().map(|kind| kind.weight()).sum();
        let mut at = random.u32(0..total);
        let kind = *Kind::ALL
            .iter()
            .find(|kind| match at.checked_sub(kind.weight()) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            })
            .unwrap();
        Self {
            kind,
            numbers: std::array::from_fn(|_| random.u16(..)),
        }
    }

    pub(crate) fn dice(&self) -> Dice {
        Dice {
            numbers: self.numbers,
            at: 0,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        self.numbers.iter().try_for_each(|number| write!(f, " {number}"))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let word = words.next().unwrap_or_default();
        let kind = Kind::ALL.iter().find(|kind| kind.word() == word);
        let kind = *kind.ok_or_else(|| format!("no step is called {word:?}"))?;
        let numbers: Vec<u16> = words.map(|word| word.parse().unwrap_or_default()).collect();
        let numbers = numbers
            .try_into()
            .map_err(|_| format!("a step has {NUMBERS} numbers: {line:?}"))?;
        Ok(Self { kind, numbers })
    }
}

/// Chooses by a step's numbers, as often as it is asked. A step of zeros chooses the first and most ordinary of all.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    numbers: [u16; NUMBERS],
    at: usize,
}

impl Dice {
    pub(crate) fn next(&mut self) -> usize {
        let (place, round) = (self.at % NUMBERS, self.at / NUMBERS);
        self.at += 1;
        let number = usize::from(self.numbers[place]);
        // Further rounds mix the same numbers again, and leave zeros what they are.
        number.wrapping_mul(1 + 0x9E5 * round) >> (round % 5)
    }

    /// True in so many of a hundred cases, and always for a step of zeros.
    pub(crate) fn usually(&mut self, percent: usize) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.next() % end.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        (!among.is_empty()).then(|| &among[self.below(among.len())])
    }

    /// A mask of `bits` bits that is not empty.
    pub(crate) fn mask(&mut self, bits: u32) -> u8 {
        let all = ((1u32 << bits) - 1) as u8;
        match self.next() % 3 {
            0 => all,
            _ => match (self.next() as u8) & all {
                0 => all,
                some => some,
            },
        }
    }
}
