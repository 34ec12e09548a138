//! Where the parts of unfinished uploads are kept: `gateway-parts/`, a folder for each upload with a file for each part,
//! named by its offset. They survive a restart. What is older than a day is removed, and there are never more than so
//! many: whoever begins uploads and leaves them cannot fill the disk.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

/// Uploads that may be unfinished, or finished and still asked about, at once.
pub(super) const MAX_UPLOADS: usize = 64;

/// How long an upload is kept.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// Files of an upload's folder that are no parts.
const UPLOAD: &str = "upload.json";
const DRAFT: &str = "draft-";

/// The length of an upload's id: 16 random bytes in hexadecimal.
const ID_LENGTH: usize = 32;

/// How an upload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// With this receipt.
    Finalized(Value),
    /// Its parts together are no item that is signed. The text says why.
    Invalid(String),
}

/// What is known of an upload besides its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    /// How long each part but the last is, in bytes.
    pub(super) chunk_size: u64,
    pub(super) outcome: Option<Outcome>,
}

/// A part: where it begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Parts {
    folder: PathBuf,
    /// Those that are being put together.
    busy: Mutex<HashSet<String>>,
    /// Held while one is begun, so that two cannot take the last place.
    beginning: Mutex<()>,
}

impl Parts {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("gateway-parts");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            busy: Mutex::default(),
            beginning: Mutex::default(),
        })
    }

    /// Begins an upload. `None`: there are too many.
    pub(super) fn begin(&self, chunk_size: u64) -> io::Result<Option<String>> {
        let _one = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if is_old(&entry.path().join(UPLOAD)) {
                fs::remove_dir_all(entry.path())?;
            } else {
                count += 1;
            }
        }
        if count >= MAX_UPLOADS {
            return Ok(None);
        }
        let mut random = [0; ID_LENGTH / 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::create_dir(self.folder.join(&id))?;
        let upload = Upload {
            chunk_size,
            outcome: None,
        };
        self.write(&id, &upload)?;
        Ok(Some(id))
    }

    /// What is known of an upload, if there is one. Ids also name folders, so nothing that is no id is looked for.
    pub(super) fn find(&self, id: &str) -> io::Result<Option<Upload>> {
        if id.len() != ID_LENGTH || !id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
            return Ok(None);
        }
        let path = self.folder.join(id).join(UPLOAD);
        match fs::read(&path) {
            Ok(_) if is_old(&path) => Ok(None),
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The parts that are there, in order.
    pub(super) fn list(&self, id: &str) -> io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(self.folder.join(id))? {
            let entry = entry?;
            if let Some(offset) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                parts.push(Part {
                    offset,
                    length: entry.metadata()?.len(),
                });
            }
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// A part's file.
    pub(super) fn path(&self, id: &str, part: Part) -> PathBuf {
        self.folder.join(id).join(part.offset.to_string())
    }

    /// A file to write a part to. It is removed unless it is kept.
    pub(super) fn draft(&self, id: &str) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(DRAFT).tempfile_in(self.folder.join(id))
    }

    /// Makes a draft a part, in place of one that was there. `false`: the upload is being put together or has ended, and
    /// nothing has changed.
    pub(super) fn keep(&self, id: &str, offset: u64, draft: NamedTempFile) -> io::Result<bool> {
        draft.as_file().sync_all()?;
        // Held to the end: whoever seizes the upload afterwards sees this part.
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.find(id)?.is_some_and(|upload| upload.outcome.is_none());
        if busy.contains(id) || !open {
            return Ok(false);
        }
        draft.persist(self.folder.join(id).join(offset.to_string()))?;
        File::open(self.folder.join(id))?.sync_all()?;
        Ok(true)
    }

    /// Says how an upload ended, and removes its parts.
    pub(super) fn end(&self, id: &str, upload: &Upload) -> io::Result<()> {
        self.write(id, upload)?;
        for part in self.list(id)? {
            fs::remove_file(self.path(id, part))?;
        }
        Ok(())
    }

    /// Takes an upload for putting it together; nobody else has it until this is dropped. `None`: somebody has it.
    pub(super) fn seize(&self, id: &str) -> Option<Seized<'_>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(id.to_owned()).then(|| Seized {
            parts: self,
            id: id.to_owned(),
        })
    }

    fn write(&self, id: &str, upload: &Upload) -> io::Result<()> {
        let mut draft = self.draft(id)?;
        serde_json::to_writer(&mut draft, upload)?;
        draft.flush()?;
        draft.as_file().sync_all()?;
        draft.persist(self.folder.join(id).join(UPLOAD))?;
        File::open(self.folder.join(id))?.sync_all()
    }
}

/// An upload that nobody else touches.
#[derive(Debug)]
pub(super) struct Seized<'a> {
    parts: &'a Parts,
    id: String,
}

impl Drop for Seized<'_> {
    fn drop(&mut self) {
        let mut busy = self.parts.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.id);
    }
}

/// Whether an upload was last written too long ago, or never: then the process was killed as it began.
fn is_old(path: &Path) -> bool {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(written) => SystemTime::now().duration_since(written).is_ok_and(|age| age > MAX_AGE),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
