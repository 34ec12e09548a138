//! The programs that the benchmark of media is held against: what a user would take to encrypt files otherwise. Nothing
//! else needs them, so they are looked for, and installed, for that benchmark only.

use anyhow::{Result, bail};

use super::debian::{self, Apt};
use crate::process;
use crate::report::progress;

/// Each program, and Debian's package of it. gzip and sha256sum are part of every system.
const PROGRAMS: [(&str, &str); 3] = [("age", "age"), ("age-keygen", "age"), ("gpg", "gnupg")];

/// Makes sure that they are there.
///
/// # Errors
/// When one is missing and may not be installed from here, with the command that installs it.
pub(crate) fn ensure() -> Result<()> {
    let packages = packages_of(&missing());
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !debian::is_debian() {
        bail!(
            "what the benchmark compares with is missing: {}; install age (https://age-encryption.org) and GnuPG, for \
             example with: brew install age gnupg",
            missing().join(", ")
        );
    }
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {list}");
    let apt = Apt::find(&format!("what the benchmark compares with ({list})"), &by_hand)?;
    progress(&format!(
        "installing with apt-get: {list}, which the benchmark compares with"
    ));
    apt.update()?;
    apt.install(&packages)?;
    let still = missing();
    if !still.is_empty() {
        bail!(
            "apt-get installed {list}, but these are not on PATH: {}",
            still.join(", ")
        );
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let programs = PROGRAMS.into_iter().map(|(program, _)| program);
    programs.filter(|program| process::find(program).is_none()).collect()
}

/// The packages that have these programs, each once.
fn packages_of(programs: &[&str]) -> Vec<&'static str> {
    let wanted = PROGRAMS.into_iter().filter(|(program, _)| programs.contains(program));
    let mut packages: Vec<&str> = wanted.map(|(_, package)| package).collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_installed_once_and_only_where_a_program_of_it_is_missing() {
        assert_eq!(packages_of(&["age", "age-keygen"]), ["age"]);
        assert_eq!(packages_of(&["gpg"]), ["gnupg"]);
        assert_eq!(packages_of(&[]), Vec::<&str>::new());
        assert_eq!(packages_of(&["age", "age-keygen", "gpg"]), ["age", "gnupg"]);
    }
}
