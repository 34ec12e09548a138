//! Where a passphrase comes from: a prompt, a file, or a descriptor; never an argument or the environment, which other
//! processes can read. A descriptor is read before anything else is opened, because a number that nobody passed would
//! soon be that of something of ours. A prompt may be cut short by a signal: [`restore_terminal`] makes that good.

use std::{
    fs::File,
    io::ErrorKind,
    os::fd::{BorrowedFd, FromRawFd as _, RawFd},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    io::fcntl_getfd,
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

use super::{GRACE, args::Globals, interrupt::Interrupted};
use crate::keys::Passphrase;

/// How often it is looked whether a prompt has changed the terminal.
const LOOK: Duration = Duration::from_millis(5);

/// Where the identity's passphrase comes from.
pub(super) enum Source {
    /// It was passed on a descriptor, and has been read.
    Read(Passphrase),
    /// It is the first line of a file.
    File(PathBuf),
    /// It is typed.
    Prompt,
}

impl Source {
    /// What the command line says. Call it before anything is opened.
    pub(super) fn new(globals: &Globals) -> Result<Self> {
        Ok(match (globals.passphrase_fd, &globals.passphrase_file) {
            (Some(number), _) => Self::Read(from_descriptor(number)?),
            (None, Some(path)) => Self::File(path.clone()),
            (None, None) => Self::Prompt,
        })
    }

    /// The passphrase of something that exists.
    pub(super) fn ask(self, what: &str) -> Result<Passphrase> {
        self.read_or(|| prompt(what))
    }

    /// A passphrase for something new: where it is typed, it is typed twice.
    pub(super) fn choose(self, what: &str) -> Result<Passphrase> {
        self.read_or(|| prompt_twice(what))
    }

    fn read_or(self, prompt: impl FnOnce() -> Result<Passphrase>) -> Result<Passphrase> {
        match self {
            Self::Read(passphrase) => Ok(passphrase),
            Self::File(path) => from_file(&path),
            Self::Prompt => prompt(),
        }
    }
}

/// The passphrase of a backup that exists.
pub(super) fn ask_other(file: Option<&Path>, what: &str) -> Result<Passphrase> {
    file.map_or_else(|| prompt(what), from_file)
}

/// A passphrase for a backup that is being made.
pub(super) fn choose_other(file: Option<&Path>, what: &str) -> Result<Passphrase> {
    file.map_or_else(|| prompt_twice(what), from_file)
}

fn prompt(what: &str) -> Result<Passphrase> {
    Ok(Passphrase::new(type_in(what)?.as_bytes())?)
}

fn prompt_twice(what: &str) -> Result<Passphrase> {
    let first = type_in(what)?;
    let again = type_in("The same again")?;
    ensure!(
        *first == *again,
        "the two are not the same; nothing was written, try again"
    );
    Ok(Passphrase::new(first.as_bytes())?)
}

/// The terminal that is asked at the moment, and how it was before.
static ASKED: Mutex<Option<(File, Termios)>> = Mutex::new(None);

fn asked() -> MutexGuard<'static, Option<(File, Termios)>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn type_in(what: &str) -> Result<Zeroizing<String>> {
    *asked() = File::open("/dev/tty")
        .ok()
        .and_then(|tty| tcgetattr(&tty).ok().map(|state| (tty, state)));
    let typed = rpassword::prompt_password(format!("{what}: "));
    // It was given back. To do that again later would stop a program that has been put into the background by then.
    asked().take();
    match typed {
        Ok(typed) => Ok(Zeroizing::new(typed)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Interrupted {
            may_have_sent: false,
            goes_on: false,
        }
        .into()),
        Err(error) => Err(error).context("cannot ask for a passphrase here; use --passphrase-file or --passphrase-fd"),
    }
}

/// Gives the terminal back as it was, where a prompt did not come to do so.
pub(super) fn restore_terminal() {
    if let Some((tty, state)) = asked().take() {
        // The prompt is on a thread of its own and changes the terminal once, soon after it is shown: what is given back before
        // that would be taken again.
        let since = Instant::now();
        let unchanged = || tcgetattr(&tty).is_ok_and(|now| now.local_modes == state.local_modes);
        while unchanged() && since.elapsed() < GRACE {
            std::thread::sleep(LOOK);
        }
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&tty, OptionalActions::Now, &state);
    }
}

fn from_file(path: &Path) -> Result<Passphrase> {
    Passphrase::from_file(path).with_context(|| format!("the passphrase file {}", path.display()))
}

#[allow(unsafe_code)]
fn from_descriptor(number: RawFd) -> Result<Passphrase> {
    if number < 3 {
        bail!("descriptor {number} is standard input, output or error; pass the passphrase on another one, from 3");
    }
    // SAFETY: the number is not -1, and it is only looked up in the system's table: where it is not open, that says so
    // (EBADF), and nothing else is done with it. No other thread exists yet that could close it meanwhile.
    let known = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) });
    known.with_context(|| format!("descriptor {number} was not passed to this program; try `{number}<FILE`"))?;
    // SAFETY: it is open, and nothing of ours has been opened yet, so it came from whoever started this program and named
    // it for this use alone. It is taken over here, once.
    let file = unsafe { File::from_raw_fd(number) };
    Ok(Passphrase::first_line(
        file,
        Path::new(&format!("descriptor {number}")),
    )?)
}
