//! What Chartseal does, as the SDK does it: storing, opening, fetching, and reading a range. A record that is opened was
//! sealed beforehand by another process; its key waits in two shares, in a folder of ours, as it would with two holders.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chartseal::keys::StorageKey;
use chartseal::keys::shares::Share;
use chartseal::seal::break_glass::{self, KeyShare};
use chartseal::seal::{
    Input, Manifest, OnChain, Padding, Progress, RecordIds, SealOptions, SealStats, Sealed, Sealer, fetch_manifest,
    open_stream, seal_stream,
};
use chartseal::store::{BlobStore, Gateway, GatewayOptions, Stores};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::job::{Clock, Job, Op, Sample};
use super::store::{Counted, Folder};

const IDS: RecordIds = RecordIds {
    patient: [1; 16],
    record: [2; 16],
    version: 1,
};
/// What is read of a file by [`Op::Range`].
pub(super) const RANGE_LEN: u64 = 1 << 20;

/// A record that was sealed: what the chain would hold, and its key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    manifest_hash: [u8; 32],
    content_root: [u8; 32],
    locator: [u8; 32],
    manifest: Vec<u8>,
    length: u64,
    stored: u64,
    sharing: [u8; 16],
    shares: Vec<(u8, [u8; 32])>,
}

impl Kept {
    fn of(sealed: &Sealed) -> Result<Self> {
        let shares = break_glass::split(&sealed.data_key, 2, 2)?;
        Ok(Self {
            manifest_hash: sealed.on_chain.manifest_hash,
            content_root: sealed.on_chain.content_root,
            locator: sealed.locator,
            manifest: sealed.manifest.clone(),
            length: sealed.stats.original,
            stored: sealed.stats.stored,
            sharing: shares.first().context("a key has no shares")?.sharing,
            shares: shares
                .iter()
                .map(|share| (share.share.index, *share.share.value))
                .collect(),
        })
    }

    fn open(&self) -> Result<Opening> {
        let shares = self.shares.iter().map(|&(index, value)| KeyShare {
            sharing: self.sharing,
            threshold: 2,
            share: Share {
                index,
                value: value.into(),
            },
        });
        let key = break_glass::combine(&shares.collect::<Vec<_>>(), &Manifest::parse(&self.manifest)?)?;
        Ok(Opening {
            on_chain: OnChain {
                manifest_hash: self.manifest_hash,
                content_root: self.content_root,
            },
            locator: self.locator,
            length: self.length,
            stored: self.stored,
            key,
        })
    }
}

/// A record that can be opened.
struct Opening {
    on_chain: OnChain,
    locator: [u8; 32],
    length: u64,
    stored: u64,
    key: chartseal::seal::DataKey,
}

fn options(compress: bool) -> SealOptions {
    SealOptions {
        // So that sizes are the file's own.
        padding: Padding::None,
        compress,
        ..SealOptions::named("measured")
    }
}

fn silent(_: Progress) {}

fn input(file: &Path) -> Result<Input<'static>> {
    let opened = std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    Ok(Input::File(opened))
}

async fn store<S: BlobStore>(file: &Path, options: &SealOptions, stores: &Stores<S>) -> Result<Sealed> {
    let key = StorageKey::generate()?;
    Ok(seal_stream(input(file)?, IDS, options, &key, stores, &silent).await?)
}

/// Seals, and neither signs nor stores.
async fn seal(file: &Path, options: &SealOptions) -> Result<SealStats> {
    let sealer = Sealer {
        ids: IDS,
        options,
        storage_key: &StorageKey::generate()?,
        stores: &Stores::one(Folder(PathBuf::new())),
        journal: None,
        progress: &silent,
    };
    Ok(sealer.measure(input(file)?).await?.stats)
}

async fn open<S: BlobStore>(record: &Opening, range: bool, stores: &Stores<S>) -> Result<u64> {
    let manifest = fetch_manifest(stores, record.locator, record.on_chain.manifest_hash).await?;
    let middle = record.length / 2;
    let range = range.then_some(middle..middle + RANGE_LEN);
    let mut out = tokio::io::sink();
    let opened = open_stream(
        &manifest,
        &record.on_chain,
        IDS,
        &record.key,
        stores,
        range,
        &mut out,
        &silent,
    )
    .await?;
    Ok(opened.written)
}

/// Seals a file for later.
pub(super) fn keep<S: BlobStore>(file: &Path, compress: bool, stores: &Stores<S>, kept: &Path) -> Result<()> {
    let sealed = runtime(2)?.block_on(store(file, &options(compress), stores))?;
    let text = serde_json::to_string(&Kept::of(&sealed)?)?;
    std::fs::write(kept, text).with_context(|| format!("cannot write {}", kept.display()))
}

/// Bytes that a store keeps of a file, compressed, with its size hidden or not.
pub(super) fn stored_size(file: &Path, hidden: bool) -> Result<u64> {
    let options = SealOptions {
        padding: if hidden { Padding::Padme } else { Padding::None },
        ..options(true)
    };
    Ok(runtime(2)?.block_on(seal(file, &options))?.stored)
}

/// A gateway's client, as the CLI has it.
pub(super) fn client(url: &str) -> Result<Gateway> {
    Ok(Gateway::new(url, GatewayOptions::default())?)
}

fn runtime(cores: usize) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(cores)
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

pub(super) fn run(job: &Job) -> Result<Sample> {
    let gateway = || client(job.gateway.as_deref().context("this needs a gateway")?);
    let runtime = runtime(job.cores.len())?;
    match job.op {
        Op::Seal => runtime.block_on(repeat(job, Arc::new(job.clone()), |job| async move {
            let stats = seal(&job.file, &options(job.compress)).await?;
            Ok((stats.original, stats.stored))
        })),
        Op::Put => {
            let stores = Stores::one(gateway()?);
            runtime.block_on(repeat(job, Arc::new((job.clone(), stores)), |with| async move {
                let (job, stores) = with.as_ref();
                let stats = store(&job.file, &options(job.compress), stores).await?.stats;
                Ok((stats.original, stats.stored))
            }))
        }
        Op::Open => runtime.block_on(opened(job, Folder(job.folder.join("sealed")))),
        Op::Range => {
            let store = Counted::new(gateway()?);
            let mut sample = runtime.block_on(opened(job, store.clone()))?;
            // Once more alone, for the counts of one record.
            store.take();
            runtime.block_on(open(&kept(job)?, true, &Stores::one(store.clone())))?;
            let asked = store.take();
            (sample.fetched, sample.round_trips) = (Some(asked.bytes), Some(asked.round_trips));
            Ok(sample)
        }
        _ => runtime.block_on(opened(job, gateway()?)),
    }
}

fn kept(job: &Job) -> Result<Opening> {
    let path = job.kept.as_ref().context("nothing was sealed to be opened")?;
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str::<Kept>(&text).context("this is no record")?.open()
}

async fn opened<S: BlobStore + 'static>(job: &Job, store: S) -> Result<Sample> {
    let record = kept(job)?;
    let range = job.op == Op::Range;
    repeat(job, Arc::new((record, Stores::one(store))), move |with| async move {
        let (record, stores) = with.as_ref();
        let written = open(record, range, stores).await?;
        let expected = if range { RANGE_LEN } else { record.length };
        ensure!(written == expected, "{written} bytes came back instead of {expected}");
        Ok((written, record.stored))
    })
    .await
}

/// Does it again and again, several at a time if the job says so: each gives the bytes of the original and those stored.
async fn repeat<T, F>(job: &Job, with: Arc<T>, once: impl Fn(Arc<T>) -> F + Copy + Send + 'static) -> Result<Sample>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<(u64, u64)>> + Send,
{
    // Once before, so that all memory and the connection are there.
    let (_, stored) = once(with.clone()).await?;
    let clock = Clock::start();
    let (since, seconds) = (Instant::now(), job.seconds);
    let tasks: Vec<_> = (0..job.at_once.max(1))
        .map(|_| {
            let with = with.clone();
            tokio::spawn(async move {
                let (mut records, mut bytes) = (0, 0);
                while records == 0 || since.elapsed().as_secs_f64() < seconds {
                    bytes += once(with.clone()).await?.0;
                    records += 1;
                }
                Ok::<_, anyhow::Error>((records, bytes))
            })
        })
        .collect();
    let (mut records, mut bytes) = (0, 0);
    for task in tasks {
        let (more_records, more_bytes) = task.await.context("a task died")??;
        records += more_records;
        bytes += more_bytes;
    }
    Ok(Sample {
        stored: Some(stored),
        ..clock.sample(records, bytes)
    })
}
