//! Installing packages on Debian, Ubuntu and what is made from them, with the rights that we have.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// apt-get, with the right to install.
#[derive(Debug)]
pub(crate) struct Apt {
    with_sudo: bool,
}

impl Apt {
    /// Finds out whether and how we may install `what`.
    ///
    /// # Errors
    /// When we may not. The error tells to type `commands`.
    pub(crate) fn find(what: &str, commands: &str) -> Result<Self> {
        if !is_debian() {
            bail!("{what} is missing, and this system is neither Debian nor Ubuntu. On those it would be: {commands}");
        }
        if process::find("apt-get").is_none() {
            bail!("{what} is missing, and so is apt-get. Where it is there, type: {commands}");
        }
        if is_root() {
            return Ok(Self { with_sudo: false });
        }
        if sudo_asks_nothing() {
            return Ok(Self { with_sudo: true });
        }
        bail!("{what} is missing, and installing it needs root. Type: sudo sh -c '{commands}'");
    }

    /// Refreshes the lists of packages.
    pub(crate) fn update(&self) -> Result<()> {
        process::run(self.command("apt-get").args(["update", "-qq"])).context("apt-get cannot refresh its lists")
    }

    /// Installs packages and what they need, without what they recommend: for Postgres that is a mail server.
    pub(crate) fn install(&self, packages: &[&str]) -> Result<()> {
        let mut command = self.command("env");
        command
            .args([
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
            ])
            .args(packages);
        process::run(&mut command).with_context(|| format!("apt-get cannot install {}", packages.join(", ")))
    }

    /// Writes a small file of the system's, and makes its folder.
    pub(crate) fn write(&self, file: &Path, content: &str) -> Result<()> {
        let script = "mkdir -p \"$(dirname \"$1\")\" && printf '%s' \"$2\" > \"$1\"";
        let mut command = self.command("sh");
        process::run(command.args(["-c", script, "sh"]).arg(file).arg(content))
    }

    /// Removes a file that [`Apt::write`] wrote.
    pub(crate) fn remove(&self, file: &Path) -> Result<()> {
        process::run(self.command("rm").arg("-f").arg(file))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = if self.with_sudo {
            let mut command = Command::new("sudo");
            command.args(["-n", program]);
            command
        } else {
            Command::new(program)
        };
        // What apt-get says is progress, and standard output is for results.
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        command
    }
}

/// Whether this is Debian, Ubuntu or made from one.
pub(crate) fn is_debian() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian(&text))
}

fn names_debian(os_release: &str) -> bool {
    let values = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
    values
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .any(|id| id == "debian" || id == "ubuntu")
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0")
}

fn sudo_asks_nothing() -> bool {
    process::capture(Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_descendants_are_known() {
        assert!(names_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(names_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nVARIANT_ID=debian-like\n"));
    }
}
