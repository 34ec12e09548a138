//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// A file in the making, beside its place and readable by its owner only.
pub(crate) struct Whole(NamedTempFile);

impl Whole {
    /// Begins a file, in the folder of its place, which is made if it is not there.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        tempfile::Builder::new()
            .prefix(".chartseal-")
            .suffix(".part")
            .tempfile_in(folder)
            .map(Self)
    }

    /// Puts the file in its place, once it is on the disk, and replaces what is there.
    pub(crate) fn publish(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist(path).map_err(|failed| failed.error)?;
        File::open(folder_of(path))?.sync_all()
    }

    /// Puts the file in its place, once it is on the disk, if nothing is there.
    pub(crate) fn publish_new(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist_noclobber(path).map_err(|failed| failed.error)?;
        File::open(folder_of(path))?.sync_all()
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
