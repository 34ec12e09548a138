//! Erasing a record out of every key store, and the test that it no longer opens: the envelopes are copied before, as a
//! backup of the store would have them, and afterwards every store is given every copy.

use std::collections::BTreeSet;

use chartseal_program::seeds::Id;
use serde::{Deserialize, Serialize};

use crate::{
    ops::OpError,
    store::{
        KeyStore, KeyStoreError,
        keystore::{Destruction, EnvelopeCopy, EnvelopeSlot},
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
    /// Where its envelopes lie, those that cannot be read too.
    pub(super) slots: Vec<EnvelopeSlot>,
    /// Its envelopes, as they lie in it.
    copies: Result<Vec<EnvelopeCopy>, KeyStoreError>,
}

/// Refuses key stores of the same name: a receipt could not tell them apart, and would say of both what one did.
///
/// # Errors
/// [`OpError::Usage`] says what to do. A store that does not tell its name is for later.
pub(super) async fn tell_apart<K: KeyStore>(stores: &[K]) -> Result<(), OpError> {
    let mut names = BTreeSet::new();
    for store in stores {
        if let Ok(name) = store.name().await
            && !names.insert(name.clone())
        {
            return Err(OpError::Usage(format!(
                "two of the key stores have the same name, {name}; name each folder once (--key-store), and where one is a \
                 copy of another, delete the file `name` in the copy: it takes a new one. Nothing was erased"
            )));
        }
    }
    Ok(())
}

/// Takes a copy of everything that key stores keep of a record, and adds stores to the list that are not in it.
pub(super) async fn look_into<K: KeyStore>(
    stores: &[K],
    (patient, record): (Id, Id),
    known: &mut Vec<StoreErasure>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for store in stores {
        let name = store.name().await;
        let copies = store.copies(patient, record).await;
        // Of what cannot be read the receipt still says that it was there.
        let slots = match &copies {
            Ok(copies) => copies.iter().map(|copy| copy.slot).collect(),
            Err(_) => store.slots(patient, record).await.unwrap_or_default(),
        };
        if let Ok(name) = &name
            && !known.iter().any(|known| known.key_store == *name)
        {
            known.push(StoreErasure {
                key_store: name.clone(),
                outcome: None,
                copies_tried: 0,
            });
        }
        found.push(Found { name, slots, copies });
    }
    found
}

/// Destroys a record's keys in every key store that is there, and shows that none of them opens what was found before.
/// Nothing that cannot be read, and no name that cannot be told, keeps a key alive: it is destroyed first, and said after.
///
/// # Errors
/// Which stores could not do it, or what of theirs could not be read, after all others have.
pub(super) async fn destroy_in<K: KeyStore>(
    stores: &[K],
    (patient, record): (Id, Id),
    found: Vec<Found>,
    mut known: Vec<StoreErasure>,
) -> Result<Vec<StoreErasure>, KeyStoreError> {
    let copies: Vec<&EnvelopeCopy> = found.iter().flat_map(|found| &found.copies).flatten().collect();
    let (mut failed, mut destroyed) = (Vec::new(), Vec::new());
    for (store, found) in stores.iter().zip(&found) {
        match (store.destroy(patient, record).await, &found.name) {
            (Ok(outcome), Ok(name)) => {
                if let Err(error) = &found.copies {
                    failed.push(format!(
                        "key store {name}: its keys of the record are destroyed, but not every envelope could be read before, \
                         so those were not tried afterwards: {error}"
                    ));
                }
                destroyed.push((store, name, outcome));
            }
            (Err(error), Ok(name)) => failed.push(format!("key store {name}: {error}")),
            (_, Err(error)) => failed.push(error.to_string()),
        }
    }
    for (store, name, outcome) in destroyed {
        if let Err(error) = shows_nothing(store, name, (patient, record), &copies).await {
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
    let given = |name: &String| {
        found
            .iter()
            .any(|found| found.name.as_ref().is_ok_and(|given| given == name))
    };
    let unheard = known
        .iter()
        .filter(|said| said.outcome.is_none() && !given(&said.key_store));
    failed.extend(unheard.map(|said| format!("key store {} was not given this time", said.key_store)));
    if failed.is_empty() {
        Ok(known)
    } else {
        Err(KeyStoreError::Some(failed))
    }
}

/// Whether a key store keeps nothing of a record any more and opens none of these copies.
async fn shows_nothing(
    store: &impl KeyStore,
    name: &str,
    (patient, record): (Id, Id),
    copies: &[&EnvelopeCopy],
) -> Result<(), KeyStoreError> {
    // Somebody stored one at this very moment: the next run destroys it.
    if !store.slots(patient, record).await?.is_empty() {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;
    use crate::store::{FolderKeyStore, keystore::EnvelopeKind};

    const PATIENT: Id = [1; 16];
    const RECORD: Id = [2; 16];

    fn slot(version: u32) -> EnvelopeSlot {
        EnvelopeSlot {
            patient: PATIENT,
            record: RECORD,
            version,
            manifest_hash: [6; 32],
            recipient: [7; 32],
            kind: EnvelopeKind::Reader,
        }
    }

    /// A key store with an envelope, and the file of its record key.
    async fn store(folder: &Path) -> (FolderKeyStore, PathBuf) {
        let store = FolderKeyStore::open(folder).unwrap();
        store.put(slot(1), b"envelope").await.unwrap();
        let key = folder
            .join("record-keys")
            .join(hex::encode(PATIENT))
            .join(hex::encode(RECORD));
        assert!(key.is_file());
        (store, key)
    }

    /// The folder with the envelopes of version 1.
    fn version_folder(folder: &Path) -> PathBuf {
        let record = folder
            .join("envelopes")
            .join(hex::encode(PATIENT))
            .join(hex::encode(RECORD));
        record.join("1").join(hex::encode([6; 32]))
    }

    async fn erase<K: KeyStore>(stores: &[K], known: &mut Vec<StoreErasure>) -> Result<Vec<EnvelopeSlot>, String> {
        let found = look_into(stores, (PATIENT, RECORD), known).await;
        let slots = found.iter().flat_map(|found| found.slots.clone()).collect();
        match destroy_in(stores, (PATIENT, RECORD), found, known.clone()).await {
            Ok(done) => *known = done,
            Err(error) => return Err(error.to_string()),
        }
        Ok(slots)
    }

    #[tokio::test]
    async fn an_envelope_that_cannot_be_read_keeps_no_key_alive() {
        let folder = tempfile::tempdir().unwrap();
        let (store, key) = store(folder.path()).await;
        let junk = version_folder(folder.path()).join(hex::encode([9; 32]));
        fs::write(&junk, vec![0; 5000]).unwrap();

        let (stores, mut known) = ([store], Vec::new());
        let found = look_into(&stores, (PATIENT, RECORD), &mut known).await;
        assert_eq!(found[0].slots.len(), 2, "what lay there is known");
        let failed = destroy_in(&stores, (PATIENT, RECORD), found, known.clone()).await;
        let failed = failed.unwrap_err().to_string();
        assert!(
            failed.contains("could be read") && failed.contains("longer than"),
            "{failed}"
        );
        assert!(!failed.contains("not given this time"), "{failed}");
        assert!(!key.exists() && !junk.exists());

        assert_eq!(erase(&stores, &mut known).await, Ok(vec![]));
        assert_eq!(known[0].outcome, Some(StoreOutcome::Destroyed));
    }

    #[tokio::test]
    async fn a_file_in_a_folders_place_keeps_no_key_alive() {
        let folder = tempfile::tempdir().unwrap();
        for (n, depth) in [1, 2, 3].into_iter().enumerate() {
            let folder = folder.path().join(n.to_string());
            let (store, key) = store(&folder).await;
            let place = version_folder(&folder).ancestors().nth(depth - 1).unwrap().to_owned();
            fs::remove_dir_all(&place).unwrap();
            fs::write(&place, b"junk").unwrap();
            let (stores, mut known) = ([store], Vec::new());
            let failed = erase(&stores, &mut known).await.unwrap_err();
            assert!(failed.contains("could be read"), "{failed}");
            assert!(!key.exists() && !place.exists(), "{}", place.display());
            assert_eq!(erase(&stores, &mut known).await, Ok(vec![]));
        }
    }

    #[tokio::test]
    async fn a_store_whose_name_cannot_be_told_is_emptied_and_another_that_is_away_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let ((nameless, first_key), (good, second_key)) = (store(&first).await, store(&second).await);
        fs::write(first.join("name"), b"no name").unwrap();
        let away = FolderKeyStore::existing(folder.path().join("away"));
        let (stores, mut known) = ([nameless, away, good], Vec::new());
        let failed = erase(&stores, &mut known).await.unwrap_err();
        assert!(failed.contains("first/name") && failed.contains("away"), "{failed}");
        assert!(!first_key.exists() && !second_key.exists());
    }

    #[tokio::test]
    async fn a_key_that_lies_beside_its_tombstone_is_found_by_trying_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, key) = store(folder.path()).await;
        let kept = fs::read(&key).unwrap();
        let copies = store.copies(PATIENT, RECORD).await.unwrap();
        store.destroy(PATIENT, RECORD).await.unwrap();
        let trial = async || shows_nothing(&store, "a", (PATIENT, RECORD), &[&copies[0]]).await;
        trial().await.unwrap();
        fs::write(&key, kept).unwrap();
        assert!(key.with_extension("destroyed").is_file());
        assert!(matches!(trial().await, Err(KeyStoreError::StillOpens(_))));
        // It is still of no use to a reader, and the next run ends it.
        assert!(store.copies(PATIENT, RECORD).await.unwrap().is_empty());
        store.destroy(PATIENT, RECORD).await.unwrap();
        trial().await.unwrap();
    }

    #[tokio::test]
    async fn a_store_and_its_copy_are_refused_until_one_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let stores = [&first, &second].map(|folder| FolderKeyStore::open(folder).unwrap());
        tell_apart(&stores).await.unwrap();
        fs::copy(first.join("name"), second.join("name")).unwrap();
        let refused = tell_apart(&stores).await.unwrap_err().to_string();
        assert!(refused.contains("delete the file `name`"), "{refused}");
        let away = FolderKeyStore::existing(folder.path().join("away"));
        tell_apart(&[stores[0].clone(), away.clone(), away]).await.unwrap();
        fs::remove_file(second.join("name")).unwrap();
        tell_apart(&stores).await.unwrap();
    }
}
