//! Postgres' server programs, which the sandbox starts on a private folder of its own. No cluster of the system's is
//! made, used or touched: Debian would make one when it installs the server, so it is told not to.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::debian::{self, Apt};
use crate::process;
use crate::report::progress;

const PROGRAMS: [&str; 2] = ["initdb", "postgres"];
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
    if on_path() || in_folder_of_servers(Path::new(SERVERS)).is_some() {
        return Ok(());
    }
    if !debian::is_debian() {
        bail!(
            "Postgres' server programs (initdb, postgres) are missing: {}",
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
    if in_folder_of_servers(Path::new(SERVERS)).is_none() {
        bail!("apt-get installed postgresql, but there is no initdb under {SERVERS}: is the package a dummy here?");
    }
    Ok(())
}

fn on_path() -> bool {
    PROGRAMS.iter().all(|program| process::find(program).is_some())
}

/// Where one of Postgres' programs is: on PATH, or with the newest server.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    process::find(name).or_else(|| Some(in_folder_of_servers(Path::new(SERVERS))?.join(name)))
}

/// The programs of the newest whole server.
fn in_folder_of_servers(servers: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(servers).ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let whole = folders.filter(|folder| {
        PROGRAMS
            .iter()
            .all(|program| process::is_program(&folder.join(program)))
    });
    whole.max_by_key(|folder| version_of(folder))
}

/// The 15 of `/usr/lib/postgresql/15/bin`.
fn version_of(folder: &Path) -> Option<u32> {
    folder.parent()?.file_name()?.to_str()?.parse().ok()
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
    fn a_folder_without_a_whole_server_is_none() {
        let folder = std::env::temp_dir().join(format!("xtask-servers-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("15/bin")).unwrap();
        std::fs::write(folder.join("15/bin/initdb"), "").unwrap();
        assert_eq!(in_folder_of_servers(&folder), None);
        assert_eq!(in_folder_of_servers(&folder.join("not there")), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(
            version_of(Path::new("/usr/lib/postgresql/15/bin")) > version_of(Path::new("/usr/lib/postgresql/9/bin"))
        );
    }

    #[test]
    fn the_command_to_type_makes_no_cluster_and_leaves_no_setting() {
        let command = by_hand();
        assert!(command.contains("create_main_cluster = false"), "{command}");
        assert!(command.ends_with(&format!("rm -f {NO_CLUSTER}")), "{command}");
        assert!(!command.contains('\''), "it is shown inside single quotes: {command}");
    }
}
