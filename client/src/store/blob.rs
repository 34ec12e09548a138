//! What every store of ciphertext offers, and what can go wrong with one. Items are written once and named by the hash
//! of their signature, so a store can lose or change bytes but never give an item another meaning.

use std::fmt;
use std::future::Future;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::ans104::SignedItem;

/// The id of a data item: SHA-256 of its signature. Written as 43 characters of base64url, as Arweave does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemId(pub [u8; 32]);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({self})")
    }
}

/// A store of signed data items.
pub trait BlobStore: Send + Sync {
    /// What people call it: its address. Names no credentials.
    fn name(&self) -> String {
        "a store".to_owned()
    }

    /// Stores an item. Storing one that is there already succeeds.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn put(&self, item: &SignedItem) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores an item in place of whatever the store has under its id: what repairs a damaged one. A store that lets
    /// nobody replace anything does what [`put`](Self::put) does.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn replace(&self, item: &SignedItem) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.put(item)
    }

    /// Fetches an item's data. With a range, exactly those bytes of it; without one, all of it if it has no more than
    /// `limit` bytes. The bytes are whatever the store says they are: the caller compares them with a hash.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn get(
        &self,
        id: ItemId,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send;

    /// Whether the store says that it has an item.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn has(&self, id: ItemId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Whether the store says that it has this very item: as [`has`](Self::has), and as long as it must be where a store
    /// may have kept a part of it.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn has_item(&self, item: &SignedItem) -> impl Future<Output = Result<bool, StoreError>> + Send {
        self.has(item.id())
    }

    /// The signature of an item, where the store keeps headers too and has it; it is this item's, for its hash is the id.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn signature(&self, id: ItemId) -> impl Future<Output = Result<Option<[u8; 64]>, StoreError>> + Send {
        let _ = id;
        async { Ok(None) }
    }

    /// What storing items of these lengths would cost, headers included; `None` where the store names no price.
    ///
    /// # Errors
    /// [`StoreError`]; transient failures have been retried by then.
    fn price(&self, lengths: &[u64]) -> impl Future<Output = Result<Option<Price>, StoreError>> + Send {
        let _ = lengths;
        async { Ok(None) }
    }
}

impl<S: BlobStore> BlobStore for &S {
    fn name(&self) -> String {
        S::name(self)
    }

    fn replace(&self, item: &SignedItem) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::replace(self, item)
    }

    fn put(&self, item: &SignedItem) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::put(self, item)
    }

    fn get(
        &self,
        id: ItemId,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send {
        S::get(self, id, range, limit)
    }

    fn has(&self, id: ItemId) -> impl Future<Output = Result<bool, StoreError>> + Send {
        S::has(self, id)
    }

    fn has_item(&self, item: &SignedItem) -> impl Future<Output = Result<bool, StoreError>> + Send {
        S::has_item(self, item)
    }

    fn signature(&self, id: ItemId) -> impl Future<Output = Result<Option<[u8; 64]>, StoreError>> + Send {
        S::signature(self, id)
    }

    fn price(&self, lengths: &[u64]) -> impl Future<Output = Result<Option<Price>, StoreError>> + Send {
        S::price(self, lengths)
    }
}

/// An amount of AR, the money of Arweave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Price {
    /// In winston: 10^12 of them are one AR.
    pub winston: u128,
}

/// A store that did not do what it was asked for. `detail` is what the server said, shortened.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The address of the store is no address.
    #[error(
        "`{url}` is no address of a store ({detail}); give one like https://host:port, s3://bucket/prefix or a folder"
    )]
    BadUrl {
        /// What was given.
        url: String,
        /// Why it is none.
        detail: String,
    },
    /// No connection, or it broke, and went on breaking.
    #[error("cannot reach the store ({detail}); check the network and its address, then run again")]
    Unreachable {
        /// What the network said.
        detail: String,
    },
    /// It does not know our credentials, or they do not suffice (401, 403).
    #[error("the store does not let us in ({detail}); check the credentials in the environment and what they allow")]
    Denied {
        /// What the store said.
        detail: String,
    },
    /// It works, and could not do this: a full disk, for example.
    #[error("the store fails ({detail}); it is not your file, see to the store, or try later or another one")]
    Failed {
        /// What the store said.
        detail: String,
    },
    /// 404.
    #[error("the store does not have item {id}; it may not have arrived there yet, else try another store")]
    NotFound {
        /// Which item.
        id: ItemId,
    },
    /// 400: it does not take our item for a data item.
    #[error("the gateway refuses item {id} as malformed ({detail}); it was not stored")]
    Malformed {
        /// Which item.
        id: ItemId,
        /// What the server said.
        detail: String,
    },
    /// 402.
    #[error("the gateway wants payment for item {id} ({detail}); top up the storage key's balance and run again")]
    PaymentRequired {
        /// Which item.
        id: ItemId,
        /// What the server said.
        detail: String,
    },
    /// 409, and the item is not there either.
    #[error("the store says that item {id} is there already, and does not have it; run again or use another store")]
    Conflict {
        /// Which item.
        id: ItemId,
    },
    /// The parts of an item have all arrived, and it took too long to put them together.
    #[error("the gateway is not done with item {id} ({detail}); run again later, nothing that arrived is lost")]
    Unfinished {
        /// Which item.
        id: ItemId,
        /// How far it is.
        detail: String,
    },
    /// 413.
    #[error(
        "item {id} is too large for this gateway ({detail}); use one that takes items of a little over 4 MiB, and of 32 MiB \
         for manifests"
    )]
    TooLarge {
        /// Which item.
        id: ItemId,
        /// What the server said.
        detail: String,
    },
    /// 429, and it went on.
    #[error("the store is limiting our requests and went on doing so; wait some minutes and run again")]
    RateLimited,
    /// 5xx, and it went on.
    #[error("the store fails with status {status} ({detail}); it is not your file, try later or another store")]
    ServerError {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        detail: String,
    },
    /// A status that has no meaning here.
    #[error("the gateway answers status {status}, which is not expected here ({detail}); is it an Arweave gateway?")]
    UnexpectedStatus {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        detail: String,
    },
    /// The receipt for an upload is for something else or none at all.
    #[error("the gateway's receipt for item {id} is not ours ({detail}); do not rely on it being stored")]
    BadReceipt {
        /// Which item.
        id: ItemId,
        /// What is wrong with it.
        detail: String,
    },
    /// An answer that is not of the form that it has everywhere, or is longer than it can be.
    #[error("the gateway's answer about {what} makes no sense ({detail}); is it an Arweave gateway?")]
    BadAnswer {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The item is too long to go straight onto Arweave.
    #[error(
        "item {id} has {bytes} bytes, and what goes straight onto Arweave may have {limit}; use a gateway's upload"
    )]
    TooLargeForLayerOne {
        /// Which item.
        id: ItemId,
        /// Its length.
        bytes: u64,
        /// The longest that is taken.
        limit: u64,
    },
    /// Storing costs more than it may.
    #[error(
        "Arweave asks {price} winston for an item, and {max_price} may be paid; it was not sent. If that is right, raise \
         --max-price (in AR, for all items; one may cost a tenth of it)"
    )]
    TooCostly {
        /// What is asked.
        price: u128,
        /// What may be paid: for one item, or what is left for all.
        max_price: u128,
    },
    /// The item's transaction has been sent, and its block has not come.
    #[error("item {id} is on its way into a block of Arweave, and nothing is paid twice; look again in an hour")]
    AwaitsBlock {
        /// Which item.
        id: ItemId,
    },
    /// Layer one refuses our transaction or a chunk of it.
    #[error("Arweave refuses the transaction that carries item {id} ({detail}); run again, or use a gateway's upload")]
    Refused {
        /// Which item.
        id: ItemId,
        /// What the server said.
        detail: String,
    },
    /// The wallet made no transaction.
    #[error("the Arweave wallet cannot sign ({detail}); check its key file")]
    Wallet {
        /// What went wrong.
        detail: String,
    },
    /// The body ended too early.
    #[error("the store sent {got} of {expected} bytes of item {id} and stopped; run again or use another store")]
    Truncated {
        /// Which item.
        id: ItemId,
        /// Bytes announced or asked for.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The item is longer than what was stored under that id.
    #[error("what the store has as item {id} is longer than the {limit} bytes that it must have")]
    TooLong {
        /// Which item.
        id: ItemId,
        /// Bytes that it may have.
        limit: u64,
    },
    /// What is kept under that id is no data item, or one of another id.
    #[error("what the store has as item {id} is not that item")]
    Another {
        /// Which item.
        id: ItemId,
    },
    /// The item is shorter than the range that was asked for (416).
    #[error("what the store has as item {id} ends before byte {end}")]
    OutOfRange {
        /// Which item.
        id: ItemId,
        /// The first byte after the range.
        end: u64,
    },
    /// The server answered a range with the whole, or with another range.
    #[error("the gateway does not serve ranges ({detail}); use another gateway, or get the whole record")]
    RangeIgnored {
        /// What it did instead.
        detail: String,
    },
}

/// An address as an error may show it: whatever stands where a user and a password would is cut out, because what cannot
/// be read as an address may have one anywhere.
fn without_password(text: &str) -> String {
    let Some(at) = text.rfind('@') else {
        return text.to_owned();
    };
    let begin = text.find("://").map(|found| found + 3);
    match begin.or_else(|| text.find(':').map(|found| found + 1)) {
        Some(begin) if begin <= at => format!("{}…{}", &text[..begin], &text[at..]),
        _ => text.to_owned(),
    }
}

impl StoreError {
    /// [`BadUrl`](Self::BadUrl) without any password, also where what found the fault quotes the address.
    pub(in crate::store) fn bad_url(address: &str, detail: impl fmt::Display) -> Self {
        Self::BadUrl {
            url: without_password(address),
            detail: without_password(&detail.to_string()),
        }
    }

    /// Whether the store has, under this id, something else than what was stored: not a fault of the network, but another
    /// file.
    #[must_use]
    pub fn is_another_file(&self) -> bool {
        matches!(
            self,
            Self::TooLong { .. } | Self::OutOfRange { .. } | Self::Another { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_that_is_wrong_shows_a_password() {
        for (given, shown) in [
            ("https://me:hush@host:99999", "https://…@host:99999"),
            ("https://me:hu@sh@[host", "https://…@[host"),
            ("https:/me:hush@host:x", "https:…@host:x"),
            ("https://host:99999", "https://host:99999"),
            ("https://@", "https://…@"),
            ("", ""),
        ] {
            let error = StoreError::bad_url(given, format!("cannot read {given}"));
            assert!(error.to_string().contains(&format!("`{shown}`")), "{error}");
            assert!(!error.to_string().contains("sh@"), "{error}");
        }
    }
}
