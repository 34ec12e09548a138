//! The plaintext side of opening: takes the stream of frames in pieces of any size, decodes each frame once it is
//! whole, and writes what was asked for of it. It keeps one frame at a time.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::OpenError;
use crate::media::{Codec, Frame, FrameDecoder, FrameIndex, FrameSpan, MediaError};

/// What is done to a frame where computing belongs; moves there and back.
struct Worker {
    decoder: FrameDecoder,
    hasher: Option<Sha256>,
    encoded: Vec<u8>,
}

/// Frames on their way to a writer.
pub(super) struct Assembler<'a> {
    frames: std::slice::Iter<'a, Frame>,
    current: Option<Frame>,
    worker: Option<Box<Worker>>,
    /// Bytes of the stream before the first frame that is wanted.
    stream_skip: u64,
    /// Bytes of the first frame before the range.
    skip: u64,
    left: u64,
    written: u64,
}

impl<'a> Assembler<'a> {
    /// For the frames of a span, from a stream that begins `stream_skip` bytes before them.
    pub(super) fn new(
        index: &'a FrameIndex,
        span: &FrameSpan,
        stream_skip: u64,
        hash: bool,
    ) -> Result<Self, OpenError> {
        let worker = Worker {
            decoder: FrameDecoder::new().map_err(OpenError::Codec)?,
            hasher: hash.then(Sha256::new),
            encoded: Vec::new(),
        };
        let mut frames = index.frames().get(span.frames.clone()).unwrap_or_default().iter();
        let current = frames.next().copied();
        Ok(Self {
            frames,
            current,
            worker: Some(Box::new(worker)),
            stream_skip,
            skip: span.skip,
            left: span.take,
            written: 0,
        })
    }

    /// Bytes handed out so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes the next bytes of the stream; those after the last frame are padding and dropped.
    pub(super) async fn feed<W>(&mut self, plaintext: &[u8], writer: &mut W) -> Result<(), OpenError>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let skipped = self.stream_skip.min(plaintext.len() as u64);
        self.stream_skip -= skipped;
        let mut rest = plaintext
            .get(usize::try_from(skipped).unwrap_or(usize::MAX)..)
            .unwrap_or_default();
        while let Some(frame) = self.current {
            let worker = self.worker.as_mut().ok_or(OpenError::Interrupted)?;
            let missing = (frame.encoded as usize).saturating_sub(worker.encoded.len());
            let (now, later) = rest.split_at(missing.min(rest.len()));
            worker.encoded.extend_from_slice(now);
            rest = later;
            if worker.encoded.len() < frame.encoded as usize {
                break;
            }
            let decoded = self.decode(frame).await?;
            self.write(&decoded, writer).await?;
            self.current = self.frames.next().copied();
        }
        Ok(())
    }

    async fn decode(&mut self, frame: Frame) -> Result<Vec<u8>, OpenError> {
        let codec = frame.codec().ok_or(MediaError::Undecodable("its codec is unknown"))?;
        let worker = self.worker.take().ok_or(OpenError::Interrupted)?;
        let (worker, decoded) = tokio::task::spawn_blocking(move || run(worker, codec, frame.original))
            .await
            .map_err(|_| OpenError::Interrupted)?;
        self.worker = Some(worker);
        Ok(decoded?)
    }

    async fn write<W>(&mut self, decoded: &[u8], writer: &mut W) -> Result<(), OpenError>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let start = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(usize::MAX);
        let wanted = decoded.get(start..).unwrap_or_default();
        let wanted = wanted
            .get(..usize::try_from(self.left).unwrap_or(usize::MAX))
            .unwrap_or(wanted);
        writer.write_all(wanted).await.map_err(OpenError::from_output)?;
        self.left -= wanted.len() as u64;
        self.written += wanted.len() as u64;
        Ok(())
    }

    /// Checks that all came and, for a whole file, that it is the one that was sealed. Gives the bytes handed out.
    pub(super) fn finish(self, expected: u64, sha256: Option<[u8; 32]>) -> Result<u64, OpenError> {
        let found = self
            .worker
            .and_then(|worker| worker.hasher)
            .map(|hasher| <[u8; 32]>::from(hasher.finalize()));
        if self.written == expected && found == sha256 {
            Ok(self.written)
        } else {
            Err(OpenError::PlaintextDiffers)
        }
    }
}

fn run(mut worker: Box<Worker>, codec: Codec, original: u32) -> (Box<Worker>, Result<Vec<u8>, MediaError>) {
    let Worker {
        decoder,
        hasher,
        encoded,
    } = worker.as_mut();
    let decoded = decoder.decode(codec, encoded, original);
    encoded.clear();
    if let (Ok(decoded), Some(hasher)) = (&decoded, hasher) {
        hasher.update(decoded);
    }
    (worker, decoded)
}
