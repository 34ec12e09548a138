use sqlx::{
    error::DatabaseError,
    migrate::MigrateError,
    postgres::{PgDatabaseError, PgSeverity},
};

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("Postgres: {0}")]
    Database(#[source] sqlx::Error),
    #[error("the database's schema cannot be brought up to date: {0}. Is it of a newer indexer? Then use that one")]
    Migrate(#[source] MigrateError),
    #[error("another indexer writes to this database: there can be one. It waits for its turn without --once")]
    Locked,
    #[error(
        "the lock of whoever writes to this database is held by the role {role} (process {process}), which may not write to it. Ask what that role does, and end it: SELECT pg_terminate_backend({process})"
    )]
    LockedOut { role: String, process: i32 },
    #[error("this database holds the events of program {program}: use another database")]
    OtherProgram { program: String },
    #[error("another indexer moved this database's checkpoint: nothing was written")]
    CheckpointMoved,
    #[error(
        "chain {chain} of {subject}: event {seq} comes although the database holds {held}. Either rows were deleted, or the node does not have the ledger's beginning: `chartseal-indexer run --from-start` with a node that has the whole history puts back what is missing, and `chartseal-indexer verify` says whether that was all"
    )]
    Gap {
        chain: &'static str,
        subject: String,
        seq: u64,
        held: u64,
    },
    #[error(
        "chain {chain} of {subject}: event {seq} does not have the hash that follows from the one before. Either a row was altered, or the node's answer was: run `chartseal-indexer verify`"
    )]
    WrongHead {
        chain: &'static str,
        subject: String,
        seq: u64,
    },
    #[error(
        "transaction {signature}, instruction {outer}, inner instruction {inner}: the database holds another event there, or the same in another block. Run `chartseal-indexer verify`"
    )]
    Conflict { signature: String, outer: u16, inner: u16 },
    #[error(
        "the database holds an event in the place of one that comes now, and its chain (table chains) does not reach it: {0} Run `chartseal-indexer verify`"
    )]
    KeyTaken(String),
    #[error("this database has no Chartseal schema: run `chartseal-indexer migrate`")]
    NoSchema,
    #[error(
        "the database has a table {0} that this indexer does not know and cannot verify: is it of a newer indexer? Then use that one"
    )]
    UnknownTable(String),
    #[error(
        "row security hides rows from this database role, so nothing can be said of them: verify as the owner of the tables, or as a role that writes them"
    )]
    RowsHidden,
    #[error("{0} in the database does not hold what it should: run `chartseal-indexer verify`")]
    Damaged(&'static str),
}

impl SinkError {
    /// Whether it goes away by itself: Postgres is gone, restarting, full or busy, or somebody
    /// else has the lock.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(error)
            | Self::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => passing(error),
            Self::LockedOut { .. } => true,
            _ => false,
        }
    }
}

impl SinkError {
    /// Whether Postgres says that the schema does not allow it: SQLSTATE classes of missing objects, names that are taken
    /// and types that do not fit.
    pub(crate) fn is_of_schema(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        error
            .code()
            .is_some_and(|code| code.starts_with("42") && code != "42501")
    }
}

fn passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => passing_state(error.as_ref()),
        _ => false,
    }
}

/// Classes of SQLSTATE: connection exceptions, rollback by concurrency, resources, an object in use, intervention of an
/// operator (shutdown, start, a cancelled query), system errors.
const PASSING_CLASSES: [&str; 6] = ["08", "40", "53", "55", "57", "58"];

/// SQLSTATE of what Postgres has no name for.
const UNNAMED: &str = "XX000";

fn passing_state(error: &dyn DatabaseError) -> bool {
    // A connection that the server ends for a reason without a name: it could not write a file of its own, for one, where
    // its disk is full.
    let ended = error
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic));
    error
        .code()
        .is_some_and(|code| PASSING_CLASSES.iter().any(|class| code.starts_with(class)) || (ended && code == UNNAMED))
}

impl From<sqlx::Error> for SinkError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<MigrateError> for SinkError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(error)
    }
}
