//! Getting a shard's segments from stores of which none is trusted. What comes is held against the shard's root, and a
//! store that is slow, gone or lying costs time: another is asked as soon as one fails, or when it takes long. Of a shard
//! in pieces, any that are enough will do, and each is looked for at the other stores where its own does not have it:
//! stores may be named in another order, or only those that are left.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _, select_ok, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::cores::Cores;
use super::manifest::{self, ShardEntry};
use super::placing::{Piece, Place};
use super::segment::ShardCipher;
use super::shard::{self, Fault};
use super::{OpenError, SEGMENT_LEN};
use crate::crypto;
use crate::store::ans104;
use crate::store::{BlobStore, Code, ItemId, StoreError, Stores, StoresError};

/// How long a store may take before another is asked too, and so much longer for every megabyte that it sends: a slow
/// line is not made slower by sending everything twice.
const PATIENCE: Duration = Duration::from_millis(800);
const PATIENCE_FOR_MEGABYTE: Duration = Duration::from_secs(1);

/// Asking one store.
type Attempt<'a, T> = BoxFuture<'a, Result<T, OpenError>>;

/// A shard to be fetched.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) number: usize,
    pub(super) entry: &'a ShardEntry,
    pub(super) place: Place<'a>,
    /// Decrypts what was found right; without one it is only checked.
    pub(super) cipher: Option<&'a Arc<ShardCipher>>,
    /// Where that is computed.
    pub(super) cores: &'a Cores,
}

impl Wanted<'_> {
    /// How people are told which shard it is.
    pub(super) fn name(&self) -> String {
        match self.place {
            Place::Whole(signature) => format!("shard {} (item {})", self.number, ans104::item_id(signature)),
            Place::Spread(code, _) => format!("shard {} (in pieces, {code})", self.number),
        }
    }

    fn tampered(&self) -> OpenError {
        OpenError::tampered(self.name())
    }

    fn faulty(&self, fault: Fault) -> OpenError {
        match fault {
            Fault::Differs => self.tampered(),
            Fault::Undecryptable(segment) => OpenError::Undecryptable {
                shard: self.number,
                segment,
            },
        }
    }
}

/// Fetches a record's manifest and holds it against the hash on chain.
///
/// # Errors
/// [`OpenError::Tampered`] where it is another one, [`OpenError::Store`] where it does not come.
pub async fn fetch_manifest<S: BlobStore>(
    stores: &Stores<S>,
    locator: [u8; 32],
    expected_hash: [u8; 32],
) -> Result<Vec<u8>, OpenError> {
    let what = || "the manifest".to_owned();
    let attempts = stores.members().iter().map(|store| {
        async move {
            let bytes = store
                .get(ItemId(locator), None, manifest::MAX_LEN as u64)
                .await
                .map_err(|error| OpenError::from_store(error, what))?;
            if manifest::manifest_hash(&bytes) == expected_hash {
                Ok(bytes)
            } else {
                Err(OpenError::tampered(what()))
            }
        }
        .boxed()
    });
    first(attempts.collect(), PATIENCE, what).await
}

/// How long a store may take for so many bytes.
fn patience(len: u64) -> Duration {
    let megabytes = u32::try_from(len.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    PATIENCE.saturating_add(PATIENCE_FOR_MEGABYTE.saturating_mul(megabytes))
}

/// All segments of a shard, decrypted if that is wanted.
pub(super) async fn whole<S: BlobStore>(wanted: Wanted<'_>, stores: &Stores<S>) -> Result<Vec<u8>, OpenError> {
    match wanted.place {
        Place::Whole(signature) => {
            let id = ans104::item_id(signature);
            let attempts = stores.members().iter().map(|store| {
                async move {
                    let payload = store
                        .get(id, None, wanted.entry.payload_len())
                        .await
                        .map_err(|error| OpenError::from_store(error, || wanted.name()))?;
                    checked_payload(wanted, payload).await
                }
                .boxed()
            });
            first(attempts.collect(), patience(wanted.entry.payload_len()), || {
                wanted.name()
            })
            .await
        }
        Place::Spread(code, pieces) => {
            let len = usize::try_from(wanted.entry.payload_len()).map_err(|_| OpenError::Interrupted)?;
            let good = pieces_of(wanted, code, pieces, stores).await?;
            let payload = tokio::task::spawn_blocking(move || {
                let good: Vec<(usize, &[u8])> = good.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect();
                code.rebuild(len, &good)
            });
            let payload = payload.await.map_err(|_| OpenError::Interrupted)??;
            checked_payload(wanted, payload).await
        }
    }
}

/// As many pieces of a shard as are enough, each as the manifest has it. Every store is asked for its own first, and then
/// for what was not found.
async fn pieces_of<S: BlobStore>(
    wanted: Wanted<'_>,
    code: Code,
    pieces: &[Piece],
    stores: &Stores<S>,
) -> Result<Vec<(usize, Vec<u8>)>, OpenError> {
    let len = piece_len(wanted, code)?;
    let members = stores.members();
    let flags = |count: usize| (0..count).map(|_| AtomicBool::new(false)).collect::<Vec<_>>();
    let (found, gone) = (&flags(pieces.len()), &flags(members.len()));
    let ask = |at: usize, member: usize| {
        async move {
            let (Some(piece), Some(store)) = (pieces.get(at), members.get(member)) else {
                return Ok(None);
            };
            let (Some(found), Some(gone)) = (found.get(at), gone.get(member)) else {
                return Ok(None);
            };
            if found.load(Ordering::Relaxed) || gone.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let name = || format!("piece {at} of {}", wanted.name());
            let bytes = store.get(piece.item(), None, len).await.map_err(|error| {
                // What fails altogether is not asked for one piece after the other.
                let says = error.is_another_file() || matches!(error, StoreError::NotFound { .. });
                gone.fetch_or(!says, Ordering::Relaxed);
                OpenError::from_store(error, name)
            })?;
            if crypto::sha256(&[&bytes]) != piece.sha256 {
                return Err(OpenError::tampered(name()));
            }
            Ok((!found.swap(true, Ordering::Relaxed)).then_some((at, bytes)))
        }
        .boxed()
    };
    let own = (0..pieces.len().min(members.len())).map(|at| ask(at, at));
    let others = (0..members.len()).flat_map(|by| {
        let shifted = (0..pieces.len()).map(move |at| (at, (at + by) % members.len()));
        shifted.filter(|(at, member)| at != member)
    });
    let attempts = own.chain(others.map(|(at, member)| ask(at, member))).collect();
    let needed = usize::from(code.data);
    enough(attempts, needed, patience(len), || wanted.name()).await
}

/// Bytes of each piece of a shard.
pub(super) fn piece_len(wanted: Wanted<'_>, code: Code) -> Result<u64, OpenError> {
    let len = usize::try_from(wanted.entry.payload_len()).map_err(|_| OpenError::Interrupted)?;
    Ok(code.piece_len(len) as u64)
}

/// Holds a payload against the root, and gives its segments.
async fn checked_payload(wanted: Wanted<'_>, mut payload: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    if payload.len() as u64 != wanted.entry.payload_len() {
        return Err(wanted.tampered());
    }
    let leaf_list = payload.split_off(payload.len() - wanted.entry.segments as usize * 32);
    checked(wanted, 0, payload, leaf_list).await
}

/// Holds segments, from the `first` on, against the root, and gives them, decrypted if that is wanted.
async fn checked(
    wanted: Wanted<'_>,
    first: u32,
    mut segments: Vec<u8>,
    leaf_list: Vec<u8>,
) -> Result<Vec<u8>, OpenError> {
    let (entry, cipher) = (*wanted.entry, wanted.cipher.map(Arc::clone));
    let checked = wanted
        .cores
        .run(move || shard::check(&entry, &leaf_list, first, &mut segments, cipher.as_deref()).map(|()| segments));
    let checked = checked.await.ok_or(OpenError::Interrupted)?;
    checked.map_err(|fault| wanted.faulty(fault))
}

/// Some consecutive segments of a shard, which is not fetched whole for them.
pub(super) async fn part<S: BlobStore>(
    wanted: Wanted<'_>,
    stores: &Stores<S>,
    segments: Range<u32>,
) -> Result<Vec<u8>, OpenError> {
    let entry = wanted.entry;
    let at = |segment: u32| (u64::from(segment) * SEGMENT_LEN as u64).min(entry.sealed_len());
    let ranges = [
        at(segments.start)..at(segments.end),
        entry.sealed_len()..entry.payload_len(),
    ];
    let first_segment = segments.start;
    let patience = patience(ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum());
    match wanted.place {
        Place::Whole(signature) => {
            let (id, ranges) = (ans104::item_id(signature), &ranges);
            let attempts = stores.members().iter().map(|store| {
                async move {
                    let fetched: Vec<_> = ranges
                        .iter()
                        .map(|range| ranged(wanted, store, id, range.clone()).boxed())
                        .collect();
                    checked_part(wanted, first_segment, try_join_all(fetched).await?).await
                }
                .boxed()
            });
            first(attempts.collect(), patience, || wanted.name()).await
        }
        Place::Spread(code, pieces) => {
            // From those pieces that hold the data itself; where that fails or takes long, by way of any that are enough.
            let straight = async {
                let fetched: Vec<_> = ranges
                    .into_iter()
                    .map(|range| across(wanted, stores, code, pieces, range).boxed())
                    .collect();
                checked_part(wanted, first_segment, try_join_all(fetched).await?).await
            };
            let around = async {
                let mut all = whole(wanted, stores).await?;
                let index = |at: u64| usize::try_from(at).map_err(|_| OpenError::Interrupted);
                all.truncate(index(at(segments.end))?);
                Ok(all.split_off(index(at(segments.start))?))
            };
            let mut straight = straight.boxed();
            match tokio::time::timeout(patience, &mut straight).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) => around.await,
                Err(_) => select_ok([straight, around.boxed()]).await.map(|(found, _)| found),
            }
        }
    }
}

async fn ranged<S: BlobStore>(
    wanted: Wanted<'_>,
    store: &S,
    id: ItemId,
    range: Range<u64>,
) -> Result<Vec<u8>, OpenError> {
    let len = range.end - range.start;
    let bytes = store
        .get(id, Some(range), len)
        .await
        .map_err(|error| OpenError::from_store(error, || wanted.name()))?;
    if bytes.len() as u64 == len {
        Ok(bytes)
    } else {
        Err(wanted.tampered())
    }
}

/// A range of a payload, from the pieces that it lies in.
async fn across<S: BlobStore>(
    wanted: Wanted<'_>,
    stores: &Stores<S>,
    code: Code,
    pieces: &[Piece],
    range: Range<u64>,
) -> Result<Vec<u8>, OpenError> {
    let len = piece_len(wanted, code)?;
    let mut parts = Vec::new();
    for (at, (store, piece)) in (0_u64..)
        .zip(stores.members().iter().zip(pieces))
        .take(code.data.into())
    {
        let (start, end) = (at * len, (at + 1) * len);
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            parts.push(ranged(wanted, store, piece.item(), from - start..to - start));
        }
    }
    let bytes = try_join_all(parts).await?.concat();
    if bytes.len() as u64 == range.end - range.start {
        return Ok(bytes);
    }
    // Fewer stores are named than hold the data.
    Err(OpenError::Stores(StoresError::AnotherNumber {
        code,
        needed: pieces.len(),
        given: stores.members().len(),
    }))
}

async fn checked_part(wanted: Wanted<'_>, first: u32, fetched: Vec<Vec<u8>>) -> Result<Vec<u8>, OpenError> {
    match <[Vec<u8>; 2]>::try_from(fetched) {
        Ok([segments, leaf_list]) => checked(wanted, first, segments, leaf_list).await,
        Err(_) => Err(OpenError::Interrupted),
    }
}

/// The first of some attempts that comes to something good.
async fn first<T>(
    attempts: Vec<Attempt<'_, T>>,
    patience: Duration,
    what: impl Fn() -> String,
) -> Result<T, OpenError> {
    let attempts = attempts.into_iter().map(|attempt| attempt.map_ok(Some).boxed());
    let mut good = enough(attempts.collect(), 1, patience, what).await?;
    good.pop().ok_or(OpenError::Interrupted)
}

/// As many good results as are needed. So many attempts begin at once; another one begins when one failed or came to
/// nothing, or when all take longer than they should.
async fn enough<T>(
    attempts: Vec<Attempt<'_, Option<T>>>,
    needed: usize,
    patience: Duration,
    what: impl Fn() -> String,
) -> Result<Vec<T>, OpenError> {
    let mut attempts = attempts.into_iter();
    let mut running: FuturesUnordered<_> = attempts.by_ref().take(needed).collect();
    let (mut good, mut failed) = (Vec::with_capacity(needed), Vec::new());
    while good.len() < needed {
        match tokio::time::timeout(patience, running.next()).await {
            Ok(Some(Ok(Some(result)))) => good.push(result),
            Ok(Some(Ok(None))) => running.extend(attempts.next()),
            Ok(Some(Err(error))) => {
                failed.push(error);
                running.extend(attempts.next());
            }
            Ok(None) => return Err(OpenError::lost(what(), good.len(), needed, failed)),
            Err(_) => running.extend(attempts.next()),
        }
    }
    Ok(good)
}
