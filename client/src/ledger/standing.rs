//! Somebody's standing towards a patient, as the chain has it now, and what the policy would say to it. The key store's
//! gate and the choice of a claim ask here, with the very function that the contract decides by.

use chartseal_program::{
    policy::{Capacity, Claim, Credential, Query, Subject, decide},
    seeds::{Id, NO_ID, address},
    state::{Delegate, Grant, Institution, Member, Patient, Record},
    vocabulary::{Action, Basis, Purpose, Reason},
};
use solana_address::Address;

use super::{Ledger, LedgerError};

/// When a record that is only being made comes into being: after everything that the patient has chosen by now. The clock
/// that was read may be a moment behind that of the choice.
pub(crate) const TO_COME: i64 = i64::MAX;

/// A wallet, and the credential that it acts by, if any.
#[derive(Debug)]
pub(crate) struct Standing {
    wallet: Address,
    credential: Option<Credentials>,
}

#[derive(Debug)]
enum Credentials {
    Membership(Box<Membership>),
    Delegation(Box<Delegate>),
}

#[derive(Debug)]
struct Membership {
    address: Address,
    member: Member,
    institution_address: Address,
    institution: Institution,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// What is to be done.
    pub(crate) action: Action,
    /// What for.
    pub(crate) purpose: Purpose,
    /// The record's id.
    pub(crate) record: &'a Id,
    /// Its sharing class.
    pub(crate) class: u8,
    /// The record, where there is one already.
    pub(crate) existing: Option<&'a Record>,
    /// The chain's time, in seconds since 1970.
    pub(crate) now: i64,
}

impl<'a> Question<'a> {
    /// What it is about, as the policy sees it.
    pub(crate) fn subject(&self) -> Subject<'a> {
        match self.existing {
            Some(record) => Subject::of(record),
            None => Subject::new(self.record, self.class, TO_COME),
        }
    }
}

impl Standing {
    /// A wallet without a profession: the patient's, or a person's.
    #[must_use]
    pub(crate) fn of_wallet(wallet: Address) -> Self {
        Self {
            wallet,
            credential: None,
        }
    }

    /// A delegate's.
    #[must_use]
    pub(crate) fn of_delegate(wallet: Address, delegate: Delegate) -> Self {
        Self {
            wallet,
            credential: Some(Credentials::Delegation(Box::new(delegate))),
        }
    }

    /// A member's.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub(crate) async fn of_member(
        ledger: &Ledger,
        wallet: Address,
        institution: &Id,
        member: &Address,
    ) -> Result<Self, LedgerError> {
        let account = ledger.try_read(member).await?;
        let membership = Membership {
            address: *member,
            member: account.ok_or_else(|| LedgerError::NotFound {
                what: format!("member account {member}"),
            })?,
            institution_address: address::institution(institution),
            institution: ledger.institution(institution).await?,
        };
        Ok(Self {
            wallet,
            credential: Some(Credentials::Membership(Box::new(membership))),
        })
    }

    /// What the policy says to a claim.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub(crate) fn decide(&self, patient: &Patient, question: &Question<'_>, claim: Claim<'_>) -> Result<Basis, Reason> {
        let patient_address = address::patient(&patient.id);
        let capacity = match &self.credential {
            _ if patient.is_wallet(&self.wallet) => Capacity::Patient {
                address: &patient_address,
            },
            Some(Credentials::Membership(membership)) => Capacity::Member(Credential {
                address: &membership.address,
                member: &membership.member,
                institution_address: &membership.institution_address,
                institution: &membership.institution,
            }),
            Some(Credentials::Delegation(delegate)) => Capacity::Delegate {
                delegate,
                patient_address: &patient_address,
            },
            None => Capacity::Person { wallet: &self.wallet },
        };
        decide(&Query {
            patient,
            capacity,
            subject: question.subject(),
            action: question.action,
            purpose: question.purpose,
            claim,
            consent: false,
            now: question.now,
        })
    }
}

/// The grants that one descends from, parent first, as far as they are among `grants`.
pub(crate) fn ancestors<'a>(grant: &Grant, grants: &'a [Grant]) -> [Option<&'a Grant>; 3] {
    let mut found = [None; 3];
    let mut parent = grant.parent;
    for ancestor in &mut found {
        if parent == NO_ID {
            break;
        }
        *ancestor = grants.iter().find(|other| other.id == parent);
        parent = ancestor.map_or(NO_ID, |ancestor| ancestor.parent);
    }
    found
}
