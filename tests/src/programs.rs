//! The programs under test, and what is done to their processes.

use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ending;

/// A program of this workspace, which stands beside the one that runs (tests stand one folder deeper). Its process ends
/// with the thread that starts it.
///
/// # Errors
/// Where it has not been built, or we were told to end.
pub fn program(name: &str) -> Result<Command> {
    let path = path_of(name)?;
    if !path.is_file() {
        bail!("{} is not built; run `cargo build --workspace --bins`", path.display());
    }
    ending::tie(Command::new(path))
}

fn path_of(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = own.parent().context("this program is in no folder")?;
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(folder.join(name))
}

/// The programs that work on one stack.
const TOGETHER: [&str; 3] = ["chartseal", "chartseal-sandbox", "chartseal-indexer"];

/// Keeps the programs and the contract in a folder as they are now. A build that comes while a test runs would change one of
/// them under the others, which would not understand each other then.
///
/// # Errors
/// Where the contract cannot be copied. Programs that cannot be linked there are used where they are.
pub fn keep(folder: &Path) -> Result<()> {
    let kept = kept_in(folder);
    std::fs::create_dir(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    let contract = root().join("programs/chartseal/artifacts").join(CONTRACT);
    std::fs::copy(&contract, kept.join(CONTRACT)).with_context(|| format!("cannot copy {}", contract.display()))?;
    for name in TOGETHER {
        // Another file system, or not built: then it is looked for when it is needed.
        let _ = std::fs::hard_link(path_of(name)?, kept.join(name));
    }
    Ok(())
}

/// Keeps a program of another build in a folder too, and returns where it is.
pub(crate) fn keep_another(folder: &Path, program: &Path) -> PathBuf {
    let place = kept_in(folder).join(program.file_name().unwrap_or_default());
    match std::fs::hard_link(program, &place) {
        Ok(()) => place,
        // Another file system, or kept already.
        Err(_) if place.is_file() => place,
        Err(_) => program.to_owned(),
    }
}

/// A program that was kept in a folder, or else the one that stands beside this.
///
/// # Errors
/// As [`program`].
pub fn kept(folder: &Path, name: &str) -> Result<Command> {
    let path = kept_in(folder).join(name);
    if path.is_file() {
        ending::tie(Command::new(path))
    } else {
        program(name)
    }
}

/// The contract that was kept in a folder.
#[must_use]
pub fn kept_contract(folder: &Path) -> PathBuf {
    kept_in(folder).join(CONTRACT)
}

const CONTRACT: &str = "chartseal.so";

fn kept_in(folder: &Path) -> PathBuf {
    folder.join("programs")
}

/// The folder of this workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files that the tests and the demo store.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A new folder for a stack, in the system's folder for temporary files. Postgres' user may pass through it, whatever the
/// umask is.
///
/// # Errors
/// Where it cannot be made, or that user could not get there.
pub fn work_folder() -> Result<TempDir> {
    let place = std::env::temp_dir();
    if rustix::process::geteuid().is_root() {
        // Postgres does not run as root, so it runs as somebody else.
        for folder in place
            .canonicalize()
            .context("cannot find the folder for temporary files")?
            .ancestors()
        {
            let mode = folder
                .metadata()
                .with_context(|| format!("cannot look at {}", folder.display()))?
                .mode();
            ensure!(
                mode & 0o001 != 0,
                "the user `postgres`, as whom Postgres runs where we are root, cannot enter {0}; set TMPDIR to a folder \
                 that every user can pass through, for example TMPDIR=/tmp, or allow it with: chmod o+x {0}",
                folder.display()
            );
        }
    }
    let folder = tempfile::Builder::new().prefix("chartseal-").tempdir_in(&place);
    let folder = folder.with_context(|| format!("cannot make a folder in {}", place.display()))?;
    let open = std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711));
    open.with_context(|| format!("cannot open {}", folder.path().display()))?;
    Ok(folder)
}

/// A process that ends when this is dropped: asked to first, then made to.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: &'static str,
}

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(20);

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("cannot tell whether {} runs", self.name))
    }

    /// Whether it has a file open, which is told without touching the file; not once it has ended.
    #[must_use]
    pub fn has_open(&self, file: &Path) -> bool {
        let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())) else {
            return false;
        };
        open.flatten()
            .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|path| path == file))
    }

    /// Ends it at once, as a power cut would: `kill -9`.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .with_context(|| format!("cannot kill {}", self.name))?;
        self.child
            .wait()
            .with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// Where it does not, or says that something went wrong.
    pub fn stop(mut self) -> Result<()> {
        let status = self.ask_to_end()?;
        if !status.success() {
            bail!("{} ended with {status}", self.name);
        }
        Ok(())
    }

    fn ask_to_end(&mut self) -> Result<ExitStatus> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Where it has ended by itself there is nobody to ask.
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if asked.elapsed() > GRACE {
                self.child
                    .kill()
                    .with_context(|| format!("cannot kill {}", self.name))?;
                bail!(
                    "{} did not end within {} s of being asked to",
                    self.name,
                    GRACE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.ended(), Ok(None)) {
            let _ = self.ask_to_end();
        }
    }
}
