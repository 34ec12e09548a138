//! The plaintext side of sealing: reads a file frame by frame, codes each, and pours frames and then padding into
//! shards. It keeps one frame at a time, plus the index.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::shard::OpenShard;
use super::{Padding, SealError};
use crate::media::{FRAME_LEN, Frame, FrameEncoder, FrameIndex, Sniffed, sniff};

/// What is done to a frame where computing belongs; moves there and back.
struct Worker {
    encoder: Option<FrameEncoder>,
    hasher: Sha256,
    frame: Vec<u8>,
    encoded: Vec<u8>,
}

/// A file on its way into shards.
pub(super) struct Source<R> {
    reader: R,
    compress: bool,
    padding: Padding,
    worker: Option<Box<Worker>>,
    /// Bytes of the current encoded frame that are in shards already.
    poured: usize,
    zeros_left: u64,
    ended: bool,
    sniffed: Option<Sniffed>,
    frames: FrameIndex,
    original: u64,
    encoded: u64,
}

/// What is known of a file once it was read.
pub(super) struct Summary {
    pub(super) sha256: [u8; 32],
    pub(super) sniffed: Option<Sniffed>,
    pub(super) frames: FrameIndex,
    pub(super) original: u64,
    pub(super) encoded: u64,
}

impl<R: AsyncRead + Unpin + Send> Source<R> {
    pub(super) fn new(reader: R, compress: bool, padding: Padding) -> Self {
        let worker = Worker {
            encoder: None,
            hasher: Sha256::new(),
            frame: Vec::with_capacity(FRAME_LEN),
            encoded: Vec::new(),
        };
        Self {
            reader,
            compress,
            padding,
            worker: Some(Box::new(worker)),
            poured: 0,
            zeros_left: 0,
            ended: false,
            sniffed: None,
            frames: FrameIndex::default(),
            original: 0,
            encoded: 0,
        }
    }

    /// Bytes of the file that were read.
    pub(super) fn original(&self) -> u64 {
        self.original
    }

    /// Fills a shard as far as there is something to fill it with.
    pub(super) async fn fill(&mut self, shard: &mut OpenShard) -> Result<(), SealError> {
        while !shard.is_full() {
            let frame = self.worker.as_ref().map_or(&[] as &[u8], |worker| &worker.encoded);
            if let Some(rest) = frame.get(self.poured..).filter(|rest| !rest.is_empty()) {
                self.poured += shard.push(rest);
            } else if self.zeros_left > 0 {
                self.zeros_left -= shard.push_zeros(self.zeros_left);
            } else if self.ended {
                break;
            } else {
                self.next_frame().await?;
            }
        }
        Ok(())
    }

    async fn next_frame(&mut self) -> Result<(), SealError> {
        let mut worker = self.worker.take().ok_or(SealError::Interrupted)?;
        worker.frame.clear();
        worker.encoded.clear();
        self.poured = 0;
        read_frame(&mut self.reader, &mut worker.frame)
            .await
            .map_err(SealError::Input)?;
        if worker.frame.is_empty() {
            self.ended = true;
            self.zeros_left = self.padding.apply(self.encoded) - self.encoded;
            self.worker = Some(worker);
            return Ok(());
        }
        let encoder = match worker.encoder.take() {
            Some(encoder) => encoder,
            None => {
                self.sniffed = sniff(&worker.frame);
                let worthwhile = self.compress && !self.sniffed.is_some_and(|sniffed| sniffed.already_coded);
                FrameEncoder::new(worthwhile).map_err(SealError::Codec)?
            }
        };
        worker.encoder = Some(encoder);
        let (worker, frame) = tokio::task::spawn_blocking(move || encode(worker))
            .await
            .map_err(|_| SealError::Interrupted)?;
        self.worker = Some(worker);
        let frame = frame.ok_or(SealError::Interrupted)?;
        self.original += u64::from(frame.original);
        self.encoded += u64::from(frame.encoded);
        self.frames.push(frame);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Summary, SealError> {
        let worker = self.worker.ok_or(SealError::Interrupted)?;
        let Self {
            sniffed,
            frames,
            original,
            encoded,
            ..
        } = self;
        Ok(Summary {
            sha256: worker.hasher.finalize().into(),
            sniffed,
            frames,
            original,
            encoded,
        })
    }
}

fn encode(mut worker: Box<Worker>) -> (Box<Worker>, Option<Frame>) {
    let Worker {
        encoder,
        hasher,
        frame,
        encoded,
    } = worker.as_mut();
    hasher.update(&frame);
    let described = encoder.as_mut().and_then(|encoder| {
        let codec = encoder.encode(frame, encoded);
        Some(Frame::new(
            codec,
            u32::try_from(frame.len()).ok()?,
            u32::try_from(encoded.len()).ok()?,
        ))
    });
    (worker, described)
}

/// Reads one frame: full, unless the file ends within it.
async fn read_frame<R: AsyncRead + Unpin>(reader: &mut R, frame: &mut Vec<u8>) -> std::io::Result<()> {
    let mut bounded = reader.take(FRAME_LEN as u64);
    while bounded.read_buf(frame).await? > 0 {}
    Ok(())
}
