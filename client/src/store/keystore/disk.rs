//! What a key store does with files and folders: made for their owner only, deleted so that it lasts, and whatever need not
//! be there told from what the disk does not say.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::store::{FileError, sync_folder};

/// The bytes of a hexadecimal name, if it is one.
pub(super) fn parse_hex<const N: usize>(name: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(name, &mut bytes).ok()?;
    Some(bytes)
}

/// Whether there is a file or folder. A disk that does not say is an error.
pub(super) fn exists(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(|error| FileError::new("read", path, error))
}

/// A file that need not be there.
pub(super) fn present(read: Result<Vec<u8>, FileError>) -> Result<Option<Vec<u8>>, FileError> {
    match read {
        Err(error) if error.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

/// The names in a folder that need not be there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let at = |source| FileError::new("list", folder, source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(at)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes a folder and its parents, each for its owner only, and makes their names last.
pub(super) fn make_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        made => made.map_err(|source| FileError::new("make the folder", folder, source))?,
    }
    folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), sync_folder)
}

/// Deletes a file for good and says whether there was one.
pub(super) fn delete(path: &Path) -> Result<bool, FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        deleted => deleted.map_err(|source| FileError::new("delete", path, source))?,
    }
    path.parent().map_or(Ok(()), sync_folder)?;
    Ok(true)
}

/// Writes zeros over a key before its file goes. Disks that move blocks may keep the old ones all the same: that is
/// why an erasure's receipt attests what was done and does not claim more.
pub(super) fn wipe(path: &Path) -> Result<(), FileError> {
    let wiped = fs::OpenOptions::new().write(true).open(path).and_then(|mut file| {
        file.write_all(&[0; 32])?;
        file.sync_all()
    });
    match wiped {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("wipe", path, error)),
        _ => Ok(()),
    }
}
