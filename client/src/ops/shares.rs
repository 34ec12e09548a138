//! Recovery shares: a patient's encryption key, shared among its guardians. A guardian who sees that the next wallet took
//! over wraps its share for that wallet's key; k of them give the old key back, and with it the history. What they give is
//! held against the key that stood on chain, so wrong shares are noticed, named, and do no harm where enough are right.

mod together;

use std::collections::BTreeMap;

use chartseal_program::{
    ID,
    events::AnyEvent,
    seeds::Id,
    state::{RECOVERY_WINDOW, Safeguards},
};

use self::together::{Released, put_together, take_in};
use super::{OpError, Rewrapped, Session};
use crate::{
    crypto,
    keys::{EncryptionKey, Identity, KeyError, shares::split},
    ledger::LedgerError,
    seal::recovery_share::{self, RecoveryShare, ShareContext},
    store::{BlobStore, KeyStore, keystore::ShareSlot},
};

/// Shares that were dealt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dealt {
    /// How many guardians got one.
    pub shares: usize,
    /// How many of them give the key back.
    pub threshold: u8,
    /// Why none were dealt.
    pub because: Option<String>,
}

/// A history that opens again.
#[derive(Clone, Debug)]
pub struct RecoveredKeys {
    /// Epochs of the keys that were recovered.
    pub epochs: Vec<u32>,
    /// Wallets of guardians whose share was not right.
    pub wrong: Vec<[u8; 32]>,
    /// What became of the records' keys, wrapped again for the key that stands on chain now.
    pub keys: Rewrapped,
    /// What became of shares for the guardians that stand on chain now.
    pub shares: Dealt,
}

/// A key that a patient had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PastKey {
    epoch: u32,
    public: [u8; 32],
    /// Whether the guardians put it there.
    recovered: bool,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Shares a patient's present encryption key among its guardians, and takes back the shares dealt before. For whoever
    /// holds that key.
    ///
    /// # Errors
    /// [`OpError::Usage`] where this identity does not hold the key; what failed otherwise: shares dealt before stay until
    /// the new ones are all there.
    pub async fn deal_shares(&self, patient: &Id) -> Result<Dealt, OpError> {
        let account = self.ledger.patient(patient).await?;
        let safeguards = self.ledger.safeguards(patient).await?;
        let mut slots = Vec::new();
        let mut threshold = 0;
        if let Some(safeguards) = safeguards.filter(|safeguards| safeguards.guardian_count != 0) {
            let public = account.keys.encryption;
            let key = self.identity.key_of(&public).ok_or_else(|| {
                OpError::Usage("only whoever holds the patient's present encryption key can share it".into())
            })?;
            threshold = safeguards.guardian_threshold;
            slots = self.deal(&account.id, account.key_epoch, key, &safeguards).await?;
        }
        // Older keys are of use as long as something is wrapped to them.
        let older_too = self.is_rewrapped(patient).await?;
        for slot in self.keys.shares(*patient).await? {
            let superseded = slot.key_epoch == account.key_epoch || older_too;
            if superseded && !slots.contains(&slot) {
                self.keys.discard_share(slot).await?;
            }
        }
        Ok(Dealt {
            shares: slots.len(),
            threshold,
            because: None,
        })
    }

    async fn deal(
        &self,
        patient: &Id,
        key_epoch: u32,
        key: &EncryptionKey,
        safeguards: &Safeguards,
    ) -> Result<Vec<ShareSlot>, OpError> {
        let (guardians, dealing) = (safeguards.guardians(), crypto::random()?);
        let threshold = safeguards.guardian_threshold;
        let count = u8::try_from(guardians.len()).unwrap_or(u8::MAX);
        let shares = split(key.secret(), threshold, count).map_err(|error| OpError::Usage(error.to_string()))?;
        let mut slots = Vec::with_capacity(shares.len());
        for (guardian, share) in guardians.iter().zip(shares) {
            let slot = ShareSlot {
                patient: *patient,
                key_epoch,
                dealing,
                guardian: guardian.wallet.to_bytes(),
                sealed_to: guardian.encryption,
            };
            self.seal_share(&RecoveryShare { threshold, share }, slot).await?;
            slots.push(slot);
        }
        Ok(slots)
    }

    /// Whether a patient's own envelopes, of every version, are all wrapped to its present key.
    async fn is_rewrapped(&self, patient: &Id) -> Result<bool, OpError> {
        let chart = self.chart(patient).await?;
        let own = chartseal_program::seeds::address::patient(patient).to_bytes();
        for found in self.ledger.records(patient).await? {
            if found.account.is_erased() {
                continue;
            }
            let earlier = self.missing_earlier(&chart, &found.account).await;
            let lacking = match earlier {
                Ok(earlier) => earlier.iter().any(|(_, missing)| missing.contains_key(&own)),
                // What nobody can tell is no reason to throw a key away.
                Err(OpError::Ledger(LedgerError::BrokenHistory { .. })) => true,
                Err(error) => return Err(error),
            };
            if lacking || self.missing(&chart, &found.account).await?.contains_key(&own) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Wraps this guardian's shares for the wallet that took the patient over by recovery, or is about to: how many.
    ///
    /// # Errors
    /// [`OpError::Usage`] where no recovery stands on chain or is due, this wallet is no guardian, or there is no share.
    pub async fn release_shares(&self, patient: &Id) -> Result<usize, OpError> {
        let own = self.wallet();
        let safeguards = self.ledger.safeguards(patient).await?;
        let is_guardian =
            |safeguards: &&Safeguards| safeguards.guardians().iter().any(|guardian| guardian.wallet == own);
        let safeguards = safeguards
            .as_ref()
            .filter(is_guardian)
            .ok_or_else(|| OpError::Usage("this wallet is no guardian of this patient".into()))?;
        let (to, before) = self.next_key(patient, safeguards).await?;
        let mut released = 0;
        for slot in self.keys.shares(*patient).await? {
            let ours = slot.guardian == own.to_bytes() && slot.key_epoch < before && slot.sealed_to != to;
            let Some(key) = self.identity.key_of(&slot.sealed_to).filter(|_| ours) else {
                continue;
            };
            let Some(sealed) = self.keys.share(slot).await? else {
                continue;
            };
            let share = recovery_share::open(&sealed, key, &self.share_context(&slot).await?)?;
            self.seal_share(&share, ShareSlot { sealed_to: to, ..slot }).await?;
            released += 1;
        }
        if released == 0 {
            return Err(OpError::Usage(
                "the key store has no share for this guardian; is it the key store that the patient used?".into(),
            ));
        }
        Ok(released)
    }

    /// Deletes the shares of a patient that are sealed to nobody who is its guardian: they were released for a recovery that
    /// did not come to be.
    pub(super) async fn take_back_released(&self, patient: &Id) -> Result<(), OpError> {
        let safeguards = self.ledger.safeguards(patient).await?;
        let guardians = safeguards.iter().flat_map(Safeguards::guardians);
        let keys: Vec<_> = guardians.map(|guardian| guardian.encryption).collect();
        for slot in self.keys.shares(*patient).await? {
            if !keys.contains(&slot.sealed_to) {
                self.keys.discard_share(slot).await?;
            }
        }
        Ok(())
    }

    /// The key to which guardians release, and the epoch before which keys were lost.
    async fn next_key(&self, patient: &Id, safeguards: &Safeguards) -> Result<([u8; 32], u32), OpError> {
        let account = self.ledger.patient(patient).await?;
        let now = self.ledger.now().await?;
        let since = now.saturating_sub(safeguards.ready_at);
        if safeguards.is_pending() && (0..RECOVERY_WINDOW).contains(&since) {
            return Ok((safeguards.pending_keys.encryption, account.key_epoch.saturating_add(1)));
        }
        let keys = self.past_keys(patient).await?;
        let recovered = keys.iter().rev().find(|key| key.recovered);
        let recovered = recovered.map(|key| (account.keys.encryption, key.epoch));
        recovered.ok_or_else(|| {
            OpError::Usage(
                "no recovery of this patient stands on chain, and none is due: enough guardians have to vote, and the delay \
                 has to pass"
                    .into(),
            )
        })
    }

    /// Puts keys together that guardians released, keeps them (`save` is called with the identity that holds them), and
    /// wraps the history for the patient's present key. For the wallet that took over.
    ///
    /// # Errors
    /// [`OpError::Usage`] where no key can be put together; it says what is missing.
    pub async fn recover_keys(
        &mut self,
        patient: &Id,
        save: impl FnOnce(&Identity) -> Result<(), KeyError>,
    ) -> Result<RecoveredKeys, OpError> {
        let past = self.past_keys(patient).await?;
        let (mut epochs, mut wrong, mut lacking) = (Vec::new(), Vec::new(), Vec::new());
        let mut identity = self.identity.clone();
        for ((epoch, _), shares) in self.released(patient).await? {
            let Some(key) = past.iter().find(|key| key.epoch == epoch) else {
                continue;
            };
            match put_together(&shares, &key.public) {
                Ok(found) => {
                    wrong.extend(found.wrong);
                    identity.remember(found.key);
                    epochs.push(epoch);
                }
                Err(lack) => lacking.push(format!("key {epoch}: {lack}")),
            }
        }
        if epochs.is_empty() {
            let what = if lacking.is_empty() {
                "no guardian has released a share for this identity; each has to run `chartseal guardian release`"
                    .into()
            } else {
                lacking.join("; ")
            };
            return Err(OpError::Usage(format!("the key cannot be put together: {what}")));
        }
        save(&identity)?;
        self.identity = identity;
        let keys = self.rewrap(patient, None).await?;
        let shares = self.deal_shares(patient).await.unwrap_or_else(|error| Dealt {
            because: Some(error.to_string()),
            ..Dealt::default()
        });
        epochs.sort_unstable();
        epochs.dedup();
        Ok(RecoveredKeys {
            epochs,
            wrong,
            keys,
            shares,
        })
    }

    /// The shares that are sealed to this identity, opened, by epoch and dealing. One that does not open counts as wrong.
    async fn released(&self, patient: &Id) -> Result<BTreeMap<(u32, Id), Vec<Released>>, OpError> {
        let mut released: BTreeMap<(u32, Id), Vec<Released>> = BTreeMap::new();
        for slot in self.keys.shares(*patient).await? {
            let Some(key) = self.identity.key_of(&slot.sealed_to) else {
                continue;
            };
            let Some(sealed) = self.keys.share(slot).await? else {
                continue;
            };
            let found = Released {
                guardian: slot.guardian,
                share: recovery_share::open(&sealed, key, &self.share_context(&slot).await?).ok(),
            };
            take_in(released.entry((slot.key_epoch, slot.dealing)).or_default(), found);
        }
        Ok(released)
    }

    async fn seal_share(&self, share: &RecoveryShare, slot: ShareSlot) -> Result<(), OpError> {
        let sealed = recovery_share::seal(share, &self.share_context(&slot).await?)?;
        Ok(self.keys.put_share(slot, &sealed).await?)
    }

    async fn share_context(&self, slot: &ShareSlot) -> Result<ShareContext, OpError> {
        Ok(ShareContext {
            cluster: self.ledger.cluster().await?,
            program: ID.to_bytes(),
            patient: slot.patient,
            key_epoch: slot.key_epoch,
            dealing: slot.dealing,
            guardian: slot.guardian,
            sealed_to: slot.sealed_to,
        })
    }

    /// Every encryption key that a patient had, oldest first, as its log tells: the account knows the present one only.
    async fn past_keys(&self, patient: &Id) -> Result<Vec<PastKey>, OpError> {
        let log = self.ledger.patient_log(patient).await?;
        if log.broken.is_some() {
            return Err(OpError::Usage(
                "the patient's log is not whole, so nobody can say which keys it had; see `chartseal log`".into(),
            ));
        }
        let key = |epoch, public, recovered| PastKey {
            epoch,
            public,
            recovered,
        };
        let mut keys: Vec<_> = log
            .events
            .iter()
            .filter_map(|logged| match &logged.event {
                AnyEvent::PatientOpened(event) => Some(key(1, event.encryption_key, false)),
                AnyEvent::WalletAccepted(event) => Some(key(event.key_epoch, event.encryption_key, false)),
                AnyEvent::PatientKeyRotated(event) => Some(key(event.key_epoch, event.encryption_key, false)),
                AnyEvent::RecoveryFinished(event) => Some(key(event.key_epoch, event.encryption_key, true)),
                _ => None,
            })
            .collect();
        keys.sort_unstable_by_key(|key| key.epoch);
        Ok(keys)
    }
}
