//! The folders of the cluster and of its socket. What we write is in a folder of our own, through which the user that
//! Postgres runs as may only pass; that user has the cluster and the folder of the socket, closed to others.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::PostgresError;
use super::install::User;
use crate::folder::{Folder, FolderError};

/// Where sockets are, and how their folders begin. The path of a socket must fit into about 100 bytes, so it cannot be
/// in the data folder.
const SOCKETS: &str = "/tmp";
const PREFIX: &str = "chartseal-pg-";

/// The longest file of the cluster that we read.
const SMALL: u64 = 4_096;

/// Makes `folder` a place of ours where `user` (or we, if there is none) can run a cluster.
pub(super) fn prepare(folder: &Path, user: Option<User>) -> Result<(), PostgresError> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(PostgresError::at(above))?;
    }
    let ours = Folder::ours(folder, 0o700)?;
    if let Some(user) = user {
        open_way(folder, user)?;
    }
    Ok(ours.set_mode(if user.is_some() { 0o711 } else { 0o700 })?)
}

/// Checks that `user` can get to `folder`. The folder just above is the sandbox's own, so it is opened for passing
/// through, not for looking around; others are not ours to change.
fn open_way(folder: &Path, user: User) -> Result<(), PostgresError> {
    let mut above: Vec<_> = folder
        .ancestors()
        .skip(1)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    above.reverse();
    for path in above {
        let metadata = fs::metadata(path).map_err(PostgresError::at(path))?;
        if can_enter(&metadata, user) {
            continue;
        }
        if folder.parent() != Some(path) {
            return Err(PostgresError::CannotEnter {
                folder: path.to_owned(),
            });
        }
        let ours = Folder::ours(path, 0o711)?;
        ours.set_mode(ours.mode() | 0o001)?;
    }
    Ok(())
}

fn can_enter(metadata: &Metadata, user: User) -> bool {
    let bit = match (metadata.uid() == user.uid, metadata.gid() == user.gid) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    metadata.mode() & bit != 0
}

/// Makes an empty folder for a cluster, which is `user`'s alone.
pub(super) fn cluster(path: &Path, user: Option<User>) -> Result<(), PostgresError> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(PostgresError::at(path))?;
    let folder = Folder::open(path)?;
    folder.set_mode(0o700)?;
    if let Some(user) = user {
        folder.give_to(user.uid, user.gid)?;
    }
    Ok(())
}

/// What a small file of the cluster says. The cluster is another user's where we are root: neither a link in it is
/// followed, nor a pipe waited for.
pub(super) fn read_small(path: &Path) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(SMALL).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The folder of a socket, removed when dropped. One that a killed process leaves is used again by the next.
#[derive(Debug)]
pub(super) struct SocketFolder(pub(super) PathBuf);

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // Only empty, as a server leaves it: there is no other case in which it is ours to remove.
        if let Err(error) = fs::remove_dir(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the folder of the socket stays behind");
        }
    }
}

/// The folder of the socket: the one that `record` names if it can be had again, so that the database's URL stays the
/// same, else a new one, which is recorded.
pub(super) fn socket_folder(record: &Path, user: Option<User>) -> Result<SocketFolder, PostgresError> {
    let recorded = read_small(record).map(PathBuf::from).filter(|path| {
        path.parent() == Some(Path::new(SOCKETS))
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
    });
    if let Some(path) = recorded
        && claim(&path, user)?
    {
        return Ok(SocketFolder(path));
    }
    let closed = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(closed)
        .tempdir_in(SOCKETS);
    let path = made.map_err(PostgresError::at(SOCKETS))?.keep();
    let folder = SocketFolder(path.clone());
    if !claim(&path, user)? {
        return Err(PostgresError::at(&path)(io::Error::other(
            "it was ours a moment ago, and is not any more",
        )));
    }
    fs::write(record, path.as_os_str().as_encoded_bytes()).map_err(PostgresError::at(record))?;
    Ok(folder)
}

/// Makes sure that a folder is there and that nobody but `user` and us can use it. `false`: somebody else has it, as
/// anybody may make folders in `/tmp`.
fn claim(path: &Path, user: Option<User>) -> Result<bool, PostgresError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(PostgresError::at(path)(error)),
    }
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(FolderError::NoFolder { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let us = rustix::process::geteuid().as_raw();
    let owner = user.map_or(us, |user| user.uid);
    if folder.mode() & 0o077 != 0 || (folder.owner() != us && folder.owner() != owner) {
        return Ok(false);
    }
    if let Some(user) = user {
        folder.give_to(user.uid, user.gid)?;
    }
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn us() -> User {
        User {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_refused_and_what_it_names_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let (victim, link) = (place.path().join("victim"), place.path().join("postgres"));
        fs::create_dir(&victim).unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o750)).unwrap();
        symlink(&victim, &link).unwrap();
        for refused in [prepare(&link, Some(us())), prepare(&link, None)] {
            assert!(matches!(
                refused,
                Err(PostgresError::Folder(FolderError::NoFolder { .. }))
            ));
        }
        assert!(cluster(&link, Some(us())).is_err());
        assert!(!claim(&link, Some(us())).unwrap());
        assert_eq!(fs::metadata(&victim).unwrap().mode() & 0o777, 0o750);
    }

    #[test]
    fn the_folder_is_ours_and_only_the_cluster_is_the_servers() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("postgres");
        prepare(&folder, Some(us())).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o711);
        prepare(&folder, None).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        cluster(&folder.join("cluster"), Some(us())).unwrap();
        assert_eq!(fs::metadata(folder.join("cluster")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn no_link_pipe_or_long_file_of_the_clusters_is_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "15\n").unwrap();
        assert_eq!(read_small(&file).as_deref(), Some("15\n"));
        symlink(&file, place.path().join("link")).unwrap();
        assert_eq!(read_small(&place.path().join("link")), None);
        assert_eq!(read_small(Path::new("/dev/zero")), None);
    }
}
