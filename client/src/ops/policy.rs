//! Policies: what a patient shares with an institution by itself. New records are shared by their authors, who wrap the
//! keys when they store; old ones are not, which takes a grant.

use chartseal_program::{builders, instructions::SetPolicyArgs, seeds::Id, vocabulary::Purpose};

use super::{OpError, Session, request::purposes_mask};
use crate::{
    ledger::Receipt,
    store::{BlobStore, KeyStore},
};

/// What is shared with an institution.
#[derive(Clone, Debug)]
pub struct PolicyTerms {
    /// Classes of new records, one bit each.
    pub classes: u32,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// Whether the institution's members may add records of these classes.
    pub enrols: bool,
    /// Until just before, in seconds since 1970.
    pub expires: i64,
}

/// A policy that stands on chain.
#[derive(Clone, Debug)]
pub struct PolicySet {
    /// The transaction.
    pub receipt: Receipt,
    /// Envelopes that were deleted, because nobody of theirs may read any more.
    pub envelopes: u64,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Shares new records of these classes with an institution from now on, in place of what was shared before.
    ///
    /// # Errors
    /// [`OpError`]. Where an envelope could not be deleted, set it again.
    pub async fn set_policy(&self, patient: &Id, institution: &Id, terms: &PolicyTerms) -> Result<PolicySet, OpError> {
        let args = SetPolicyArgs {
            classes: terms.classes,
            purposes: purposes_mask(&terms.purposes),
            enrols: terms.enrols,
            expires: terms.expires,
        };
        self.put_policy(patient, institution, args).await
    }

    /// Shares nothing with an institution by itself any more, and deletes the envelopes that came of it.
    ///
    /// # Errors
    /// [`OpError`]. Where an envelope could not be deleted, clear it again.
    pub async fn clear_policy(&self, patient: &Id, institution: &Id) -> Result<PolicySet, OpError> {
        let nothing = SetPolicyArgs {
            classes: 0,
            purposes: 0,
            enrols: false,
            expires: 0,
        };
        self.put_policy(patient, institution, nothing).await
    }

    async fn put_policy(&self, patient: &Id, institution: &Id, args: SetPolicyArgs) -> Result<PolicySet, OpError> {
        let patient = self.ledger.patient(patient).await?;
        let by = self.deciding(&patient).await?;
        let instruction = builders::set_policy(&by, self.payer().await?, &patient.id, institution, args);
        let receipt = self.send(instruction).await?;
        let (chart, mut envelopes) = (self.chart(&patient.id).await?, 0);
        for found in self.ledger.records(&patient.id).await? {
            if !found.account.is_erased() {
                envelopes += self.sweep(&chart, &found.account).await?;
            }
        }
        Ok(PolicySet { receipt, envelopes })
    }
}
