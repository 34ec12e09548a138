//! Transactions on disk, in `gateway-transactions/`: those that wait for their data in `pending/`, with their chunks in
//! `chunks/` by data root and size, and those whose data is there in `done/`. A transaction is done by rename, after its
//! data and what is in it have been kept. What waits for more than a day is forgotten.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tempfile::NamedTempFile;

use super::merkle::Leaf;
use super::transaction::{Json, Transaction};

/// Transactions that may wait at once.
const MAX_PENDING: usize = 256;

/// How long one may.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// Whether a transaction is known, and how far it is.
#[derive(Debug)]
pub(super) enum Known {
    /// Its data is there.
    Done(Box<Json>),
    /// It waits for its data.
    Pending,
    Unknown,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Pool {
    pending: PathBuf,
    done: PathBuf,
    chunks: PathBuf,
}

impl Pool {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("gateway-transactions");
        let pool = Self {
            pending: folder.join("pending"),
            done: folder.join("done"),
            chunks: folder.join("chunks"),
        };
        for folder in [&pool.pending, &pool.done, &pool.chunks] {
            fs::create_dir_all(folder)?;
        }
        Ok(pool)
    }

    pub(super) fn find(&self, id: &str) -> io::Result<Known> {
        match fs::read(self.done.join(id)) {
            Ok(bytes) => Ok(Known::Done(Box::new(serde_json::from_slice(&bytes)?))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Err(_) if self.pending.join(id).exists() => Ok(Known::Pending),
            Err(_) => Ok(Known::Unknown),
        }
    }

    /// A transaction, whether it waits or not.
    pub(super) fn read(&self, id: &str) -> io::Result<Option<Json>> {
        for folder in [&self.done, &self.pending, &self.done] {
            match fs::read(folder.join(id)) {
                Ok(bytes) => return Ok(Some(serde_json::from_slice(&bytes)?)),
                // It may move on between the two looks, hence the third.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Adds one that waits. `false`: too many do.
    pub(super) fn add(&self, transaction: &Json) -> io::Result<bool> {
        let mut waiting = 0;
        for entry in fs::read_dir(&self.pending)? {
            let entry = entry?;
            if is_old(&entry.path())? {
                fs::remove_file(entry.path())?;
            } else {
                waiting += 1;
            }
        }
        for entry in fs::read_dir(&self.chunks)? {
            let entry = entry?;
            if is_old(&entry.path())? {
                fs::remove_dir_all(entry.path())?;
            }
        }
        if waiting >= MAX_PENDING {
            return Ok(false);
        }
        write(
            &self.pending,
            &transaction.id,
            &serde_json::to_vec(&transaction.without_data())?,
        )?;
        Ok(true)
    }

    /// Those that wait for this data.
    pub(super) fn waiting_for(&self, root: &[u8; 32], size: u64) -> io::Result<Vec<Json>> {
        self.matching(&self.pending, root, size)
    }

    /// Whether this data has come already.
    pub(super) fn has_data(&self, root: &[u8; 32], size: u64) -> io::Result<bool> {
        Ok(!self.matching(&self.done, root, size)?.is_empty())
    }

    fn matching(&self, folder: &Path, root: &[u8; 32], size: u64) -> io::Result<Vec<Json>> {
        let (root, size) = (BASE64_URL_SAFE_NO_PAD.encode(root), size.to_string());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some() {
                continue;
            }
            let transaction: Json = serde_json::from_slice(&fs::read(path)?)?;
            if transaction.data_root == root && transaction.data_size == size {
                found.push(transaction);
            }
        }
        Ok(found)
    }

    /// Keeps a chunk, in place of the same one.
    pub(super) fn keep_chunk(&self, root: &[u8; 32], size: u64, leaf: &Leaf, chunk: &[u8]) -> io::Result<()> {
        let folder = self.folder_of(root, size);
        fs::create_dir_all(&folder)?;
        write(&folder, &format!("{}-{}", leaf.start, leaf.end), chunk)
    }

    /// The data, once all of its chunks are there.
    pub(super) fn assemble(&self, root: &[u8; 32], size: u64) -> io::Result<Option<Vec<u8>>> {
        let folder = self.folder_of(root, size);
        let mut chunks = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            let bounds = name.to_str().and_then(|name| name.split_once('-'));
            if let Some((Ok(start), Ok(end))) = bounds.map(|(start, end)| (start.parse::<u64>(), end.parse::<u64>())) {
                chunks.push((start, end, name));
            }
        }
        chunks.sort_unstable();
        // By their names first: with each chunk that comes, all that are there would be read.
        let mut reached = 0;
        for (start, end, _) in &chunks {
            if *start != reached {
                return Ok(None);
            }
            reached = *end;
        }
        if reached != size {
            return Ok(None);
        }
        let mut data = Vec::new();
        for (_, _, name) in chunks {
            data.extend_from_slice(&fs::read(folder.join(name))?);
        }
        Ok((data.len() as u64 == size).then_some(data))
    }

    /// Says that a transaction's data is there.
    pub(super) fn finish(&self, transaction: &Transaction) -> io::Result<()> {
        fs::rename(self.pending.join(&transaction.id), self.done.join(&transaction.id))?;
        File::open(&self.done)?.sync_all()
    }

    /// Forgets the chunks of data that is kept elsewhere now.
    pub(super) fn forget_chunks(&self, root: &[u8; 32], size: u64) -> io::Result<()> {
        match fs::remove_dir_all(self.folder_of(root, size)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn folder_of(&self, root: &[u8; 32], size: u64) -> PathBuf {
        self.chunks
            .join(format!("{}.{size}", BASE64_URL_SAFE_NO_PAD.encode(root)))
    }
}

/// Writes a file that appears whole. Drafts have an extension, which nothing else has.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut draft: NamedTempFile = tempfile::Builder::new().suffix(".draft").tempfile_in(folder)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn is_old(path: &Path) -> io::Result<bool> {
    let written = fs::metadata(path)?.modified()?;
    Ok(SystemTime::now().duration_since(written).is_ok_and(|age| age > MAX_AGE))
}
