//! A key store in a folder. Every envelope is encrypted once more under its record's key, and the two are kept apart,
//! so that backups can carry `envelopes` without carrying the power to open them: a record key that is destroyed is
//! destroyed everywhere.
//!
//! ```text
//! <root>/envelopes/<patient>/<record>/<version>/<manifest hash>/<recipient><kind>
//!                                               nonce (12), then AES-256-GCM under the record's key;
//!                                               AAD: label and all of these names
//! <root>/record-keys/<patient>/<record>         32 random bytes; keep this folder out of backups
//! <root>/record-keys/<patient>/<record>.destroyed
//!                                               the record was erased, its key must not come back; `absent` where there
//!                                               was none, otherwise empty
//! <root>/shares/<patient>/<key epoch>/<dealing>/<guardian>-<key>
//!                                               a share of the patient's key, sealed to that key; fit for backups
//! <root>/public/<SHA-256>                       an X-Wing public key
//! <root>/releases/<epoch>                       what left without a name, one JSON object a line, written before it did
//! <root>/name                                   32 hexadecimal digits, random: what receipts call this store
//! ```
//! Names are hexadecimal, versions and epochs decimal. Folders are for their owner only (0700), files too (0600): whoever can read
//! them holds the store, and only the envelopes' own wrapping keeps the data keys from that person.

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::anonymous::verifier;
use super::disk::{delete, exists, make_folder, names, parse_hex, present, wipe};
use super::releases::RELEASES_PER_EPOCH;
use super::{
    AnonymousAsking, AnonymousEnvelopes, Destruction, EnvelopeCopy, EnvelopeKind, EnvelopeSlot, KeyStore,
    KeyStoreError, ProofGate, ReleaseGate, ReleaseRequest, ReleasedEnvelope, ShareSlot, pass_gate,
};
use crate::crypto::{self, NONCE_LEN, TAG_LEN};
use crate::seal::envelope::{self, Wrapping};
use crate::store::{Existing, FileError, read_file, write_file};

const LABEL: &[u8] = b"chartseal/keystore/v1";
/// An envelope is some hundred bytes, with a post-quantum one some thousand.
const ENVELOPE_LIMIT: usize = 4096;
const NAME_LIMIT: usize = 64;
/// What a tombstone says where there were no keys to destroy.
const NOTHING_TO_DESTROY: &[u8] = b"absent";

/// A key store in a folder of the local disk.
#[derive(Debug, Clone)]
pub struct FolderKeyStore {
    root: Arc<Path>,
    releases_per_epoch: NonZeroU32,
}

impl FolderKeyStore {
    /// Opens a key store, making its folders where they are not there.
    ///
    /// # Errors
    /// [`KeyStoreError::File`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, KeyStoreError> {
        let root: PathBuf = root.into();
        make_folder(&root.join("envelopes"))?;
        make_folder(&root.join("record-keys"))?;
        // Many backup programs can be told to leave out folders that contain this file.
        let marker = root.join("record-keys").join(".nobackup");
        if !marker.exists() {
            write_file(&marker, b"", Existing::Replace)?;
        }
        let store = Self::existing(root);
        Files { root: &store.root }.name(crypto::random()?)?;
        Ok(store)
    }

    /// A key store that is there already. Nothing is made and nothing is asked: where it turns out not to be there, each
    /// operation says so.
    pub fn existing(root: impl Into<PathBuf>) -> Self {
        let root: PathBuf = root.into();
        Self {
            root: root.into(),
            releases_per_epoch: RELEASES_PER_EPOCH,
        }
    }

    /// Gives out the envelopes for grants without a name at most so many times an hour to one reader of one record.
    #[must_use]
    pub fn releasing_at_most(self, releases_per_epoch: NonZeroU32) -> Self {
        Self {
            releases_per_epoch,
            ..self
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs file work where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files<'_>) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let root = Arc::clone(&self.root);
        let task = move || {
            // A disk that is not mounted leaves an empty folder behind, or none: no key store that keeps nothing.
            if root.join("record-keys").is_dir() {
                work(&Files { root: &root })
            } else {
                Err(KeyStoreError::Unreachable(root.to_path_buf()))
            }
        };
        tokio::task::spawn_blocking(task)
            .await
            .map_err(|_| KeyStoreError::Interrupted)?
    }
}

impl KeyStore for FolderKeyStore {
    type Member = Self;

    fn members(&self) -> &[Self] {
        std::slice::from_ref(self)
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        let fresh = crypto::random()?;
        self.run(move |files| Ok(files.name(fresh)?)).await
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        self.run(|files| Ok(files.patients()?)).await
    }

    async fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        if envelope.len() > ENVELOPE_LIMIT {
            return Err(KeyStoreError::TooLong(envelope.len()));
        }
        let envelope = envelope.to_vec();
        self.run(move |files| files.put(&slot, &envelope)).await
    }

    async fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        self.run(move |files| files.slots(patient, record)).await
    }

    async fn wrapping(&self, slot: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        match self.run(move |files| files.get(&slot)).await {
            Ok(envelope) => Ok(envelope::wrapping(&envelope).ok()),
            Err(KeyStoreError::NoEnvelope | KeyStoreError::Damaged) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        self.run(move |files| Ok(delete(&files.envelope_file(&slot))?)).await
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        self.run(move |files| files.destroy(patient, record)).await
    }

    async fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        self.run(move |files| files.copies(patient, record)).await
    }

    async fn opens(&self, copy: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        let copy = copy.clone();
        match self.run(move |files| files.open_copy(&copy)).await {
            Ok(_) => Ok(true),
            Err(KeyStoreError::NoEnvelope | KeyStoreError::Damaged | KeyStoreError::Destroyed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> Result<ReleasedEnvelope, KeyStoreError> {
        let released = pass_gate(request, gate).await?;
        let slot = released.slot;
        let envelope = self.run(move |files| files.get(&slot)).await?;
        Ok(ReleasedEnvelope { released, envelope })
    }

    async fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        gate: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        let proven = gate.check(verifier(&self.name().await?), asking).await?;
        let (patient, record, exchange) = (asking.patient, asking.record, asking.exchange);
        let most = self.releases_per_epoch;
        self.run(move |files| files.release_proven((patient, record), exchange, &proven, most))
            .await
    }

    async fn put_share(&self, slot: ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        if share.len() > ENVELOPE_LIMIT {
            return Err(KeyStoreError::TooLong(share.len()));
        }
        let share = share.to_vec();
        self.run(move |files| files.put_share(&slot, &share)).await
    }

    async fn share(&self, slot: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.run(move |files| Ok(present(read_file(&slot.file(files.root), ENVELOPE_LIMIT))?))
            .await
    }

    async fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        self.run(move |files| files.shares(patient)).await
    }

    async fn discard_share(&self, slot: ShareSlot) -> Result<bool, KeyStoreError> {
        self.run(move |files| Ok(delete(&slot.file(files.root))?)).await
    }

    async fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        let key = key.to_vec();
        self.run(move |files| files.put_public_key(&key)).await
    }

    async fn public_key(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.run(move |files| files.public_key(&hash)).await
    }
}

/// The same operations on files, as they happen.
pub(super) struct Files<'a> {
    pub(super) root: &'a Path,
}

impl Files<'_> {
    fn record_folder(&self, patient: [u8; 16], record: [u8; 16]) -> PathBuf {
        self.root
            .join("envelopes")
            .join(hex::encode(patient))
            .join(hex::encode(record))
    }

    fn version_folder(&self, slot: &EnvelopeSlot) -> PathBuf {
        self.record_folder(slot.patient, slot.record)
            .join(slot.version.to_string())
            .join(hex::encode(slot.manifest_hash))
    }

    fn envelope_file(&self, slot: &EnvelopeSlot) -> PathBuf {
        self.version_folder(slot)
            .join(format!("{}{}", hex::encode(slot.recipient), slot.kind.suffix()))
    }

    /// A record's id is unique for its patient only, so its key is filed under both.
    fn key_folder(&self, patient: [u8; 16]) -> PathBuf {
        self.root.join("record-keys").join(hex::encode(patient))
    }

    fn key_file(&self, patient: [u8; 16], record: [u8; 16]) -> PathBuf {
        self.key_folder(patient).join(hex::encode(record))
    }

    fn tombstone(&self, patient: [u8; 16], record: [u8; 16]) -> PathBuf {
        self.key_folder(patient)
            .join(format!("{}.destroyed", hex::encode(record)))
    }

    fn put(&self, slot: &EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        let key = self.make_record_key(slot.patient, slot.record)?;
        // Random nonces: a record has some dozens of envelopes, far below the 2^32 that GCM allows.
        let nonce: [u8; NONCE_LEN] = crypto::random()?;
        let mut file = nonce.to_vec();
        file.extend_from_slice(&crypto::seal(&key, nonce, &aad(slot), envelope)?);
        let path = self.envelope_file(slot);
        make_folder(&self.version_folder(slot))?;
        Ok(write_file(&path, &file, Existing::Replace)?)
    }

    pub(super) fn get(&self, slot: &EnvelopeSlot) -> Result<Vec<u8>, KeyStoreError> {
        let key = self.record_key(slot.patient, slot.record)?;
        match (key, self.sealed(slot)?) {
            (Some(key), Some(sealed)) => open_sealed(&key, slot, &sealed),
            _ => Err(KeyStoreError::NoEnvelope),
        }
    }

    /// An envelope as it lies on the disk.
    fn sealed(&self, slot: &EnvelopeSlot) -> Result<Option<Vec<u8>>, FileError> {
        present(read_file(
            &self.envelope_file(slot),
            NONCE_LEN + ENVELOPE_LIMIT + TAG_LEN,
        ))
    }

    fn open_copy(&self, copy: &EnvelopeCopy) -> Result<Vec<u8>, KeyStoreError> {
        // The tombstone is not asked: it would answer for a key that is still there.
        let key = self.kept_key(copy.slot.patient, copy.slot.record)?;
        open_sealed(&*key.ok_or(KeyStoreError::NoEnvelope)?, &copy.slot, &copy.bytes)
    }

    fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        let mut copies = Vec::new();
        for slot in self.slots(patient, record)? {
            if let Some(bytes) = self.sealed(&slot)? {
                copies.push(EnvelopeCopy { slot, bytes });
            }
        }
        Ok(copies)
    }

    fn patients(&self) -> Result<Vec<[u8; 16]>, FileError> {
        let mut patients: Vec<_> = names(&self.root.join("envelopes"))?
            .iter()
            .filter_map(|name| parse_hex(name))
            .collect();
        patients.sort_unstable();
        Ok(patients)
    }

    /// The store's name: this one, where it has none yet.
    fn name(&self, fresh: [u8; 16]) -> Result<String, FileError> {
        let path = self.root.join("name");
        if present(read_file(&path, NAME_LIMIT))?.is_none() {
            match write_file(&path, hex::encode(fresh).as_bytes(), Existing::Refuse) {
                Ok(()) | Err(FileError::Exists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let name = String::from_utf8(read_file(&path, NAME_LIMIT)?).ok();
        name.filter(|name| parse_hex::<16>(name).is_some())
            .ok_or_else(|| FileError::new("read", &path, io::ErrorKind::InvalidData.into()))
    }

    pub(super) fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        let folder = self.record_folder(patient, record);
        let mut slots = Vec::new();
        for version in names(&folder)?.iter().filter_map(|name| name.parse::<u32>().ok()) {
            let folder = folder.join(version.to_string());
            for manifest_hash in names(&folder)?.iter().filter_map(|name| parse_hex::<32>(name)) {
                let names = names(&folder.join(hex::encode(manifest_hash)))?;
                let kept = names.iter().filter_map(|name| parse_name(name));
                slots.extend(kept.map(|(recipient, kind)| EnvelopeSlot {
                    patient,
                    record,
                    version,
                    manifest_hash,
                    recipient,
                    kind,
                }));
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }

    fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        let (key_file, folder) = (self.key_file(patient, record), self.record_folder(patient, record));
        let tombstone = self.tombstone(patient, record);
        let found = match present(read_file(&tombstone, NOTHING_TO_DESTROY.len()))? {
            Some(said) if said == NOTHING_TO_DESTROY => Destruction::Absent,
            None if !exists(&key_file)? && !exists(&folder)? => Destruction::Absent,
            Some(_) | None => Destruction::Destroyed,
        };
        // The tombstone first: whatever stops us in between, the key cannot come back, and a second run ends the work.
        make_folder(&self.key_folder(patient))?;
        let said = match found {
            Destruction::Destroyed => b"".as_slice(),
            Destruction::Absent => NOTHING_TO_DESTROY,
        };
        write_file(&tombstone, said, Existing::Replace)?;
        wipe(&key_file)?;
        delete(&key_file)?;
        let removed = match folder.symlink_metadata() {
            // A file in the folder's place goes too: nothing else would ever end this.
            Ok(there) if !there.is_dir() => fs::remove_file(&folder),
            _ => fs::remove_dir_all(&folder),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::new("delete", &folder, error).into())
            }
            _ => Ok(found),
        }
    }

    fn record_key(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        self.refuse_destroyed(patient, record)?;
        self.kept_key(patient, record)
    }

    /// The record's key as it lies on the disk, whatever the tombstone says.
    fn kept_key(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        let Some(bytes) = present(read_file(&self.key_file(patient, record), 32))?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| KeyStoreError::Damaged)?;
        // Zeros are what destroying writes before it deletes.
        if key == [0; 32] {
            Err(KeyStoreError::Destroyed)
        } else {
            Ok(Some(Zeroizing::new(key)))
        }
    }

    /// The record's key, made if there is none. Two who make it at once end with the same one: the first file stays.
    fn make_record_key(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        if let Some(key) = self.record_key(patient, record)? {
            return Ok(key);
        }
        make_folder(&self.key_folder(patient))?;
        let fresh: Zeroizing<[u8; 32]> = Zeroizing::new(crypto::random()?);
        match write_file(&self.key_file(patient, record), fresh.as_slice(), Existing::Refuse) {
            Ok(()) | Err(FileError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if self.is_destroyed(patient, record)? {
            // The record was erased while we were at it.
            delete(&self.key_file(patient, record))?;
        }
        self.record_key(patient, record)?.ok_or(KeyStoreError::Destroyed)
    }

    pub(super) fn refuse_destroyed(&self, patient: [u8; 16], record: [u8; 16]) -> Result<(), KeyStoreError> {
        match self.is_destroyed(patient, record)? {
            true => Err(KeyStoreError::Destroyed),
            false => Ok(()),
        }
    }

    /// A disk that does not say whether a record was erased is no reason to make it a key.
    fn is_destroyed(&self, patient: [u8; 16], record: [u8; 16]) -> Result<bool, FileError> {
        exists(&self.tombstone(patient, record))
    }
}

fn open_sealed(key: &[u8; 32], slot: &EnvelopeSlot, sealed: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(KeyStoreError::Damaged)?;
    let envelope = crypto::open(key, *nonce, &aad(slot), sealed)?.ok_or(KeyStoreError::Damaged)?;
    Ok(envelope.to_vec())
}

fn aad(slot: &EnvelopeSlot) -> Vec<u8> {
    [
        LABEL,
        &slot.patient,
        &slot.record,
        &slot.version.to_le_bytes(),
        &slot.manifest_hash,
        &slot.recipient,
        slot.kind.suffix().as_bytes(),
    ]
    .concat()
}

/// Recipient and kind, from the name of an envelope's file.
fn parse_name(name: &str) -> Option<([u8; 32], EnvelopeKind)> {
    let (recipient, suffix) = name.split_at_checked(64)?;
    Some((parse_hex(recipient)?, EnvelopeKind::from_suffix(suffix)?))
}
