//! The compiler and linker for the chain: finding them, naming their versions, installing them.
//!
//! Debian's `rustc-web` is a plain rustc that ships with the exact source of its own library (`rust-web-src`), which
//! has to be compiled for a target that has no ready one. `sbpf-linker` is a crate; 0.1.9 is the newest that links
//! against LLVM 22, which is that compiler's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::process;
use crate::report::progress;
use crate::setup::debian::Apt;
use crate::workspace::{Workspace, cargo_home};

/// Where Debian puts the compiler. Not looked up on PATH, where rustup's comes first.
const RUSTC: &str = "/usr/bin/rustc";
const PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "llvm-22", "llvm-22-dev"];
const LLVM_MAJOR: u32 = 22;
/// Where Debian puts LLVM 22.
const LLVM: &str = "/usr/lib/llvm-22";
const LINKER: &str = "sbpf-linker";
const LINKER_VERSION: &str = "0.1.9";

/// A compiler and linker that were found.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    /// Source of the compiler's own library, for cargo's `-Zbuild-std`.
    pub(crate) library: PathBuf,
    pub(crate) linker: PathBuf,
    /// The target triple of this machine.
    pub(crate) host: String,
    pub(crate) versions: Versions,
}

/// What a program's bytes depend on, beside its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// Debian's version of the compiler's package; "unknown" where the compiler is of no Debian package.
    pub(crate) rustc_web: String,
    /// Release, commit and date.
    pub(crate) rustc: String,
    pub(crate) llvm: String,
    pub(crate) sbpf_linker: String,
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rustc_web,
            rustc,
            llvm,
            sbpf_linker,
        } = self;
        write!(
            formatter,
            "rustc {rustc} of rustc-web {rustc_web}, LLVM {llvm}, sbpf-linker {sbpf_linker}"
        )
    }
}

impl Toolchain {
    /// Finds all parts.
    ///
    /// # Errors
    /// When one is missing, with the command that gets it, or when two do not fit.
    pub(crate) fn find() -> Result<Self> {
        let mut missing = Vec::new();
        let rustc = PathBuf::from(RUSTC);
        if !process::is_program(&rustc) {
            missing.push(format!("{RUSTC} (package rustc-web)"));
        }
        let library = library(&rustc);
        if library.is_none() {
            missing.push(format!("the library source of {RUSTC} (package rust-web-src)"));
        }
        let llvm = llvm_version();
        if llvm.is_none() {
            missing.push(format!("{LLVM}/bin/llvm-config (packages llvm-22 and llvm-22-dev)"));
        }
        let linker = linker();
        if linker.is_none() {
            missing.push(format!("{LINKER} {LINKER_VERSION} (a crate)"));
        }
        let (Some(library), Some(llvm), Some((linker, sbpf_linker)), true) =
            (library, llvm, linker, missing.is_empty())
        else {
            bail!(
                "the toolchain for the chain is not complete. Missing: {}. Get it with `cargo xtask build-sbf --install` \
                 (on Debian, as root or with sudo). Only a change of the contract needs it: to try or to test the \
                 project, the committed artifacts will do",
                missing.join("; ")
            );
        };
        let about = About::of(&rustc)?;
        if sbpf_linker == LINKER_VERSION && about.llvm_major > LLVM_MAJOR {
            bail!(
                "{RUSTC} writes LLVM {} code, and {LINKER} {LINKER_VERSION} reads no newer than LLVM {LLVM_MAJOR}: install a \
                 rustc-web that is built with LLVM {LLVM_MAJOR}",
                about.llvm_major
            );
        }
        let versions = Versions {
            rustc_web: package_of(&rustc),
            rustc: about.release,
            llvm,
            sbpf_linker,
        };
        Ok(Self {
            rustc,
            library,
            linker,
            host: about.host,
            versions,
        })
    }
}

/// Installs what is missing of the toolchain, saying what and from where.
///
/// # Errors
/// When this is not Debian or we may not install, with the commands to type; or when a command fails.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    if library(Path::new(RUSTC)).is_none() || llvm_version().is_none() {
        let commands = format!(
            "apt-get update && apt-get install --no-install-recommends {}",
            PACKAGES.join(" ")
        );
        let apt = Apt::find("the compiler for the chain", &commands)?;
        progress(&format!("installing with apt-get: {}", PACKAGES.join(", ")));
        apt.update()?;
        apt.install(&PACKAGES)?;
    }
    if linker().is_none_or(|(_, version)| version != LINKER_VERSION) {
        progress(&format!(
            "installing with cargo install: {LINKER} {LINKER_VERSION} (some minutes)"
        ));
        process::run(
            workspace
                .cargo()
                .args(["install", "--locked", LINKER, "--version", LINKER_VERSION])
                .args(["--no-default-features", "--features", "upstream-gallery-22"])
                // The first two are read by different crates; the `llvm-config` on PATH may be another version's.
                .env("LLVM_SYS_221_PREFIX", LLVM)
                .env("LLVM_PREFIX", LLVM)
                .env("LIBRARY_PATH", format!("{LLVM}/lib")),
        )?;
    }
    Ok(())
}

/// `lib/rustlib/src/rust/library` of the compiler's own folder, which is where cargo looks for it.
fn library(rustc: &Path) -> Option<PathBuf> {
    let sysroot = process::capture(Command::new(rustc).args(["--print", "sysroot"])).ok()?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    library.join("Cargo.lock").is_file().then_some(library)
}

fn llvm_version() -> Option<String> {
    let config = Path::new(LLVM).join("bin/llvm-config");
    let version = process::capture(Command::new(config).arg("--version")).ok()?;
    Some(version.trim().to_owned())
}

/// Where the linker is, and its version. Cargo's own folder for programs need not be on PATH.
fn linker() -> Option<(PathBuf, String)> {
    let installed = |folder: PathBuf| Some(folder.join("bin").join(LINKER)).filter(|file| process::is_program(file));
    let linker = process::find(LINKER)
        .or_else(|| installed(std::env::var_os("CARGO_INSTALL_ROOT")?.into()))
        .or_else(|| installed(cargo_home()?))?;
    // It answers as if that were an error, on standard error.
    let output = Command::new(&linker)
        .arg("--version")
        .env("RUST_BACKTRACE", "0")
        .output()
        .ok()?;
    let said = [output.stdout, output.stderr].concat();
    let version = version_in(&String::from_utf8_lossy(&said))?;
    Some((linker, version))
}

fn version_in(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip_while(|word| *word != LINKER);
    words.nth(1).map(str::to_owned)
}

/// The version of the Debian package that `file` is of.
fn package_of(file: &Path) -> String {
    let owner = process::capture(Command::new("dpkg-query").arg("--search").arg(file));
    let version = owner.ok().and_then(|owner| {
        let package = owner.split(':').next()?.trim().to_owned();
        process::capture(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", &package])).ok()
    });
    version.map_or_else(|| "unknown".to_owned(), |version| version.trim().to_owned())
}

/// What `rustc -vV` says.
#[derive(Debug, PartialEq, Eq)]
struct About {
    release: String,
    host: String,
    llvm_major: u32,
}

impl About {
    fn of(rustc: &Path) -> Result<Self> {
        let text = process::capture(Command::new(rustc).arg("-vV"))?;
        match Self::parse(&text) {
            Some(about) => Ok(about),
            None => bail!(
                "`{} -vV` does not say release, host and LLVM version:\n{text}",
                rustc.display()
            ),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let release = format!(
            "{} ({} {})",
            field("release:")?,
            field("commit-hash:")?.get(..9)?,
            field("commit-date:")?
        );
        let llvm_major = field("LLVM version:")?.split('.').next()?.parse().ok()?;
        Some(Self {
            release,
            host: field("host:")?.to_owned(),
            llvm_major,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_tells_what_it_is() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                    commit-hash: ac68faa20c58cbccd01ee7208bf3b6e93a7d7f96\ncommit-date: 2026-05-25\n\
                    host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        let expected = About {
            release: "1.96.0 (ac68faa20 2026-05-25)".into(),
            host: "x86_64-unknown-linux-gnu".into(),
            llvm_major: 22,
        };
        assert_eq!(About::parse(text), Some(expected));
        assert_eq!(About::parse("rustc 1.96.0\n"), None);
    }

    #[test]
    fn the_linkers_version_is_found_in_what_looks_like_an_error() {
        assert_eq!(version_in("Error: sbpf-linker 0.1.9\n\n"), Some("0.1.9".into()));
        assert_eq!(version_in("sbpf-linker 0.2.0"), Some("0.2.0".into()));
        assert_eq!(version_in("not found"), None);
    }
}
