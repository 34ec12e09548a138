//! The journal of an import: a local file that says which files are stored already, so that an import that was broken off
//! goes on where it was. One JSON object a line, synced before the next file counts as stored.
//!
//! It names patients by their pseudonyms and no file by its name, and it is for its owner only (0600). A line that was cut by a
//! crash is dropped: its file is sealed again, and nobody has the key of what was uploaded of it before.

use std::collections::BTreeMap;
use std::path::Path;

use chartseal_program::seeds::{Id, NO_ID};
use serde::{Deserialize, Serialize};

use super::list::Entry;
use crate::hexed;
use crate::ops::OpError;
use crate::store::LineFile;

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
    file: LineFile,
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
        let (file, lines) = LineFile::open(path, BEGINNING)?;
        let mut journal = Self {
            file,
            batch: NO_ID,
            stored: BTreeMap::new(),
            locator: None,
        };
        if lines.is_empty() {
            journal.batch = new_batch()?;
            let (import, batch) = (import.clone(), journal.batch);
            journal.file.begin(&Line::Begun {
                version: VERSION,
                import,
                batch,
            })?;
        } else {
            journal.read(&lines, import)?;
        }
        Ok(journal)
    }

    fn wrong(&self, what: &str) -> OpError {
        let path = self.file.path().display();
        OpError::Usage(format!(
            "{path} {what}; name another journal (--journal) or move it away"
        ))
    }

    fn read(&mut self, lines: &[Vec<u8>], import: &Import) -> Result<(), OpError> {
        let mut lines = lines.iter();
        let first = lines.next().map(|line| serde_json::from_slice(line));
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
        Ok(self.file.append([line])?)
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
