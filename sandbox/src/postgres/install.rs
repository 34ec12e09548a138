//! Which Postgres of this machine is used, and as which user.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;

/// Where Debian and Ubuntu keep the binaries, one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A folder of binaries, and the user that they run as if that is not us.
#[derive(Debug, Clone)]
pub(super) struct Install {
    bin: PathBuf,
    pub(super) user: Option<User>,
}

impl Install {
    /// Chooses the binaries: those on PATH, else the newest of Debian's; for a cluster that exists, those of its version.
    pub(super) fn find(cluster: &Path) -> Result<Self, PostgresError> {
        let user = if rustix::process::geteuid().is_root() {
            Some(
                lookup("postgres", &std::fs::read_to_string("/etc/passwd").unwrap_or_default())
                    .ok_or(PostgresError::NoUser)?,
            )
        } else {
            None
        };
        let candidates = candidates();
        let made_by = std::fs::read_to_string(cluster.join("PG_VERSION"))
            .ok()
            .map(|v| v.trim().to_owned());
        let bin = match made_by {
            None => candidates.into_iter().next().ok_or(PostgresError::NotInstalled)?,
            Some(version) => candidates
                .into_iter()
                .find(|bin| major_version(bin).as_ref() == Some(&version))
                .ok_or_else(|| PostgresError::OtherVersion {
                    folder: cluster.to_owned(),
                    version,
                })?,
        };
        Ok(Self { bin, user })
    }

    /// A command that runs a program of Postgres as its user, in `folder`, with nothing of our environment: variables
    /// such as PGHOST or PGDATA must not reach it.
    pub(super) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command
            .current_dir(folder)
            .env_clear()
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

fn candidates() -> Vec<PathBuf> {
    let complete = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|bin| bin.is_absolute());
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort_unstable_by(|a, b| b.cmp(a));
    on_path
        .chain(debian.into_iter().map(|(_, bin)| bin))
        .filter(complete)
        .collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-1)` is of version 15.
fn major_version(bin: &Path) -> Option<String> {
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(version.split(|c: char| !c.is_ascii_digit()).next()?.to_owned())
}

/// Finds a user in the text of `/etc/passwd`: name, password, uid, gid and more, between colons.
fn lookup(name: &str, passwd: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        fields.next();
        Some(User {
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:5:6::/:/x\npostgres:x:101:104:a,b:/var/lib:/bin/sh\n";
        assert_eq!(lookup("postgres", passwd), Some(User { uid: 101, gid: 104 }));
        assert_eq!(lookup("nobody", passwd), None);
        assert_eq!(lookup("postgres", "postgres:x:what:104"), None);
    }
}
