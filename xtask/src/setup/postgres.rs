//! Postgres' server programs, which the sandbox starts on a private folder of its own. No cluster of the system's is
//! made, used or touched: Debian would make one when it installs the server, so it is told not to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::debian::{self, Apt};
use crate::process;
use crate::report::progress;

const PROGRAMS: [&str; 2] = ["initdb", "postgres"];
/// The oldest major version that will do. The sandbox asks for the same.
const OLDEST: u32 = 15;
/// Where Debian puts the servers: a folder for each version, with the programs in `bin`.
const SERVERS: &str = "/usr/lib/postgresql";
/// Read by Debian's packages when they configure a server, and removed when that is done.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/chartseal.conf";
const SETTING: &str = "create_main_cluster = false\n";

/// Makes sure that there is a server to start.
///
/// # Errors
/// When there is none and we may not install one, with the command that does.
pub(crate) fn ensure() -> Result<()> {
    if servers().next().is_some() {
        return Ok(());
    }
    if !debian::is_debian() {
        bail!(
            "Postgres' server programs (initdb, postgres) of version {OLDEST} or later are missing: {}",
            elsewhere()
        );
    }
    let apt = Apt::find("Postgres (its server programs)", &by_hand())?;
    progress("installing with apt-get: postgresql, without a cluster (tests and demo make a private one each time)");
    apt.update()?;
    // First the part that reads the setting, then the setting, then the server.
    apt.install(&["postgresql-common"])?;
    let setting = Path::new(NO_CLUSTER);
    apt.write(setting, SETTING)?;
    let installed = apt.install(&["postgresql"]);
    apt.remove(setting)?;
    installed?;
    if servers().next().is_none() {
        bail!(
            "apt-get installed postgresql, but there is no server of version {OLDEST} or later under {SERVERS}: this \
             system's is too old (https://www.postgresql.org/download has newer ones), or the package is a dummy here"
        );
    }
    Ok(())
}

/// Where one of Postgres' programs is: on PATH, or with the best server.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    process::find(name).or_else(|| Some(servers().next()?.join(name)))
}

/// Folders with the programs of a server that is not too old, the best first: on PATH, then Debian's, newest first.
fn servers() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    let all = on_path.into_iter().chain(in_folder_of_servers(Path::new(SERVERS)));
    all.filter(|folder| is_whole(folder))
        .filter(|folder| version_of(folder).is_some_and(|version| version >= OLDEST))
}

fn is_whole(folder: &Path) -> bool {
    PROGRAMS
        .iter()
        .all(|program| process::is_program(&folder.join(program)))
}

/// The folders of programs under Debian's folder of servers, newest first.
fn in_folder_of_servers(servers: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(servers).into_iter().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let version = version.ok()?;
            Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin")))
        })
        .collect();
    folders.sort_unstable_by(|a, b| b.cmp(a));
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// The major version of the server in a folder, which it tells itself.
fn version_of(folder: &Path) -> Option<u32> {
    version_in(&process::capture(Command::new(folder.join("postgres")).arg("--version")).ok()?)
}

/// The 15 of `postgres (PostgreSQL) 15.14 (Debian 15.14-1)`.
fn version_in(text: &str) -> Option<u32> {
    let number = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn by_hand() -> String {
    format!(
        "apt-get update && apt-get install -y --no-install-recommends postgresql-common && mkdir -p {folder} && \
         echo \"{setting}\" > {NO_CLUSTER} && apt-get install -y --no-install-recommends postgresql; rm -f {NO_CLUSTER}",
        folder = Path::new(NO_CLUSTER).parent().unwrap_or(Path::new("/")).display(),
        setting = SETTING.trim(),
    )
}

/// What to type where apt-get is not.
fn elsewhere() -> String {
    let known = [
        (
            "brew",
            "brew install postgresql@17 && export PATH=\"$(brew --prefix postgresql@17)/bin:$PATH\"",
        ),
        ("dnf", "sudo dnf install postgresql-server"),
        ("pacman", "sudo pacman -S postgresql"),
        ("zypper", "sudo zypper install postgresql-server"),
        ("apk", "sudo apk add postgresql17"),
    ];
    match known.iter().find(|(program, _)| process::find(program).is_some()) {
        Some((_, command)) => format!("type: {command}"),
        None => "install Postgres 15 or later and put its folder `bin` on PATH".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_listed_newest_first_and_by_number() {
        let folder = std::env::temp_dir().join(format!("xtask-servers-{}", std::process::id()));
        for version in ["9", "15", "17", "contrib"] {
            std::fs::create_dir_all(folder.join(version).join("bin")).unwrap();
        }
        std::fs::write(folder.join("17/bin/initdb"), "").unwrap();
        let expected = ["17", "15", "9"].map(|version| folder.join(version).join("bin"));
        assert_eq!(in_folder_of_servers(&folder), expected);
        assert!(
            !is_whole(&expected[0]),
            "a server needs all of its programs, and they must be programs"
        );
        assert_eq!(in_folder_of_servers(&folder.join("not there")), Vec::<PathBuf>::new());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_server_tells_its_version() {
        assert_eq!(version_in("postgres (PostgreSQL) 15.14 (Debian 15.14-1)\n"), Some(15));
        assert_eq!(version_in("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(version_in("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(version_in("not a server"), None);
    }

    #[test]
    fn the_command_to_type_makes_no_cluster_and_leaves_no_setting() {
        let command = by_hand();
        assert!(command.contains("create_main_cluster = false"), "{command}");
        assert!(command.ends_with(&format!("rm -f {NO_CLUSTER}")), "{command}");
        assert!(!command.contains('\''), "it is shown inside single quotes: {command}");
    }
}
