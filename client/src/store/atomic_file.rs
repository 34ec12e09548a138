//! Files that appear whole or not at all. Bytes go to a temporary file beside the target, readable by its owner only;
//! it is synced and renamed when everything is in it, and removed when anything went wrong, so that no reader and no
//! crash ever meets half a file.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tempfile::TempPath;
use thiserror::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// What to do about a file that is already at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keep it and fail with [`FileError::Exists`]; checked before any work and again, atomically, at the end.
    Refuse,
    /// Replace it, atomically.
    Replace,
}

/// A file that could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The target is taken and must not be replaced.
    #[error("{} exists and was left as it is; choose another name or move it away", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// No room is left: disk, quota or file size limit.
    #[error("no room is left to write {}; nothing was kept of it, free some space and run again", path.display())]
    DiskFull {
        /// The target.
        path: PathBuf,
    },
    /// Whatever else the file system answers.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ if is_full(&source) => Self::DiskFull { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// Whether the reason is that there is no such file.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Whether an error means that there is no room: a full disk, a quota, or a limit on the size of files.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// A file in the making: write to it, then [`commit`](Self::commit). Dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    file: tokio::fs::File,
    temp: TempPath,
    target: PathBuf,
    existing: Existing,
}

impl AtomicFile {
    /// Opens a temporary file (mode 0600) in the target's folder.
    ///
    /// # Errors
    /// [`FileError::Exists`] where the target is taken and `existing` refuses, otherwise what the file system says.
    pub fn create(target: impl Into<PathBuf>, existing: Existing) -> Result<Self, FileError> {
        let target = target.into();
        let (file, temp) = open_temp(&target, existing)?;
        Ok(Self {
            file: tokio::fs::File::from_std(file),
            temp,
            target,
            existing,
        })
    }

    /// Syncs the bytes to disk and gives the file its name.
    ///
    /// # Errors
    /// As [`create`](Self::create); the temporary file is gone then.
    pub async fn commit(mut self) -> Result<(), FileError> {
        let at = |source| FileError::new("write", &self.target, source);
        self.file.flush().await.map_err(at)?;
        self.file.sync_all().await.map_err(at)?;
        let Self {
            temp, target, existing, ..
        } = self;
        let name = target.clone();
        tokio::task::spawn_blocking(move || publish(temp, &target, existing))
            .await
            .map_err(|error| FileError::new("write", &name, io::Error::other(error)))?
    }
}

impl AsyncWrite for AtomicFile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.file).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

/// Writes a short file in one go, with the same promises as [`AtomicFile`].
///
/// # Errors
/// As [`AtomicFile::create`].
pub fn write_file(target: &Path, bytes: &[u8], existing: Existing) -> Result<(), FileError> {
    let (mut file, temp) = open_temp(target, existing)?;
    let at = |source| FileError::new("write", target, source);
    file.write_all(bytes).map_err(at)?;
    file.sync_all().map_err(at)?;
    publish(temp, target, existing)
}

/// Reads a file of at most `limit` bytes; a longer one is an error, never a large allocation.
pub(crate) fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    use std::io::Read as _;
    let at = |source| FileError::new("read", path, source);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at)?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() > limit {
        return Err(at(io::Error::other(format!(
            "it is longer than the {limit} bytes that such a file can have"
        ))));
    }
    Ok(bytes)
}

/// Makes a change of names in a folder last through a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| FileError::new("sync", folder, source))
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn open_temp(target: &Path, existing: Existing) -> Result<(File, TempPath), FileError> {
    if existing == Existing::Refuse && target.symlink_metadata().is_ok() {
        return Err(FileError::Exists {
            path: target.to_path_buf(),
        });
    }
    let temp = tempfile::Builder::new()
        .prefix(".chartseal-")
        .suffix(".part")
        .tempfile_in(folder_of(target))
        .map_err(|source| FileError::new("write", target, source))?;
    Ok(temp.into_parts())
}

fn publish(temp: TempPath, target: &Path, existing: Existing) -> Result<(), FileError> {
    match existing {
        Existing::Refuse => temp.persist_noclobber(target),
        Existing::Replace => temp.persist(target),
    }
    .map_err(|failed| FileError::new("write", target, failed.error))?;
    sync_folder(folder_of(target))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_file_appears_only_when_committed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.pdf");
        let mut file = AtomicFile::create(&target, Existing::Refuse).unwrap();
        file.write_all(b"whole").await.unwrap();
        assert!(!target.exists());
        file.commit().await.unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["report.pdf"]);
    }

    #[tokio::test]
    async fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(folder.path().join("report.pdf"), Existing::Refuse).unwrap();
        file.write_all(b"half").await.unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_file_that_came_in_between_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.pdf");
        let file = AtomicFile::create(&target, Existing::Refuse).unwrap();
        std::fs::write(&target, b"somebody else's").unwrap();
        assert!(matches!(file.commit().await, Err(FileError::Exists { .. })));
        assert_eq!(std::fs::read(&target).unwrap(), b"somebody else's");
        assert_eq!(names(folder.path()), ["report.pdf"]);
    }

    #[test]
    fn files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key");
        write_file(&target, b"secret", Existing::Refuse).unwrap();
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_longer_than_expected_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key");
        write_file(&target, &[0; 11], Existing::Refuse).unwrap();
        assert!(read_file(&target, 10).is_err());
        assert_eq!(read_file(&target, 11).unwrap().len(), 11);
    }
}
