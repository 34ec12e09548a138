//! Reading a sealed file as if it lay on disk: a reader that can seek, for a player or a viewer. What is read was held
//! against the chain like everything else. Reading on fetches ahead, more the longer it goes on; a seek elsewhere
//! drops what was fetched for nothing.

use std::fmt;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::opener::Opener;
use super::{DataKey, OnChain, OpenError, RecordIds};
use crate::media::{Codec, FrameIndex};
use crate::store::{BlobStore, Stores};

/// Bytes that are fetched ahead after a seek.
const FIRST_WINDOW: u64 = 256 << 10;
/// And after reading on for long.
const LONGEST_WINDOW: u64 = 8 << 20;
/// Pieces that wait to be read, each of at most a frame.
const WAITING: usize = 8;

/// A sealed file, open for reading from anywhere in it.
pub struct SealedReader<S> {
    opener: Arc<Opener<S>>,
    position: u64,
    /// What is there to be read at the position.
    current: Bytes,
    ahead: Option<Ahead>,
}

/// Fetches ahead until it is dropped.
struct Ahead {
    pieces: mpsc::Receiver<Result<Bytes, OpenError>>,
    task: JoinHandle<()>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S: BlobStore + 'static> SealedReader<S> {
    /// Opens a file by its manifest. Nothing more is fetched before it is read. Within a runtime of tokio.
    ///
    /// # Errors
    /// [`OpenError`] where the manifest is not the one on chain, or not this key's.
    pub fn open(
        manifest: &[u8],
        on_chain: &OnChain,
        ids: RecordIds,
        key: &DataKey,
        stores: Stores<S>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            opener: Arc::new(Opener::new(manifest, on_chain, ids, key, stores)?),
            position: 0,
            current: Bytes::new(),
            ahead: None,
        })
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.opener.body.length
    }

    /// Its name, as its author gave it: not safe as a path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.opener.body.name
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.opener.body.media_type
    }

    fn begin(&self) -> Ahead {
        let (sender, pieces) = mpsc::channel(WAITING);
        let (opener, from) = (Arc::clone(&self.opener), self.position);
        let task = tokio::spawn(async move {
            if let Err(error) = fetch_ahead(&opener, from, &sender).await {
                // Nobody listens any more, or hears of it with the next read.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ahead { pieces, task }
    }
}

/// Sends the file from a position on, in windows that grow.
async fn fetch_ahead<S: BlobStore>(
    opener: &Opener<S>,
    mut position: u64,
    to: &mpsc::Sender<Result<Bytes, OpenError>>,
) -> Result<(), OpenError> {
    let mut window = FIRST_WINDOW;
    while position < opener.body.length {
        let end = position.saturating_add(window).min(opener.body.length);
        let end = whole_frames(&opener.body.frames, &(position..end));
        let mut pieces = opener.chunks(Some(&(position..end)), |_| {})?;
        while let Some(piece) = pieces.try_next().await? {
            position = position.saturating_add(piece.len() as u64);
            if to.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
        }
        if position != end {
            return Err(OpenError::PlaintextDiffers);
        }
        window = (2 * window).min(LONGEST_WINDOW);
    }
    Ok(())
}

/// Where a window ends: not within a coded frame, which would be fetched and decoded again for the rest of it.
fn whole_frames(index: &FrameIndex, window: &Range<u64>) -> u64 {
    let span = index.locate(window);
    let frames = span.as_ref().and_then(|span| index.frames().get(span.frames.clone()));
    match (span, frames) {
        (Some(span), Some(frames @ [.., last])) if last.codec() != Some(Codec::Raw) => {
            let len: u64 = frames.iter().map(|frame| u64::from(frame.original)).sum();
            (window.start + len).saturating_sub(span.skip)
        }
        _ => window.end,
    }
}

impl<S: BlobStore + 'static> AsyncRead for SealedReader<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.position >= self.length() || to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while self.current.is_empty() {
            let ahead = match self.ahead.take() {
                Some(ahead) => ahead,
                None => self.begin(),
            };
            let piece = self.ahead.insert(ahead).pieces.poll_recv(context);
            match ready!(piece) {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(error)) => {
                    self.ahead = None;
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                None => {
                    self.ahead = None;
                    // It ends by itself only where the file ends: it was stopped.
                    return Poll::Ready(Err(io::Error::other(OpenError::Interrupted)));
                }
            }
        }
        let len = self.current.len().min(to.remaining());
        to.put_slice(&self.current.split_to(len));
        self.position += len as u64;
        Poll::Ready(Ok(()))
    }
}

impl<S: BlobStore + 'static> AsyncSeek for SealedReader<S> {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
        };
        let before = "a position before the beginning of the file";
        let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, before))?;
        let ahead_by = target
            .checked_sub(self.position)
            .and_then(|by| usize::try_from(by).ok());
        match ahead_by.filter(|by| *by <= self.current.len()) {
            Some(by) => drop(self.current.split_to(by)),
            None => {
                self.current = Bytes::new();
                self.ahead = None;
            }
        }
        self.position = target;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl<S> fmt::Debug for SealedReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReader")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<S> Unpin for SealedReader<S> {}
