//! The journal of an import: a local file that says which files are stored already, so that an import that was broken off
//! goes on where it was. One JSON object a line, synced before the next file counts as stored.
//!
//! It names patients by their pseudonyms and no file by its name, and it is for its owner only (0600). A line that was cut by a
//! crash is dropped: its file is sealed again, and nobody has the key of what was uploaded of it before.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chartseal_program::seeds::{Id, NO_ID};
use serde::{Deserialize, Serialize};

use super::hexed;
use super::list::Entry;
use crate::ops::OpError;
use crate::store::{FileError, sync_folder};

const VERSION: u16 = 1;
/// How every journal begins.
const BEGINNING: &[u8] = br#"{"line":"begun","#;

/// What an import is: of what, by whom. A journal of another import is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Import {
    #[serde(with = "hexed")]
    pub(super) institution: Id,
    #[serde(with = "hexed")]
    pub(super) member: Id,
    /// SHA-256 of what is imported: patients, classes and paths, in their order.
    #[serde(with = "hexed")]
    pub(super) files: [u8; 32],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
enum Line {
    /// The first.
    Begun {
        version: u16,
        import: Import,
        #[serde(with = "hexed")]
        batch: Id,
    },
    /// A file is sealed, uploaded, and its key wrapped.
    Stored { index: u32, entry: Entry },
    /// The list is uploaded.
    Listed {
        #[serde(with = "hexed")]
        locator: [u8; 32],
    },
}

/// An open journal. Nobody else has it open.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    batch: Id,
    stored: BTreeMap<u32, Entry>,
    locator: Option<[u8; 32]>,
}

impl Journal {
    /// Opens the journal of an import, or begins one for a batch of this id.
    ///
    /// # Errors
    /// [`OpError::Usage`] where it is of another import, in use, or was altered; [`OpError::File`].
    pub(super) fn open(
        path: &Path,
        import: &Import,
        new_batch: impl FnOnce() -> Result<Id, OpError>,
    ) -> Result<Self, OpError> {
        let at = |source| FileError::new("open", path, source);
        let mut file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpError::Usage(format!(
                    "{} is in use: this import is under way already",
                    path.display()
                )));
            }
            Err(TryLockError::Error(source)) => return Err(at(source).into()),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(at)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let torn = text.split_off(whole);

        let mut journal = Self {
            file,
            path: path.to_path_buf(),
            batch: NO_ID,
            stored: BTreeMap::new(),
            locator: None,
        };
        if text.is_empty() {
            // Nothing, or the beginning of our own first line: anything else is somebody's file.
            if !torn.starts_with(BEGINNING) && !BEGINNING.starts_with(&torn) {
                return Err(journal.wrong("is no journal of an import"));
            }
            journal.cut(0)?;
            journal.begin(import, new_batch()?)?;
        } else {
            journal.read(&text, import)?;
            journal.cut(whole)?;
        }
        Ok(journal)
    }

    fn wrong(&self, what: &str) -> OpError {
        let path = self.path.display();
        OpError::Usage(format!(
            "{path} {what}; name another journal (--journal) or move it away"
        ))
    }

    /// Drops what comes after so many bytes: a line that was not written to its end.
    fn cut(&mut self, whole: usize) -> Result<(), OpError> {
        let done = self.file.set_len(whole as u64);
        Ok(done.map_err(|source| FileError::new("write", &self.path, source))?)
    }

    fn begin(&mut self, import: &Import, batch: Id) -> Result<(), OpError> {
        self.batch = batch;
        self.append(&Line::Begun {
            version: VERSION,
            import: import.clone(),
            batch,
        })?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(sync_folder(folder.unwrap_or(Path::new(".")))?)
    }

    fn read(&mut self, text: &[u8], import: &Import) -> Result<(), OpError> {
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let first = lines.next().map(serde_json::from_slice);
        let Some(Ok(Line::Begun {
            version,
            import: begun,
            batch,
        })) = first
        else {
            return Err(self.wrong("is no journal of an import"));
        };
        if version != VERSION {
            return Err(self.wrong("was written by a newer release"));
        }
        if begun != *import {
            return Err(self.wrong("is the journal of another import: other files, or another member"));
        }
        self.batch = batch;
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(Line::Stored { index, entry }) => {
                    self.stored.insert(index, entry);
                }
                Ok(Line::Listed { locator }) => self.locator = Some(locator),
                Ok(Line::Begun { .. }) | Err(_) => return Err(self.wrong("has a line that was altered")),
            }
        }
        Ok(())
    }

    /// Id of the batch that the import makes.
    pub(super) fn batch(&self) -> Id {
        self.batch
    }

    /// What is stored, by the file's place.
    pub(super) fn stored(&self) -> &BTreeMap<u32, Entry> {
        &self.stored
    }

    /// Where the list is, once it was uploaded.
    pub(super) fn locator(&self) -> Option<[u8; 32]> {
        self.locator
    }

    /// A file is stored.
    pub(super) fn add(&mut self, index: u32, entry: Entry) -> Result<(), OpError> {
        self.append(&Line::Stored {
            index,
            entry: entry.clone(),
        })?;
        self.stored.insert(index, entry);
        Ok(())
    }

    /// The list is uploaded.
    pub(super) fn set_locator(&mut self, locator: [u8; 32]) -> Result<(), OpError> {
        self.append(&Line::Listed { locator })?;
        self.locator = Some(locator);
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<(), OpError> {
        let at = |source| FileError::new("write", &self.path, source);
        let mut bytes = serde_json::to_vec(line).map_err(|error| at(error.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(at)?;
        self.file.sync_data().map_err(at)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::list::tests::entry;
    use super::*;

    const IMPORT: Import = Import {
        institution: [1; 16],
        member: [2; 16],
        files: [3; 32],
    };

    fn open(path: &Path) -> Result<Journal, OpError> {
        Journal::open(path, &IMPORT, || Ok([4; 16]))
    }

    fn no_new_batch() -> Result<Id, OpError> {
        Err(OpError::Usage("there is a batch already".into()))
    }

    #[test]
    fn import_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = open(&path).unwrap();
        journal.add(3, entry(30)).unwrap();
        journal.add(0, entry(1)).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path, &IMPORT, no_new_batch).unwrap();
        assert_eq!(journal.batch(), [4; 16]);
        assert_eq!(journal.stored().keys().copied().collect::<Vec<_>>(), [0, 3]);
        assert_eq!((journal.stored()[&3].clone(), journal.locator()), (entry(30), None));
        journal.set_locator([5; 32]).unwrap();
        drop(journal);
        assert_eq!(open(&path).unwrap().locator(), Some([5; 32]));
    }

    #[test]
    fn line_that_was_cut_is_dropped_wherever_that_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = open(&path).unwrap();
        journal.add(0, entry(1)).unwrap();
        drop(journal);
        let before = std::fs::read(&path).unwrap();
        let mut journal = open(&path).unwrap();
        journal.add(1, entry(2)).unwrap();
        drop(journal);
        let after = std::fs::read(&path).unwrap();
        for cut in 0..before.iter().position(|byte| *byte == b'\n').unwrap() {
            std::fs::write(&path, &after[..cut]).unwrap();
            assert!(open(&path).unwrap().stored().is_empty(), "cut at {cut}");
        }
        for cut in before.len()..after.len() {
            std::fs::write(&path, &after[..cut]).unwrap();
            let mut journal = open(&path).unwrap();
            assert_eq!(journal.stored().len(), 1, "cut at {cut}");
            journal.add(1, entry(2)).unwrap();
            drop(journal);
            assert_eq!(std::fs::read(&path).unwrap(), after);
        }
    }

    #[test]
    fn journal_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        drop(open(&path).unwrap());
        let before = std::fs::read(&path).unwrap();
        for other in [
            Import {
                institution: [9; 16],
                ..IMPORT
            },
            Import {
                member: [9; 16],
                ..IMPORT
            },
            Import {
                files: [9; 32],
                ..IMPORT
            },
        ] {
            let error = Journal::open(&path, &other, no_new_batch).unwrap_err();
            assert!(error.to_string().contains("another import"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
        for text in ["something else\n", "something else", "{\"line\":\"stored\"}\nand more"] {
            std::fs::write(&path, text).unwrap();
            assert!(open(&path).unwrap_err().to_string().contains("no journal"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_do_not_import_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let first = open(&path).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("in use"));
        drop(first);
        open(&path).unwrap();
    }

    #[test]
    fn journal_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        drop(open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
