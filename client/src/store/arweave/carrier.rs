//! The transaction that carries an item: a bundle of that one item as the data, so that every gateway finds the item under
//! its own id. `arweave-rs` cuts the data, builds the Merkle tree over the pieces and makes the deep hash that is signed;
//! what is sent is written here, because its chunks have numbers where a node wants text.

use arweave_rs::crypto::base64::Base64;
use arweave_rs::crypto::hash::{ToItems as _, deep_hash};
use arweave_rs::crypto::merkle::{Node, Proof, generate_data_root, generate_leaves, resolve_proofs};
use arweave_rs::transaction::Tx;
use arweave_rs::transaction::tags::Tag;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;

use super::wallet::Wallet;
use crate::crypto;
use crate::store::ans104::SignedItem;
use crate::store::{ItemId, StoreError};

/// What a bundle of one item takes besides the item: the count, the item's length and its id.
pub(super) const BUNDLE_HEADER_LEN: u64 = 3 * 32;

/// The tags of a bundle (ANS-104), and no others: they say nothing of what is in it.
const TAGS: [(&str, &str); 2] = [("Bundle-Format", "binary"), ("Bundle-Version", "2.0.0")];

/// A signed transaction without its data: small enough to be remembered, and all that is needed besides the item.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// The transaction's own id, base64url.
    pub(super) id: String,
    /// As JSON.
    pub(super) transaction: Bytes,
}

/// A signed transaction and its chunks.
pub(super) struct Carrier {
    /// The item that it carries.
    pub(super) item: ItemId,
    pub(super) signed: Signed,
    cut: Cut,
}

/// The data of a transaction in chunks.
struct Cut {
    root: [u8; 32],
    data: Vec<u8>,
    chunks: Vec<(Node, Proof)>,
}

impl Cut {
    fn of(item: &SignedItem) -> Result<Self, StoreError> {
        let data = bundle(item);
        let leaves = generate_leaves(data.clone()).map_err(failed)?;
        let tree = generate_data_root(leaves.clone()).map_err(failed)?;
        let root = tree.id;
        let proofs = resolve_proofs(tree, None).map_err(failed)?;
        // Where the data fills its last chunk there is a leaf of nothing after it, which is in the tree and never sent.
        let chunks = leaves
            .into_iter()
            .zip(proofs)
            .filter(|(leaf, _)| leaf.max_byte_range > leaf.min_byte_range)
            .collect();
        Ok(Self { root, data, chunks })
    }
}

/// A number of 256 bits, little-endian.
fn word(number: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[..8].copy_from_slice(&number.to_le_bytes());
    word
}

fn bundle(item: &SignedItem) -> Vec<u8> {
    let bytes = item.bytes();
    [&word(1)[..], &word(bytes.len() as u64), &item.id().0, bytes].concat()
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Wallet {
        detail: error.to_string(),
    }
}

impl Carrier {
    /// Makes and signs it. Takes as long as hashing the data, and a signature.
    pub(super) fn make(item: &SignedItem, wallet: &Wallet, last_tx: Vec<u8>, reward: u64) -> Result<Self, StoreError> {
        let cut = Cut::of(item)?;
        let tag = |(name, value): (&str, &str)| Tag {
            name: Base64(name.into()),
            value: Base64(value.into()),
        };
        let mut transaction = Tx {
            format: 2,
            last_tx: Base64(last_tx),
            owner: Base64(wallet.owner().to_vec()),
            tags: TAGS.into_iter().map(tag).collect(),
            data_root: Base64(cut.root.to_vec()),
            data_size: cut.data.len() as u64,
            reward,
            ..Tx::default()
        };
        let message = deep_hash(transaction.to_deep_hash_item().map_err(failed)?);
        let signature = wallet.sign(&message)?;
        transaction.id = Base64(crypto::sha256(&[&signature]).to_vec());
        transaction.signature = Base64(signature);
        let signed = Signed {
            id: transaction.id.to_string(),
            transaction: serde_json::to_vec(&transaction).map_err(failed)?.into(),
        };
        Ok(Self {
            item: item.id(),
            signed,
            cut,
        })
    }

    /// The same again, from the item and what was signed for it. Takes as long as hashing the data.
    pub(super) fn again(item: &SignedItem, signed: Signed) -> Result<Self, StoreError> {
        Ok(Self {
            item: item.id(),
            signed,
            cut: Cut::of(item)?,
        })
    }

    /// How many chunks there are to send.
    pub(super) fn chunks(&self) -> usize {
        self.cut.chunks.len()
    }

    /// A chunk as JSON; empty where there is none of this number.
    pub(super) fn chunk(&self, number: usize) -> Bytes {
        let Some((leaf, proof)) = self.cut.chunks.get(number) else {
            return Bytes::new();
        };
        let bytes = self.cut.data.get(leaf.min_byte_range..leaf.max_byte_range);
        let chunk = json!({
            "data_root": URL_SAFE_NO_PAD.encode(self.cut.root),
            "data_size": self.cut.data.len().to_string(),
            "data_path": URL_SAFE_NO_PAD.encode(&proof.proof),
            "offset": proof.offset.to_string(),
            "chunk": URL_SAFE_NO_PAD.encode(bytes.unwrap_or_default()),
        });
        chunk.to_string().into()
    }
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Carrier({} in {})", self.item, self.signed.id)
    }
}
