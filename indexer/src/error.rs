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
            Self::Decode(_) | Self::Stopped => false,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Sink(error.into())
    }
}
