//! Turbo's receipt for an upload: a signed promise that the item is on Arweave by a certain height.
//!
//! The fields and the signed message are those of Turbo (deep hash of "Bundlr", version, id, deadline and time). Turbo
//! signs with an Arweave wallet, which is RSA; the sandbox signs with an ed25519 key of its own, which it keeps in its folder.

use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::ans104::deep_hash;

/// The version of the receipt's format.
const VERSION: &str = "0.2.0";

/// How many blocks after the upload the deadline is.
const DEADLINE: u64 = 200;

/// Who signs receipts.
pub(crate) struct ReceiptKey(SigningKey);

impl ReceiptKey {
    /// Reads the key from `folder`, or makes one there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("receipt-key");
        let seed = match std::fs::read(&path) {
            Ok(bytes) => <[u8; 32]>::try_from(bytes).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} is no key of 32 bytes", path.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).map_err(io::Error::other)?;
                let mut draft = tempfile::NamedTempFile::new_in(folder)?;
                draft.write_all(&seed)?;
                draft.as_file().sync_all()?;
                draft.persist(&path)?;
                seed
            }
            Err(error) => return Err(error),
        };
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The receipt for an item that arrived at `height`, `unix_ms` milliseconds after 1970.
    pub(crate) fn receipt(&self, id: &str, owner: &str, height: u64, unix_ms: u64) -> Value {
        let deadline = height + DEADLINE;
        let message = deep_hash(&[
            b"Bundlr",
            VERSION.as_bytes(),
            id.as_bytes(),
            deadline.to_string().as_bytes(),
            unix_ms.to_string().as_bytes(),
        ]);
        json!({
            "id": id,
            "timestamp": unix_ms,
            "winc": "0",
            "version": VERSION,
            "deadlineHeight": deadline,
            "dataCaches": ["localhost"],
            "fastFinalityIndexes": ["localhost"],
            "public": BASE64_URL_SAFE_NO_PAD.encode(self.0.verifying_key().to_bytes()),
            "signature": BASE64_URL_SAFE_NO_PAD.encode(self.0.sign(&message).to_bytes()),
            "owner": owner,
        })
    }
}

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptKey")
    }
}
