//! Verifying without a key: anybody can fetch a record's shards and hold them against what stands on chain, without
//! learning what they say.

use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};

use super::cores::Cores;
use super::fetch::{self, Wanted};
use super::manifest::Manifest;
use super::meter::Meter;
use super::opener::checked_manifest;
use super::{IN_FLIGHT, OnChain, OpenError, ProgressFn};
use crate::store::{BlobStore, Stores};

/// A record whose stored bytes are all as they were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Shards that were checked.
    pub shards: u64,
    /// Their bytes.
    pub sealed: u64,
}

/// Fetches every shard of a manifest and checks leaves, shard roots and content root.
///
/// # Errors
/// [`OpenError::Tampered`] at the first shard that differs, [`OpenError::Store`] where one does not come.
pub async fn verify_stream<S: BlobStore>(
    manifest: &[u8],
    on_chain: &OnChain,
    stores: &Stores<S>,
    progress: ProgressFn<'_>,
) -> Result<Verified, OpenError> {
    let manifest = &checked_manifest(manifest, on_chain)?;
    let (meter, cores) = (Meter::new(progress), &Cores::default());
    let checks = stream::iter(0..manifest.shards().len()).map(|number| check(manifest, number, stores, cores).boxed());
    let mut checks = checks.buffered(IN_FLIGHT).boxed();
    let mut verified = Verified { shards: 0, sealed: 0 };
    while let Some(checked) = checks.next().await {
        let sealed = checked?;
        verified.shards += 1;
        verified.sealed += sealed;
        meter.sealed(sealed);
    }
    Ok(verified)
}

/// Checks one shard, and says how many bytes it has.
async fn check<S: BlobStore>(
    manifest: &Manifest,
    number: usize,
    stores: &Stores<S>,
    cores: &Cores,
) -> Result<u64, OpenError> {
    let (entry, place) = manifest.shard(number).ok_or(OpenError::Interrupted)?;
    let wanted = Wanted {
        number,
        entry,
        place,
        cipher: None,
        cores,
    };
    fetch::whole(wanted, stores).await?;
    Ok(entry.payload_len())
}
