//! Whose a patient is: the next wallet, which both sides sign; other encryption keys; and the delegates, who act for it.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    instructions::NameDelegateArgs,
    seeds::{DELEGATE, Id, address},
    state::Delegate,
    vocabulary::Action,
};

use super::{OpError, Session, draw_id};
use crate::{
    ledger::Receipt,
    store::{BlobStore, KeyStore, keystore::EnvelopeKind},
};

/// A delegation that has ended.
#[derive(Clone, Debug)]
pub struct DelegationEnded {
    /// The transaction.
    pub signature: String,
    /// Envelopes that were deleted.
    pub envelopes: u64,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Names the patient's next wallet, which has to accept; `None` withdraws that. For the patient, or the authority of
    /// the steward of one without a wallet.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn propose_wallet(&self, patient: &Id, proposed: Option<[u8; 32]>) -> Result<Receipt, OpError> {
        let account = self.ledger.patient(patient).await?;
        let steward = (!account.has_wallet()).then_some(account.steward);
        let proposed = Address::new_from_array(proposed.unwrap_or_default());
        self.send(builders::propose_wallet(
            self.wallet(),
            steward.as_ref(),
            patient,
            proposed,
        ))
        .await
    }

    /// Takes a patient over, with this identity's encryption key as the patient's. Whoever can open the history has to wrap
    /// it for that key: [`rewrap`](Self::rewrap).
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_wallet(&self, patient: &Id) -> Result<Receipt, OpError> {
        let account = self.ledger.patient(patient).await?;
        let steward = (!account.has_wallet()).then_some(account.steward);
        let keys = self.publish_keys().await?;
        self.send(builders::accept_wallet(self.wallet(), steward.as_ref(), patient, keys))
            .await
    }

    /// Names a delegate, whose wallet has to accept; the delegation's id. For the patient.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn name_delegate(
        &self,
        patient: &Id,
        delegate: [u8; 32],
        rights: &[Action],
        expires: i64,
    ) -> Result<(Id, Receipt), OpError> {
        let id = draw_id(|id| address::fits(DELEGATE, patient, id))?;
        let args = NameDelegateArgs {
            id,
            wallet: Address::new_from_array(delegate),
            rights: rights.iter().fold(0, |mask, right| mask | right.bit()),
            expires,
        };
        let wallet = self.wallet();
        let receipt = self
            .send(builders::name_delegate(wallet, self.payer().await?, patient, args))
            .await?;
        Ok((id, receipt))
    }

    /// Accepts a delegation, and publishes this identity's encryption key.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_delegation(&self, patient: &Id, delegate: &Id) -> Result<Receipt, OpError> {
        let keys = self.publish_keys().await?;
        self.send(builders::accept_delegation(self.wallet(), patient, delegate, keys))
            .await
    }

    /// Ends a delegation, and deletes the delegate's envelopes. For the patient, or the delegate itself.
    ///
    /// # Errors
    /// [`OpError`]. Where an envelope could not be deleted nobody gets it all the same, because the key store asks the
    /// chain.
    pub async fn revoke_delegate(&self, patient: &Id, delegate: &Id) -> Result<DelegationEnded, OpError> {
        let receipt = self
            .send(builders::revoke_delegate(self.wallet(), patient, delegate))
            .await?;
        let account = address::delegate(patient, delegate).to_bytes();
        let mut envelopes = 0;
        for found in self.ledger.records(patient).await? {
            for slot in self.keys.slots(*patient, found.account.id).await? {
                let theirs = slot.kind == EnvelopeKind::Reader && slot.recipient == account;
                if theirs && self.keys.discard(slot).await? {
                    envelopes += 1;
                }
            }
        }
        Ok(DelegationEnded {
            signature: receipt.signature.to_string(),
            envelopes,
        })
    }

    /// Everybody whom a patient ever named its delegate.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn delegates(&self, patient: &Id) -> Result<Vec<Delegate>, OpError> {
        let all = self.ledger.delegates(patient).await?.into_iter();
        Ok(all.map(|found| found.account).collect())
    }
}
