//! What stores have of a record, in all its versions, and making good what they lost. Anybody may look and repair: what is
//! right is told by the hashes on chain, and what is stored is ciphertext.

use chartseal_program::{seeds::Id, state::Record};

use super::{OpError, Session, get::on_chain};
use crate::{
    ledger::LedgerError,
    seal::{Health, ProgressFn, Repaired, health, repair},
    store::{BlobStore, KeyStore},
};

/// Something that was found out of each version of a record.
#[derive(Clone, Debug)]
pub struct OfVersions<T> {
    /// The versions, newest first, and what was found of each.
    pub versions: Vec<(u32, T)>,
    /// Why nothing is known of those before the newest, where that is so.
    pub newest_only: Option<String>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Looks at all that this session's stores have of a record, every byte of every version.
    ///
    /// # Errors
    /// [`OpError::Ledger`], and [`OpError::Usage`] for an erased record. Whatever is wrong at a store is part of the answer.
    pub async fn health(
        &self,
        patient: &Id,
        record: &Id,
        progress: ProgressFn<'_>,
    ) -> Result<OfVersions<Health>, OpError> {
        let (versions, newest_only) = self.kept(patient, record).await?;
        let mut found = Vec::with_capacity(versions.len());
        for record in versions {
            let health = health(record.locator, &on_chain(&record), &self.stores, progress).await?;
            found.push((record.version, health));
        }
        Ok(OfVersions {
            versions: found,
            newest_only,
        })
    }

    /// Stores anew whatever of a record is missing or damaged at one of this session's stores, where the others have
    /// enough of it.
    ///
    /// # Errors
    /// As [`health`](Self::health). A store that does not take its part is part of the answer.
    pub async fn repair(
        &self,
        patient: &Id,
        record: &Id,
        progress: ProgressFn<'_>,
    ) -> Result<OfVersions<Repaired>, OpError> {
        let (versions, newest_only) = self.kept(patient, record).await?;
        let signer = Some(&self.identity.storage);
        let mut done = Vec::with_capacity(versions.len());
        for record in versions {
            let repaired = repair(record.locator, &on_chain(&record), &self.stores, signer, progress).await?;
            done.push((record.version, repaired));
        }
        Ok(OfVersions {
            versions: done,
            newest_only,
        })
    }

    /// The versions of a record, newest first, and why it is only the newest where that is so.
    async fn kept(&self, patient: &Id, record: &Id) -> Result<(Vec<Record>, Option<String>), OpError> {
        let newest = self.ledger.record(patient, record).await?;
        if newest.is_erased() {
            return Err(OpError::Usage(format!(
                "record {} was erased: nothing of it need be kept",
                hex::encode(record)
            )));
        }
        match self.ledger.record_versions(&newest, 1).await {
            Ok(versions) => Ok((versions, None)),
            Err(error @ LedgerError::BrokenHistory { .. }) => Ok((vec![newest], Some(error.to_string()))),
            Err(error) => Err(error.into()),
        }
    }
}
