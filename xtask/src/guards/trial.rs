//! Running tests of the contract on a program of our choice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::list::Test;
use crate::process;
use crate::workspace::{Workspace, executable_in};

/// The programs that hold the tests, by target. They are copies, which nobody builds anew while we run them.
#[derive(Debug)]
pub(crate) struct Tests {
    programs: BTreeMap<String, PathBuf>,
    /// Where cargo would run them.
    folder: PathBuf,
}

impl Tests {
    /// Builds the targets that these tests are in.
    ///
    /// # Errors
    /// When they do not compile.
    pub(crate) fn build<'a>(
        workspace: &Workspace,
        package: &str,
        tests: impl Iterator<Item = &'a Test>,
        folder: &Path,
    ) -> Result<Self> {
        let targets: BTreeSet<&str> = tests.map(|test| test.target.as_str()).collect();
        let mut command = workspace.cargo();
        command.args([
            "test",
            "--release",
            "--no-run",
            "--message-format=json-render-diagnostics",
            "--package",
            package,
        ]);
        for target in &targets {
            command.args(["--test", target]);
        }
        let mut built = BTreeMap::new();
        let status = process::each_line(&mut command, |line| built.extend(executable_in(line, "test")))?;
        if !status.success() {
            bail!("this ended with {status}: {}", process::line(&command));
        }
        let mut programs = BTreeMap::new();
        for (target, program) in built {
            let copy = folder.join(&target);
            std::fs::copy(&program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
            programs.insert(target, copy);
        }
        Ok(Self {
            programs,
            folder: workspace.root.join("programs/chartseal"),
        })
    }

    /// Runs these tests on a program: those that passed. What they write is nobody's concern, because they are to fail.
    ///
    /// # Errors
    /// When a target was not built, does not start, or does not say of each test how it ended.
    pub(crate) fn passed<'a>(&self, program: &Path, tests: &'a [Test]) -> Result<BTreeSet<&'a Test>> {
        let mut by_target: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
        for test in tests {
            by_target.entry(&test.target).or_default().push(test);
        }
        let mut passed = BTreeSet::new();
        for (target, tests) in by_target {
            let file = self.programs.get(target);
            let mut command = Command::new(file.with_context(|| format!("cargo built no tests `{target}`"))?);
            command
                .arg("--exact")
                .args(tests.iter().map(|test| &test.path))
                .current_dir(&self.folder)
                .env("CHARTSEAL_SO", program)
                .env("RUST_BACKTRACE", "0")
                .stderr(Stdio::null());
            let mut ended = BTreeMap::new();
            process::each_line(&mut command, |line| ended.extend(outcome(line)))?;
            for test in tests {
                match ended.get(&test.path) {
                    Some(true) => _ = passed.insert(test),
                    Some(false) => {}
                    None => bail!("{test} did not run: {}", process::line(&command)),
                }
            }
        }
        Ok(passed)
    }
}

/// Which test a line tells the end of, and whether it passed.
fn outcome(line: &str) -> Option<(String, bool)> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match end {
        "ok" => Some((name.to_owned(), true)),
        "FAILED" => Some((name.to_owned(), false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_say_how_they_ended() {
        assert_eq!(outcome("test a::b ... ok"), Some(("a::b".into(), true)));
        assert_eq!(outcome("test a::b ... FAILED"), Some(("a::b".into(), false)));
        assert_eq!(outcome("test result: ok. 5 passed; 0 failed"), None);
        assert_eq!(outcome("running 2 tests"), None);
    }

    #[test]
    fn test_programs_are_where_cargo_says() {
        let message =
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"attacks"},"executable":"/t/attacks-1"}"#;
        assert_eq!(
            executable_in(message, "test"),
            Some(("attacks".into(), "/t/attacks-1".into()))
        );
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"attacks"},"executable":null}"#;
        assert_eq!(executable_in(library, "test"), None);
    }
}
