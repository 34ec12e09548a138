//! Encrypting shards on all cores. What a core takes at a time is a group of segments, some megabyte, so that the last
//! shards of a file, or its only one, are the work of all cores too.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::cores::Cores;
use super::journal::Journal;
use super::pool::Pooled;
use super::shard::{BegunShard, Group, OpenShard, SealedShard};
use super::source::FullShards;
use super::{DataKey, RecordIds, SealError};
use crate::crypto;

/// What the shards of one file are encrypted with.
pub(super) struct Encryption<'a> {
    ids: RecordIds,
    key: &'a DataKey,
    journal: Option<&'a Journal>,
    cores: Cores,
    sealed: mpsc::UnboundedSender<Result<SealedShard, SealError>>,
}

/// A shard of which some groups may be encrypted.
struct Job {
    shard: BegunShard,
    number: u32,
    /// Where its plaintext still is.
    unread: Option<Arc<FullShards>>,
    /// Its root, where an earlier run announced it.
    announced: Option<[u8; 32]>,
}

impl<'a> Encryption<'a> {
    /// Of a file's shards. They come out in any order, and come to an end when this is dropped and all of them came. There
    /// are never more of them than the pool has buffers.
    pub(super) fn new(
        ids: RecordIds,
        key: &'a DataKey,
        journal: Option<&'a Journal>,
    ) -> (Self, mpsc::UnboundedReceiver<Result<SealedShard, SealError>>) {
        let (sealed, receiver) = mpsc::unbounded_channel();
        let encryption = Self {
            ids,
            key,
            journal,
            cores: Cores::default(),
            sealed,
        };
        (encryption, receiver)
    }

    /// Has a shard encrypted that was filled.
    pub(super) fn add(&self, number: u32, shard: OpenShard) -> Result<(), SealError> {
        self.begin(number, shard, None)
    }

    /// Has a full shard of a file read and encrypted.
    pub(super) fn add_unread(&self, number: u32, buffer: Pooled, file: &Arc<FullShards>) -> Result<(), SealError> {
        self.begin(number, OpenShard::unread(buffer), Some(Arc::clone(file)))
    }

    fn begin(&self, number: u32, shard: OpenShard, unread: Option<Arc<FullShards>>) -> Result<(), SealError> {
        let announced = self.journal.and_then(|journal| journal.shard(number));
        // A shard that was announced is the same again or none: then nothing of it leaves this process.
        let salt = match &announced {
            Some(announced) => announced.salt,
            None => crypto::random()?,
        };
        let (shard, groups) = shard.begin(self.key, &self.ids, number, salt)?;
        let job = Arc::new(Job {
            shard,
            number,
            unread,
            announced: announced.map(|announced| announced.root),
        });
        for group in groups {
            let (job, sealed) = (Arc::clone(&job), self.sealed.clone());
            self.cores.add(move || {
                if sealed.is_closed() {
                    return;
                }
                // Were it only not to come, nobody would know before the end of the file.
                let done = panic::catch_unwind(AssertUnwindSafe(|| job.encrypt(group)));
                if let Some(shard) = done.unwrap_or(Err(SealError::Interrupted)).transpose() {
                    // Nobody may want it any more.
                    let _ = sealed.send(shard);
                }
            });
        }
        Ok(())
    }
}

impl Job {
    /// Encrypts a group; the shard, once it is the last one.
    fn encrypt(&self, mut group: Group) -> Result<Option<SealedShard>, SealError> {
        if let Some(file) = &self.unread {
            file.read(self.number, &mut group)?;
        }
        self.shard.encrypt(&mut group)?;
        let sealed = self.shard.put_back(group);
        match (&sealed, self.announced) {
            (Some(sealed), Some(root)) if sealed.entry.root != root => Err(SealError::SourceChanged),
            _ => Ok(sealed),
        }
    }
}
