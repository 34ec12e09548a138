//! Encrypting shards on all cores. What a core takes at a time is a group of segments, some megabyte, so that the last
//! shards of a file, or its only one, are the work of all cores too.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::cores::Cores;
use super::journal::Journal;
use super::shard::{BegunShard, Group, OpenShard, SHARD_GROUPS, SealedShard};
use super::source::FullShards;
use super::{DataKey, RecordIds, SealError, workers};
use crate::crypto;

/// What the shards of one file are encrypted with.
pub(super) struct Encryption<'a> {
    ids: RecordIds,
    key: &'a DataKey,
    journal: Option<&'a Journal>,
    cores: Cores,
    /// Room for groups that wait for a core.
    ahead: Arc<Semaphore>,
    sealed: mpsc::Sender<Result<SealedShard, SealError>>,
}

/// A shard of which some groups may be encrypted.
struct Begun {
    shard: BegunShard,
    number: u32,
    /// Where its plaintext still is.
    unread: Option<Arc<FullShards>>,
    /// Its root, where an earlier run announced it.
    announced: Option<[u8; 32]>,
}

impl<'a> Encryption<'a> {
    /// Of a file's shards. They come out in any order, and come to an end when this is dropped and all of them came.
    pub(super) fn new(
        ids: RecordIds,
        key: &'a DataKey,
        journal: Option<&'a Journal>,
    ) -> (Self, mpsc::Receiver<Result<SealedShard, SealError>>) {
        let (sealed, receiver) = mpsc::channel(workers());
        let encryption = Self {
            ids,
            key,
            journal,
            cores: Cores::default(),
            // When there is room for one more shard, there is still something for every core.
            ahead: Arc::new(Semaphore::new(workers() + 2 * SHARD_GROUPS)),
            sealed,
        };
        (encryption, receiver)
    }

    /// Has a shard encrypted, which is filled or stands unread in a file.
    pub(super) async fn add(
        &self,
        number: u32,
        shard: OpenShard,
        unread: Option<&Arc<FullShards>>,
    ) -> Result<(), SealError> {
        let announced = self.journal.and_then(|journal| journal.shard(number));
        // A shard that was announced is the same again or none: then nothing of it leaves this process.
        let salt = match &announced {
            Some(announced) => announced.salt,
            None => crypto::random()?,
        };
        let (shard, groups) = shard.begin(self.key, &self.ids, number, salt)?;
        let begun = Arc::new(Begun {
            shard,
            number,
            unread: unread.cloned(),
            announced: announced.map(|announced| announced.root),
        });
        let wanted = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        // Never closed.
        let mut room = Arc::clone(&self.ahead).acquire_many_owned(wanted).await.ok();
        for group in groups {
            let waiting = room.as_mut().and_then(|room| room.split(1));
            let (begun, sealed) = (Arc::clone(&begun), self.sealed.clone());
            self.cores.add(move || {
                drop(waiting);
                if let Some(shard) = begun.encrypt(group).transpose() {
                    // Nobody may want it any more.
                    let _ = sealed.blocking_send(shard);
                }
            });
        }
        Ok(())
    }
}

impl Begun {
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
