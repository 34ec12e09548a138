//! `xtask` as a wrapper of rustc. Cargo calls it in place of rustc for our own packages only, and it adds what libFuzzer
//! needs to see which way an input took: counters for edges and the operands of comparisons. `-Z sanitizer` would be the
//! nightly compiler's way; these are LLVM's own options, which the stable one hands on.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::process;

/// Set for a build.
const ASKED: &str = "CHARTSEAL_FUZZ_RUSTC";

/// What is added. Optimised, because a fuzzer is as good as it is fast; with the checks of a debug build, because these
/// are half of what it looks for.
const FLAGS: [&str; 10] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Copt-level=2",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Cdebuginfo=line-tables-only",
];

/// Makes a build call us for our own packages.
///
/// # Errors
/// When the build folder cannot be written.
pub(super) fn ask(cargo: &mut Command, target: &Path) -> Result<()> {
    // Cargo builds anew where the wrapper has another name, so the name follows from the flags.
    let digest = Sha256::digest(FLAGS.join(" "));
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let wrapper = target.join("fuzz").join(format!("rustc-{number:08x}"));
    std::fs::create_dir_all(target.join("fuzz")).context("cannot write to the build folder")?;
    if wrapper.exists() || wrapper.is_symlink() {
        std::fs::remove_file(&wrapper).with_context(|| format!("cannot remove {}", wrapper.display()))?;
    }
    // A copy, for the one that runs may be replaced while it is used. It may have been already, by the build of what is
    // tested, and has no name then.
    std::fs::copy("/proc/self/exe", &wrapper).with_context(|| format!("cannot write {}", wrapper.display()))?;
    cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper).env(ASKED, "1");
    Ok(())
}

/// Whether this process was started by cargo in place of rustc.
pub(crate) fn requested() -> bool {
    std::env::var_os(ASKED).is_some()
}

/// Calls rustc, whose path is the first argument.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn call(arguments: &[OsString]) -> Result<ExitCode> {
    let (rustc, arguments) = arguments.split_first().context("cargo named no rustc")?;
    let mut command = Command::new(rustc);
    command.args(arguments).env_remove(ASKED);
    if is_ours(arguments) {
        command.args(FLAGS);
    }
    process::become_it(&mut command)
}

/// Whether these compile something of ours that runs in the fuzzer: not what cargo asks rustc about itself, and not a
/// build script.
fn is_ours(arguments: &[OsString]) -> bool {
    let name = arguments
        .iter()
        .position(|argument| argument == OsStr::new("--crate-name"));
    let name = name
        .and_then(|place| arguments.get(place + 1))
        .and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("chartseal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(line: &str) -> bool {
        is_ours(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn our_packages_are_instrumented_and_nothing_else_is() {
        assert!(ours("--crate-name chartseal --edition=2024 client/src/lib.rs"));
        assert!(ours(
            "--crate-name chartseal_kernels --edition=2024 client/kernels/src/lib.rs"
        ));
        assert!(!ours("--crate-name build_script_build --edition=2024 build.rs"));
        assert!(!ours("- --crate-name ___ --print=file-names"));
        assert!(!ours("-vV"));
    }
}
