//! What stands between a key store and shares of data keys: an emergency that is live now, and, for a holder, that the
//! patient still names it.

use chartseal_program::{
    events::{AccessAllowed, AnyEvent},
    seeds::{Id, address},
    vocabulary::Basis,
};
use solana_signature::Signature;

use super::{Ledger, LedgerError, LedgerGate};
use crate::store::keystore::{Claim, EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate, Released};

/// Opens for an institution that holds a share, against an access of somebody else's that rests on a live emergency.
#[derive(Debug)]
pub struct HolderGate<'a> {
    ledger: &'a Ledger,
    transaction: Signature,
    /// The holder's id.
    institution: Id,
    /// The wallet that asks: the holder's authority.
    wallet: [u8; 32],
    /// Of the share.
    threshold: u8,
}

impl<'a> HolderGate<'a> {
    /// A gate for the share of an institution, of which `threshold` make a key. `wallet` asks for it, and `transaction` is
    /// where the access stands.
    #[must_use]
    pub fn new(ledger: &'a Ledger, transaction: Signature, institution: Id, wallet: [u8; 32], threshold: u8) -> Self {
        Self {
            ledger,
            transaction,
            institution,
            wallet,
            threshold,
        }
    }

    /// Whether the institution may use its shares of this patient's keys now.
    async fn check_holder(&self, patient: &Id) -> Result<(), GateError> {
        let refused = |reason: &str| Err(GateError::Refused { reason: reason.into() });
        let institution = self.ledger.institution(&self.institution).await?;
        if institution.authority.to_bytes() != self.wallet {
            return refused("this wallet does not speak for the institution");
        }
        if !institution.is_active(self.ledger.now().await?) {
            return refused("institution-not-active");
        }
        let named = self.ledger.safeguards(patient).await?;
        let holder = address::institution(&self.institution);
        match named {
            Some(named) if named.holders().contains(&holder) => Ok(()),
            _ => refused("the patient does not name this institution as a holder any more"),
        }
    }
}

impl ReleaseGate for HolderGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let access = LedgerGate::new(self.ledger, self.transaction);
        let event = access.decision(request_id).await?;
        rests_on_emergency(&event)?;
        // Who asks comes before what costs more questions.
        self.check_holder(&event.link.subject).await?;
        let record = access.decide_again(&event).await?;
        Ok(Released {
            slot: EnvelopeSlot {
                patient: event.link.subject,
                record: event.record,
                version: event.version,
                manifest_hash: record.manifest_hash,
                recipient: address::institution(&self.institution).to_bytes(),
                kind: EnvelopeKind::BreakGlass {
                    threshold: self.threshold,
                },
            },
            reader: self.wallet,
        })
    }

    fn claim(&self) -> Option<Claim> {
        Some(Claim::Holder {
            transaction: self.transaction.into(),
            institution: self.institution,
            threshold: self.threshold,
        })
    }
}

/// Opens for whoever opened an emergency, to one holder's share that was released in it.
#[derive(Debug)]
pub struct ReleasedShareGate<'a> {
    access: LedgerGate<'a>,
    /// The address of the holder's Institution account.
    holder: [u8; 32],
}

impl<'a> ReleasedShareGate<'a> {
    /// A gate for a holder's share, against the access in a transaction.
    #[must_use]
    pub fn new(ledger: &'a Ledger, transaction: Signature, holder: [u8; 32]) -> Self {
        Self {
            access: LedgerGate::new(ledger, transaction),
            holder,
        }
    }

    /// The same for a service: see [`LedgerGate::asked_by`].
    #[must_use]
    pub fn asked_by(self, wallet: [u8; 32], longest_history: usize) -> Self {
        Self {
            access: self.access.asked_by(wallet, longest_history),
            ..self
        }
    }
}

impl ReleaseGate for ReleasedShareGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let event = self.access.decision(request_id).await?;
        rests_on_emergency(&event)?;
        let kind = EnvelopeKind::Released {
            holder: self.holder,
            emergency: event.under,
        };
        let mut released = self.access.opened_by(&event).await?;
        released.slot.kind = kind;
        Ok(released)
    }

    fn claim(&self) -> Option<Claim> {
        Some(Claim::ReleasedShare {
            transaction: self.access.transaction(),
            holder: self.holder,
        })
    }
}

fn rests_on_emergency(event: &AccessAllowed) -> Result<(), GateError> {
    match event.basis {
        Basis::Emergency => Ok(()),
        other => Err(GateError::Refused {
            reason: format!("this access rests on no emergency but on {}", other.word()),
        }),
    }
}

impl Ledger {
    /// The access in a transaction that rests on an emergency.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] where the transaction has none.
    pub async fn emergency_access(&self, transaction: &Signature) -> Result<AccessAllowed, LedgerError> {
        let (_, events) = self.events_of(transaction).await?;
        let found = events.into_iter().find_map(|event| match event {
            AnyEvent::AccessAllowed(event) if event.basis == Basis::Emergency => Some(event),
            _ => None,
        });
        found.ok_or_else(|| LedgerError::NotFound {
            what: format!("access in an emergency in transaction {transaction}"),
        })
    }
}
