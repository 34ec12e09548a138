//! The ledger's memory on disk: one file that only grows, from which the whole ledger is rebuilt at start.
//!
//! What is promised: a record that [`Journal::commit`] has returned for is there after `kill -9` and after a power cut,
//! and a journal is read back either whole or not at all. The one exception is a torn tail, the part of a write that
//! was under way when the process died; nobody was told of it, so it is cut off with a warning.
//!
//! # Format
//! An eight-byte magic number, then frames. All integers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | length of the payload |
//! | 4 | that length, inverted: a damaged length cannot pass for a torn tail and take later records with it |
//! | 8 | checksum: SHA-256(checksum of the frame before, length, payload), cut to 8 bytes |
//! | n | payload |
//!
//! The checksums form a chain, so a frame that is removed, repeated or moved is noticed as well as one that is altered.
//! The first payload is the genesis (see [`super::genesis`]), every later one a [`Record`].

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::record::Record;

const MAGIC: &[u8; 8] = b"CSEALJ01";
const HEADER: usize = 16;

/// No payload comes near this: a transaction is at most 1,232 bytes, a genesis a few hundred per program.
const MAX_PAYLOAD: u32 = 1 << 20;

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
    /// A frame before the end of the file does not match its checksum.
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
        file.write_all(MAGIC).map_err(at)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            checksum: [0; 8],
            buffer: Vec::new(),
        };
        journal.push(genesis);
        journal.commit()?;
        std::fs::rename(&draft, path).map_err(at)?;
        sync_folder_of(path).map_err(at)?;
        Ok(journal)
    }

    /// Opens an existing journal and returns it with its genesis and all its records, after cutting off a torn tail.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if any complete frame does not match its checksum.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<u8>, Vec<Record>), JournalError> {
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

        let mut magic = [0; 8];
        match reader.read_exact(&mut magic) {
            Ok(()) if &magic == MAGIC => {}
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(at(e)),
            _ => return Err(JournalError::Foreign { path: path.to_owned() }),
        }

        let mut offset = MAGIC.len() as u64;
        let mut checksum = [0; 8];
        let mut genesis = None;
        let mut records = Vec::new();
        while offset < size {
            let frame = match read_frame(&mut reader, size - offset, checksum).map_err(at)? {
                Frame::Whole { payload, checksum } => (payload, checksum),
                Frame::Torn => break,
                Frame::Damaged(what) => return Err(damaged(offset, what)),
            };
            let (payload, next) = frame;
            if genesis.is_none() {
                genesis = Some(payload.clone());
            } else {
                records.push(Record::decode(&payload).ok_or_else(|| damaged(offset, "no transaction in the frame"))?);
            }
            checksum = next;
            offset += (HEADER + payload.len()) as u64;
        }
        drop(reader);

        let Some(genesis) = genesis else {
            return Err(damaged(MAGIC.len() as u64, "there is no genesis"));
        };
        if offset < size {
            tracing::warn!(
                journal = %path.display(),
                offset,
                cut = size - offset,
                "the last write did not finish before the process ended; it was never answered, and is cut off"
            );
            file.set_len(offset).map_err(at)?;
            file.sync_data().map_err(at)?;
        }
        file.seek(SeekFrom::Start(offset)).map_err(at)?;
        Ok((
            Self {
                path: path.to_owned(),
                file,
                checksum,
                buffer: Vec::new(),
            },
            genesis,
            records,
        ))
    }

    /// Adds a record to the next write. It is on disk only once [`Journal::commit`] has returned.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
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
        let written = self.file.write_all(&self.buffer).and_then(|()| self.file.sync_data());
        self.buffer.clear();
        written.map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Makes every later write fail, as a full disk does.
    #[cfg(test)]
    pub(crate) fn make_read_only(&mut self) -> io::Result<()> {
        self.file = File::open(&self.path)?;
        Ok(())
    }

    fn push(&mut self, payload: &[u8]) {
        // Payloads are bounded far below four gigabytes: a transaction's packet, or a genesis of a few programs.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.checksum = chain(self.checksum, length, payload);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&(!length).to_le_bytes());
        self.buffer.extend_from_slice(&self.checksum);
        self.buffer.extend_from_slice(payload);
    }
}

enum Frame {
    Whole { payload: Vec<u8>, checksum: [u8; 8] },
    Torn,
    Damaged(&'static str),
}

/// Reads one frame of which at most `left` bytes are in the file.
fn read_frame(reader: &mut impl Read, left: u64, before: [u8; 8]) -> io::Result<Frame> {
    if left < HEADER as u64 {
        return Ok(Frame::Torn);
    }
    let mut header = [0; HEADER];
    reader.read_exact(&mut header)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = word(0);
    if word(4) != !length {
        // After a power cut a file system may leave its extension as zeros: that too is a write that did not finish.
        return Ok(if header == [0; HEADER] && rest_is_zero(reader)? {
            Frame::Torn
        } else {
            Frame::Damaged("the length of the frame")
        });
    }
    if length > MAX_PAYLOAD {
        return Ok(Frame::Damaged("the length of the frame"));
    }
    if u64::from(length) > left - HEADER as u64 {
        return Ok(Frame::Torn);
    }
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload)?;
    let checksum = chain(before, length, &payload);
    Ok(if header[8..] == checksum {
        Frame::Whole { payload, checksum }
    } else {
        Frame::Damaged("the checksum")
    })
}

fn rest_is_zero(reader: &mut impl Read) -> io::Result<bool> {
    let mut chunk = [0; 4096];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(true),
            n if chunk[..n].iter().any(|&b| b != 0) => return Ok(false),
            _ => {}
        }
    }
}

fn chain(before: [u8; 8], length: u32, payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(length.to_le_bytes())
        .chain_update(payload)
        .finalize();
    let mut cut = [0; 8];
    cut.copy_from_slice(&digest[..8]);
    cut
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

    use super::*;

    fn record(slot: u64) -> Record {
        Record {
            slot,
            unix_time: 1_700_000_000,
            blockhash: Hash::new_from_array([7; 32]),
            outcome: slot.to_le_bytes(),
            transaction: VersionedTransaction::default(),
        }
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
    fn a_tail_torn_anywhere_is_cut_and_the_rest_kept() {
        let (_folder, path, ends) = journal_of(2);
        let whole = std::fs::read(&path).unwrap();
        for cut in ends[1] + 1..ends[2] {
            std::fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
            let (_, _, records) = Journal::open(&path).unwrap();
            assert_eq!(records, [record(0)], "torn at {cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), ends[1]);
        }
        let mut zeros = whole[..usize::try_from(ends[1]).unwrap()].to_vec();
        zeros.extend_from_slice(&[0; 300]);
        std::fs::write(&path, zeros).unwrap();
        assert_eq!(Journal::open(&path).unwrap().2, [record(0)]);
    }

    #[test]
    fn any_flipped_byte_is_noticed_and_never_cuts_what_follows() {
        let (_folder, path, ends) = journal_of(2);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..usize::try_from(ends[1]).unwrap() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            let error = Journal::open(&path).expect_err(&format!("byte {at} flipped"));
            assert!(
                matches!(error, JournalError::Damaged { .. } | JournalError::Foreign { .. }),
                "{error}"
            );
            assert_eq!(
                std::fs::read(&path).unwrap(),
                bytes,
                "a damaged journal is left as it is"
            );
        }
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
