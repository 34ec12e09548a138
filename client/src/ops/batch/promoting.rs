//! Putting a record of a batch into its patient's chart.

use chartseal_program::{
    builders,
    events::AnyEvent,
    instructions::PromoteBatchedArgs,
    seeds::Id,
    vocabulary::{Action, Basis, Purpose},
};

use super::Proof;
use crate::{
    ledger::standing::Question,
    ops::{OpError, Session, acting::Chosen, new_id, put::refusal},
    store::{BlobStore, KeyStore},
};

/// A record that was put into its patient's chart.
#[derive(Clone, Debug)]
pub struct Promoted {
    /// Whose it is.
    pub patient: Id,
    /// The record.
    pub record: Id,
    /// Why that was allowed.
    pub basis: Basis,
    /// The transaction.
    pub signature: String,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Puts one record of a batch into its patient's chart.
    ///
    /// # Errors
    /// [`OpError::Usage`] where the proof does not hold: nothing was sent then. [`OpError::Refused`] where this session may
    /// not add to the chart.
    pub async fn promote(&self, proof: &Proof, purpose: Purpose, grant: Option<Id>) -> Result<Promoted, OpError> {
        let anchored = self.anchored(&proof.institution, &proof.batch).await?;
        if !proof.holds(&anchored) {
            return Err(OpError::Usage(
                "the proof does not show that this record is in the batch that stands on chain; have it made again"
                    .into(),
            ));
        }
        let entry = &proof.record;
        let chart = self.chart(&entry.patient).await?;
        let question = Question {
            action: Action::Append,
            purpose,
            record: &entry.record,
            class: entry.class,
            existing: None,
            now: chart.now,
        };
        // Where the policy would refuse, the contract does, and logs it.
        let Chosen { acting, .. } = self.choose(&chart.patient, &chart.grants, &question, grant).await?;
        let args = PromoteBatchedArgs {
            request: new_id()?,
            record: entry.record,
            class: entry.class,
            purpose,
            grant: acting.claimed(),
            content: entry.content(),
            index: proof.index,
            proof: proof.path.clone(),
        };
        let instruction = builders::promote_batched(
            &acting,
            self.payer().await?,
            None,
            &entry.patient,
            &proof.institution,
            &proof.batch,
            args,
        );
        let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;
        match &receipt.event {
            AnyEvent::RecordPromoted(event) => Ok(Promoted {
                patient: entry.patient,
                record: entry.record,
                basis: event.basis,
                signature: receipt.signature.to_string(),
            }),
            event => Err(refusal(event)),
        }
    }
}
