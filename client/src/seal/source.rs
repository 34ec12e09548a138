//! The plaintext side of sealing: reads a file, codes it frame by frame, and pours frames and then padding into shards.
//! What is kept as it is, is read to where it is encrypted and nowhere else. Frames that are coded are so on all cores,
//! a few at a time; they come out in their order.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::input::{Bytes, Input, Stamp};
use super::shard::{Group, OpenShard};
use super::{Padding, SHARD_PLAIN_LEN, SealError, workers};
use crate::media::{Codec, FRAME_LEN, Frame, FrameEncoder, FrameIndex, HEAD_LEN, Method, Plan, START_LEN, Sniffed};

/// A file on its way into shards.
pub(super) struct Source<'a> {
    input: Input<'a>,
    /// Of the file as it was in the beginning.
    stamp: Option<Stamp>,
    input_ended: bool,
    plan: Plan,
    padding: Padding,
    /// The flat hash of the file, where it is wanted: it takes longer than all of sealing.
    hasher: Option<Sha256>,
    /// The beginning of the file, which the plan was made from, as far as it is not poured yet.
    head: Vec<u8>,
    /// Frames that are being coded.
    coding: FuturesOrdered<JoinHandle<Coder>>,
    /// Coders that have nothing to do.
    spare: Vec<Coder>,
    /// The frame that is being poured, and how much of it was.
    current: Option<(Coder, usize)>,
    /// Bytes of the raw frame that is being poured without having been anywhere else.
    open_raw: u32,
    /// Bytes of the file that were read.
    read: u64,
    zeros_left: Option<u64>,
    frames: FrameIndex,
    original: u64,
    encoded: u64,
}

/// What is known of a file once it was read.
pub(super) struct Summary {
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) sniffed: Option<Sniffed>,
    pub(super) frames: FrameIndex,
    pub(super) original: u64,
}

/// Full shards of a file, to be read from where they are.
pub(super) struct FullShards {
    file: File,
    pub(super) shards: u32,
}

impl FullShards {
    /// Reads a group of a shard's segments. It blocks.
    pub(super) fn read(&self, shard: u32, group: &mut Group) -> Result<(), SealError> {
        let mut at = u64::from(shard) * SHARD_PLAIN_LEN as u64 + group.plain_start();
        for room in group.plaintexts_mut() {
            self.file.read_exact_at(room, at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SealError::ChangedWhileRead,
                _ => SealError::Input(error),
            })?;
            at += room.len() as u64;
        }
        Ok(())
    }
}

/// Codes one frame at a time; moves to where computing belongs, and back.
struct Coder {
    encoder: FrameEncoder,
    frame: Vec<u8>,
    encoded: Vec<u8>,
    codec: Codec,
}

impl<'a> Source<'a> {
    /// Reads the beginning of a file and plans the rest.
    pub(super) async fn open(
        mut input: Input<'a>,
        compress: bool,
        padding: Padding,
        hash: bool,
    ) -> Result<Self, SealError> {
        let stamp = input.stamp().map_err(SealError::Input)?;
        let start = input.read_with(Bytes::up_to(START_LEN, Vec::new())).await;
        let (mut head, mut input_ended) = start.map_err(SealError::Input)?.finish();
        let raw = Plan::raw(&head, compress);
        if raw.is_none() && !input_ended {
            let rest = input.read_with(Bytes::up_to(HEAD_LEN, head)).await;
            (head, input_ended) = rest.map_err(SealError::Input)?.finish();
        }
        Ok(Self {
            plan: raw.unwrap_or_else(|| Plan::of(&head, compress)),
            stamp,
            input,
            input_ended,
            padding,
            hasher: hash.then(Sha256::new),
            head,
            coding: FuturesOrdered::new(),
            spare: Vec::new(),
            current: None,
            open_raw: 0,
            read: 0,
            zeros_left: None,
            frames: FrameIndex::default(),
            original: 0,
            encoded: 0,
        })
    }

    /// Bytes of the file that are in shards.
    pub(super) fn original(&self) -> u64 {
        self.original
    }

    /// The full shards of a file that is kept as it is: whoever encrypts one reads it too, on any core, for it is known where
    /// each begins. They count as poured then; what comes after them is for [`fill`](Self::fill).
    pub(super) fn take_full_shards(&mut self) -> Result<Option<FullShards>, SealError> {
        let (Input::File(file), Some(stamp), true) = (&self.input, self.stamp, self.plan.is_raw()) else {
            return Ok(None);
        };
        let shards = u32::try_from(stamp.length / SHARD_PLAIN_LEN as u64).map_err(|_| SealError::Interrupted)?;
        // A hash takes the bytes one after the other; a pipe that passes for a file has no places.
        if self.hasher.is_some() || shards == 0 || self.original > 0 {
            return Ok(None);
        }
        let mut file = file.try_clone().map_err(SealError::Input)?;
        let (head, bytes) = (self.head.len() as u64, u64::from(shards) * SHARD_PLAIN_LEN as u64);
        let start = file.stream_position().map_err(SealError::Input)?.checked_sub(head);
        if start != Some(0) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(bytes)).map_err(SealError::Input)?;
        self.head.clear();
        self.input_ended = bytes == stamp.length;
        self.count_raw(bytes)?;
        Ok(Some(FullShards { file, shards }))
    }

    /// Fills a shard as far as there is something to fill it with.
    pub(super) async fn fill(&mut self, mut shard: OpenShard) -> Result<OpenShard, SealError> {
        if self.plan.is_raw() {
            shard = self.read_into(shard).await?;
        } else {
            self.pour_frames(&mut shard).await?;
        }
        if !shard.is_full() {
            let padded = self.padding.apply(self.encoded) - self.encoded;
            let left = self.zeros_left.get_or_insert(padded);
            *left -= shard.push_zeros(*left);
        }
        Ok(shard)
    }

    /// Reads on into the shard itself.
    async fn read_into(&mut self, mut shard: OpenShard) -> Result<OpenShard, SealError> {
        let before = shard.plain_len();
        let pushed = shard.push(&self.head);
        self.head.drain(..pushed);
        if !self.input_ended && !shard.is_full() {
            shard = self.input.read_with(shard).await.map_err(SealError::Input)?;
            self.input_ended = !shard.is_full();
        }
        if let Some(mut hasher) = self.hasher.take() {
            (shard, hasher) = compute(move || {
                shard
                    .plaintexts_from(before)
                    .for_each(|plaintext| hasher.update(plaintext));
                (shard, hasher)
            })
            .await?;
            self.hasher = Some(hasher);
        }
        self.count_raw((shard.plain_len() - before) as u64)?;
        if self.input_ended && self.head.is_empty() {
            self.close_raw();
        }
        Ok(shard)
    }

    /// So many bytes more are kept as they are.
    fn count_raw(&mut self, added: u64) -> Result<(), SealError> {
        self.original += added;
        self.encoded += added;
        let mut left = added;
        while left > 0 {
            let now = left.min(FRAME_LEN as u64 - u64::from(self.open_raw));
            self.open_raw += u32::try_from(now).map_err(|_| SealError::Interrupted)?;
            left -= now;
            if self.open_raw as usize == FRAME_LEN {
                self.close_raw();
            }
        }
        Ok(())
    }

    fn close_raw(&mut self) {
        let len = std::mem::take(&mut self.open_raw);
        if len > 0 {
            self.frames.push(Frame::new(Codec::Raw, len, len));
        }
    }

    async fn pour_frames(&mut self, shard: &mut OpenShard) -> Result<(), SealError> {
        while !shard.is_full() {
            if let Some((coder, poured)) = &mut self.current {
                *poured += shard.push(coder.encoded.get(*poured..).unwrap_or_default());
                if *poured < coder.encoded.len() {
                    continue;
                }
            }
            self.spare.extend(self.current.take().map(|(coder, _)| coder));
            let Some(coder) = self.next_frame().await? else {
                break;
            };
            let fits = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| SealError::Interrupted);
            let (original, encoded) = (fits(&coder.frame)?, fits(&coder.encoded)?);
            self.frames.push(Frame::new(coder.codec, original, encoded));
            self.original += u64::from(original);
            self.encoded += u64::from(encoded);
            self.current = Some((coder, 0));
        }
        Ok(())
    }

    /// The next coded frame; `None` at the end. Those after it are begun meanwhile.
    async fn next_frame(&mut self) -> Result<Option<Coder>, SealError> {
        while self.coding.len() <= workers() {
            let Some((mut coder, method)) = self.read_frame().await? else {
                break;
            };
            let coding = tokio::task::spawn_blocking(move || {
                coder.codec = coder.encoder.encode(&method, &coder.frame, &mut coder.encoded);
                coder
            });
            self.coding.push_back(coding);
        }
        let coded = self.coding.next().await;
        coded.transpose().map_err(|_| SealError::Interrupted)
    }

    async fn read_frame(&mut self) -> Result<Option<(Coder, Method)>, SealError> {
        let cut = self.plan.next(self.read);
        let mut coder = match self.spare.pop() {
            Some(coder) => coder,
            None => Coder {
                encoder: FrameEncoder::new().map_err(SealError::Codec)?,
                frame: Vec::new(),
                encoded: Vec::new(),
                codec: Codec::Raw,
            },
        };
        coder.frame.clear();
        let known = cut.len.min(self.head.len());
        coder.frame.extend(self.head.drain(..known));
        if !self.input_ended && coder.frame.len() < cut.len {
            let wanted = Bytes::up_to(cut.len, std::mem::take(&mut coder.frame));
            let read = self.input.read_with(wanted).await.map_err(SealError::Input)?;
            (coder.frame, self.input_ended) = read.finish();
        }
        if coder.frame.is_empty() {
            self.spare.push(coder);
            return Ok(None);
        }
        if let Some(mut hasher) = self.hasher.take() {
            (coder, hasher) = compute(move || {
                hasher.update(&coder.frame);
                (coder, hasher)
            })
            .await?;
            self.hasher = Some(hasher);
        }
        self.read += coder.frame.len() as u64;
        Ok(Some((coder, cut.method)))
    }

    /// Frames so far.
    pub(super) fn frames(&self) -> usize {
        self.frames.frames().len()
    }

    /// What is known once no shard takes anything more.
    pub(super) fn finish(self) -> Result<Summary, SealError> {
        if self.input.stamp().map_err(SealError::Input)? != self.stamp {
            return Err(SealError::ChangedWhileRead);
        }
        let Self {
            plan,
            hasher,
            frames,
            original,
            ..
        } = self;
        Ok(Summary {
            sha256: hasher.map(|hasher| hasher.finalize().into()),
            sniffed: plan.sniffed(),
            frames,
            original,
        })
    }
}

/// Computes where that does not hold up others.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SealError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| SealError::Interrupted)
}
