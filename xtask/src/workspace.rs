//! Where things are: the root of the checkout, the build folder, the cargo that started us.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;

/// How the names of variables begin that are about the package that is run.
const OUR_PACKAGE: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_NAME"];

/// The checkout that `cargo xtask` was called in.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// Folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's build folder, `target` unless `CARGO_TARGET_DIR` or a configuration says otherwise.
    pub(crate) target: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    manifest_path: PathBuf,
}

impl Workspace {
    /// Asks cargo. Needs no network.
    ///
    /// # Errors
    /// When the current folder is in no workspace, or its manifests do not parse.
    pub(crate) fn find() -> Result<Self> {
        let metadata = metadata(Command::new(cargo()).args(["metadata", "--format-version=1", "--no-deps"]))?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages: metadata.packages,
        })
    }

    /// A copy of this checkout at another place, with a build folder of its own.
    pub(crate) fn at(&self, root: PathBuf, target: PathBuf) -> Self {
        Self {
            root,
            target,
            packages: self.packages.clone(),
        }
    }

    /// A cargo command at the root of the workspace.
    ///
    /// The cargo that runs us tells us about our own package in variables. Build scripts of others look at some of them,
    /// and would be run anew, with all that depends on them, whenever the same cargo command comes from somebody else.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            if OUR_PACKAGE
                .iter()
                .any(|begins| name.as_encoded_bytes().starts_with(begins.as_bytes()))
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// Builds, and returns the programs that this made, by name: where they are depends on the caller's settings, such as
    /// a target of their own.
    ///
    /// # Errors
    /// When something does not compile.
    pub(crate) fn build(&self, arguments: &[&str]) -> Result<Programs> {
        self.build_kind("bin", arguments)
    }

    /// Builds an example of a package.
    ///
    /// # Errors
    /// When it does not compile.
    pub(crate) fn build_example(&self, package: &str, name: &str) -> Result<Programs> {
        self.build_kind("example", &["--package", package, "--example", name])
    }

    fn build_kind(&self, kind: &str, arguments: &[&str]) -> Result<Programs> {
        let mut command = self.cargo();
        command
            .arg("build")
            .args(arguments)
            .arg("--message-format=json-render-diagnostics");
        let mut programs = BTreeMap::new();
        let status = process::each_line(&mut command, |line| programs.extend(executable_in(line, kind)))?;
        if !status.success() {
            bail!("this ended with {status}: {}", process::line(&command));
        }
        Ok(Programs(programs))
    }

    /// The version of one of our own packages.
    ///
    /// # Errors
    /// When there is no such package.
    pub(crate) fn version_of(&self, package: &str) -> Result<&str> {
        let found = self.packages.iter().find(|candidate| candidate.name == package);
        Ok(&found
            .with_context(|| format!("the workspace has no package `{package}`"))?
            .version)
    }

    /// Folders that hold the source of packages from registries, for builds on `host`. Downloads those that are not
    /// there yet.
    ///
    /// # Errors
    /// When `Cargo.lock` does not fit the manifests, or something cannot be downloaded.
    pub(crate) fn registry_folders(&self, host: &str) -> Result<BTreeSet<PathBuf>> {
        let metadata =
            metadata(
                self.cargo()
                    .args(["metadata", "--format-version=1", "--locked", "--filter-platform", host]),
            )?;
        let from_registry = |package: &&Package| {
            package
                .source
                .as_ref()
                .is_some_and(|source| source.contains("registry+"))
        };
        let folder = |package: &Package| package.manifest_path.ancestors().nth(2).map(Path::to_path_buf);
        Ok(metadata
            .packages
            .iter()
            .filter(from_registry)
            .filter_map(folder)
            .collect())
    }
}

/// Programs that were built.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Those that were built into a folder earlier.
    pub(crate) fn in_folder(folder: &Path, names: &[&str]) -> Self {
        let place = |name: &&str| ((*name).to_owned(), folder.join(name));
        Self(names.iter().map(place).collect())
    }

    /// These and others.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// A command that runs one of them.
    ///
    /// # Errors
    /// When it was not among what was built.
    pub(crate) fn command(&self, name: &str) -> Result<Command> {
        let program = self.0.get(name);
        Ok(Command::new(
            program.with_context(|| format!("cargo built no program `{name}`"))?,
        ))
    }
}

/// The executable of this kind (`bin`, `test`, …) that one of cargo's messages tells of, and its name.
pub(crate) fn executable_in(message: &str, kind: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Target,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let Message { executable, target } = serde_json::from_str(message).ok()?;
    let is_it = target.kind.iter().any(|is| is == kind);
    Some((target.name, executable.filter(|_| is_it)?))
}

fn metadata(command: &mut Command) -> Result<Metadata> {
    serde_json::from_str(&process::capture(command)?).context("cannot read what `cargo metadata` printed")
}

/// The cargo that runs us, or the one on PATH when this program was started without it.
fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Cargo's own folder: `CARGO_HOME`, or `.cargo` at home.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let given = std::env::var_os("CARGO_HOME").filter(|value| !value.is_empty());
    given
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_tells_us_about_our_own_package_is_kept_from_other_builds() {
        let workspace = Workspace::find().unwrap();
        let removed: Vec<_> = workspace
            .cargo()
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.is_none()))
            .collect();
        // Cargo tells tests too.
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(removed.contains(&(name.into(), true)), "{name}: {removed:?}");
        }
    }

    #[test]
    fn programs_are_where_cargo_says() {
        let message = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"chartseal"},"executable":"/t/x/debug/chartseal"}"#;
        assert_eq!(
            executable_in(message, "bin"),
            Some(("chartseal".into(), "/t/x/debug/chartseal".into()))
        );
        for other in [
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"chartseal"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"story"},"executable":"/t/story-1"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "no message",
        ] {
            assert_eq!(executable_in(other, "bin"), None, "{other}");
        }
    }
}
