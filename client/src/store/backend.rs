//! The kinds of store that can be named by an address, as one type: an Arweave gateway, or an object store.

use std::ops::Range;
use std::str::FromStr;

use super::{BlobStore, Gateway, GatewayOptions, ItemId, Objects, Price, SignedItem, StoreError};

/// A store of one of the kinds that there are.
#[derive(Debug, Clone)]
pub enum Backend {
    /// An Arweave gateway: `https://…` or `http://…`.
    Gateway(Gateway),
    /// An object store: `s3://…`, `gs://…`, `az://…`, `file://…`, or the path of a folder.
    Objects(Objects),
}

impl Backend {
    /// The store at an address. What has no scheme is a folder. Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn at(address: &str) -> Result<Self, StoreError> {
        match address.split_once("://") {
            Some(("http" | "https", _)) => Ok(Self::Gateway(Gateway::new(address, GatewayOptions::default())?)),
            Some(_) => Ok(Self::Objects(Objects::at(address)?)),
            None if address.is_empty() => Err(StoreError::BadUrl {
                url: address.to_owned(),
                detail: "it is empty".to_owned(),
            }),
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

impl BlobStore for Backend {
    fn name(&self) -> String {
        match self {
            Self::Gateway(store) => store.name(),
            Self::Objects(store) => store.name(),
        }
    }

    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        match self {
            Self::Gateway(store) => store.put(item).await,
            Self::Objects(store) => store.put(item).await,
        }
    }

    async fn replace(&self, item: &SignedItem) -> Result<(), StoreError> {
        match self {
            Self::Gateway(store) => store.replace(item).await,
            Self::Objects(store) => store.replace(item).await,
        }
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Gateway(store) => store.get(id, range, limit).await,
            Self::Objects(store) => store.get(id, range, limit).await,
        }
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        match self {
            Self::Gateway(store) => store.has(id).await,
            Self::Objects(store) => store.has(id).await,
        }
    }

    async fn signature(&self, id: ItemId) -> Result<Option<[u8; 64]>, StoreError> {
        match self {
            Self::Gateway(store) => store.signature(id).await,
            Self::Objects(store) => store.signature(id).await,
        }
    }

    async fn price(&self, lengths: &[u64]) -> Result<Option<Price>, StoreError> {
        match self {
            Self::Gateway(store) => store.price(lengths).await,
            Self::Objects(store) => store.price(lengths).await,
        }
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
        for wrong in ["", "http://", "gopher://host", "arweave://x"] {
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
