//! Where a passphrase comes from: a prompt, a file, or a descriptor; never an argument or the environment, which other
//! processes can read.

use std::{fs::File, io::Read, os::fd::FromRawFd as _, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use zeroize::Zeroizing;

use super::args::Globals;
use crate::keys::Passphrase;

/// No passphrase is longer, in bytes.
const LIMIT: usize = 4096;

/// The passphrase of something that exists.
pub(super) fn ask(globals: &Globals, what: &str) -> Result<Passphrase> {
    match given(globals)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt(what),
    }
}

/// A passphrase for something new: where it is typed, it is typed twice.
pub(super) fn choose(globals: &Globals, what: &str) -> Result<Passphrase> {
    match given(globals)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt_twice(what),
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

fn given(globals: &Globals) -> Result<Option<Passphrase>> {
    if let Some(path) = &globals.passphrase_file {
        return from_file(path).map(Some);
    }
    globals.passphrase_fd.map(from_descriptor).transpose()
}

fn prompt(what: &str) -> Result<Passphrase> {
    let typed = rpassword::prompt_password(format!("{what}: "))
        .context("cannot ask for a passphrase here; use --passphrase-file or --passphrase-fd")?;
    Ok(Passphrase::new(typed)?)
}

fn prompt_twice(what: &str) -> Result<Passphrase> {
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .context("cannot ask for a passphrase here; use --passphrase-file or --passphrase-fd")
    };
    let first = ask(format!("{what}: "))?;
    let again = ask("The same again: ".into())?;
    ensure!(
        *first == *again,
        "the two are not the same; nothing was written, try again"
    );
    Ok(Passphrase::new(first.as_bytes())?)
}

fn from_file(path: &Path) -> Result<Passphrase> {
    let file = File::open(path).with_context(|| format!("cannot read the passphrase file {}", path.display()))?;
    first_line(file).with_context(|| format!("the passphrase file {}", path.display()))
}

#[allow(unsafe_code)]
fn from_descriptor(number: i32) -> Result<Passphrase> {
    if number < 3 {
        bail!("descriptor {number} is standard input, output or error; pass the passphrase on another one, from 3");
    }
    // SAFETY: the caller of the program names the descriptor for this use alone. It is taken over here, once, before
    // anything else of ours was opened under a number that the caller could mean; a closed one makes reading fail.
    let file = unsafe { File::from_raw_fd(number) };
    first_line(file).with_context(|| format!("descriptor {number}"))
}

fn first_line(source: impl Read) -> Result<Passphrase> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
    source
        .take(LIMIT as u64 + 1)
        .read_to_end(&mut bytes)
        .context("cannot be read")?;
    ensure!(
        bytes.len() <= LIMIT,
        "is longer than {LIMIT} bytes: that is no passphrase"
    );
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(Passphrase::new(line)?)
}
