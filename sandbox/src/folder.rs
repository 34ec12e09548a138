//! Folders that are ours: opened without following a link, checked for who owns them and who may write in them, and
//! changed by what was opened and not by its name. The sandbox may run as root, and whoever could lead it elsewhere by
//! a link could have any folder of the machine handed over.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made, opened or changed.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a link that somebody else made, or a file.
    #[error("{path} is no folder, or a link that another user made; choose another --data folder")]
    NoFolder {
        /// What was found.
        path: PathBuf,
    },
    /// It is somebody else's.
    #[error(
        "{path} belongs to another user (number {owner}), who could lead the sandbox astray; choose another --data folder, or remove this one"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others may write in it.
    #[error(
        "others may write in {path} (mode {mode:o}), and could lead the sandbox astray; choose another --data folder, or close it with: chmod go-w {path}"
    )]
    Writable {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// A folder that was opened.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

impl Folder {
    /// Opens a folder; a link is none.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                return Err(FolderError::NoFolder { path: path.to_owned() });
            }
            Err(error) => return Err(at(path)(error.into())),
        };
        let metadata = file.metadata().map_err(at(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    /// Opens a folder in which nobody but us may write, and makes it with these permissions where it is not there.
    pub(crate) fn ours(path: &Path, mode: u32) -> Result<Self, FolderError> {
        match DirBuilder::new().mode(mode).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(path)(error)),
        }
        let folder = Self::open(path)?;
        folder.check()?;
        Ok(folder)
    }

    /// Refuses a folder of another user, and one in which others may write.
    fn check(&self) -> Result<(), FolderError> {
        let path = self.path.clone();
        let (owner, mode) = (self.metadata.uid(), self.mode());
        if owner != rustix::process::geteuid().as_raw() {
            return Err(FolderError::Foreign { path, owner });
        }
        // Many systems give every user a group of their own.
        let others = self.metadata.gid() != rustix::process::getegid().as_raw();
        if mode & 0o002 != 0 || (others && mode & 0o020 != 0) {
            return Err(FolderError::Writable { path, mode });
        }
        Ok(())
    }

    pub(crate) fn owner(&self) -> u32 {
        self.metadata.uid()
    }

    /// The twelve bits of permission.
    pub(crate) fn mode(&self) -> u32 {
        self.metadata.mode() & 0o7777
    }

    /// Sets the permissions, whatever the umask is.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), FolderError> {
        let set = self.file.set_permissions(Permissions::from_mode(mode));
        set.map_err(at(&self.path))
    }

    /// Hands it to another user.
    pub(crate) fn give_to(&self, uid: u32, gid: u32) -> Result<(), FolderError> {
        fchown(&self.file, Some(uid), Some(gid)).map_err(at(&self.path))
    }
}

/// The data folder, made if it is not there: where it really is, without links on the way.
///
/// # Errors
/// If it is not ours alone, or a link to it is another user's.
pub(crate) fn data(path: &Path) -> Result<PathBuf, FolderError> {
    let path = std::path::absolute(path).map_err(at(path))?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => {
            let us = rustix::process::geteuid().as_raw();
            if found.uid() != us && found.uid() != 0 {
                return Err(FolderError::NoFolder { path });
            }
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // For us to write in, whatever the umask is.
            let made = DirBuilder::new().recursive(true).mode(0o755).create(&path);
            made.map_err(at(&path))?;
        }
        Err(error) => return Err(at(&path)(error)),
    }
    let path = path.canonicalize().map_err(at(&path))?;
    Folder::ours(&path, 0o755)?;
    Ok(path)
}

fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.into();
    move |source| FolderError::Io { path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{chown, lchown, symlink};

    use super::*;

    fn place() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_folder_of_ours_is_taken_also_by_a_link_of_ours() {
        let place = place();
        let made = data(&place.path().join("a/b")).unwrap();
        symlink(&made, place.path().join("link")).unwrap();
        assert_eq!(data(&place.path().join("link")).unwrap(), made);
        assert!(matches!(
            Folder::ours(&place.path().join("link"), 0o700),
            Err(FolderError::NoFolder { .. })
        ));
    }

    #[test]
    fn a_folder_that_others_may_write_in_is_refused() {
        let place = place();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            data(place.path()),
            Err(FolderError::Writable { mode: 0o777, .. })
        ));
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        data(place.path()).unwrap();
    }

    #[test]
    fn root_uses_nothing_that_another_user_could_have_laid_out() {
        let place = place();
        let (folder, link) = (place.path().join("folder"), place.path().join("link"));
        fs::create_dir(&folder).unwrap();
        symlink("/etc", &link).unwrap();
        // Only root can make what belongs to others; everybody else finds such a folder, `/`, on any machine.
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(4_711), None).unwrap();
            lchown(&link, Some(4_711), None).unwrap();
            assert!(matches!(data(&folder), Err(FolderError::Foreign { owner: 4_711, .. })));
            assert!(matches!(data(&link), Err(FolderError::NoFolder { .. })));
        } else {
            assert!(matches!(
                data(Path::new("/")),
                Err(FolderError::Foreign { owner: 0, .. })
            ));
        }
    }
}
