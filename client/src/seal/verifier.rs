//! Verifying without a key: anybody can fetch a record's shards and hold them against what stands on chain, without
//! learning what they say.

use futures_util::stream::{self, StreamExt as _};

use super::opener::{checked_manifest, fetch_whole, name_of};
use super::{IN_FLIGHT, OnChain, OpenError, Progress, ProgressFn, shard};
use crate::store::BlobStore;

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
    store: &S,
    progress: ProgressFn<'_>,
) -> Result<Verified, OpenError> {
    let manifest = checked_manifest(manifest, on_chain)?;
    let checks = stream::iter(manifest.shards().iter().copied().enumerate()).map(|(number, entry)| async move {
        let (segments, leaf_list) = fetch_whole(number, &entry, store).await?;
        let matches = tokio::task::spawn_blocking(move || shard::matches(&entry, &leaf_list, 0, &segments));
        if matches.await.map_err(|_| OpenError::Interrupted)? {
            Ok(entry.payload_len())
        } else {
            Err(OpenError::tampered(name_of(number, &entry)))
        }
    });
    let mut checks = std::pin::pin!(checks.buffered(IN_FLIGHT));
    let mut verified = Verified { shards: 0, sealed: 0 };
    while let Some(checked) = checks.next().await {
        verified.shards += 1;
        verified.sealed += checked?;
        progress(Progress {
            original: 0,
            sealed: verified.sealed,
        });
    }
    Ok(verified)
}
