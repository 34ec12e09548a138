//! Files on their way into a chart: what is read is sealed, whatever its length, in constant memory.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use tokio::io::AsyncRead;

use super::{
    Chart, Class, Error, GrantId, Progress, Purpose, RecordId,
    files::{Listener, blocking, purpose, tell},
};
use crate::{
    ops::{self, AmendRequest, PutRequest},
    seal::{Input, Journal, SealOptions},
    store::FileError,
};

/// Where a file goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    New(Class),
    NextOf(RecordId),
}

/// A file to be stored. Ends with [`file`](Self::file) or [`stream`](Self::stream).
#[must_use = "nothing is stored before a file or stream is named"]
pub struct Put<'a> {
    chart: Chart<'a>,
    target: Target,
    options: SealOptions,
    purpose: Option<Purpose>,
    grant: Option<GrantId>,
    replaces: Option<u32>,
    journal: Option<PathBuf>,
    listener: Option<Listener<'a>>,
}

/// A version of a record that stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: RecordId,
    /// The version.
    pub version: u32,
    /// The media type that was found.
    pub media_type: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that all stores together took.
    pub stored_bytes: u64,
    /// How many readers its key was wrapped for.
    pub readers: usize,
    /// How many institutions hold a share of its key for emergencies.
    pub holders: usize,
    /// Whether the patient named holders, and too few of them have a usable key: in an emergency nobody could open it.
    pub holders_too_few: bool,
    /// Whether guardians could help the patient to a new wallet, should it be lost.
    pub recoverable: bool,
    /// The transaction, in base58; `None` where an earlier try that was broken off had sent it.
    pub transaction: Option<String>,
}

impl<'a> Put<'a> {
    pub(super) fn new(chart: Chart<'a>, target: Target) -> Self {
        Self {
            chart,
            target,
            options: SealOptions::named(""),
            purpose: None,
            grant: None,
            replaces: None,
            journal: None,
            listener: None,
        }
    }

    /// The file's name, which only readers learn; at most 1,024 bytes. A file's own where none is given.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.options.name = name.into();
        self
    }

    /// The media type, which only readers learn; told from the first bytes where none is given.
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.options.media_type = Some(media_type.into());
        self
    }

    /// What it is written for; for a patient personal, for a member treatment where none is given.
    pub fn purpose(self, purpose: Purpose) -> Self {
        Self {
            purpose: Some(purpose),
            ..self
        }
    }

    /// The grant that allows it; the one that fits best where none is given.
    pub fn by(self, grant: GrantId) -> Self {
        Self {
            grant: Some(grant),
            ..self
        }
    }

    /// The version that an amendment takes the place of; the newest where none is given. Where another came first, it fails.
    pub fn replacing(self, version: u32) -> Self {
        Self {
            replaces: Some(version),
            ..self
        }
    }

    /// Writes down in this file how far it is: the same call again goes on after whatever broke it off. The journal is
    /// removed at the end; the file must not change meanwhile.
    pub fn journal(self, path: impl Into<PathBuf>) -> Self {
        Self {
            journal: Some(path.into()),
            ..self
        }
    }

    /// Is told how far it is; must not block.
    pub fn on_progress(self, listener: impl Fn(Progress) + Send + Sync + 'a) -> Self {
        Self {
            listener: Some(Box::new(listener)),
            ..self
        }
    }

    /// Stores a file.
    ///
    /// # Errors
    /// [`Error::Refused`] where this client may not: nothing was uploaded then, and the refusal is in the patient's log.
    pub async fn file(mut self, path: impl AsRef<Path>) -> Result<Stored, Error> {
        let path = path.as_ref().to_owned();
        if self.options.name.is_empty() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            self.options.name = name.unwrap_or_default();
        }
        let journal = self.journal.clone();
        let file = blocking(move || {
            if let Some(journal) = journal {
                Journal::prepare(&journal, false)?;
            }
            std::fs::File::open(&path).map_err(|source| Error::from(FileError::new("open", &path, source)))
        });
        let file = file.await?;
        self.store(Input::File(file)).await
    }

    /// Stores all that a stream gives.
    ///
    /// # Errors
    /// As [`file`](Self::file); [`Error::Usage`] with a journal, because a stream cannot be read again.
    pub async fn stream(self, reader: impl AsyncRead + Unpin + Send) -> Result<Stored, Error> {
        if self.journal.is_some() {
            return Err(Error::Usage(
                "a stream cannot be read again, so it can have no journal: store a file".into(),
            ));
        }
        self.store(Input::stream(reader)).await
    }

    async fn store(self, input: Input<'_>) -> Result<Stored, Error> {
        let Chart { session, patient } = self.chart;
        let patient = patient.to_bytes();
        let purpose = purpose(&self.chart, self.purpose).await?;
        let (grant, seal, journal) = (self.grant.map(GrantId::to_bytes), self.options, self.journal);
        let listener = self.listener;
        let progress = |progress| tell(listener.as_deref(), progress);
        let put = match (self.target, self.replaces) {
            (Target::New(_), Some(_)) => {
                return Err(Error::Usage(
                    "a new record replaces no version: amend the record that is meant (Chart::amend)".into(),
                ));
            }
            (Target::New(class), None) => {
                let request = PutRequest {
                    patient,
                    class: class.number(),
                    purpose,
                    grant,
                    seal,
                    journal,
                };
                session.put(&request, input, &progress).await?
            }
            (Target::NextOf(record), expected_version) => {
                let request = AmendRequest {
                    patient,
                    record: record.to_bytes(),
                    expected_version,
                    purpose,
                    grant,
                    seal,
                    journal,
                };
                session.amend(&request, input, &progress).await?
            }
        };
        Ok(Stored::of(put))
    }
}

impl Stored {
    fn of(put: ops::Put) -> Self {
        Self {
            record: RecordId::new(put.record),
            version: put.version,
            media_type: put.media_type,
            bytes: put.stats.original,
            stored_bytes: put.stats.stored,
            readers: put.readers,
            holders: put.holders,
            holders_too_few: put.holders_too_few,
            recoverable: put.recoverable,
            transaction: put.signature,
        }
    }
}

impl fmt::Debug for Put<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("chart", &self.chart.patient)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
