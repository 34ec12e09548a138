//! A patient's new encryption key. The identity's file holds it before the chain names it, and holds the keys before
//! afterwards: so whatever ends the work in between, nothing is lost, and running it again goes on where it ended.

use chartseal_program::{builders, seeds::Id};

use super::{Dealt, OpError, Rewrapped, Session};
use crate::{
    keys::{Identity, KeyError},
    store::{BlobStore, KeyStore},
};

/// A key that stands on chain.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The transaction.
    pub signature: String,
    /// The public key.
    pub encryption_key: [u8; 32],
    /// What became of the records' keys, which were wrapped to the key before.
    pub keys: Rewrapped,
    /// What became of the guardians' shares.
    pub shares: Dealt,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Takes a new encryption key for a patient (`save` is called with the identity that holds it), publishes it, wraps the
    /// history for it, and deals new shares to the guardians. Where this identity has a newer key than the chain names, a
    /// rotation was cut short: then that key is published. For the patient.
    ///
    /// # Errors
    /// [`OpError`], as long as the new key does not stand on chain. What could not be wrapped afterwards is no error but
    /// pending: [`rewrap`](Self::rewrap) makes up for it.
    pub async fn rotate_key(
        &mut self,
        patient: &Id,
        save: impl FnOnce(&Identity) -> Result<(), KeyError>,
    ) -> Result<Rotated, OpError> {
        let account = self.ledger.patient(patient).await?;
        if !account.is_wallet(&self.wallet()) {
            return Err(OpError::Usage(
                "only the patient's wallet changes the patient's key".into(),
            ));
        }
        if account.keys.encryption == self.identity.encryption.public() {
            let mut identity = self.identity.clone();
            identity.rotate()?;
            save(&identity)?;
            self.identity = identity;
        }
        let keys = self.publish_keys().await?;
        let receipt = self
            .send(builders::rotate_patient_key(self.wallet(), patient, keys))
            .await?;
        let mut rotated = Rotated {
            signature: receipt.signature.to_string(),
            encryption_key: keys.encryption,
            keys: Rewrapped::default(),
            shares: Dealt::default(),
        };
        match self.rewrap(patient, None).await {
            Ok(keys) => rotated.keys = keys,
            Err(error) => rotated.keys.because = Some(error.to_string()),
        }
        match self.deal_shares(patient).await {
            Ok(shares) => rotated.shares = shares,
            Err(error) => rotated.shares.because = Some(error.to_string()),
        }
        Ok(rotated)
    }
}
