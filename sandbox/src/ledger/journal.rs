//! The ledger's memory on disk: one file that only grows, from which the whole ledger is rebuilt at start.
//!
//! What is promised: a record that [`Journal::commit`] has returned for is there after `kill -9` and after a power cut,
//! and a journal is read back either whole or not at all. The one exception is a torn tail: of a write that was under way
//! when the machine died any part may be on disk, and any part missing. Nobody was told of it, so it is cut off with a
//! warning, from its first frame that is not right.
//!
//! How far the journal was confirmed stands in its head: after each `fdatasync`, and before anybody is answered, that
//! length is noted there. The note itself goes to disk with the next write, which may be later than the answer; then the
//! last write counts as unconfirmed after a power cut, and is read back all the same because it is whole.
//!
//! The format is that of [`super::frames`]. The first payload is the genesis (see [`super::genesis`]), every later one a
//! [`Line`].

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::frames::{FRAMES, Frame, HEAD, HEADER, MAGIC, NOTE, note, read_frame, read_note, write_frame};
use super::record::Line;

/// What can go wrong with a journal. Every message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be opened, read or written.
    #[error("the ledger's journal {path}: {source}")]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a journal, or of a format that this program does not know.
    #[error(
        "{path} is no ledger journal of this version; point --data at another folder, or remove the file to begin a new ledger"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Something that was confirmed is missing or does not match its checksum.
    #[error(
        "the ledger's journal {path} is damaged at byte {offset} ({what}); what follows cannot be trusted. Restore the file from a copy, or remove it to begin a new ledger"
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
        /// What does not match.
        what: &'static str,
    },
}

/// An open journal, positioned at its end.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    checksum: [u8; 8],
    buffer: Vec<u8>,
    /// How long the file is.
    length: u64,
    /// Which of the two notes is written next.
    turn: usize,
}

impl Journal {
    /// Makes a new journal that begins with `genesis`. The file appears whole or not at all.
    pub(crate) fn create(path: &Path, genesis: &[u8]) -> Result<Self, JournalError> {
        let at = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let draft = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&draft)
            .map_err(at)?;
        file.write_all(MAGIC)
            .and_then(|()| file.write_all(&[0; 2 * NOTE]))
            .map_err(at)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            checksum: [0; 8],
            buffer: Vec::new(),
            length: FRAMES,
            turn: 0,
        };
        journal.push(genesis);
        journal.commit()?;
        journal.file.sync_data().map_err(at)?;
        std::fs::rename(&draft, path).map_err(at)?;
        sync_folder_of(path).map_err(at)?;
        Ok(journal)
    }

    /// Opens an existing journal and returns it with its genesis and all its records, after cutting off a torn tail.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if anything that was confirmed is missing or does not match its checksum.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<u8>, Vec<Line>), JournalError> {
        let at = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let damaged = |offset, what| JournalError::Damaged {
            path: path.to_owned(),
            offset,
            what,
        };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(at)?;
        let size = file.metadata().map_err(at)?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &mut file);

        let mut head = [0; HEAD];
        match reader.read_exact(&mut head) {
            Ok(()) if head.starts_with(MAGIC) => {}
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(at(e)),
            _ => return Err(JournalError::Foreign { path: path.to_owned() }),
        }
        let notes = head[MAGIC.len()..].chunks_exact(NOTE).filter_map(read_note);
        let confirmed = notes
            .max()
            .ok_or_else(|| damaged(MAGIC.len() as u64, "how far it was confirmed"))?;

        let mut offset = FRAMES;
        let mut checksum = [0; 8];
        let mut genesis = None;
        let mut records = Vec::new();
        while offset < size {
            let (payload, next) = match read_frame(&mut reader, size - offset, checksum).map_err(at)? {
                Frame::Whole { payload, checksum } => (payload, checksum),
                Frame::Bad(what) if offset < confirmed => return Err(damaged(offset, what)),
                Frame::Bad(_) => break,
            };
            if genesis.is_none() {
                genesis = Some(payload.clone());
            } else {
                records.push(Line::decode(&payload).ok_or_else(|| damaged(offset, "no transaction in the frame"))?);
            }
            checksum = next;
            offset += (HEADER + payload.len()) as u64;
        }
        drop(reader);

        if offset < confirmed {
            return Err(damaged(offset, "its end, which was confirmed, is missing"));
        }
        let Some(genesis) = genesis else {
            return Err(damaged(FRAMES, "there is no genesis"));
        };
        if offset < size {
            tracing::warn!(
                journal = %path.display(),
                offset,
                cut = size - offset,
                "the last write did not finish before the machine or the process ended; it was never answered, and is cut off"
            );
            file.set_len(offset).map_err(at)?;
        }
        file.seek(SeekFrom::Start(offset)).map_err(at)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            checksum,
            buffer: Vec::new(),
            length: offset,
            turn: 0,
        };
        // What was read may not be on disk yet if only the process died, and from now on it is shown to others.
        for _ in 0..2 {
            journal.confirm().map_err(at)?;
        }
        Ok((journal, genesis, records))
    }

    /// Adds a record to the next write. It is on disk only once [`Journal::commit`] has returned.
    pub(crate) fn append(&mut self, record: &Line) -> Result<(), JournalError> {
        let payload = record.encode().map_err(|e| JournalError::Io {
            path: self.path.clone(),
            source: io::Error::other(e),
        })?;
        self.push(&payload);
        Ok(())
    }

    /// Writes what was appended in one write and one `fdatasync`. Does nothing if nothing was.
    pub(crate) fn commit(&mut self) -> Result<(), JournalError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.buffer);
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        written
            .and_then(|()| self.confirm())
            .map_err(|source| JournalError::Io {
                path: self.path.clone(),
                source,
            })
    }

    /// Waits until all that was written is on disk, and notes it.
    fn confirm(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let at = MAGIC.len() + self.turn * NOTE;
        self.file.write_all_at(&note(self.length), at as u64)?;
        self.turn = 1 - self.turn;
        Ok(())
    }

    /// Makes every later write fail, as a full disk does.
    #[cfg(test)]
    pub(crate) fn make_read_only(&mut self) -> io::Result<()> {
        self.file = File::open(&self.path)?;
        Ok(())
    }

    fn push(&mut self, payload: &[u8]) {
        self.checksum = write_frame(&mut self.buffer, self.checksum, payload);
    }
}

/// Makes a rename in the folder of `path` durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use solana_hash::Hash;
    use solana_transaction::versioned::VersionedTransaction;

    use super::super::record::{Journey, Record};
    use super::*;

    fn record(slot: u64) -> Line {
        Line::Transaction(Box::new(Record {
            slot,
            unix_time: 1_700_000_000,
            blockhash: Hash::new_from_array([7; 32]),
            outcome: slot.to_le_bytes(),
            transaction: VersionedTransaction::default(),
        }))
    }

    fn journal_of(records: u64) -> (tempfile::TempDir, PathBuf, Vec<u64>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path, b"genesis").unwrap();
        let mut ends = vec![std::fs::metadata(&path).unwrap().len()];
        for slot in 0..records {
            journal.append(&record(slot)).unwrap();
            journal.commit().unwrap();
            ends.push(std::fs::metadata(&path).unwrap().len());
        }
        (folder, path, ends)
    }

    #[test]
    fn what_was_committed_is_read_back() {
        let (_folder, path, _) = journal_of(3);
        let (mut journal, genesis, records) = Journal::open(&path).unwrap();
        assert_eq!(genesis, b"genesis");
        assert_eq!(records, [record(0), record(1), record(2)]);
        journal.append(&record(3)).unwrap();
        journal.commit().unwrap();
        assert_eq!(Journal::open(&path).unwrap().2.len(), 4);
    }

    #[test]
    fn a_journey_is_read_back_among_transactions() {
        let (_folder, path, _) = journal_of(1);
        let journey = Line::Journey(Journey {
            slot: 9,
            ahead_ms: u64::MAX,
        });
        let (mut journal, _, _) = Journal::open(&path).unwrap();
        journal.append(&journey).unwrap();
        journal.append(&record(10)).unwrap();
        journal.commit().unwrap();
        assert_eq!(Journal::open(&path).unwrap().2, [record(0), journey, record(10)]);
    }

    /// A journal of two confirmed records and a write of five more: what a power cut during it may leave is any of its
    /// parts, under a head that does not know of it yet. With the lengths before and after.
    fn torn_journal() -> (tempfile::TempDir, PathBuf, Vec<u8>, usize) {
        let (folder, path, ends) = journal_of(2);
        let head = std::fs::read(&path).unwrap()[..HEAD].to_vec();
        let (mut journal, _, _) = Journal::open(&path).unwrap();
        for slot in 2..7 {
            journal.append(&record(slot)).unwrap();
        }
        journal.commit().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..head.len()].copy_from_slice(&head);
        (folder, path, bytes, usize::try_from(ends[2]).unwrap())
    }

    /// Opens it, and expects the first records, and nothing else, to be kept for good.
    fn cuts_to_a_beginning(path: &Path, bytes: &[u8], what: &str) -> usize {
        std::fs::write(path, bytes).unwrap();
        let (mut journal, _, records) = Journal::open(path).unwrap_or_else(|e| panic!("{what}: {e}"));
        let expected: Vec<_> = (0..7).map(record).take(records.len()).collect();
        assert_eq!(records, expected, "{what}");
        assert!(records.len() >= 2, "{what}: what was confirmed is lost");
        journal.append(&record(100)).unwrap();
        journal.commit().unwrap();
        let (_, _, again) = Journal::open(path).unwrap();
        assert_eq!(
            (again.len(), again.last()),
            (records.len() + 1, Some(&record(100))),
            "{what}"
        );
        records.len()
    }

    #[test]
    fn a_tail_of_which_any_part_is_missing_is_cut_and_the_rest_kept() {
        let (_folder, path, whole, confirmed) = torn_journal();
        assert_eq!(cuts_to_a_beginning(&path, &whole, "whole"), 7);
        for cut in confirmed..whole.len() {
            assert!(cuts_to_a_beginning(&path, &whole[..cut], &format!("torn at {cut}")) < 7);
        }
        for page in [16, 64, 200] {
            for begin in (confirmed..whole.len()).step_by(page) {
                let end = (begin + page).min(whole.len());
                let mut zeroed = whole.clone();
                zeroed[begin..end].fill(0);
                let kept = cuts_to_a_beginning(&path, &zeroed, &format!("{begin}..{end} zeroed"));
                // Some parts are zeros anyway.
                assert_eq!(kept < 7, zeroed != whole);
                let mut stale = whole.clone();
                stale[begin..end].fill(0xA5);
                assert!(cuts_to_a_beginning(&path, &stale, &format!("{begin}..{end} of an old file")) < 7);
            }
        }
        let mut longer = whole.clone();
        longer.extend_from_slice(&[0; 300]);
        assert_eq!(cuts_to_a_beginning(&path, &longer, "zeros at the end"), 7);
    }

    #[test]
    fn what_was_confirmed_is_never_cut() {
        let (_folder, path, ends) = journal_of(3);
        let whole = std::fs::read(&path).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let error = Journal::open(&path).expect_err(what);
            assert!(
                matches!(error, JournalError::Damaged { .. } | JournalError::Foreign { .. }),
                "{what}: {error}"
            );
            assert_eq!(
                std::fs::read(&path).unwrap(),
                bytes,
                "{what}: a damaged journal is left as it is"
            );
        };
        for cut in 0..whole.len() {
            refused(&whole[..cut], &format!("cut at {cut}"));
        }
        for at in (0..MAGIC.len()).chain(HEAD..whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            refused(&bytes, &format!("byte {at} flipped"));
        }
        let last = usize::try_from(ends[3]).unwrap() - 40;
        for begin in (usize::try_from(ends[0]).unwrap()..last).step_by(64) {
            let mut bytes = whole.clone();
            bytes[begin..].fill(0);
            refused(&bytes, &format!("zeros from {begin}"));
        }
    }

    #[test]
    fn of_the_two_notes_one_may_be_torn() {
        let (_folder, path, _) = journal_of(3);
        let whole = std::fs::read(&path).unwrap();
        for at in MAGIC.len()..HEAD {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Journal::open(&path).unwrap().2.len(), 3, "byte {at} flipped");
        }
        let mut bytes = whole;
        bytes[MAGIC.len()..HEAD].fill(0);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { .. })));
    }

    #[test]
    fn a_frame_taken_out_is_noticed() {
        let (_folder, path, ends) = journal_of(3);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.drain(usize::try_from(ends[1]).unwrap()..usize::try_from(ends[2]).unwrap());
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { .. })));
    }

    #[test]
    fn another_file_is_not_taken_for_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, b"hello, world").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Foreign { .. })));
    }
}
