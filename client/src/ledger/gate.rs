//! What stands between a key store and a reader: the decision on chain, and the same policy once more, now.

use chartseal_program::{
    events::{AccessAllowed, AnyEvent},
    policy::Claim,
    seeds::{NO_ID, address},
    state::{DEEPEST, Delegate, Emergency, Grant, Patient, Policy, Record},
    vocabulary::{Action, ActorKind, Basis, Reason},
};
use solana_address::Address;
use solana_signature::Signature;

use super::{
    Ledger, LedgerError,
    standing::{Question, Standing, ancestors},
    versions::may_read_version,
};
use crate::store::keystore::{self, EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate, Released};

/// Opens for a request that a confirmed transaction allowed and that the policy still allows.
#[derive(Debug)]
pub struct LedgerGate<'a> {
    ledger: &'a Ledger,
    /// Where the decision is to be found. Only what stands in that transaction counts, so a reader gains nothing by
    /// naming another.
    transaction: Signature,
    /// Whom it opens for, and how many transactions are looked through for an earlier version; of no limit where it is not
    /// asked by others.
    asked_by: Option<([u8; 32], usize)>,
}

impl<'a> LedgerGate<'a> {
    /// A gate that looks for the decision in a transaction.
    #[must_use]
    pub fn new(ledger: &'a Ledger, transaction: Signature) -> Self {
        Self {
            ledger,
            transaction,
            asked_by: None,
        }
    }

    /// The same for a service that is asked by a wallet: what was allowed to others is not looked at any further, and of a
    /// record whom more transactions name than `longest_history` no earlier version opens. Anybody can name any record, and
    /// each transaction would be a question to the node.
    #[must_use]
    pub fn asked_by(self, wallet: [u8; 32], longest_history: usize) -> Self {
        Self {
            asked_by: Some((wallet, longest_history)),
            ..self
        }
    }

    pub(super) fn transaction(&self) -> [u8; 64] {
        self.transaction.into()
    }

    pub(super) async fn decision(&self, request: [u8; 16]) -> Result<AccessAllowed, GateError> {
        let (_, events) = self.ledger.events_of(&self.transaction).await?;
        let allowed = events.into_iter().find_map(|event| match event {
            AnyEvent::AccessAllowed(event) if event.request == request => Some(event),
            _ => None,
        });
        let allowed = allowed.ok_or(GateError::NoDecision)?;
        match self.asked_by {
            Some((wallet, _)) if wallet != allowed.actor.wallet.to_bytes() => Err(GateError::NotTheReader),
            _ => Ok(allowed),
        }
    }

    /// Asks the policy again, with what the accounts say now: a grant may have been revoked since. The record, in the
    /// version that was asked for.
    pub(super) async fn decide_again(&self, event: &AccessAllowed) -> Result<Record, GateError> {
        let refused = |reason: &str| GateError::Refused { reason: reason.into() };
        if self.ledger.registry().await?.is_paused() {
            return Err(refused("the program is paused"));
        }
        let patient = self.ledger.patient(&event.link.subject).await?;
        let record = self.ledger.record(&patient.id, &event.record).await?;
        let credential = Some(event.actor.credential);
        if may_read_version(&record, event.version, event.basis, credential).is_err() {
            return Err(refused("the record has a newer version; ask for access again"));
        }
        let rests_on = self.rests_on(&patient, event).await?;
        let question = Question {
            action: Action::Read,
            purpose: event.purpose,
            record: &record.id,
            class: record.class,
            existing: Some(&record),
            now: self.ledger.now().await?,
        };
        let standing = self.standing(event).await?;
        match standing.decide(&patient, &question, rests_on.claim()) {
            Ok(_) => {
                if let Some((_, longest)) = self.asked_by
                    && event.version != record.version
                    && !self.ledger.is_named_by_at_most(&record, longest).await?
                {
                    return Err(refused(
                        "too many transactions name this record for its earlier versions to be found; ask for the newest",
                    ));
                }
                Ok(self.ledger.record_version(&record, event.version).await?)
            }
            Err(reason) => Err(refused(Reason::word(reason))),
        }
    }

    /// By what the reader acted.
    async fn standing(&self, event: &AccessAllowed) -> Result<Standing, GateError> {
        let actor = &event.actor;
        Ok(match actor.kind {
            ActorKind::Member => {
                Standing::of_member(self.ledger, actor.wallet, &actor.institution, &actor.credential).await?
            }
            ActorKind::Delegate => {
                let delegate: Delegate = self.present(&actor.credential, "delegation").await?;
                Standing::of_delegate(actor.wallet, delegate)
            }
            ActorKind::Patient | ActorKind::Person => Standing::of_wallet(actor.wallet),
        })
    }

    /// What the decision rests on, as it stands now.
    async fn rests_on(&self, patient: &Patient, event: &AccessAllowed) -> Result<RestsOn, GateError> {
        Ok(match event.basis {
            Basis::Grant => {
                let mut lineage = vec![self.ledger.grant(&patient.id, &event.under).await?];
                for _ in 0..DEEPEST {
                    let parent = lineage.last().map_or(NO_ID, |grant| grant.parent);
                    if parent == NO_ID {
                        break;
                    }
                    lineage.push(self.ledger.grant(&patient.id, &parent).await?);
                }
                for grant in &mut lineage {
                    // The use that this very decision took does not count against it.
                    grant.uses_left = grant.uses_left.max(1);
                }
                RestsOn::Grants(lineage)
            }
            Basis::Policy => {
                let at = address::policy(&patient.id, &event.under);
                RestsOn::Policy(Box::new(self.present(&at, "policy").await?))
            }
            Basis::Emergency => {
                let at = address::emergency(&patient.id, &event.under);
                RestsOn::Emergency(Box::new(self.present(&at, "emergency").await?))
            }
            Basis::Patient | Basis::Consent | Basis::Author | Basis::Steward | Basis::Delegate => RestsOn::Nothing,
        })
    }

    async fn present<T: anchor_lang::AccountDeserialize>(&self, at: &Address, what: &str) -> Result<T, GateError> {
        let found = self.ledger.try_read(at).await?;
        found.ok_or_else(|| {
            LedgerError::NotFound {
                what: format!("{what} {at}"),
            }
            .into()
        })
    }
}

/// The accounts that a decision rests on.
enum RestsOn {
    Nothing,
    /// A grant, and those that it descends from, parent first.
    Grants(Vec<Grant>),
    Policy(Box<Policy>),
    Emergency(Box<Emergency>),
}

impl RestsOn {
    fn claim(&self) -> Claim<'_> {
        match self {
            Self::Nothing => Claim::Nothing,
            Self::Grants(lineage) => match lineage.split_first() {
                Some((grant, others)) => Claim::Grant(grant, ancestors(grant, others)),
                None => Claim::Nothing,
            },
            Self::Policy(policy) => Claim::Policy(policy),
            Self::Emergency(emergency) => Claim::Emergency(emergency),
        }
    }
}

impl LedgerGate<'_> {
    /// What a decision opens, if it would be the same now.
    pub(super) async fn opened_by(&self, event: &AccessAllowed) -> Result<Released, GateError> {
        let record = self.decide_again(event).await?;
        Ok(Released {
            slot: EnvelopeSlot {
                patient: event.link.subject,
                record: event.record,
                version: event.version,
                manifest_hash: record.manifest_hash,
                recipient: recipient(event).to_bytes(),
                kind: EnvelopeKind::Reader,
            },
            reader: event.actor.wallet.to_bytes(),
        })
    }
}

impl ReleaseGate for LedgerGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let event = self.decision(request_id).await?;
        self.opened_by(&event).await
    }

    fn claim(&self) -> Option<keystore::Claim> {
        Some(keystore::Claim::Access {
            transaction: self.transaction.into(),
        })
    }
}

/// The account that the reader's envelope is wrapped for.
fn recipient(event: &AccessAllowed) -> Address {
    match event.actor.kind {
        ActorKind::Patient => address::patient(&event.link.subject),
        ActorKind::Member | ActorKind::Delegate => event.actor.credential,
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
