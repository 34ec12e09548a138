//! Erasing a record out of every key store, and the test that it no longer opens: the envelopes are copied before, as a
//! backup of the store would have them, and afterwards every store is given every copy.

use chartseal_program::state::Record;
use serde::{Deserialize, Serialize};

use crate::{
    ops::{OpError, Session},
    store::{
        BlobStore, KeyStore, KeyStoreError,
        keystore::{Destruction, EnvelopeCopy},
    },
};

/// What erasing came to in a key store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreOutcome {
    /// It kept keys of the record, and they are destroyed.
    Destroyed,
    /// It never kept any, and takes none any more.
    Absent,
}

/// A key store that a record was erased out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreErasure {
    /// The store's name: random, it tells nothing of where it is.
    pub key_store: String,
    /// What was done; none as long as it is not.
    pub outcome: Option<StoreOutcome>,
    /// Copies of envelopes, from all the stores, that this one was given afterwards. It opened none of them.
    pub copies_tried: usize,
}

/// What a key store keeps of a record.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name.
    name: Result<String, KeyStoreError>,
    /// Its envelopes, as they lie in it.
    pub(super) copies: Vec<EnvelopeCopy>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Takes a copy of everything that the key stores keep of a record, and adds stores to the list that are not in it.
    pub(super) async fn look_into_stores(&self, record: &Record, known: &mut Vec<StoreErasure>) -> Vec<Found> {
        let mut found = Vec::new();
        for store in self.keys.members() {
            let (mut name, mut copies) = (store.name().await, Vec::new());
            if name.is_ok() {
                match store.copies(record.patient, record.id).await {
                    Ok(kept) => copies = kept,
                    Err(error) => name = Err(error),
                }
            }
            if let Ok(name) = &name
                && !known.iter().any(|known| known.key_store == *name)
            {
                known.push(StoreErasure {
                    key_store: name.clone(),
                    outcome: None,
                    copies_tried: 0,
                });
            }
            found.push(Found { name, copies });
        }
        found
    }

    /// Destroys a record's keys in every key store that is there, and shows that none of them opens what was found before.
    ///
    /// # Errors
    /// Which stores could not do it, after all others have.
    pub(super) async fn destroy_in_stores(
        &self,
        record: &Record,
        found: Vec<Found>,
        mut known: Vec<StoreErasure>,
    ) -> Result<Vec<StoreErasure>, OpError> {
        let copies: Vec<&EnvelopeCopy> = found.iter().flat_map(|found| &found.copies).collect();
        let (mut failed, mut destroyed) = (Vec::new(), Vec::new());
        for (store, found) in self.keys.members().iter().zip(&found) {
            match &found.name {
                Err(error) => failed.push(error.to_string()),
                Ok(name) => match store.destroy(record.patient, record.id).await {
                    Ok(outcome) => destroyed.push((store, name, outcome)),
                    Err(error) => failed.push(format!("key store {name}: {error}")),
                },
            }
        }
        for (store, name, outcome) in destroyed {
            if let Err(error) = shows_nothing(store, name, record, &copies).await {
                failed.push(format!("key store {name}: {error}"));
            }
            for said in known.iter_mut().filter(|said| said.key_store == *name) {
                said.copies_tried = said.copies_tried.max(copies.len());
                said.outcome = Some(match outcome {
                    Destruction::Destroyed => StoreOutcome::Destroyed,
                    Destruction::Absent => StoreOutcome::Absent,
                });
            }
        }
        // A store of an earlier run, which nobody named this time.
        let unheard = known.iter().filter(|said| said.outcome.is_none());
        failed.extend(unheard.map(|said| format!("key store {} was not given this time", said.key_store)));
        if failed.is_empty() {
            Ok(known)
        } else {
            Err(KeyStoreError::Some(failed).into())
        }
    }
}

/// Whether a key store keeps nothing of a record any more and opens none of these copies.
async fn shows_nothing(
    store: &impl KeyStore,
    name: &str,
    record: &Record,
    copies: &[&EnvelopeCopy],
) -> Result<(), KeyStoreError> {
    // Somebody stored one at this very moment: the next run destroys it.
    if !store.slots(record.patient, record.id).await?.is_empty() {
        return Err(KeyStoreError::Interrupted);
    }
    for copy in copies {
        let kept = match store.wrapping(copy.slot).await {
            Ok(wrapping) => wrapping.is_some(),
            Err(KeyStoreError::Destroyed) => false,
            Err(error) => return Err(error),
        };
        if kept || store.opens(copy).await? {
            return Err(KeyStoreError::StillOpens(name.to_owned()));
        }
    }
    Ok(())
}
