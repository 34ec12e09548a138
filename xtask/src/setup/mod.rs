//! What the commands need beside Rust, and getting it. On Debian and Ubuntu, as root or with a sudo that asks for no
//! password, it is installed after saying so; elsewhere the command stops with the exact line to type.
//!
//! A C compiler is not looked for: without one, cargo could not have linked this program. Nothing else is needed to
//! compile the dependencies (aws-lc-sys takes no cmake where it knows the processor, as it does all of Rust's first tier),
//! but for the fuzzers, which want C++.

pub(crate) mod debian;
pub(crate) mod peers;
pub(crate) mod postgres;

use anyhow::Result;

use crate::process;
use crate::report::progress;
use debian::Apt;

/// Makes sure that tests and demo find what they start.
///
/// # Errors
/// When something is missing and may not be installed from here, with the command that installs it.
pub(crate) fn ensure() -> Result<()> {
    postgres::ensure()
}

/// Makes sure that libFuzzer can be compiled.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn cpp_compiler() -> Result<()> {
    if std::env::var_os("CXX").is_some() || process::find("c++").is_some() {
        return Ok(());
    }
    let apt = Apt::find(
        "A C++ compiler, for the fuzzers",
        "apt-get update && apt-get install -y g++",
    )?;
    progress("installing with apt-get: g++");
    apt.update()?;
    apt.install(&["g++"])
}
