//! Which Postgres of this machine is used, and as which user.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;
use super::folders::read_small;

/// Where Debian and Ubuntu keep the binaries, one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The oldest major version that our migrations and the cluster's settings are for.
const OLDEST: u32 = 15;

/// A variable that is handed on to the server although nothing else of our environment is: `.ci/run` marks with it all
/// that a run starts, and finds by it what is left running.
const RUN_MARK: &str = "CHARTSEAL_CI_RUN";

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
    /// Chooses the binaries: those on PATH, else the newest of Debian's, but none that is too old; for a cluster that
    /// exists, those of its version.
    pub(super) fn find(cluster: &Path) -> Result<Self, PostgresError> {
        let user = if rustix::process::geteuid().is_root() {
            Some(
                lookup("postgres", &std::fs::read_to_string("/etc/passwd").unwrap_or_default())
                    .ok_or(PostgresError::NoUser)?,
            )
        } else {
            None
        };
        let made_by = read_small(&cluster.join("PG_VERSION")).map(|v| v.trim().to_owned());
        let bin = choose(candidates(), made_by, cluster)?;
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
        if let Some(mark) = std::env::var_os(RUN_MARK) {
            command.env(RUN_MARK, mark);
        }
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

/// A folder of binaries and their major version, empty where they do not tell it.
type Candidate = (PathBuf, String);

/// The whole folders of binaries on this machine, the best first.
fn candidates() -> impl Iterator<Item = Candidate> {
    let complete = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = std::env::split_paths(&path).filter(|bin| bin.is_absolute()).collect();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort_unstable_by(|a, b| b.cmp(a));
    let all = on_path.into_iter().chain(debian.into_iter().map(|(_, bin)| bin));
    all.filter(complete).map(|bin| {
        let version = major_version(&bin).unwrap_or_default();
        (bin, version)
    })
}

fn choose(
    candidates: impl Iterator<Item = Candidate>,
    made_by: Option<String>,
    cluster: &Path,
) -> Result<PathBuf, PostgresError> {
    let mut too_old = None;
    for (bin, version) in candidates {
        match &made_by {
            Some(made_by) if *made_by == version => return Ok(bin),
            Some(_) => {}
            None if version.parse().is_ok_and(|version: u32| version >= OLDEST) => return Ok(bin),
            None => {
                too_old.get_or_insert(PostgresError::TooOld { bin, version });
            }
        }
    }
    Err(match made_by {
        Some(version) => PostgresError::OtherVersion {
            folder: cluster.to_owned(),
            version,
        },
        None => too_old.unwrap_or(PostgresError::NotInstalled),
    })
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chosen(versions: &[&str], made_by: Option<&str>) -> Result<PathBuf, PostgresError> {
        let candidates = versions.iter().map(|v| (Path::new(DEBIAN).join(v), (*v).to_owned()));
        choose(candidates, made_by.map(str::to_owned), Path::new("cluster"))
    }

    #[test]
    fn old_servers_are_passed_over_and_named_where_there_are_no_others() {
        assert_eq!(
            chosen(&["9", "14", "17", "15"], None).unwrap(),
            Path::new(DEBIAN).join("17")
        );
        assert!(matches!(chosen(&[], None), Err(PostgresError::NotInstalled)));
        let error = chosen(&["14", "", "9"], None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("15 or later is needed, and /usr/lib/postgresql/14 is 14"),
            "{error}"
        );
    }

    #[test]
    fn a_cluster_gets_the_servers_that_made_it() {
        assert_eq!(chosen(&["17", "15"], Some("15")).unwrap(), Path::new(DEBIAN).join("15"));
        assert!(matches!(
            chosen(&["17"], Some("15")),
            Err(PostgresError::OtherVersion { .. })
        ));
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:5:6::/:/x\npostgres:x:101:104:a,b:/var/lib:/bin/sh\n";
        assert_eq!(lookup("postgres", passwd), Some(User { uid: 101, gid: 104 }));
        assert_eq!(lookup("nobody", passwd), None);
        assert_eq!(lookup("postgres", "postgres:x:what:104"), None);
    }
}
