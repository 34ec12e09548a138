//! Why a sandbox does not start, or has stopped.

use std::io;
use std::path::PathBuf;

use crate::folder::FolderError;
use crate::ledger::LedgerError;
use crate::postgres::PostgresError;

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the sandbox cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder is not one that the sandbox can trust.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another sandbox runs on the folder.
    #[error("another sandbox{} is using {folder}; stop it, or choose another --data folder", .pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The other's process id, where it could be read.
        pid: Option<String>,
    },
    /// A port is taken.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one")]
    Port {
        /// Which.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger cannot start.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Postgres cannot start, or has ended by itself.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The ready file's folder is missing, or the endpoints cannot be written.
    #[error("the ready file {path}: {source}")]
    ReadyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err` on an operation on `path`.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
