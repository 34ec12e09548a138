//! `xtask` as a linker. rustc calls this same program in place of one, because a little judgement is needed: some
//! dependencies also declare a `cdylib`, which nobody loads on chain and which would not link, so only the contract
//! goes to `sbpf-linker` and the others get an empty file.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;

/// Set for a build: the file name of the one library that is to be linked.
pub(crate) const LIBRARY: &str = "CHARTSEAL_SBF_LINK";
/// Set for a build: where `sbpf-linker` is.
pub(crate) const LINKER: &str = "CHARTSEAL_SBF_LINKER";

/// BPF passes at most five arguments and returns one register, so whatever breaks that must be inlined: LLVM's usual
/// threshold of 225 leaves such functions standing, 2,000 does not. They stand among rustc's flags, not here, so that
/// cargo links again when they change.
pub(crate) const ARGUMENTS: [&str; 3] = [
    "--llvm-args=-inline-threshold=2000",
    "--llvm-args=-inlinecold-threshold=100000",
    "--llvm-args=-inline-cold-callsite-threshold=100000",
];

/// One call by rustc.
#[derive(Debug)]
pub(crate) struct Job {
    library: OsString,
    linker: PathBuf,
}

/// Whether this process was started by rustc to link.
pub(crate) fn requested() -> Option<Job> {
    Some(Job {
        library: std::env::var_os(LIBRARY)?,
        linker: std::env::var_os(LINKER)?.into(),
    })
}

impl Job {
    /// Links what the arguments say, or writes an empty file there.
    ///
    /// # Errors
    /// When the linker cannot be started or the file cannot be written.
    pub(crate) fn run(&self, arguments: &[OsString]) -> Result<ExitCode> {
        let output = output(arguments).context("rustc gave no `-o` to its linker")?;
        if output.file_name() == Some(&self.library) {
            return process::exit_code(Command::new(&self.linker).args(arguments));
        }
        std::fs::write(output, []).with_context(|| format!("cannot write {}", output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn output(arguments: &[OsString]) -> Option<&Path> {
    let flag = arguments.iter().position(|argument| argument == OsStr::new("-o"))?;
    arguments.get(flag + 1).map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_output_follows_its_flag() {
        assert_eq!(
            output(&arguments(&["a.o", "-o", "deps/libx.so", "--cpu=v2"])),
            Some(Path::new("deps/libx.so"))
        );
        assert_eq!(output(&arguments(&["a.o", "-o"])), None);
    }

    #[test]
    fn a_library_that_is_not_the_contract_becomes_an_empty_file() {
        let file = std::env::temp_dir().join(format!("xtask-link-{}.so", std::process::id()));
        let job = Job {
            library: "libcontract.so".into(),
            linker: "/nowhere/linker".into(),
        };
        job.run(&["-o".into(), file.clone().into()]).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn the_contract_goes_to_the_linker() {
        let job = Job {
            library: "libcontract.so".into(),
            linker: "/nowhere/linker".into(),
        };
        let error = job.run(&arguments(&["-o", "/tmp/libcontract.so"])).unwrap_err();
        assert!(error.to_string().contains("/nowhere/linker"), "{error}");
    }
}
