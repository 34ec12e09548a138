//! The folders of the cluster and of its socket: made, owned by the user that Postgres runs as, closed to others.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::PostgresError;
use super::install::User;

/// Where sockets are, and how their folders begin. The path of a socket must fit into about 100 bytes, so it cannot be
/// in the data folder.
const SOCKETS: &str = "/tmp";
const PREFIX: &str = "chartseal-pg-";

/// Makes `folder` a place where `user` (or we, if there is none) can run a cluster.
pub(super) fn prepare(folder: &Path, user: Option<User>) -> Result<(), PostgresError> {
    fs::create_dir_all(folder).map_err(PostgresError::at(folder))?;
    if let Some(user) = user {
        open_way(folder, user)?;
        chown(folder, Some(user.uid), Some(user.gid)).map_err(PostgresError::at(folder))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(PostgresError::at(folder))
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
        let mode = Permissions::from_mode(metadata.mode() & 0o7777 | 0o001);
        fs::set_permissions(path, mode).map_err(PostgresError::at(path))?;
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
    let recorded = fs::read_to_string(record).ok().map(PathBuf::from).filter(|path| {
        path.parent() == Some(Path::new(SOCKETS))
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
    });
    if let Some(path) = recorded
        && claim(&path, user).map_err(PostgresError::at(&path))?
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
    if !claim(&path, user).map_err(PostgresError::at(&path))? {
        return Err(PostgresError::at(&path)(io::Error::other(
            "it was ours a moment ago, and is not any more",
        )));
    }
    fs::write(record, path.as_os_str().as_encoded_bytes()).map_err(PostgresError::at(record))?;
    Ok(folder)
}

/// Makes sure that a folder is there and that nobody but `user` and us can use it. `false`: somebody else has it, as
/// anybody may make folders in `/tmp`.
fn claim(path: &Path, user: Option<User>) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let us = rustix::process::geteuid().as_raw();
    let owner = user.map_or(us, |user| user.uid);
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() || metadata.mode() & 0o077 != 0 || (metadata.uid() != us && metadata.uid() != owner) {
        return Ok(false);
    }
    if let Some(user) = user {
        chown(path, Some(user.uid), Some(user.gid))?;
    }
    Ok(true)
}
