//! Where items are kept: their data as a plain file named by the id in `gateway/`, what else is known of them in
//! `gateway-index/`. An item is there when its data file is; that appears by rename, once all of it is on disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// How drafts are named, to find those that a killed process left.
const DRAFT: &str = "draft-";

/// What is known of an item besides its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ItemInfo {
    /// The tag `Content-Type`, or that of unknown bytes.
    pub(crate) content_type: String,
    /// The owner's address.
    pub(crate) owner: String,
    /// The height at which it arrived.
    pub(crate) height: u64,
    /// The item's header, base64url: with the data it is the whole item again. Empty for a transaction of layer one.
    pub(crate) header: String,
    /// The transaction of layer one that it came in, if it came in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bundled_in: Option<String>,
}

/// The two folders.
#[derive(Debug)]
pub(crate) struct Store {
    data: PathBuf,
    index: PathBuf,
}

impl Store {
    /// Makes the folders, and removes the drafts of a process that was killed.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let store = Self {
            data: folder.join("gateway"),
            index: folder.join("gateway-index"),
        };
        fs::create_dir_all(&store.data)?;
        fs::create_dir_all(&store.index)?;
        for entry in fs::read_dir(&store.index)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(DRAFT) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(store)
    }

    /// The folder for what is not an item.
    pub(crate) fn index(&self) -> &Path {
        &self.index
    }

    /// A file to write an item's data to. It is removed unless it is kept.
    pub(crate) fn draft(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(DRAFT).tempfile_in(&self.index)
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.data.join(id).exists()
    }

    /// Makes a draft an item. `false`: there was one already, and nothing has changed.
    pub(crate) fn keep(&self, draft: NamedTempFile, id: &str, info: &ItemInfo) -> io::Result<bool> {
        draft.as_file().sync_all()?;
        let mut known = self.draft()?;
        serde_json::to_writer(&mut known, info)?;
        known.flush()?;
        known.as_file().sync_all()?;
        known.persist(self.index.join(format!("{id}.json")))?;
        File::open(&self.index)?.sync_all()?;
        match draft.persist_noclobber(self.data.join(id)) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error.error),
        }
        File::open(&self.data)?.sync_all()?;
        Ok(true)
    }

    /// The ids of all items, in no order.
    pub(crate) fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.data)? {
            ids.extend(entry?.file_name().into_string());
        }
        Ok(ids)
    }

    /// An item's data, opened, and what is known of it.
    pub(crate) fn find(&self, id: &str) -> io::Result<Option<(File, ItemInfo)>> {
        let file = match File::open(self.data.join(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let info = fs::read(self.index.join(format!("{id}.json")))?;
        Ok(Some((file, serde_json::from_slice(&info)?)))
    }
}
