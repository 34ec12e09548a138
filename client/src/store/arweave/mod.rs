//! Arweave itself, without anybody's upload service: small items go into transactions that a wallet of our own pays for.
//! For what is larger, and for all that is urgent, a gateway's upload is the better way: a block takes minutes.
//!
//! Nothing that the server says is believed. The transaction's id is computed here; the anchor that the server names is
//! bounded and means nothing to us; the price is paid only up to [`LayerOneOptions::max_price`]. An item that the gateway
//! serves already is not paid for again, nor one whose transaction was sent and whose chunks did not all arrive: the next
//! [`put`](BlobStore::put) of the same item by the same [`LayerOne`] goes on with it.

mod carrier;
mod post;
mod wallet;

use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{TryStreamExt as _, stream};

use self::carrier::{BUNDLE_HEADER_LEN, Carrier};
pub use self::wallet::{Wallet, WalletError};
use super::ans104::SignedItem;
use super::gateway::{price, retry};
use super::{BlobStore, Gateway, GatewayOptions, ItemId, Price, StoreError};

/// The longest item that goes straight onto Arweave, in bytes.
pub const LAYER_ONE_LIMIT: u64 = 10_000_000;

/// Chunks of a transaction that are under way at once.
const CHUNKS_AT_ONCE: usize = 4;

/// Transactions that were sent and whose chunks are not all there, at most. Each holds its data.
const REMEMBERED: usize = 8;

/// How layer one is used.
#[derive(Debug, Clone, Copy)]
pub struct LayerOneOptions {
    /// How patient its requests are.
    pub gateway: GatewayOptions,
    /// What may be paid for one item, in winston.
    pub max_price: u128,
}

impl Default for LayerOneOptions {
    fn default() -> Self {
        Self {
            gateway: GatewayOptions::default(),
            // A tenth of an AR: several times what 10 MB cost.
            max_price: 100_000_000_000,
        }
    }
}

/// Layer one of Arweave, by way of a gateway or node.
#[derive(Debug, Clone)]
pub struct LayerOne {
    gateway: Gateway,
    wallet: Arc<Wallet>,
    max_price: u128,
    unfinished: Arc<Mutex<HashMap<ItemId, Arc<Carrier>>>>,
}

impl LayerOne {
    /// A client for the gateway or node at `base`, which `wallet` pays. Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn new(base: &str, wallet: Wallet, options: LayerOneOptions) -> Result<Self, StoreError> {
        Ok(Self {
            gateway: Gateway::new(base, options.gateway)?,
            wallet: Arc::new(wallet),
            max_price: options.max_price,
            unfinished: Arc::default(),
        })
    }

    /// The same with the wallet in a file.
    ///
    /// # Errors
    /// [`StoreError::Wallet`], [`StoreError::BadUrl`].
    pub fn with_wallet_file(base: &str, wallet: &Path, options: LayerOneOptions) -> Result<Self, StoreError> {
        let wallet = Wallet::open(wallet).map_err(|error| StoreError::Wallet {
            detail: error.to_string(),
        })?;
        Self::new(base, wallet, options)
    }

    /// The address of the wallet that pays.
    #[must_use]
    pub fn address(&self) -> String {
        self.wallet.address()
    }

    /// Makes the transaction that carries an item, for a price that may be paid.
    async fn carrier(&self, item: &SignedItem) -> Result<Arc<Carrier>, StoreError> {
        let options = self.gateway.options();
        let bytes = item.bytes().len() as u64 + BUNDLE_HEADER_LEN;
        let price = retry::with_retries(options, || post::price(&self.gateway, bytes)).await?;
        let reward = match u64::try_from(price.unwrap_or_default()) {
            Ok(reward) if u128::from(reward) <= self.max_price => reward,
            _ => {
                return Err(StoreError::TooCostly {
                    price: price.unwrap_or_default(),
                    max_price: self.max_price,
                });
            }
        };
        let anchor = retry::with_retries(options, || post::anchor(&self.gateway)).await?;
        let (item, wallet) = (item.clone(), Arc::clone(&self.wallet));
        let made = tokio::task::spawn_blocking(move || Carrier::make(&item, &wallet, anchor, reward)).await;
        let made = made.map_err(|error| StoreError::Wallet {
            detail: error.to_string(),
        })?;
        Ok(Arc::new(made?))
    }

    async fn send(&self, carrier: &Carrier) -> Result<(), StoreError> {
        let options = self.gateway.options();
        retry::with_retries(options, || post::transaction(&self.gateway, carrier)).await?;
        stream::iter((0..carrier.chunks()).map(Ok))
            .try_for_each_concurrent(CHUNKS_AT_ONCE, |number| async move {
                retry::with_retries(options, || post::chunk(&self.gateway, carrier, number)).await
            })
            .await
    }

    fn recall(&self, id: ItemId) -> Option<Arc<Carrier>> {
        let unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.get(&id).cloned()
    }

    fn remember(&self, carrier: &Arc<Carrier>) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if unfinished.len() < REMEMBERED {
            unfinished.insert(carrier.item, Arc::clone(carrier));
        }
    }

    fn forget(&self, id: ItemId) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.remove(&id);
    }
}

impl BlobStore for LayerOne {
    fn name(&self) -> String {
        format!("Arweave by {}", self.gateway.name())
    }

    /// Stores an item in a transaction of its own. Returns once all of it has been accepted; it is served, and safe, when a
    /// block has it: [`has`](Self::has) tells.
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let (id, bytes) = (item.id(), item.bytes().len() as u64);
        if bytes > LAYER_ONE_LIMIT {
            let limit = LAYER_ONE_LIMIT;
            return Err(StoreError::TooLargeForLayerOne { id, bytes, limit });
        }
        if self.has(id).await? {
            self.forget(id);
            return Ok(());
        }
        let carrier = match self.recall(id) {
            Some(carrier) => carrier,
            None => self.carrier(item).await?,
        };
        // From here on it may have been paid for.
        self.remember(&carrier);
        let sent = self.send(&carrier).await;
        if matches!(
            sent,
            Ok(()) | Err(StoreError::Refused { .. } | StoreError::TooLarge { .. })
        ) {
            self.forget(id);
        }
        sent
    }

    fn get(
        &self,
        id: ItemId,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send {
        self.gateway.get(id, range, limit)
    }

    fn has(&self, id: ItemId) -> impl Future<Output = Result<bool, StoreError>> + Send {
        self.gateway.has(id)
    }

    async fn price(&self, lengths: &[u64]) -> Result<Option<Price>, StoreError> {
        price::of_all(lengths, |length| {
            retry::with_retries(self.gateway.options(), move || {
                post::price(&self.gateway, length.saturating_add(BUNDLE_HEADER_LEN))
            })
        })
        .await
    }
}
