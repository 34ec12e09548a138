//! Files on their way out of a chart: only what was held against the chain is handed out, and a file on disk appears whole
//! or not at all.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use tokio::io::{AsyncReadExt as _, AsyncWrite};

use super::{
    Basis, Chart, Error, GrantId, Progress, Purpose, RecordId, RequestId,
    files::{Listener, blocking, purpose, tell},
};
use crate::{
    ops::GetRequest,
    seal::{OpenError, SealedReader},
    store::{AtomicFile, Backend, Existing, Kept},
};

/// A sealed file, open for reading from anywhere in it (`AsyncRead` and `AsyncSeek`). What is read is fetched when it is
/// read, with some of what follows, and was held against the chain.
pub type Reader = SealedReader<Backend>;

/// A record to be opened. Ends with [`to_file`](Self::to_file), [`to_writer`](Self::to_writer), [`to_vec`](Self::to_vec)
/// or [`reader`](Self::reader).
#[must_use = "nothing is read before it is said where to"]
pub struct Get<'a> {
    chart: Chart<'a>,
    request: GetRequest,
    purpose: Option<Purpose>,
    replace: bool,
    listener: Option<Listener<'a>>,
}

/// A record that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The version.
    pub version: u32,
    /// The file's name, as its author gave it: not safe as a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Bytes that were handed out.
    pub bytes: u64,
    /// The decision that allowed it.
    pub access: Access,
}

/// A decision that stands in the patient's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Why it was allowed.
    pub basis: Basis,
    /// The access's id.
    pub request: RequestId,
    /// The transaction, in base58.
    pub transaction: String,
}

impl<'a> Get<'a> {
    pub(super) fn new(chart: Chart<'a>, record: RecordId) -> Self {
        let request = GetRequest {
            patient: chart.patient.to_bytes(),
            record: record.to_bytes(),
            version: None,
            purpose: Purpose::Personal,
            grant: None,
            payment: None,
            range: None,
            partial: None,
        };
        Self {
            chart,
            request,
            purpose: None,
            replace: false,
            listener: None,
        }
    }

    /// What it is read for; for a patient personal, for a member treatment where none is given.
    pub fn purpose(self, purpose: Purpose) -> Self {
        Self {
            purpose: Some(purpose),
            ..self
        }
    }

    /// The version, from 1; the newest where none is given. Earlier ones are for the patient, its delegates, and who wrote
    /// the first.
    pub fn version(mut self, version: u32) -> Self {
        self.request.version = Some(version);
        self
    }

    /// The grant that allows it; the one that fits best where none is given.
    pub fn by(mut self, grant: GrantId) -> Self {
        self.request.grant = Some(grant.to_bytes());
        self
    }

    /// Only these bytes of the file. Little more than them is fetched. Not for a [`reader`](Self::reader), which seeks.
    pub fn range(mut self, range: Range<u64>) -> Self {
        self.request.range = Some(range);
        self
    }

    /// Keeps what was fetched, as ciphertext, in this folder: the same call again goes on after whatever broke it off. The
    /// folder is removed once a file is whole. For [`to_file`](Self::to_file).
    pub fn resumable(mut self, folder: impl Into<PathBuf>) -> Self {
        self.request.partial = Some(folder.into());
        self
    }

    /// Writes over a file that is there. For [`to_file`](Self::to_file).
    pub fn replacing(self) -> Self {
        Self { replace: true, ..self }
    }

    /// Is told how far it is; must not block. For [`to_file`](Self::to_file) and [`to_writer`](Self::to_writer).
    pub fn on_progress(self, listener: impl Fn(Progress) + Send + Sync + 'a) -> Self {
        Self {
            listener: Some(Box::new(listener)),
            ..self
        }
    }

    /// Opens it into a file, which appears when all of it is there and right.
    ///
    /// # Errors
    /// [`Error::Refused`] where this client may not read it; an error for which [`Error::is_tampered`] holds where stored
    /// bytes are not those on chain; [`Error::File`] where the file is there already.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Opened, Error> {
        let (path, folder) = (path.as_ref().to_owned(), self.request.partial.clone());
        let existing = if self.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        let mut file = blocking(move || Ok(AtomicFile::create(&path, existing)?)).await?;
        let opened = self.open(&mut file).await?;
        file.commit().await?;
        if let Some(folder) = folder {
            // The file is there and whole. What stays of the folder is ciphertext, which the next try would remove.
            let _ = blocking(move || Ok(Kept::remove(&folder)?)).await;
        }
        Ok(opened)
    }

    /// Opens it into a writer. What was written before an error is right as far as it goes, and is for the caller to drop.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub async fn to_writer<W>(self, writer: &mut W) -> Result<Opened, Error>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        if self.request.partial.is_some() {
            return Err(Error::Usage(
                "what was fetched can be kept for a file only (Get::to_file)".into(),
            ));
        }
        self.open(writer).await
    }

    /// Opens it in memory, where the file is no longer than `limit` bytes.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file); [`Error::Usage`] where it is longer.
    pub async fn to_vec(self, limit: u64) -> Result<Vec<u8>, Error> {
        let mut reader = self.reader().await?;
        let length = reader.length();
        if length > limit {
            return Err(Error::Usage(format!(
                "the file has {length} bytes, more than the {limit} that are allowed for"
            )));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        reader.read_to_end(&mut bytes).await.map_err(unread)?;
        Ok(bytes)
    }

    /// Opens it for reading from anywhere in it, for a player or a viewer.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file); [`Error::Usage`] with a range or a folder.
    pub async fn reader(mut self) -> Result<Reader, Error> {
        if self.request.range.is_some() || self.request.partial.is_some() {
            return Err(Error::Usage(
                "a reader seeks by itself and keeps nothing: leave out range and folder".into(),
            ));
        }
        self.request.purpose = purpose(&self.chart, self.purpose).await?;
        self.chart.session.open_reader(&self.request).await
    }

    async fn open<W>(mut self, writer: &mut W) -> Result<Opened, Error>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        self.request.purpose = purpose(&self.chart, self.purpose).await?;
        let listener = self.listener;
        let progress = |progress| tell(listener.as_deref(), progress);
        let got = self.chart.session.get(&self.request, writer, &progress).await?;
        Ok(Opened {
            version: got.version,
            name: got.opened.name,
            media_type: got.opened.media_type,
            bytes: got.opened.written,
            access: Access {
                basis: got.access.basis,
                request: RequestId::new(got.access.request),
                transaction: got.access.signature,
            },
        })
    }
}

impl fmt::Debug for Get<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Why a reader gave no more.
fn unread(error: std::io::Error) -> Error {
    Error::Open(error.downcast().unwrap_or(OpenError::Interrupted))
}
