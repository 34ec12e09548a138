//! Files that appear whole or not at all. Bytes go to a file without a name in the target's folder, readable by its owner
//! only; it is synced, and gets its name when everything is in it. So no reader ever meets half a file, and whatever ends
//! the program before that, `kill -9` and a power cut too, leaves nothing behind. Where the file system has no nameless
//! files, a temporary one beside the target does instead, which goes unless the program is killed outright.

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
    making: Making,
    target: PathBuf,
    existing: Existing,
}

impl AtomicFile {
    /// Opens a file (mode 0600) in the target's folder, without a name as yet.
    ///
    /// # Errors
    /// [`FileError::Exists`] where the target is taken and `existing` refuses, otherwise what the file system says.
    pub fn create(target: impl Into<PathBuf>, existing: Existing) -> Result<Self, FileError> {
        let target = target.into();
        let (file, making) = begin(&target, existing)?;
        Ok(Self {
            file: tokio::fs::File::from_std(file),
            making,
            target,
            existing,
        })
    }

    /// Syncs the bytes to disk and gives the file its name.
    ///
    /// # Errors
    /// As [`create`](Self::create); nothing is left of it then.
    pub async fn commit(mut self) -> Result<(), FileError> {
        let at = |source| FileError::new("write", &self.target, source);
        self.file.flush().await.map_err(at)?;
        self.file.sync_all().await.map_err(at)?;
        let Self {
            file,
            making,
            target,
            existing,
        } = self;
        let file = file.into_std().await;
        let name = target.clone();
        tokio::task::spawn_blocking(move || publish(&file, making, &target, existing))
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
    let (mut file, making) = begin(target, existing)?;
    let at = |source| FileError::new("write", target, source);
    file.write_all(bytes).map_err(at)?;
    file.sync_all().map_err(at)?;
    publish(&file, making, target, existing)
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

/// How a file in the making is held on to.
#[derive(Debug)]
enum Making {
    /// By its descriptor alone: it goes when that is closed.
    Nameless,
    /// By a name of its own: it goes when this is dropped.
    Named(TempPath),
}

fn begin(target: &Path, existing: Existing) -> Result<(File, Making), FileError> {
    if existing == Existing::Refuse && target.symlink_metadata().is_ok() {
        return Err(FileError::Exists {
            path: target.to_path_buf(),
        });
    }
    let folder = folder_of(target);
    match nameless::open(folder) {
        Some(file) => Ok((file, Making::Nameless)),
        None => begin_named(folder).map_err(|source| FileError::new("write", target, source)),
    }
}

fn begin_named(folder: &Path) -> io::Result<(File, Making)> {
    let (file, temp) = temporary().tempfile_in(folder)?.into_parts();
    Ok((file, Making::Named(temp)))
}

/// Temporary names, all alike, so that a leftover is known for one.
fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".chartseal-").suffix(".part");
    builder
}

/// Gives a file in the making its name, atomically, and makes that last.
fn publish(file: &File, making: Making, target: &Path, existing: Existing) -> Result<(), FileError> {
    let named = match making {
        Making::Named(temp) => rename(temp, target, existing),
        Making::Nameless => match nameless::link(file, target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {
                // A link replaces nothing and a rename does: so the whole file gets a passing name first.
                let passing = temporary().make_in(folder_of(target), |name| nameless::link(file, name));
                passing.and_then(|passing| rename(passing.into_temp_path(), target, existing))
            }
            linked => linked,
        },
    };
    named.map_err(|source| FileError::new("write", target, source))?;
    sync_folder(folder_of(target))
}

fn rename(temp: TempPath, target: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Refuse => temp.persist_noclobber(target),
        Existing::Replace => temp.persist(target),
    }
    .map_err(|failed| failed.error)
}

/// Files without a name (`O_TMPFILE`), and how they come by one.
#[cfg(target_os = "linux")]
mod nameless {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open as open_at};

    use super::{File, Path, PathBuf, io};

    /// A file without a name in a folder; none where the file system, or a missing `/proc`, does not allow for it. What
    /// else is wrong with the folder, trying with a name will tell.
    pub(super) fn open(folder: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(open_at(folder, flags, Mode::RUSR | Mode::WUSR).ok()?);
        own_path(&file).exists().then_some(file)
    }

    pub(super) fn link(file: &File, name: &Path) -> io::Result<()> {
        Ok(linkat(CWD, own_path(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// The way to name an open file that needs no privilege (open(2), `O_TMPFILE`).
    fn own_path(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }
}

#[cfg(not(target_os = "linux"))]
mod nameless {
    use super::{File, Path, io};

    pub(super) fn open(_: &Path) -> Option<File> {
        None
    }

    pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
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
        for existing in [Existing::Refuse, Existing::Replace] {
            let target = folder.path().join(format!("{existing:?}"));
            write_file(&target, b"secret", existing).unwrap();
            assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_is_replaced_only_where_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.pdf");
        write_file(&target, b"first", Existing::Replace).unwrap();
        write_file(&target, b"second", Existing::Replace).unwrap();
        let refused = write_file(&target, b"third", Existing::Refuse);
        assert!(matches!(refused, Err(FileError::Exists { .. })));
        assert_eq!(std::fs::read(&target).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["report.pdf"]);
    }

    /// Where the file system has no nameless files, the same promises hold.
    #[test]
    fn a_named_file_in_the_making_is_published_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.pdf");
        let (mut file, making) = begin_named(folder.path()).unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        publish(&file, making, &target, Existing::Refuse).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");

        let (file, making) = begin_named(folder.path()).unwrap();
        let refused = publish(&file, making, &target, Existing::Refuse);
        assert!(matches!(refused, Err(FileError::Exists { .. })));
        drop(begin_named(folder.path()).unwrap());
        assert_eq!(names(folder.path()), ["report.pdf"]);
    }

    /// What `kill -9` in the middle would leave.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_file_in_the_making_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(folder.path().join("report.pdf"), Existing::Refuse).unwrap();
        file.write_all(b"half").await.unwrap();
        file.flush().await.unwrap();
        assert!(
            matches!(file.making, Making::Nameless),
            "the folder for temporary files has no O_TMPFILE"
        );
        assert!(names(folder.path()).is_empty());
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
