//! Files with what nobody else on the machine may know: they are read only where their mode keeps everybody else out, and
//! again for each use, so that what is in them can be changed and is stored nowhere.

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// The longest that is read of one, in bytes.
const MOST: u64 = 8 * 1024;

/// A file that is not read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    #[error("cannot read or make {}: {cause}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error(
        "others can read {} (mode {mode:03o}); run `chmod 600` on it, and change what is in it if they may have",
        path.display()
    )]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("{} is no text of up to {MOST} bytes", .0.display())]
    NoText(PathBuf),
    #[error("the path {} is no text: give the file another name", .0.display())]
    Name(PathBuf),
}

impl PrivateFileError {
    pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        |cause| Self::File {
            path: path.to_owned(),
            cause,
        }
    }
}

/// What is in a file, which only its owner may read, without white space around it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let file = File::open(path).map_err(PrivateFileError::at(path))?;
    // Of the file that is open, whatever the name leads to by now.
    let mode = file
        .metadata()
        .map_err(PrivateFileError::at(path))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(PrivateFileError::OpenToOthers { path, mode });
    }
    // Room for all of it at once: what is left behind by growing is wiped by nobody.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MOST + 1).unwrap_or_default()));
    file.take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(PrivateFileError::at(path))?;
    let text = std::str::from_utf8(&bytes).ok();
    text.filter(|text| text.len() as u64 <= MOST)
        .map(|text| Zeroizing::new(text.trim().to_owned()))
        .ok_or_else(|| PrivateFileError::NoText(path.to_owned()))
}

/// The path by which a file is found from any folder. Links stay what they are: secrets are often exchanged by leading a link to
/// another file.
pub(super) fn lasting(path: &Path) -> Result<String, PrivateFileError> {
    let whole = std::path::absolute(path).map_err(PrivateFileError::at(path))?;
    let whole = whole.into_os_string().into_string();
    whole.map_err(|path| PrivateFileError::Name(path.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    #[test]
    fn only_what_nobody_else_can_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        assert!(matches!(read(&path), Err(PrivateFileError::File { .. })));
        write(&path, "hush\n").unwrap();
        for (mode, is_private) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match read(&path) {
                Ok(text) => assert!(is_private && *text == "hush", "{mode:o}"),
                Err(error) => assert!(
                    !is_private && error.to_string().contains("chmod 600"),
                    "{mode:o}: {error}"
                ),
            }
        }
    }

    #[test]
    fn a_path_that_lasts_leads_where_its_link_leads_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, link] = ["first", "second", "link"].map(|name| folder.path().join(name));
        for file in [&first, &second] {
            write(file, file.file_name().unwrap().as_encoded_bytes()).unwrap();
            set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        }
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let path = PathBuf::from(lasting(&link).unwrap());
        assert_eq!(*read(&path).unwrap(), "first");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert_eq!(*read(&path).unwrap(), "second");
        assert!(Path::new(&lasting(Path::new("url")).unwrap()).is_absolute());
    }

    #[test]
    fn what_is_no_text_or_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        let most = usize::try_from(MOST).unwrap();
        for (bytes, is_read) in [
            (vec![b'x'; most], true),
            (vec![b'x'; most + 1], false),
            (vec![0xff], false),
        ] {
            write(&path, bytes).unwrap();
            set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert_eq!(read(&path).is_ok(), is_read);
        }
    }
}
