//! What stands between a key store and a reader: the decision on chain, and the same policy once more, now.

use chartseal_program::{
    events::{AccessAllowed, AnyEvent},
    seeds::{NO_ID, address},
    state::Record,
    vocabulary::{Action, ActorKind, Reason},
};
use solana_address::Address;
use solana_signature::Signature;

use super::{
    Ledger, LedgerError,
    standing::{Question, Standing},
};
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

    /// Asks the policy again, with what the accounts say now: a grant may have been revoked since. The record.
    async fn decide_again(&self, event: &AccessAllowed) -> Result<Record, GateError> {
        let refused = |reason: &str| GateError::Refused { reason: reason.into() };
        if self.ledger.registry().await?.is_paused() {
            return Err(refused("the program is paused"));
        }
        let patient = self.ledger.patient(&event.link.subject).await?;
        let record = self.ledger.record(&patient.id, &event.record).await?;
        if record.version != event.version {
            return Err(refused("the record has a newer version; ask for access again"));
        }
        let mut grant = match event.grant {
            NO_ID => None,
            id => Some(self.ledger.grant(&patient.id, &id).await?),
        };
        if let Some(grant) = &mut grant {
            // The use that this very decision took does not count against it.
            grant.uses_left = grant.uses_left.max(1);
        }
        let actor = &event.actor;
        let standing = match actor.kind {
            ActorKind::Member => {
                Standing::of_member(self.ledger, actor.wallet, &actor.institution, &actor.member).await?
            }
            ActorKind::Patient | ActorKind::Person => Standing::of_wallet(actor.wallet),
        };
        let question = Question {
            action: Action::Read,
            purpose: event.purpose,
            record: &record.id,
            class: record.class,
            existing: Some(&record),
        };
        match standing.decide(&patient, &question, grant.as_ref()) {
            Ok(_) => Ok(record),
            Err(reason) => Err(refused(Reason::word(reason))),
        }
    }
}

impl ReleaseGate for LedgerGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let event = self.decision(request_id).await?;
        let record = self.decide_again(&event).await?;
        Ok(Released {
            patient: event.link.subject,
            record: event.record,
            version: event.version,
            manifest_hash: record.manifest_hash,
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
