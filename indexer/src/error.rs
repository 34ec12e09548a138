use crate::{decode::DecodeError, sink::SinkError, source::SourceError};

/// What can go wrong while indexing or verifying.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What is not final does not fit what was read: its block was dropped, or the node does not list all of it yet.
    #[error("what is not final on the ledger does not fit what was read of it before, reading it again: {0}")]
    Unsettled(#[source] Box<Error>),
    /// It was asked to stop.
    #[error("stopped before it was done")]
    Stopped,
}

impl Error {
    /// Whether it goes away by itself: a node or database that is out of reach for the moment. Everything else stays
    /// wrong however often it is tried, and stops the indexer.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Source(error) => error.is_passing(),
            Self::Sink(error) => error.is_passing(),
            Self::Unsettled(_) => true,
            Self::Decode(_) | Self::Stopped => false,
        }
    }

    /// What it is about, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Source(_) => "node",
            Self::Decode(_) => "event",
            Self::Sink(_) => "database",
            Self::Unsettled(_) => "fork",
            Self::Stopped => "stopped",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Sink(error.into())
    }
}
