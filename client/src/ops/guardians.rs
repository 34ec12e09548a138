//! Guardians: k of n change a patient's wallet when it is lost, after a delay in which the patient can object; and the
//! institutions that open its records together in an emergency.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    events::GuardianNamed,
    instructions::{SetGuardiansArgs, VoteRecoveryArgs},
    seeds::Id,
    state::{Keys, Safeguards},
};

use super::{Dealt, OpError, Session};
use crate::{
    ledger::Receipt,
    seal::envelope,
    store::{BlobStore, KeyStore},
};

/// A wallet and the X25519 public key that goes with it: a guardian, or a patient's next wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletAndKey {
    /// The wallet's address.
    pub wallet: [u8; 32],
    /// The public key.
    pub key: [u8; 32],
}

/// Guardians as they were named.
#[derive(Clone, Debug)]
pub struct GuardiansNamed {
    /// The transaction.
    pub signature: String,
    /// What became of their shares of the patient's key.
    pub shares: Dealt,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Names a patient's guardians in place of those before, and deals each a share of the patient's encryption key: as
    /// many as `threshold` give it back to a next wallet. None at all takes the recovery away. For the patient.
    ///
    /// # Errors
    /// [`OpError`], as long as nothing stands on chain. Shares that could not be dealt afterwards are no error:
    /// [`deal_shares`](Self::deal_shares) makes up for them.
    pub async fn set_guardians(
        &self,
        patient: &Id,
        guardians: &[WalletAndKey],
        threshold: u8,
        delay: i64,
    ) -> Result<GuardiansNamed, OpError> {
        for guardian in guardians {
            envelope::check_key(&guardian.key)?;
        }
        let named = guardians.iter().map(|guardian| GuardianNamed {
            wallet: Address::new_from_array(guardian.wallet),
            encryption_key: guardian.key,
        });
        let args = SetGuardiansArgs {
            guardians: named.collect(),
            threshold,
            delay,
        };
        let wallet = self.wallet();
        let receipt = self
            .send(builders::set_guardians(wallet, self.payer().await?, patient, args))
            .await?;
        let shares = self.deal_shares(patient).await.unwrap_or_else(|error| Dealt {
            because: Some(error.to_string()),
            ..Dealt::default()
        });
        Ok(GuardiansNamed {
            signature: receipt.signature.to_string(),
            shares,
        })
    }

    /// Votes, as a guardian, for a patient's next wallet and its key; `None` takes the vote back.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn vote_recovery(&self, patient: &Id, next: Option<WalletAndKey>) -> Result<Receipt, OpError> {
        let args = match next {
            Some(next) => {
                envelope::check_key(&next.key)?;
                VoteRecoveryArgs {
                    wallet: Address::new_from_array(next.wallet),
                    keys: keys(next.key),
                }
            }
            None => VoteRecoveryArgs {
                wallet: Address::default(),
                keys: keys([0; 32]),
            },
        };
        self.send(builders::vote_recovery(self.wallet(), patient, args)).await
    }

    /// Voids every vote, and deletes the shares that guardians released for the recovery. For the patient, who still has the
    /// wallet. Guardians who released to somebody else by then call for a new key: [`rotate_key`](Self::rotate_key).
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn object_to_recovery(&self, patient: &Id) -> Result<Receipt, OpError> {
        let receipt = self.send(builders::object_to_recovery(self.wallet(), patient)).await?;
        self.take_back_released(patient).await?;
        Ok(receipt)
    }

    /// Takes a patient over, as the wallet that the guardians agreed on, once the delay has passed.
    ///
    /// # Errors
    /// [`OpError::Usage`] where the guardians voted for a key that this identity does not hold: nobody could open what is
    /// wrapped to it.
    pub async fn finish_recovery(&self, patient: &Id) -> Result<Receipt, OpError> {
        if let Some(safeguards) = self.ledger.safeguards(patient).await?
            && safeguards.pending_wallet == self.wallet()
            && self.identity.key_of(&safeguards.pending_keys.encryption).is_none()
        {
            return Err(OpError::Usage(format!(
                "the guardians agreed on this wallet with the encryption key {}, which this identity does not hold; have \
                 them vote for the key that `chartseal keys show` gives",
                hex::encode(safeguards.pending_keys.encryption)
            )));
        }
        self.send(builders::finish_recovery(self.wallet(), patient)).await
    }

    /// A patient's guardians and break-glass holders, and how far a recovery is; `None` where there never were any.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn safeguards(&self, patient: &Id) -> Result<Option<Safeguards>, OpError> {
        Ok(self.ledger.safeguards(patient).await?)
    }

    /// Names the institutions that open a patient's new records together in an emergency, in place of those before. None
    /// at all takes that away. For the patient.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn set_break_glass(&self, patient: &Id, holders: &[Id], threshold: u8) -> Result<Receipt, OpError> {
        let wallet = self.wallet();
        self.send(builders::set_break_glass(
            wallet,
            self.payer().await?,
            patient,
            holders,
            threshold,
        ))
        .await
    }

    /// Whether somebody could help a patient who lost the wallet. One without a wallet has its steward.
    pub(super) async fn is_recoverable(&self, patient: &chartseal_program::state::Patient) -> Result<bool, OpError> {
        let safeguards = self.ledger.safeguards(&patient.id).await?;
        Ok(!patient.has_wallet() || safeguards.is_some_and(|safeguards| safeguards.guardian_count != 0))
    }
}

fn keys(encryption: [u8; 32]) -> Keys {
    Keys {
        encryption,
        post_quantum_hash: [0; 32],
    }
}
