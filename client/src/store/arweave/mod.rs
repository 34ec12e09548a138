//! Arweave itself, without anybody's upload service: small items go into transactions that a wallet of our own pays for.
//! For what is larger, and for all that is urgent, a gateway's upload is the better way: a block takes minutes.
//!
//! Nothing that the server says is believed. The transaction's id is computed here; the anchor that the server names is
//! bounded and means nothing to us; of a price, no more is paid than [`LayerOneOptions`] allow for one item and for all.
//!
//! An item is not paid for twice while its [`LayerOne`] or a clone of it lives: what was signed for it is remembered, sent
//! again as it is where it did not arrive, and counts as stored while the node has it and its block is awaited. That is
//! remembered in memory alone. A process that ends and is started again knows only what the gateway serves, so what it
//! stores a second time before it was mined and indexed, which takes minutes to an hour, is paid for a second time; the
//! bound for all holds there anew.

mod carrier;
mod post;
mod wallet;

use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{TryStreamExt as _, stream};

use self::carrier::{BUNDLE_HEADER_LEN, Carrier, Signed};
use self::post::Standing;
pub use self::wallet::{Wallet, WalletError};
use super::ans104::SignedItem;
use super::gateway::{price, retry};
use super::{BlobStore, Gateway, GatewayOptions, ItemId, Price, StoreError};

/// The longest item that goes straight onto Arweave, in bytes.
pub const LAYER_ONE_LIMIT: u64 = 10_000_000;

/// Chunks of a transaction that are under way at once.
const CHUNKS_AT_ONCE: usize = 4;

/// What all items may cost together unless it is said otherwise, in winston: one AR, some dozen times what 10 MB cost.
pub const DEFAULT_BUDGET: u128 = 1_000_000_000_000;

/// An item may cost so many parts of what all may.
const SHARE: u128 = 10;

/// How layer one is used.
#[derive(Debug, Clone, Copy)]
pub struct LayerOneOptions {
    /// How patient its requests are.
    pub gateway: GatewayOptions,
    /// What may be paid for one item, in winston.
    pub max_price: u128,
    /// What may be paid for all items that one [`LayerOne`] and its clones store, in winston.
    pub budget: u128,
}

impl LayerOneOptions {
    /// These, with so many winston for all items, and a tenth of it for one.
    #[must_use]
    pub fn paying(self, budget: u128) -> Self {
        Self {
            max_price: budget / SHARE,
            budget,
            ..self
        }
    }
}

impl Default for LayerOneOptions {
    fn default() -> Self {
        Self {
            gateway: GatewayOptions::default(),
            max_price: DEFAULT_BUDGET / SHARE,
            budget: DEFAULT_BUDGET,
        }
    }
}

/// Layer one of Arweave, by way of a gateway or node.
#[derive(Debug, Clone)]
pub struct LayerOne {
    gateway: Gateway,
    wallet: Arc<Wallet>,
    max_price: u128,
    /// What is left of the budget.
    left: Arc<Mutex<u128>>,
    sent: Arc<Mutex<HashMap<ItemId, Sent>>>,
}

/// A transaction that may have been paid for.
#[derive(Debug, Clone)]
struct Sent {
    signed: Signed,
    /// Whether it and all of its chunks were accepted.
    whole: bool,
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
            left: Arc::new(Mutex::new(options.budget)),
            sent: Arc::default(),
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
    async fn carrier(&self, item: &SignedItem) -> Result<Carrier, StoreError> {
        let options = self.gateway.options();
        let bytes = item.bytes().len() as u64 + BUNDLE_HEADER_LEN;
        let price = retry::with_retries(options, || post::price(&self.gateway, bytes)).await?;
        let anchor = retry::with_retries(options, || post::anchor(&self.gateway)).await?;
        let reward = self.take(price.unwrap_or_default())?;
        let (item, wallet) = (item.clone(), Arc::clone(&self.wallet));
        off_thread(move || Carrier::make(&item, &wallet, anchor, reward)).await
    }

    /// Takes the price of an item from what is left. It is not given back: a node that says that it refuses a transaction
    /// has it all the same.
    fn take(&self, price: u128) -> Result<u64, StoreError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let max_price = self.max_price.min(*left);
        match u64::try_from(price) {
            Ok(reward) if price <= max_price => {
                *left -= price;
                Ok(reward)
            }
            _ => Err(StoreError::TooCostly { price, max_price }),
        }
    }

    async fn standing(&self, signed: &Signed) -> Result<Standing, StoreError> {
        retry::with_retries(self.gateway.options(), || post::standing(&self.gateway, &signed.id)).await
    }

    /// Whether all of an item was sent, and nothing is to be done but to wait for its block.
    async fn is_underway(&self, id: ItemId) -> Result<bool, StoreError> {
        match self.recall(id) {
            Some(sent) if sent.whole => Ok(self.standing(&sent.signed).await? == Standing::Underway),
            _ => Ok(false),
        }
    }

    async fn send_transaction(&self, carrier: &Carrier) -> Result<(), StoreError> {
        let options = self.gateway.options();
        let sent = retry::with_retries(options, || post::transaction(&self.gateway, carrier)).await;
        let Err(StoreError::Refused { .. } | StoreError::TooLarge { .. }) = sent else {
            return sent;
        };
        // It may have been taken before, and be refused now because it is old.
        if self.standing(&carrier.signed).await? != Standing::Unknown {
            return Ok(());
        }
        self.forget(carrier.item);
        sent
    }

    async fn send_chunks(&self, carrier: &Carrier) -> Result<(), StoreError> {
        let options = self.gateway.options();
        stream::iter((0..carrier.chunks()).map(Ok))
            .try_for_each_concurrent(CHUNKS_AT_ONCE, |number| async move {
                retry::with_retries(options, || post::chunk(&self.gateway, carrier, number)).await
            })
            .await
    }

    fn recall(&self, id: ItemId) -> Option<Sent> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(&id).cloned()
    }

    fn remember(&self, carrier: &Carrier, whole: bool) {
        let signed = carrier.signed.clone();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(carrier.item, Sent { signed, whole });
    }

    fn forget(&self, id: ItemId) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.remove(&id);
    }
}

/// Does what takes long where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Wallet {
        detail: error.to_string(),
    })?
}

impl BlobStore for LayerOne {
    fn name(&self) -> String {
        format!("Arweave by {}", self.gateway.name())
    }

    /// Stores an item in a transaction of its own. Returns once all of it has been accepted; it is served, and safe, when a
    /// block has it.
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let (id, bytes) = (item.id(), item.bytes().len() as u64);
        if bytes > LAYER_ONE_LIMIT {
            let limit = LAYER_ONE_LIMIT;
            return Err(StoreError::TooLargeForLayerOne { id, bytes, limit });
        }
        if self.has(id).await? {
            return Ok(());
        }
        let carrier = match self.recall(id) {
            Some(sent) => {
                let item = item.clone();
                off_thread(move || Carrier::again(&item, sent.signed)).await?
            }
            None => self.carrier(item).await?,
        };
        // From here on it may have been paid for.
        self.remember(&carrier, false);
        self.send_transaction(&carrier).await?;
        self.send_chunks(&carrier).await?;
        self.remember(&carrier, true);
        Ok(())
    }

    async fn replace(&self, item: &SignedItem) -> Result<(), StoreError> {
        let id = item.id();
        if self.is_underway(id).await? {
            return Err(StoreError::AwaitsBlock { id });
        }
        self.put(item).await
    }

    fn get(
        &self,
        id: ItemId,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send {
        self.gateway.get(id, range, limit)
    }

    /// Also what was stored here, and is in no block yet.
    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.gateway.has(id).await? || self.is_underway(id).await?)
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
