//! A journal on disk: one JSON object a line, synced before what it says counts as done. It is for its owner only (0600)
//! and for one process at a time. A line that a crash cut is dropped when the file is opened again.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::{FileError, sync_folder};

/// A journal that cannot be used.
#[derive(Debug, Error)]
pub enum LineFileError {
    /// Another process has it open.
    #[error("{} is in use: this is under way already", .0.display())]
    InUse(PathBuf),
    /// Somebody's file.
    #[error("{} is no journal; name another one or move it away", .0.display())]
    NotOurs(PathBuf),
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// An open journal. Nobody else has it open.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    len: u64,
}

impl LineFile {
    /// Opens a journal, or makes an empty one, and gives its whole lines. `beginning` is how every journal of this kind
    /// begins.
    pub(crate) fn open(path: &Path, beginning: &[u8]) -> Result<(Self, Vec<Vec<u8>>), LineFileError> {
        let at = |source| FileError::new("open", path, source);
        let mut file = loop {
            let file = File::options()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)
                .map_err(at)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LineFileError::InUse(path.to_path_buf())),
                Err(TryLockError::Error(source)) => return Err(at(source).into()),
            }
            // Whoever had it before may have deleted it between the two: then nobody would find what is written to it.
            if is_at(&file, path).map_err(at)? {
                break file;
            }
        };
        // First as much as tells whose it is: somebody's file may be of any length.
        let mut text = Vec::new();
        (&mut file)
            .take(beginning.len() as u64)
            .read_to_end(&mut text)
            .map_err(at)?;
        // Nothing, or the beginning of our own first line: anything else is somebody's file.
        if !text.starts_with(beginning) && !beginning.starts_with(&text) {
            return Err(LineFileError::NotOurs(path.to_path_buf()));
        }
        file.read_to_end(&mut text).map_err(at)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        file.set_len(whole as u64)
            .map_err(|source| FileError::new("write", path, source))?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let journal = Self {
            file,
            path: path.to_path_buf(),
            len: whole as u64,
        };
        Ok((journal, lines.map(<[u8]>::to_vec).collect()))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the first line. After this the file is found again.
    pub(crate) fn begin(&mut self, line: &impl Serialize) -> Result<(), FileError> {
        self.append([line])?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or(Path::new(".")))
    }

    /// Writes lines, all of them durable when it returns.
    pub(crate) fn append<'a, L: Serialize + 'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a L>,
    ) -> Result<(), FileError> {
        let at = |source| FileError::new("write", &self.path, source);
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line).map_err(|error| at(error.into()))?;
            bytes.push(b'\n');
        }
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What follows must not follow half a line. Where even this fails, the next opening finds the line altered.
            let _ = self.file.set_len(self.len);
            return Err(FileError::new("write", &self.path, error));
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Deletes it: what it was kept for is done.
    pub(crate) fn remove(self) -> Result<(), FileError> {
        std::fs::remove_file(&self.path).map_err(|source| FileError::new("remove", &self.path, source))
    }
}

/// Whether a file is the one that a path names.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
