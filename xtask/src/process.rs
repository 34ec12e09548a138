//! Starting other programs. An error names the whole command line, so that it can be typed again by hand.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// What a person would type to start `command` again: its variables, program and arguments.
pub(crate) fn line(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    variables
        .chain(words.map(|word| word.display().to_string()))
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}

/// Runs `command` with our own standard streams.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("this ended with {status}: {}", line(command));
    }
    Ok(())
}

/// Runs `command` with our own standard streams and hands on its exit code.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn exit_code(command: &mut Command) -> Result<ExitCode> {
    Ok(match status(command)?.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    })
}

/// Becomes `command` where the system can do that, so that signals and exit code are its own; else as [`exit_code`].
///
/// # Errors
/// When it cannot be started.
pub(crate) fn become_it(command: &mut Command) -> Result<ExitCode> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).with_context(|| format!("cannot start: {}", line(command)))
    }
    #[cfg(not(unix))]
    exit_code(command)
}

fn status(command: &mut Command) -> Result<ExitStatus> {
    command
        .status()
        .with_context(|| format!("cannot start: {}", line(command)))
}

/// Runs `command` and returns what it wrote to standard output; the error has what it wrote to standard error.
///
/// # Errors
/// When it cannot be started, does not succeed or does not write UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start: {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "this ended with {}: {}\n{}",
            output.status,
            line(command),
            said.trim_end()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("the output is not UTF-8: {}", line(command)))
}

/// Runs `command` and gives every line of its standard output to `each` as it comes; standard error is ours.
///
/// # Errors
/// When it cannot be started or read. That it did not succeed is not an error here: the caller has the status.
pub(crate) fn each_line(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start: {}", line(command)))?;
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .with_context(|| format!("cannot read from: {}", line(command)))?
            > 0
        {
            each(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
            bytes.clear();
        }
    }
    child
        .wait()
        .with_context(|| format!("cannot wait for: {}", line(command)))
}

/// Where the program `name` is, by PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

/// Whether `file` is there and may be executed.
pub(crate) fn is_program(file: &Path) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        let mut command = Command::new("cargo");
        command
            .env("CHARTSEAL_SO", "/a b/c.so")
            .args(["test", "--cfg", "os=\"x\""]);
        assert_eq!(line(&command), "'CHARTSEAL_SO=/a b/c.so' cargo test --cfg 'os=\"x\"'");
    }

    #[test]
    fn lines_arrive_without_their_ends_and_the_status_is_kept() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "printf 'one\\r\\ntwo'; exit 3"]);
        let status = each_line(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_failed_command_says_what_it_wrote_to_standard_error() {
        let error = capture(Command::new("sh").args(["-c", "echo no room >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
    }
}
