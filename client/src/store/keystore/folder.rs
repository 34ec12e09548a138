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
//!                                               empty: the record was erased, its key must not come back
//! <root>/shares/<patient>/<key epoch>/<dealing>/<guardian>-<key>
//!                                               a share of the patient's key, sealed to that key; fit for backups
//! ```
//! Names are hexadecimal, versions and epochs decimal. Folders are for their owner only (0700), files too (0600): whoever can read
//! them holds the store, and only the envelopes' own wrapping keeps the data keys from that person.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    EnvelopeKind, EnvelopeSlot, KeyStore, KeyStoreError, ReleaseGate, ReleaseRequest, ReleasedEnvelope, ShareSlot,
    pass_gate,
};
use crate::crypto::{self, NONCE_LEN, TAG_LEN};
use crate::seal::envelope;
use crate::store::{Existing, FileError, read_file, sync_folder, write_file};

const LABEL: &[u8] = b"chartseal/keystore/v1";
/// An envelope is some hundred bytes, with a post-quantum one some thousand.
const ENVELOPE_LIMIT: usize = 4096;

/// A key store in a folder of the local disk.
#[derive(Debug, Clone)]
pub struct FolderKeyStore {
    root: Arc<Path>,
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
        Ok(Self { root: root.into() })
    }

    /// Runs file work where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files<'_>) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let root = Arc::clone(&self.root);
        tokio::task::spawn_blocking(move || work(&Files { root: &root }))
            .await
            .map_err(|_| KeyStoreError::Interrupted)?
    }
}

impl KeyStore for FolderKeyStore {
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

    async fn key_epoch(&self, slot: EnvelopeSlot) -> Result<Option<u32>, KeyStoreError> {
        match self.run(move |files| files.get(&slot)).await {
            Ok(envelope) => Ok(envelope::key_epoch(&envelope).ok()),
            Err(KeyStoreError::NoEnvelope | KeyStoreError::Damaged) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        self.run(move |files| Ok(delete(&files.envelope_file(&slot))?)).await
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<(), KeyStoreError> {
        self.run(move |files| files.destroy(patient, record)).await
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

    fn get(&self, slot: &EnvelopeSlot) -> Result<Vec<u8>, KeyStoreError> {
        let Some(key) = self.record_key(slot.patient, slot.record)? else {
            return Err(KeyStoreError::NoEnvelope);
        };
        let path = self.envelope_file(slot);
        let Some(file) = present(read_file(&path, NONCE_LEN + ENVELOPE_LIMIT + TAG_LEN))? else {
            return Err(KeyStoreError::NoEnvelope);
        };
        let (nonce, sealed) = file.split_first_chunk::<NONCE_LEN>().ok_or(KeyStoreError::Damaged)?;
        let envelope = crypto::open(&key, *nonce, &aad(slot), sealed)?.ok_or(KeyStoreError::Damaged)?;
        Ok(envelope.to_vec())
    }

    fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
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

    fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<(), KeyStoreError> {
        // The tombstone first: whatever stops us in between, the key cannot come back, and a second run ends the work.
        make_folder(&self.key_folder(patient))?;
        write_file(&self.tombstone(patient, record), b"", Existing::Replace)?;
        let key_file = self.key_file(patient, record);
        wipe(&key_file)?;
        delete(&key_file)?;
        let folder = self.record_folder(patient, record);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::new("delete", &folder, error).into())
            }
            _ => Ok(()),
        }
    }

    fn record_key(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        if self.is_destroyed(patient, record)? {
            return Err(KeyStoreError::Destroyed);
        }
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

    /// A disk that does not say whether a record was erased is no reason to make it a key.
    fn is_destroyed(&self, patient: [u8; 16], record: [u8; 16]) -> Result<bool, FileError> {
        let tombstone = self.tombstone(patient, record);
        tombstone
            .try_exists()
            .map_err(|error| FileError::new("read", &tombstone, error))
    }
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

pub(super) fn parse_hex<const N: usize>(name: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(name, &mut bytes).ok()?;
    Some(bytes)
}

/// A file that need not be there.
fn present(read: Result<Vec<u8>, FileError>) -> Result<Option<Vec<u8>>, FileError> {
    match read {
        Err(error) if error.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

/// The names in a folder that need not be there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let at = |source| FileError::new("list", folder, source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(at)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes a folder and its parents, each for its owner only, and makes their names last.
pub(super) fn make_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        made => made.map_err(|source| FileError::new("make the folder", folder, source))?,
    }
    folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), sync_folder)
}

/// Deletes a file for good and says whether there was one.
fn delete(path: &Path) -> Result<bool, FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        deleted => deleted.map_err(|source| FileError::new("delete", path, source))?,
    }
    path.parent().map_or(Ok(()), sync_folder)?;
    Ok(true)
}

/// Writes zeros over a key before its file goes. Disks that move blocks may keep the old ones all the same: that is
/// why an erasure's receipt attests what was done and does not claim more.
fn wipe(path: &Path) -> Result<(), FileError> {
    let wiped = fs::OpenOptions::new().write(true).open(path).and_then(|mut file| {
        file.write_all(&[0; 32])?;
        file.sync_all()
    });
    match wiped {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("wipe", path, error)),
        _ => Ok(()),
    }
}
