//! rustc for the chain: which flags, which environment, and why each of them.
//!
//! The contract is compiled for `sbf/bpfel-solana.json`: rustc's built-in `bpfel-unknown-none` with `os = solana`, by
//! which crates choose syscalls, and with atomics of every width, which `lower-atomic` turns into plain loads and stores.
//! Cargo compiles `std` for it too, from the source that came with the compiler. Nothing that tells where a file was
//! reaches the result, so its hash is the same on every machine with this toolchain.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::toolchain::Toolchain;
use super::{PACKAGE, link};
use crate::process;
use crate::report::progress;
use crate::workspace::{Workspace, cargo_home};

const PROFILE: &str = "sbf";
const TARGET: &str = "bpfel-solana";
const LIBRARY: &str = "libchartseal_program.so";

const FLAGS: [&str; 11] = [
    "-Zunstable-options",
    // Panics become traps: the code that formats their messages has functions of more than five arguments.
    "-Cpanic=immediate-abort",
    // One thread runs a program, and LLVM cannot select atomics for this target.
    "-Cpasses=lower-atomic",
    // `std` chooses its smallest platform layer, of which nothing survives linking.
    "--cfg",
    "target_os=\"zkvm\"",
    // `std` has no allocation alignment for BPF; this architecture's is right for it.
    "--cfg",
    "target_arch=\"csky\"",
    // Syscalls are calls by hash; as `extern` symbols the optimiser drops their arguments.
    "--cfg",
    "target_feature=\"static-syscalls\"",
    "-Aexplicit_builtin_cfgs_in_flags",
    "-Clinker-flavor=bpf",
];

/// Variables of the caller that would change the result, by the beginning of their names.
const FOREIGN: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "CARGO_INCREMENTAL",
];

/// The build folder of this target alone, so that a build for the chain and one for the host never wait for each other.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("sbf")
}

/// Where [`run`] leaves the program.
pub(crate) fn program(workspace: &Workspace) -> PathBuf {
    folder(workspace).join(TARGET).join(PROFILE).join(LIBRARY)
}

/// Compiles the contract and returns the bytes of the program.
///
/// # Errors
/// When it does not compile or link, or `Cargo.lock` does not fit the manifests.
pub(crate) fn run(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<u8>> {
    start_anew_after_another_toolchain(workspace, toolchain)?;
    process::run(&mut command(workspace, toolchain)?)?;
    let program = program(workspace);
    std::fs::read(&program).with_context(|| format!("cannot read {}", program.display()))
}

fn command(workspace: &Workspace, toolchain: &Toolchain) -> Result<Command> {
    let mut flags: Vec<OsString> = FLAGS.iter().map(OsString::from).collect();
    flags.push(joined("-Clinker=", &own_copy(workspace)?, ""));
    flags.extend(
        link::ARGUMENTS
            .iter()
            .map(|argument| format!("-Clink-arg={argument}").into()),
    );
    for (from, to) in places(workspace, toolchain)? {
        flags.push(joined("--remap-path-prefix=", &from, &format!("={to}")));
    }

    let mut command = workspace.cargo();
    for name in std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| is_foreign(&name.to_string_lossy()))
    {
        command.env_remove(name);
    }
    command
        .args(["build", "--locked", "--package", PACKAGE, "--lib", "--profile", PROFILE])
        .arg("--target-dir")
        .arg(folder(workspace))
        .arg("--target")
        .arg(
            workspace
                .root
                .join("programs/chartseal/sbf")
                .join(TARGET)
                .with_extension("json"),
        )
        .args(["-Zbuild-std=std,panic_abort", "-Zjson-target-spec"])
        // The compiler is a release, which takes unstable flags when it is told that it compiles itself. The last
        // variable lifts the mark "restricted" that `std` has on a target it does not know.
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .env_remove("LD_LIBRARY_PATH")
        .env(link::LIBRARY, LIBRARY)
        .env(link::LINKER, &toolchain.linker)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags.join(OsString::from("\u{1f}").as_os_str()),
        );
    Ok(command)
}

fn is_foreign(name: &str) -> bool {
    name != "CARGO_BUILD_JOBS" && FOREIGN.iter().any(|start| name.starts_with(start))
}

/// Folders that differ between machines, and what stands for each in the program.
fn places(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut places = vec![
        (workspace.root.clone(), "/chartseal"),
        (workspace.target.clone(), "/target"),
    ];
    places.extend(cargo_home().map(|home| (home, "/cargo")));
    places.extend(
        workspace
            .registry_folders(&toolchain.host)?
            .into_iter()
            .map(|folder| (folder, "/registry")),
    );
    places.push((toolchain.library.clone(), "/library"));
    let library = toolchain.library.canonicalize();
    places.push((
        library.with_context(|| format!("cannot find {}", toolchain.library.display()))?,
        "/library",
    ));
    // rustc goes by the last that fits: where one folder contains another, the inner one has to be later.
    places.sort_by_key(|(folder, _)| folder.components().count());
    Ok(places)
}

fn joined(before: &str, path: &Path, after: &str) -> OsString {
    let mut word = OsString::from(before);
    word.push(path);
    word.push(after);
    word
}

/// A copy of this program for rustc to call: the original may be replaced by another cargo while we build.
fn own_copy(workspace: &Workspace) -> Result<PathBuf> {
    let folder = folder(workspace);
    let copy = folder.join("link");
    let ours = std::env::current_exe().context("cannot find this program's own file")?;
    let fresh = folder.join(format!("link.{}", std::process::id()));
    let done = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::copy(&ours, &fresh))
        .and_then(|_| std::fs::rename(&fresh, &copy));
    done.with_context(|| format!("cannot copy {} to {}", ours.display(), copy.display()))?;
    Ok(copy)
}

/// Cargo notices another rustc but not another linker or LLVM, so what they made goes.
fn start_anew_after_another_toolchain(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let folder = folder(workspace);
    let mark = folder.join("toolchain");
    let present = toolchain.versions.to_string();
    let past = std::fs::read_to_string(&mark).ok();
    if past.as_ref() == Some(&present) {
        return Ok(());
    }
    if folder.join(TARGET).exists() {
        progress("another toolchain made the last build: starting anew");
        let done = std::fs::remove_dir_all(folder.join(TARGET));
        done.with_context(|| format!("cannot remove {}", folder.join(TARGET).display()))?;
    }
    let done = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&mark, present));
    done.with_context(|| format!("cannot write {}", mark.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_program_is_kept_out() {
        for name in [
            "RUSTFLAGS",
            "CARGO_PROFILE_SBF_LTO",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
            "CARGO_INCREMENTAL",
        ] {
            assert!(is_foreign(name), "{name}");
        }
        for name in ["PATH", "CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_NET_OFFLINE"] {
            assert!(!is_foreign(name), "{name}");
        }
    }
}
