//! Which items came in whole, and how often: `gateway-uploads.jsonl` in the sandbox's folder, a JSON object a line, only
//! ever added to. A test that kills an uploader reads from it that nothing was sent twice.
//!
//! | field | what |
//! | --- | --- |
//! | `id` | the item's or transaction's id |
//! | `bytes` | how many bytes of it came: the whole item with its header, or the data of a transaction |
//! | `unix_ms` | when, in milliseconds after 1970 |
//! | `by` | `single` (`/v1/tx/solana`), `parts` (`/v1/chunks/solana`), `transaction` (layer one) or `bundle` (within one) |
//! | `new` | whether it was kept: `false` is one that the gateway had already and that was sent again |

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::height;

/// How an item came.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Single,
    Parts,
    Transaction,
    Bundle,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Parts => "parts",
            Self::Transaction => "transaction",
            Self::Bundle => "bundle",
        }
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Journal(Mutex<File>);

impl Journal {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("gateway-uploads.jsonl"))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Adds a line, in one write: a reader sees whole lines.
    pub(super) fn add(&self, id: &str, bytes: u64, by: By, new: bool) -> io::Result<()> {
        let (_, now) = height();
        let line = json!({ "id": id, "bytes": bytes, "unix_ms": now, "by": by.name(), "new": new });
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())
    }
}
