//! The journal of an upload: a file beside the one that is stored, so that an upload that was broken off goes on where it
//! was. It holds the data key (encrypted under the author's own), and of every shard, before any of it is sent, the salt
//! that it was sealed under and its root.
//!
//! Going on means sealing the file again from its beginning, which costs little beside sending it. A shard that was
//! announced is sealed under its old salt, and if its root is the old one, it is the same item to the byte: the store is
//! asked whether it has it. If the root is another one, the file was changed, and nothing of that shard leaves the process,
//! so no key and nonce ever encrypt two texts that somebody else sees. A shard that was not announced gets a new salt.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::input::Stamp;
use super::manifest::ShardEntry;
use super::{DataKey, RecordIds, SealOptions};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN};
use crate::hexed;
use crate::keys::Identity;
use crate::store::{FileError, LineFile, LineFileError};

const VERSION: u16 = 1;
/// How every journal begins.
const BEGINNING: &[u8] = br#"{"line":"begun","upload":"#;
const KEY_LABEL: &[u8] = b"chartseal/journal/v1";

/// What is uploaded. A journal of another upload is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// What it becomes, in words of whoever keeps the journal: a record of some class, a version of some record.
    pub purpose: String,
    /// The file's length in bytes.
    pub length: u64,
    /// When it was last changed: seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// The name that is kept with it.
    pub name: String,
    /// Its media type, where one was given.
    pub media_type: Option<String>,
    /// Whether its size is hidden.
    pub padded: bool,
    /// Whether it is compressed.
    pub compress: bool,
    /// Whether its hash is kept.
    pub file_hash: bool,
    /// How it is spread over stores, for example 4+2.
    pub code: String,
    /// Who signs its items, in hex.
    pub owner: String,
}

impl Upload {
    /// An upload of a file as it is now.
    ///
    /// # Errors
    /// What the file system says.
    pub fn of(
        file: &std::fs::File,
        purpose: String,
        options: &SealOptions,
        code: crate::store::Code,
        owner: [u8; 32],
    ) -> std::io::Result<Self> {
        let Stamp { length, modified } = Stamp::of(file)?;
        Ok(Self {
            purpose,
            length,
            modified,
            name: options.name.clone(),
            media_type: options.media_type.clone(),
            padded: options.padding == super::Padding::Padme,
            compress: options.compress,
            file_hash: options.file_hash,
            code: code.to_string(),
            owner: hex::encode(owner),
        })
    }

    /// The same upload of a file that was changed since.
    fn is_changed(&self, now: &Self) -> bool {
        let now = Self {
            length: self.length,
            modified: self.modified,
            ..now.clone()
        };
        *self == now
    }
}

/// A journal that cannot be gone on with.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file is not what it was.
    #[error("the file was changed since its upload was begun; upload it anew (--restart)")]
    Changed,
    /// Other options, another record or another author.
    #[error("{path} is of an upload with other options ({what}); type the same again, or upload it anew (--restart)")]
    OtherUpload {
        /// The journal.
        path: String,
        /// What was begun.
        what: String,
    },
    /// Written by another release.
    #[error("{path} was written by another release of this program; go on with that one, or upload anew (--restart)")]
    OtherRelease {
        /// The journal.
        path: String,
    },
    /// A line is not what was written.
    #[error("{path} has a line that was altered; upload the file anew (--restart)")]
    Altered {
        /// The journal.
        path: String,
    },
    /// Its key does not open.
    #[error("{path} was begun with another identity; use that one, or upload the file anew (--restart)")]
    OtherIdentity {
        /// The journal.
        path: String,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Lines(#[from] LineFileError),
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<FileError> for JournalError {
    fn from(error: FileError) -> Self {
        Self::Lines(error.into())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
enum Line {
    /// The first.
    Begun {
        upload: Upload,
        version: u16,
        /// Codecs of another release may give other bytes.
        release: String,
        #[serde(with = "hexed")]
        patient: [u8; 16],
        #[serde(with = "hexed")]
        record: [u8; 16],
        record_version: u32,
        /// Nonce and data key, encrypted.
        key: String,
    },
    /// A shard that is going to be sent.
    Sealed {
        shard: u32,
        #[serde(with = "hexed")]
        salt: [u8; 16],
        #[serde(with = "hexed")]
        root: [u8; 32],
    },
    /// The manifest that is going to be sent.
    Manifest {
        #[serde(with = "hexed")]
        nonce: [u8; NONCE_LEN],
        #[serde(with = "hexed")]
        hash: [u8; 32],
    },
}

/// A shard that was announced by an earlier run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced {
    pub(super) salt: [u8; 16],
    pub(super) root: [u8; 32],
}

/// The journal of one upload. Nobody else has it open. Dropped before it announced anything, it leaves no file behind:
/// there is nothing to go on with.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<Option<LineFile>>,
    /// Whether it says more than that an upload was begun.
    announced_any: AtomicBool,
    ids: RecordIds,
    data_key: DataKey,
    /// What earlier runs announced.
    shards: BTreeMap<u32, Announced>,
    manifest: Option<([u8; NONCE_LEN], [u8; 32])>,
}

impl Journal {
    /// Opens the journal of an upload, or begins one for a record of these ids. It blocks.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is changed then.
    pub fn open(
        path: &Path,
        upload: &Upload,
        identity: &Identity,
        new: impl FnOnce() -> Result<RecordIds, CryptoError>,
    ) -> Result<Self, JournalError> {
        let (mut file, lines) = LineFile::open(path, BEGINNING)?;
        if lines.is_empty() {
            let (ids, data_key) = (new()?, DataKey::generate()?);
            file.begin(&Line::Begun {
                upload: upload.clone(),
                version: VERSION,
                release: env!("CARGO_PKG_VERSION").to_owned(),
                patient: ids.patient,
                record: ids.record,
                record_version: ids.version,
                key: wrap(&data_key, &ids, identity)?,
            })?;
            return Ok(Self {
                file: Mutex::new(Some(file)),
                announced_any: AtomicBool::new(false),
                ids,
                data_key,
                shards: BTreeMap::new(),
                manifest: None,
            });
        }
        Self::read(file, &lines, upload, identity)
    }

    /// Tries whether a journal can be kept at a path. One that is there stays, unless the upload is to begin `anew`. It
    /// blocks.
    ///
    /// # Errors
    /// [`JournalError::Lines`] where there is somebody's file, another process at work, or no way to write.
    pub fn prepare(path: &Path, anew: bool) -> Result<(), JournalError> {
        let (file, lines) = LineFile::open(path, BEGINNING)?;
        if anew || lines.is_empty() {
            file.remove()?;
        }
        Ok(())
    }

    fn read(file: LineFile, lines: &[Vec<u8>], expected: &Upload, identity: &Identity) -> Result<Self, JournalError> {
        let path = file.path().display().to_string();
        let altered = || JournalError::Altered { path: path.clone() };
        let mut lines = lines.iter().map(|line| serde_json::from_slice::<Line>(line));
        let Some(Ok(Line::Begun {
            upload,
            version,
            release,
            patient,
            record,
            record_version,
            key,
        })) = lines.next()
        else {
            return Err(altered());
        };
        if version != VERSION || release != env!("CARGO_PKG_VERSION") {
            return Err(JournalError::OtherRelease { path });
        }
        if upload != *expected {
            return Err(if upload.is_changed(expected) {
                JournalError::Changed
            } else {
                let what = format!("{}, {}, spread {}", upload.purpose, upload.name, upload.code);
                JournalError::OtherUpload { path, what }
            });
        }
        let ids = RecordIds {
            patient,
            record,
            version: record_version,
        };
        let data_key =
            unwrap(&key, &ids, identity).ok_or_else(|| JournalError::OtherIdentity { path: path.clone() })?;
        let (mut shards, mut manifest) = (BTreeMap::new(), None);
        for line in lines {
            match line {
                Ok(Line::Sealed { shard, salt, root }) => {
                    shards.insert(shard, Announced { salt, root });
                }
                Ok(Line::Manifest { nonce, hash }) => manifest = Some((nonce, hash)),
                Ok(Line::Begun { .. }) | Err(_) => return Err(altered()),
            }
        }
        Ok(Self {
            file: Mutex::new(Some(file)),
            announced_any: AtomicBool::new(!shards.is_empty() || manifest.is_some()),
            ids,
            data_key,
            shards,
            manifest,
        })
    }

    /// What the upload becomes.
    #[must_use]
    pub fn ids(&self) -> RecordIds {
        self.ids
    }

    /// Shards that earlier runs announced; most of them are stored.
    #[must_use]
    pub fn announced(&self) -> usize {
        self.shards.len()
    }

    /// SHA-256 of the manifest that an earlier run announced.
    #[must_use]
    pub fn manifest_hash(&self) -> Option<[u8; 32]> {
        self.manifest.map(|(_, hash)| hash)
    }

    /// The upload is done, or given up: the journal goes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(self) -> Result<(), FileError> {
        self.take_file().map_or(Ok(()), LineFile::remove)
    }

    fn take_file(&self) -> Option<LineFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn data_key(&self) -> &DataKey {
        &self.data_key
    }

    pub(super) fn shard(&self, number: u32) -> Option<Announced> {
        self.shards.get(&number).copied()
    }

    pub(super) fn manifest(&self) -> Option<([u8; NONCE_LEN], [u8; 32])> {
        self.manifest
    }

    /// Whether an earlier run announced a shard, so that the store may have it.
    pub(super) fn was_announced(&self, number: u32) -> bool {
        self.shards.contains_key(&number)
    }

    /// Whether a file of so many shards can be the one that earlier runs read.
    pub(super) fn is_of(&self, shards: usize) -> bool {
        self.shards.keys().all(|number| (*number as usize) < shards)
    }

    /// Shards are going to be sent.
    pub(super) fn announce(&self, shards: impl Iterator<Item = (u32, ShardEntry)>) -> Result<(), FileError> {
        let new = shards.filter(|(number, _)| !self.shards.contains_key(number));
        let lines: Vec<Line> = new
            .map(|(shard, ShardEntry { salt, root, .. })| Line::Sealed { shard, salt, root })
            .collect();
        if lines.is_empty() { Ok(()) } else { self.append(&lines) }
    }

    /// The manifest is going to be sent.
    pub(super) fn announce_manifest(&self, nonce: [u8; NONCE_LEN], hash: [u8; 32]) -> Result<(), FileError> {
        self.append(&[Line::Manifest { nonce, hash }])
    }

    fn append(&self, lines: &[Line]) -> Result<(), FileError> {
        // Before it is tried: what was written may stand there even if that could not be told.
        self.announced_any.store(true, Ordering::Release);
        match &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.append(lines),
            None => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.announced_any.load(Ordering::Acquire)
            && let Some(file) = self.take_file()
        {
            // What stays is empty, and the next run takes it for new.
            let _ = file.remove();
        }
    }
}

fn wrap(data_key: &DataKey, ids: &RecordIds, identity: &Identity) -> Result<String, CryptoError> {
    let nonce: [u8; NONCE_LEN] = crypto::random()?;
    let key = wrapping_key(identity.encryption.secret())?;
    let sealed = crypto::seal(&key, nonce, &associated(ids), data_key.as_bytes())?;
    Ok(hex::encode([nonce.as_slice(), &sealed].concat()))
}

/// Opens a wrapped key with any of an identity's keys.
fn unwrap(wrapped: &str, ids: &RecordIds, identity: &Identity) -> Option<DataKey> {
    let bytes = hex::decode(wrapped).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk()?;
    identity.encryption_keys().find_map(|own| {
        let key = wrapping_key(own.secret()).ok()?;
        let opened = crypto::open(&key, *nonce, &associated(ids), sealed).ok()??;
        DataKey::from_slice(&opened)
    })
}

fn wrapping_key(secret: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    crypto::derive(secret, &[], &[KEY_LABEL])
}

fn associated(ids: &RecordIds) -> Vec<u8> {
    [ids.patient.as_slice(), &ids.record, &ids.version.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const IDS: RecordIds = RecordIds {
        patient: [1; 16],
        record: [2; 16],
        version: 3,
    };

    #[test]
    fn the_data_key_is_never_in_the_clear() {
        let (key, identity) = (DataKey::generate().unwrap(), Identity::generate().unwrap());
        let wrapped = wrap(&key, &IDS, &identity).unwrap();
        assert!(!wrapped.contains(&hex::encode(key.as_bytes())));
        assert!(!wrapped.contains(&hex::encode(identity.encryption.secret())));
        let again = wrap(&key, &IDS, &identity).unwrap();
        assert_ne!(wrapped[2 * NONCE_LEN..], again[2 * NONCE_LEN..], "under another nonce");
        let opened = unwrap(&wrapped, &IDS, &identity).unwrap();
        assert_eq!(opened.as_bytes(), key.as_bytes());
    }

    #[test]
    fn a_wrapped_key_opens_only_for_its_owner_and_its_record() {
        let (key, identity) = (DataKey::generate().unwrap(), Identity::generate().unwrap());
        let wrapped = wrap(&key, &IDS, &identity).unwrap();
        assert!(unwrap(&wrapped, &IDS, &Identity::generate().unwrap()).is_none());
        assert!(unwrap(&wrapped, &RecordIds { version: 4, ..IDS }, &identity).is_none());
        for wrong in ["", "zz", &wrapped[2..], &wrapped[..wrapped.len() - 2]] {
            assert!(unwrap(wrong, &IDS, &identity).is_none(), "{wrong}");
        }
    }
}
