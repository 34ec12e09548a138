//! The log of what left a key store without a name: `<root>/releases/<epoch>`, one JSON object a line, written and synced
//! before anything is given out, and only ever added to. It is what makes an exchange good for one access and a nullifier
//! for so many in an epoch, also after a restart and among several processes. It names no reader: nobody here knows one.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chartseal_program::membership::Field;
use serde::{Deserialize, Serialize};

use super::anonymous::at_least_one;
use super::disk::make_folder;
use super::folder::Files;
use super::{AnonymousEnvelope, AnonymousEnvelopes, EnvelopeKind, GateError, KeyStoreError, Proven};
use crate::hexed;
use crate::store::{FileError, sync_folder};

/// Releases to one nullifier in an epoch, unless the store's keeper says otherwise.
pub const RELEASES_PER_EPOCH: NonZeroU32 = match NonZeroU32::new(16) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};

/// One release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(with = "hexed")]
    pub(super) nullifier: Field,
    pub(super) epoch: u64,
    /// Seconds since 1970, by the ledger's clock.
    pub(super) at: i64,
    #[serde(with = "hexed")]
    pub(super) record: [u8; 16],
    #[serde(with = "hexed")]
    pub(super) exchange: [u8; 16],
}

impl Files<'_> {
    /// Gives out every envelope for grants without a name of a version, and writes that down first.
    ///
    /// # Errors
    /// As [`write_release`](Self::write_release); [`KeyStoreError::NoEnvelope`], [`KeyStoreError::Destroyed`].
    pub(super) fn release_proven(
        &self,
        (patient, record): ([u8; 16], [u8; 16]),
        exchange: [u8; 16],
        proven: &Proven,
        most: NonZeroU32,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        // Whether it was erased here comes first: then there is no slot either.
        self.refuse_destroyed(patient, record)?;
        let slots = self.slots(patient, record)?;
        let of_version = slots.into_iter().filter(|slot| {
            slot.kind == EnvelopeKind::Anonymous
                && (slot.version, slot.manifest_hash) == (proven.version, proven.manifest_hash)
        });
        let found = of_version.map(|slot| {
            Ok(AnonymousEnvelope {
                key: slot.recipient,
                envelope: self.get(&slot)?,
            })
        });
        let envelopes = at_least_one(found.collect())?;
        let entry = Entry {
            nullifier: proven.nullifier,
            epoch: proven.epoch,
            at: proven.at,
            record,
            exchange,
        };
        self.write_release(&entry, most)?;
        Ok(AnonymousEnvelopes {
            version: proven.version,
            manifest_hash: proven.manifest_hash,
            envelopes,
        })
    }

    fn releases_file(&self, epoch: u64) -> PathBuf {
        self.root.join("releases").join(epoch.to_string())
    }

    /// Writes down a release that is about to happen, if it may.
    ///
    /// # Errors
    /// [`GateError::NotProven`] where the exchange was taken, or the nullifier has had its part of the epoch.
    pub(super) fn write_release(&self, entry: &Entry, most: NonZeroU32) -> Result<(), KeyStoreError> {
        let path = self.releases_file(entry.epoch);
        let folder = self.root.join("releases");
        make_folder(&folder)?;
        let is_new = !path.exists();
        let mut log = Log::open(path)?;
        let mut had = 0_u32;
        for before in log.entries()? {
            if before.exchange == entry.exchange {
                return Err(not_proven(
                    "this exchange was taken before; draw another and prove again".to_owned(),
                ));
            }
            had += u32::from(before.nullifier == entry.nullifier);
        }
        if had >= most.get() {
            return Err(not_proven(format!(
                "this reader has had the record's keys {had} times in this hour, which is the most; try again in the next"
            )));
        }
        log.append(entry)?;
        if is_new {
            sync_folder(&folder)?;
        }
        Ok(())
    }
}

fn not_proven(reason: String) -> KeyStoreError {
    GateError::NotProven { reason }.into()
}

/// One epoch's file, which nobody else has open meanwhile.
struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    fn open(path: PathBuf) -> Result<Self, FileError> {
        let opened = File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file));
        match opened {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(FileError::new("open", &path, source)),
        }
    }

    /// What stands in it. A line that a crash cut is dropped: what it would have said did not happen.
    fn entries(&mut self) -> Result<Vec<Entry>, FileError> {
        let mut text = Vec::new();
        self.file
            .read_to_end(&mut text)
            .map_err(|source| FileError::new("read", &self.path, source))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            text.truncate(whole);
            self.file
                .set_len(whole as u64)
                .map_err(|source| FileError::new("write", &self.path, source))?;
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| parse(line, &self.path)).collect()
    }

    fn append(&mut self, entry: &Entry) -> Result<(), FileError> {
        let at = |source| FileError::new("write", &self.path, source);
        let mut line = serde_json::to_vec(entry).map_err(|error| at(error.into()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(at)
    }
}

fn parse(line: &[u8], path: &Path) -> Result<Entry, FileError> {
    serde_json::from_slice(line).map_err(|_| FileError::new("read", path, io::ErrorKind::InvalidData.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

    fn entry(nullifier: u8, exchange: u8) -> Entry {
        Entry {
            nullifier: [nullifier; 32],
            epoch: 7,
            at: 7 * 3_600,
            record: [3; 16],
            exchange: [exchange; 16],
        }
    }

    fn refused(outcome: Result<(), KeyStoreError>, word: &str) {
        match outcome {
            Err(KeyStoreError::Gate(GateError::NotProven { reason })) => assert!(reason.contains(word), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_exchange_is_taken_once_and_a_nullifier_so_often_in_an_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { root: folder.path() };
        files.write_release(&entry(1, 1), TWO).unwrap();
        refused(files.write_release(&entry(1, 1), TWO), "taken before");
        refused(files.write_release(&entry(2, 1), TWO), "taken before");
        files.write_release(&entry(1, 2), TWO).unwrap();
        refused(files.write_release(&entry(1, 3), TWO), "2 times");
        files.write_release(&entry(2, 4), TWO).unwrap();
        let next = Entry {
            epoch: 8,
            ..entry(1, 5)
        };
        files.write_release(&next, TWO).unwrap();
    }

    #[test]
    fn a_line_that_a_crash_cut_counts_for_nothing_and_one_that_was_altered_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { root: folder.path() };
        files.write_release(&entry(1, 1), TWO).unwrap();
        let path = files.releases_file(7);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        files.write_release(&entry(1, 2), TWO).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        fs::write(&path, [b"{}\n", &whole[..]].concat()).unwrap();
        let outcome = files.write_release(&entry(9, 9), TWO);
        assert!(matches!(outcome, Err(KeyStoreError::File(_))), "{outcome:?}");
    }

    #[test]
    fn of_many_at_once_no_more_are_let_through_than_may() {
        let folder = tempfile::tempdir().unwrap();
        let through: usize = std::thread::scope(|scope| {
            let asking = |exchange| {
                let root = folder.path();
                scope.spawn(move || usize::from(Files { root }.write_release(&entry(1, exchange), TWO).is_ok()))
            };
            let threads: Vec<_> = (0..12).map(asking).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(through, 2);
    }
}
