//! Somebody's standing towards a patient, as the chain has it now, and what the policy would say to it. The key store's
//! gate and the choice of a grant ask here, with the very function that the contract decides by.

use chartseal_program::{
    policy::{Capacity, Credential, Query, Subject, decide},
    seeds::{Id, address},
    state::{Grant, Institution, Member, Patient, Record},
    vocabulary::{Action, Basis, Purpose, Reason},
};
use solana_address::Address;

use super::{Ledger, LedgerError};

/// A wallet, and the membership that it acts by, if any.
#[derive(Debug)]
pub(crate) struct Standing {
    wallet: Address,
    membership: Option<Membership>,
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
}

impl Standing {
    /// A wallet without a profession: the patient's, or a person's.
    #[must_use]
    pub(crate) fn of_wallet(wallet: Address) -> Self {
        Self {
            wallet,
            membership: None,
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
            membership: Some(membership),
        })
    }

    /// What the policy says, by this machine's clock.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub(crate) fn decide(
        &self,
        patient: &Patient,
        question: &Question<'_>,
        grant: Option<&Grant>,
    ) -> Result<Basis, Reason> {
        let patient_address = address::patient(&patient.id);
        let capacity = match &self.membership {
            _ if patient.is_wallet(&self.wallet) => Capacity::Patient {
                address: &patient_address,
            },
            Some(membership) => Capacity::Member(Credential {
                address: &membership.address,
                member: &membership.member,
                institution_address: &membership.institution_address,
                institution: &membership.institution,
            }),
            None => Capacity::Person { wallet: &self.wallet },
        };
        decide(&Query {
            patient,
            capacity,
            subject: Subject {
                record: question.record,
                class: question.class,
                author: question.existing.map(|record| &record.author),
                origin: question.existing.map(|record| &record.origin),
                erased: question.existing.is_some_and(Record::is_erased),
            },
            action: question.action,
            purpose: question.purpose,
            grant,
            consent: false,
            now: crate::clock::now(),
        })
    }
}
