//! A small disk for Postgres, which can be filled: a file system in memory, where we may mount one.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// How large it is. Postgres is told to keep its write-ahead log small.
const SIZE: &str = "768m";

/// How much is written at once.
static CHUNK: [u8; 1 << 16] = [0; 1 << 16];

/// The disk, unmounted when dropped.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// One at this folder, which is made. Only root may mount: for others it is a folder like any other.
    pub(super) fn mount(folder: &Path) -> Result<Self> {
        std::fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mounted = rustix::process::geteuid().is_root()
            && Command::new("mount")
                .args([
                    "-t",
                    "tmpfs",
                    "-o",
                    &format!("size={SIZE},mode=0711"),
                    "chartseal-chaos",
                ])
                .arg(folder)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
        if !mounted {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
                .with_context(|| format!("cannot open {}", folder.display()))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            mounted,
        })
    }

    /// Whether it is one of its own, so that filling it hurts nobody else.
    pub(super) fn can_be_filled(&self) -> bool {
        self.mounted
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no room on it.
    pub(super) fn fill(&self) -> Result<()> {
        ensure!(self.mounted, "this disk is everybody's");
        let mut file = File::create(self.ballast()).context("cannot make the ballast")?;
        // The last pages go one by one.
        for size in [CHUNK.len(), 4_096] {
            loop {
                match file.write_all(CHUNK.get(..size).unwrap_or(&CHUNK)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("cannot write the ballast"),
                }
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub(super) fn clear(&self) -> Result<()> {
        std::fs::remove_file(self.ballast()).context("cannot remove the ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: whoever still holds a file on it is ending.
            let _ = Command::new("umount")
                .arg("-l")
                .arg(&self.folder)
                .stderr(Stdio::null())
                .status();
        }
    }
}
