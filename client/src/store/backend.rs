//! The kinds of store that can be named by an address, as one type: an Arweave gateway, Arweave itself, or an
//! object store.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use super::arweave::{DEFAULT_BUDGET, LayerOne, LayerOneOptions};
use super::{BlobStore, Gateway, GatewayOptions, ItemId, Objects, Price, SignedItem, StoreError};

/// A store of one of the kinds that there are.
#[derive(Debug, Clone)]
pub enum Backend {
    /// An Arweave gateway: `https://…` or `http://…`.
    Gateway(Gateway),
    /// An object store: `s3://…`, `gs://…`, `az://…`, `file://…`, or the path of a folder.
    Objects(Objects),
    /// Arweave itself, paid by a wallet: `arweave+https://…` or `arweave+http://…`.
    LayerOne(LayerOne),
}

/// Does the same with a store of whichever kind.
macro_rules! each {
    ($backend:expr, $store:ident => $what:expr) => {
        match $backend {
            Backend::Gateway($store) => $what,
            Backend::Objects($store) => $what,
            Backend::LayerOne($store) => $what,
        }
    };
}

impl Backend {
    /// The store at an address. What has no scheme is a folder. Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn at(address: &str) -> Result<Self, StoreError> {
        Self::paid_by(address, None, DEFAULT_BUDGET)
    }

    /// The same, with the file of the wallet that pays where it goes straight onto Arweave, and how much it pays at most
    /// in all, in winston.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Wallet`].
    pub fn paid_by(address: &str, wallet: Option<&Path>, budget: u128) -> Result<Self, StoreError> {
        let bad = |detail: &str| StoreError::bad_url(address, detail);
        if let Some(base) = address.strip_prefix("arweave+") {
            let wallet = wallet.ok_or_else(|| bad("a wallet must pay for it: name its file, --arweave-wallet"))?;
            let store = LayerOne::with_wallet_file(base, wallet, LayerOneOptions::default().paying(budget))?;
            return Ok(Self::LayerOne(store));
        }
        match address.split_once("://") {
            Some(("http" | "https", _)) => Ok(Self::Gateway(Gateway::new(address, GatewayOptions::default())?)),
            Some(_) => Ok(Self::Objects(Objects::at(address)?)),
            None if address.is_empty() => Err(bad("it is empty")),
            None => Ok(Self::Objects(Objects::folder(address)?)),
        }
    }
}

impl FromStr for Backend {
    type Err = StoreError;

    fn from_str(address: &str) -> Result<Self, StoreError> {
        Self::at(address)
    }
}

impl From<Gateway> for Backend {
    fn from(gateway: Gateway) -> Self {
        Self::Gateway(gateway)
    }
}

impl From<Objects> for Backend {
    fn from(objects: Objects) -> Self {
        Self::Objects(objects)
    }
}

impl From<LayerOne> for Backend {
    fn from(layer_one: LayerOne) -> Self {
        Self::LayerOne(layer_one)
    }
}

impl BlobStore for Backend {
    fn name(&self) -> String {
        each!(self, store => store.name())
    }

    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        each!(self, store => store.put(item).await)
    }

    async fn replace(&self, item: &SignedItem) -> Result<(), StoreError> {
        each!(self, store => store.replace(item).await)
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        each!(self, store => store.get(id, range, limit).await)
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        each!(self, store => store.has(id).await)
    }

    async fn has_item(&self, item: &SignedItem) -> Result<bool, StoreError> {
        each!(self, store => store.has_item(item).await)
    }

    async fn signature(&self, id: ItemId) -> Result<Option<[u8; 64]>, StoreError> {
        each!(self, store => store.signature(id).await)
    }

    async fn price(&self, lengths: &[u64]) -> Result<Option<Price>, StoreError> {
        each!(self, store => store.price(lengths).await)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_says_what_kind_of_store_it_is() {
        for address in ["http://127.0.0.1:8901", "https://gateway.example"] {
            assert!(
                matches!(Backend::at(address).unwrap(), Backend::Gateway(_)),
                "{address}"
            );
        }
        for address in [
            "s3://bucket/prefix",
            "file:///srv/records",
            "records",
            "/srv/records",
            "C",
        ] {
            assert!(
                matches!(Backend::at(address).unwrap(), Backend::Objects(_)),
                "{address}"
            );
        }
        for wrong in ["http://me:hush@host:99999", "s3://me:hush@", "ftp://me:hush@host"] {
            let error = Backend::at(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
        for wrong in ["", "http://", "gopher://host", "arweave://x", "arweave+https://host"] {
            assert!(matches!(Backend::at(wrong), Err(StoreError::BadUrl { .. })), "{wrong}");
        }
    }

    #[test]
    fn stores_are_called_by_their_address_without_passwords() {
        assert_eq!(
            Backend::at("https://me:hush@host/gate?x=1").unwrap().name(),
            "https://me@host/gate"
        );
        assert_eq!(Backend::at("/srv/records").unwrap().name(), "/srv/records");
    }
}
