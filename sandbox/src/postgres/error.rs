//! Why Postgres does not start, or has ended.

use std::io;
use std::path::PathBuf;

use crate::folder::FolderError;

/// How to get Postgres. The one recipe, which leaves the system's settings as they are, is that of `cargo xtask`.
const INSTALL: &str = "in a checkout of Chartseal `cargo xtask test` installs it on Debian and Ubuntu, and says elsewhere what to type; or \
                       install Postgres 15 or later yourself and put its folder `bin` on PATH";

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// There are no binaries.
    #[error(
        "Postgres is not installed: there is no `initdb` and `postgres` on PATH or under /usr/lib/postgresql/*/bin; {INSTALL}"
    )]
    NotInstalled,
    /// There are binaries, but only of versions that are too old.
    #[error("Postgres 15 or later is needed, and {bin} is {version}; {INSTALL}")]
    TooOld {
        /// The folder of the newest binaries.
        bin: PathBuf,
        /// Their version.
        version: String,
    },
    /// A folder is not one that the sandbox can trust.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There are binaries, but not of the version that made the cluster.
    #[error(
        "the cluster in {folder} was made by Postgres {version}, which is not installed (sudo apt-get install -y postgresql-{version}); install it, or remove the folder to begin with an empty database"
    )]
    OtherVersion {
        /// The cluster.
        folder: PathBuf,
        /// The major version.
        version: String,
    },
    /// We are root, under which Postgres refuses to run, and its user is not there.
    #[error("there is no user `postgres` to run Postgres as (it does not run as root); {INSTALL}")]
    NoUser,
    /// The user that Postgres runs as cannot reach the folder.
    #[error(
        "the user `postgres` cannot enter {folder}; choose a --data folder outside it, such as one in /var/tmp, or allow it with: chmod o+x {folder}"
    )]
    CannotEnter {
        /// The first folder on the way that is closed.
        folder: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program of Postgres failed.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        /// Which.
        program: &'static str,
        /// How it ended.
        status: String,
        /// What it said last.
        output: String,
    },
    /// A server of an earlier sandbox does not let go of the folder.
    #[error(
        "a Postgres of an earlier sandbox (process {pid}) still runs in {folder} and does not stop; end it with: kill -QUIT {pid}"
    )]
    Leftover {
        /// Its process.
        pid: i32,
        /// The cluster.
        folder: PathBuf,
    },
    /// It runs but does not become ready.
    #[error("Postgres did not become ready in time; its log ends: {log}")]
    NotReady {
        /// The last lines of the log.
        log: String,
    },
    /// It ended without being told to.
    #[error("Postgres ended by itself ({status}); its log ends: {log}")]
    Ended {
        /// How.
        status: String,
        /// The last lines of the log.
        log: String,
    },
    /// It was told to stop, and did not.
    #[error("Postgres (process {pid}) did not stop in time")]
    DidNotStop {
        /// Its process.
        pid: i32,
    },
}

impl PostgresError {
    /// For `map_err` on an operation on `path`.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
