//! The folder of a stack: where what runs is written down, beside logs, profiles and keys. Every change replaces the state
//! whole, under a lock. What is in the folder is replaced and removed with the stack, so it is never one with somebody else's files.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::part::Part;
use super::state::{State, started};
use crate::report::progress;

/// The file that marks a folder as a stack's, whose other files and folders may then be replaced and removed.
const MARK: &str = ".chartseal-localnet";

/// The folder where the state and the logs are.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether it is another than the usual one, which has to be named.
    is_named: bool,
}

/// Held by whoever starts or stops something; let go of when dropped, or when the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    /// The usual one, which nobody else uses. Makes it where it is not there yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn usual(path: PathBuf) -> Result<Self> {
        let mark = path.join(MARK);
        std::fs::create_dir_all(&path)
            .and_then(|()| File::options().append(true).create(true).open(mark))
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, is_named: false })
    }

    /// Another, which has to be named with every command: an empty one, or one that a stack was in before.
    ///
    /// # Errors
    /// When somebody's files are in it, which may be called as a stack's are, or it cannot be made.
    pub(super) fn named(path: PathBuf) -> Result<Self> {
        let names: Vec<_> = match std::fs::read_dir(&path) {
            Ok(entries) => entries
                .map(|entry| Ok(entry?.file_name()))
                .collect::<std::io::Result<_>>(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
        .with_context(|| format!("cannot read {}", path.display()))?;
        if !names.is_empty() && !names.iter().any(|name| name == MARK) {
            bail!(
                "there is something in {}, and no stack put it there: name an empty folder, or one that is not there yet (--data)",
                path.display()
            );
        }
        Ok(Self {
            is_named: true,
            ..Self::usual(path)?
        })
    }

    /// What to type for a command about this stack.
    pub(super) fn line(&self, command: &str) -> String {
        if self.is_named {
            let folder = quoted(&self.path.display().to_string());
            format!("cargo xtask localnet --data {folder} {command}")
        } else {
            format!("cargo xtask localnet {command}")
        }
    }

    pub(super) fn log(&self, part: Part) -> PathBuf {
        self.path.join(format!("{}.log", part.name()))
    }

    pub(super) fn ready_file(&self, part: Part) -> PathBuf {
        self.path.join(format!("{}.json", part.name()))
    }

    /// What the key service keeps, for as long as the stack is up.
    pub(super) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// The profile by which `chartseal` finds the stack.
    pub(super) fn profile(&self) -> PathBuf {
        self.path.join("profile.toml")
    }

    /// Makes the folders that are removed when the stack goes down, and gives that of its data.
    ///
    /// # Errors
    /// When one of that name is there already, or a profile: it is nothing of ours, and stays as it is.
    pub(super) fn begin(&self) -> Result<PathBuf> {
        let profile = self.profile();
        if profile.exists() {
            bail!(
                "{} is there already, and of no stack that runs: move it elsewhere",
                profile.display()
            );
        }
        let data = tempfile::Builder::new()
            .prefix("chartseal-localnet-")
            .tempdir()
            .context("cannot make a folder for the stack's data")?;
        make_closed(&self.keys()).context("move what is there elsewhere: a stack begins without keys")?;
        Ok(data.keep())
    }

    fn file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Waits for whoever is starting or stopping the stack, and keeps others from it.
    ///
    /// # Errors
    /// When the system does not lock files here.
    pub(super) fn lock(&self) -> Result<Lock> {
        let path = self.path.join("lock");
        let at = || format!("cannot lock {}", path.display());
        let file = File::options().append(true).create(true).open(&path).with_context(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress("another `cargo xtask localnet` is at work: waiting for it");
                file.lock().with_context(at)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(at),
        }
        Ok(Lock { _file: file })
    }

    /// What was written down last; none where nothing was started.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn state(&self) -> Result<Option<State>> {
        let path = self.file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let state = serde_json::from_str(&text).with_context(|| {
            let todo = left_by_another_version(&text).join(", then ");
            format!("{} is of another version of this program: {todo}", path.display())
        })?;
        Ok(Some(state))
    }

    /// Writes down what runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep(&self, state: &State) -> Result<()> {
        let path = self.file();
        let draft = path.with_extension("new");
        let text = serde_json::to_string_pretty(state)? + "\n";
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Nothing runs any more.
    ///
    /// # Errors
    /// When what was written down cannot be removed.
    pub(super) fn forget(&self) -> Result<()> {
        remove_if_there(&self.file())
    }
}

/// What to do about a stack whose state is of another form, as far as it tells.
fn left_by_another_version(text: &str) -> Vec<String> {
    let state: Value = serde_json::from_str(text).unwrap_or_default();
    let parts = state["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let running: Vec<_> = parts
        .iter()
        .filter_map(|part| Some((i32::try_from(part["pid"].as_i64()?).ok()?, part["started"].as_u64()?)))
        .filter(|(pid, since)| started(*pid) == Some(*since))
        .map(|(pid, _)| pid.to_string())
        .collect();
    let processes = (!running.is_empty()).then(|| format!("end its processes (kill {})", running.join(" ")));
    let data = state["data"].as_str().map(|data| format!("remove its data ({data})"));
    processes
        .into_iter()
        .chain(data)
        .chain(["remove the file".to_owned()])
        .collect()
}

/// The folder is of the user's alone, and was not there before.
///
/// # Errors
/// When it cannot be made, or was there.
pub(super) fn make_closed(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

/// As a shell takes it for one word, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Removes a file, or finds it gone.
///
/// # Errors
/// When it stays.
pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::ourselves;
    use super::*;
    use crate::localnet::validator::Validator;

    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("xtask-localnet-{name}-{}", std::process::id()));
        Folder::usual(path).unwrap()
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let folder = folder("kept");
        assert_eq!(folder.state().unwrap(), None);
        let mut state = State::new(PathBuf::from("/tmp/data"), Validator::BuiltIn);
        state.parts.push(ourselves());
        folder.keep(&state).unwrap();
        assert_eq!(folder.state().unwrap(), Some(state));
        folder.forget().unwrap();
        folder.forget().unwrap();
        assert_eq!(folder.state().unwrap(), None);
        std::fs::remove_dir_all(&folder.path).unwrap();
    }

    #[test]
    fn what_another_version_started_is_named() {
        let folder = folder("version");
        let us = ourselves();
        let parts = format!(
            r#"[{{"pid":{},"started":{}}},{{"pid":1,"started":0}}]"#,
            us.pid, us.started
        );
        std::fs::write(folder.file(), format!(r#"{{"data":"/tmp/d","parts":{parts}}}"#)).unwrap();
        let error = folder.state().unwrap_err().to_string();
        let todo = format!(
            "program: end its processes (kill {}), then remove its data (/tmp/d), then remove the file",
            us.pid
        );
        assert!(error.ends_with(&todo), "{error}");
        std::fs::write(folder.file(), "{").unwrap();
        let error = folder.state().unwrap_err().to_string();
        assert!(error.ends_with("of this program: remove the file"), "{error}");
        std::fs::remove_dir_all(&folder.path).unwrap();
    }

    #[test]
    fn a_shell_takes_what_is_quoted_for_one_word() {
        for word in ["", "a b", "it's", "$HOME `x` \"y\" \\"] {
            let mut echo = std::process::Command::new("sh");
            let said = crate::process::capture(echo.args(["-c", &format!("printf %s {}", quoted(word))])).unwrap();
            assert_eq!(said, word);
        }
    }

    #[test]
    fn a_stack_with_a_folder_of_its_own_is_told_by_it() {
        let folder = folder("line");
        assert_eq!(folder.line("down"), "cargo xtask localnet down");
        let path = folder.path.display().to_string();
        assert_eq!(
            Folder::named(folder.path.clone()).unwrap().line("down"),
            format!("cargo xtask localnet --data '{path}' down")
        );
        std::fs::remove_dir_all(&folder.path).unwrap();
    }

    #[test]
    fn a_folder_with_something_of_somebody_elses_in_it_is_not_taken() {
        let path = std::env::temp_dir().join(format!("xtask-localnet-taken-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder::named(path.clone()).unwrap();
        std::fs::write(path.join("validator.log"), "").unwrap();
        Folder::named(path.clone()).unwrap();
        std::fs::remove_file(path.join(MARK)).unwrap();
        let error = Folder::named(path.clone()).unwrap_err().to_string();
        assert!(error.contains("no stack put it there"), "{error}");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "nothing came to it");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn only_one_has_the_lock() {
        let folder = folder("locked");
        let lock = folder.lock().unwrap();
        let other = File::create(folder.path.join("lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(lock);
        other.try_lock().unwrap();
        std::fs::remove_dir_all(&folder.path).unwrap();
    }

    #[test]
    fn the_folder_of_somebody_else_is_not_ours() {
        let folder = folder("closed");
        let data = folder.path.join("data");
        make_closed(&data).unwrap();
        assert!(make_closed(&data).is_err());
        std::fs::remove_dir_all(&folder.path).unwrap();
    }

    #[test]
    fn what_no_stack_made_stays_as_it_is() {
        let folder = folder("foreign");
        std::fs::create_dir(folder.keys()).unwrap();
        let envelope = folder.keys().join("envelope");
        std::fs::write(&envelope, "wrapped").unwrap();
        folder.begin().unwrap_err();
        assert_eq!(std::fs::read(&envelope).unwrap(), b"wrapped");

        std::fs::remove_dir_all(folder.keys()).unwrap();
        std::fs::write(folder.profile(), "mine").unwrap();
        folder.begin().unwrap_err();
        assert_eq!(std::fs::read(folder.profile()).unwrap(), b"mine");
        assert!(!folder.keys().exists());

        std::fs::remove_file(folder.profile()).unwrap();
        let data = folder.begin().unwrap();
        assert!(data.is_dir() && folder.keys().is_dir());
        for made in [data, folder.path] {
            std::fs::remove_dir_all(made).unwrap();
        }
    }
}
