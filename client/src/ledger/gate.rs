//! What stands between a key store and a reader: the decision on chain, and the same policy once more, now.

use chartseal_program::{
    events::{AccessAllowed, AnyEvent},
    policy::{Capacity, Credential, Query, Subject, decide},
    seeds::{NO_ID, address},
    vocabulary::{Action, ActorKind, Reason},
};
use solana_address::Address;
use solana_signature::Signature;

use super::{Ledger, LedgerError};
use crate::store::keystore::{GateError, ReleaseGate, Released};

/// Opens for a request that a confirmed transaction allowed and that the policy still allows.
#[derive(Debug)]
pub struct LedgerGate<'a> {
    ledger: &'a Ledger,
    /// Where the decision is to be found. Only what stands in that transaction counts, so a reader gains nothing by
    /// naming another.
    transaction: Signature,
}

impl<'a> LedgerGate<'a> {
    /// A gate that looks for the decision in a transaction.
    #[must_use]
    pub fn new(ledger: &'a Ledger, transaction: Signature) -> Self {
        Self { ledger, transaction }
    }

    async fn decision(&self, request: [u8; 16]) -> Result<AccessAllowed, GateError> {
        let (_, events) = self.ledger.events_of(&self.transaction).await?;
        let allowed = events.into_iter().find_map(|event| match event {
            AnyEvent::AccessAllowed(event) if event.request == request => Some(event),
            _ => None,
        });
        allowed.ok_or(GateError::NoDecision)
    }

    /// Asks the policy again, with what the accounts say now: a grant may have been revoked since.
    async fn decide_again(&self, event: &AccessAllowed) -> Result<(), GateError> {
        let registry = self.ledger.registry().await?;
        if registry.is_paused() {
            return Err(GateError::Refused {
                reason: "the program is paused".into(),
            });
        }
        let patient = self.ledger.patient(&event.link.subject).await?;
        let record = self.ledger.record(&patient.id, &event.record).await?;
        if record.version != event.version {
            return Err(GateError::Refused {
                reason: "the record has a newer version; ask for access again".into(),
            });
        }
        let grant = match event.grant {
            NO_ID => None,
            id => Some(self.ledger.grant(&patient.id, &id).await?),
        };
        // The use that this very decision took does not count against it.
        let grant = grant.map(|mut grant| {
            grant.uses_left = grant.uses_left.max(1);
            grant
        });
        let membership = match event.actor.kind {
            ActorKind::Member => {
                let institution = self.ledger.institution(&event.actor.institution).await?;
                let member = self
                    .ledger
                    .try_read(&event.actor.member)
                    .await?
                    .ok_or(GateError::NoDecision)?;
                Some((member, institution, address::institution(&event.actor.institution)))
            }
            ActorKind::Patient | ActorKind::Person => None,
        };
        let patient_address = address::patient(&patient.id);
        let capacity = match (&membership, event.actor.kind) {
            (Some((member, institution, institution_address)), _) => Capacity::Member(Credential {
                address: &event.actor.member,
                member,
                institution_address,
                institution,
            }),
            (None, ActorKind::Patient) if patient.is_wallet(&event.actor.wallet) => Capacity::Patient {
                address: &patient_address,
            },
            (None, _) => Capacity::Person {
                wallet: &event.actor.wallet,
            },
        };
        let decision = decide(&Query {
            patient: &patient,
            capacity,
            subject: Subject {
                record: &record.id,
                class: record.class,
                author: Some(&record.author),
                erased: record.is_erased(),
            },
            action: Action::Read,
            purpose: event.purpose,
            grant: grant.as_ref(),
            consent: false,
            // The key store's own clock: the chain's was asked when it decided.
            now: crate::clock::now(),
        });
        decision.map(|_| ()).map_err(|reason| GateError::Refused {
            reason: Reason::word(reason).into(),
        })
    }
}

impl ReleaseGate for LedgerGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let event = self.decision(request_id).await?;
        self.decide_again(&event).await?;
        Ok(Released {
            patient: event.link.subject,
            record: event.record,
            version: event.version,
            reader: event.actor.wallet.to_bytes(),
            recipient: recipient(&event).to_bytes(),
        })
    }
}

/// The account that the reader's envelope is wrapped for.
fn recipient(event: &AccessAllowed) -> Address {
    match event.actor.kind {
        ActorKind::Patient => address::patient(&event.link.subject),
        ActorKind::Member => event.actor.member,
        ActorKind::Person => event.actor.wallet,
    }
}

impl From<LedgerError> for GateError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotFound { .. } => Self::NoDecision,
            error => Self::Unavailable(Box::new(error)),
        }
    }
}
