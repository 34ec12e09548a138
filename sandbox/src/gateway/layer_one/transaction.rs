//! A transaction of layer one: its JSON, what its signature covers, and what is asked of it before it is taken. Only
//! format 2 with data is taken, from owners with RSA keys, which are nearly all; no money is moved.

use aws_lc_rs::rsa::{RsaParameters, RsaPssSaltLength};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::gateway::ans104::{blob, list};
use crate::gateway::head::{self, Head};
use crate::gateway::{Refusal, price};

use super::merkle;

/// The most data of a transaction here, in bytes.
pub(super) const MAX_DATA: u64 = 16 << 20;

/// The most bytes of all names and values of tags.
const MAX_TAGS_LENGTH: usize = 2048;

/// Moduli of 2048 to 4096 bits.
const OWNER_LENGTHS: std::ops::RangeInclusive<usize> = 256..=512;

/// Every wallet of Arweave has this public exponent, 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// Nodes take any length of salt. Libraries make these: as long as there is room for, as the hash, and none.
static SALTS: [RsaParameters; 3] = [
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max),
    RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0)),
];

/// A transaction as it comes and goes. What is binary is base64url, what is a number text, except for the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Json {
    format: u8,
    pub(super) id: String,
    last_tx: String,
    owner: String,
    #[serde(default)]
    tags: Vec<JsonTag>,
    #[serde(default)]
    target: String,
    quantity: String,
    pub(super) data_root: String,
    pub(super) data_size: String,
    #[serde(default)]
    pub(super) data: String,
    reward: String,
    signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct JsonTag {
    name: String,
    value: String,
}

/// A transaction that is right in itself.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) id: String,
    /// The owner's address.
    pub(super) owner: String,
    pub(super) last_tx: Vec<u8>,
    pub(super) reward: u128,
    pub(super) data_root: [u8; 32],
    pub(super) data_size: u64,
    /// Its data, if it came with it.
    pub(super) data: Vec<u8>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.into())
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, Refusal> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| refuse(format!("Invalid JSON: {what} is no base64url")))
}

/// A number as text. Only its one spelling is taken: the signature covers it.
pub(super) fn number(text: &str) -> Option<u128> {
    text.parse::<u128>().ok().filter(|number| number.to_string() == text)
}

impl Json {
    /// Checks everything that does not depend on when it came or what else there is.
    pub(super) fn check(&self) -> Result<Transaction, Refusal> {
        if self.format != 2 {
            return Err(refuse(format!(
                "Transactions of format {} are not taken here",
                self.format
            )));
        }
        let numeric = |text: &str, what: &str| number(text).ok_or_else(|| refuse(format!("Invalid JSON: {what}")));
        let (owner, signature) = (decode(&self.owner, "owner")?, decode(&self.signature, "signature")?);
        let data_root = decode(&self.data_root, "data_root")?;
        let transaction = Transaction {
            id: self.id.clone(),
            owner: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&owner)),
            last_tx: decode(&self.last_tx, "last_tx")?,
            reward: numeric(&self.reward, "reward")?,
            data_root: data_root
                .as_slice()
                .try_into()
                .map_err(|_| refuse("A data_root has 32 bytes; transactions without data are not taken here"))?,
            data_size: u64::try_from(numeric(&self.data_size, "data_size")?).unwrap_or(u64::MAX),
            data: decode(&self.data, "data")?,
            tags: self
                .tags
                .iter()
                .map(|tag| Ok((decode(&tag.name, "tag")?, decode(&tag.value, "tag")?)))
                .collect::<Result<_, Refusal>>()?,
        };
        if numeric(&self.quantity, "quantity")? != 0 {
            return Err(refuse("No money is moved here: the quantity must be 0"));
        }
        let tags: usize = transaction
            .tags
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if tags > MAX_TAGS_LENGTH {
            return Err(refuse(format!("Tags have at most {MAX_TAGS_LENGTH} bytes")));
        }
        if transaction.data_size == 0 {
            return Err(refuse("Transactions without data are not taken here"));
        }
        if transaction.data_size > MAX_DATA {
            let message = format!("Data of more than {MAX_DATA} bytes is not taken here");
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        if transaction.reward < price::winston(transaction.data_size) {
            return Err(refuse("Transaction verification failed: the reward is too small"));
        }
        if BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&signature)) != self.id {
            return Err(refuse(
                "Transaction verification failed: the id is not that of the signature",
            ));
        }
        if !self.is_signed(&transaction, &owner, &signature) {
            return Err(refuse("Transaction verification failed: the signature does not match"));
        }
        transaction.check_data()?;
        Ok(transaction)
    }

    fn is_signed(&self, transaction: &Transaction, owner: &[u8], signature: &[u8]) -> bool {
        if !OWNER_LENGTHS.contains(&owner.len()) || signature.len() != owner.len() {
            return false;
        }
        let Ok(target) = BASE64_URL_SAFE_NO_PAD.decode(&self.target) else {
            return false;
        };
        let tags: Vec<[u8; 48]> = transaction
            .tags
            .iter()
            .map(|(name, value)| list(&[blob(name), blob(value)]))
            .collect();
        let message = list(&[
            blob(b"2"),
            blob(owner),
            blob(&target),
            blob(self.quantity.as_bytes()),
            blob(self.reward.as_bytes()),
            blob(&transaction.last_tx),
            list(&tags),
            blob(self.data_size.as_bytes()),
            blob(&transaction.data_root),
        ]);
        let key = RsaPublicKeyComponents {
            n: owner,
            e: &EXPONENT[..],
        };
        SALTS
            .iter()
            .any(|parameters| key.verify(parameters, &message, signature).is_ok())
    }

    /// What stands at its head. Tags that are no base64url, which are never taken, come as they are.
    pub(super) fn head(&self) -> Head {
        let text = |encoded: &String| match BASE64_URL_SAFE_NO_PAD.decode(encoded) {
            Ok(bytes) => head::text(&bytes),
            Err(_) => encoded.clone(),
        };
        Head {
            anchor: self.last_tx.clone(),
            signature: self.signature.clone(),
            key: self.owner.clone(),
            recipient: self.target.clone(),
            fee: self.reward.clone(),
            quantity: self.quantity.clone(),
            tags: self
                .tags
                .iter()
                .map(|tag| (text(&tag.name), text(&tag.value)))
                .collect(),
        }
    }

    /// The same without its data: the data is kept apart.
    pub(super) fn without_data(&self) -> Self {
        Self {
            data: String::new(),
            ..self.clone()
        }
    }
}

impl Transaction {
    /// Data that comes with a transaction must be what it says.
    fn check_data(&self) -> Result<(), Refusal> {
        if self.data.is_empty() {
            return Ok(());
        }
        if self.data.len() as u64 != self.data_size {
            return Err(refuse(
                "Transaction verification failed: the data has not the length of data_size",
            ));
        }
        if merkle::root(&self.data) != self.data_root {
            return Err(refuse(
                "Transaction verification failed: the data is not that of data_root",
            ));
        }
        Ok(())
    }

    /// The value of the first tag of this name.
    pub(super) fn tag(&self, name: &str) -> Option<&str> {
        let tag = self
            .tags
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        tag.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Whether its data is a bundle of data items.
    pub(super) fn is_bundle(&self) -> bool {
        self.tag("Bundle-Format") == Some("binary") && self.tag("Bundle-Version") == Some("2.0.0")
    }
}
