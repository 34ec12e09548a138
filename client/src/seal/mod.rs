//! From a file to ciphertext that proves what it is, and back. [`seal_stream`] cuts a file into frames, pads their
//! stream, encrypts it in segments and stores these in shards; [`open_stream`] fetches what a range needs, holds it
//! against the content root that stands on chain, and only then decrypts. Neither ever holds a whole file.
//!
//! ```text
//! file      -> frames of about 1 MiB, each raw, zstd,           crate::media
//!              differences or JPEG-LS
//! frames    -> one stream, zeros at its end (Padmé)             padding
//! stream    -> segments: 65,520 bytes sealed to 65,536          segment (AES-256-GCM, STREAM)
//! segments  -> shards of up to 64, then their leaves           shard, leaves
//! shard     -> one ANS-104 data item                            crate::store
//! shards    -> manifest (its hash is on chain), content root    manifest, merkle
//! data key  -> envelopes, one for each reader                   envelope (HPKE)
//!           -> shares, for emergencies                          break_glass (Shamir, HPKE)
//! ```
//! Every version of every record has a data key of its own, and every shard a key derived from it, so that no segment
//! opens in another place than its own.

mod assembler;
pub mod break_glass;
mod cores;
mod data_key;
mod encrypting;
pub mod envelope;
mod error;
mod fetch;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod health;
mod input;
mod journal;
mod leaves;
mod manifest;
mod measures;
pub mod merkle;
mod meter;
mod opener;
mod pace;
pub mod padding;
mod placing;
mod pool;
mod reader;
pub mod recovery_share;
mod sealer;
mod segment;
mod shard;
mod signing;
mod source;
mod verifier;

use std::num::NonZero;
use std::sync::LazyLock;

use borsh::{BorshDeserialize, BorshSerialize};

pub use data_key::DataKey;
pub use error::{OpenError, SealError};
pub use fetch::fetch_manifest;
pub use health::{Fault, Health, LostPart, Part, Repaired, State, health, repair};
pub use input::Input;
pub use journal::{Journal, JournalError, Upload};
pub use manifest::{Manifest, ManifestBody, ManifestError, ShardEntry, manifest_hash};
pub use measures::{Measured, SealOptions, SealStats, Sealed};
pub use opener::{Opened, open_stream};
pub use padding::Padding;
pub use placing::{Piece, Place, Placing};
pub use reader::SealedReader;
pub use sealer::{Sealer, seal_stream};
pub use verifier::{Verified, verify_stream};

/// The only suite there is: AES-256-GCM in segments, HKDF-SHA-256, SHA-256.
pub const SUITE: u8 = 1;
/// Plaintext bytes of a full segment.
pub const SEGMENT_PLAIN_LEN: usize = 65_520;
/// Sealed bytes of a full segment: a tag of 16 more.
pub const SEGMENT_LEN: usize = 65_536;
/// Segments of a full shard: 4 MiB, so that eight of them can be in memory together and hashed side by side.
pub const SHARD_SEGMENTS: usize = 64;
/// Plaintext bytes of a full shard.
pub const SHARD_PLAIN_LEN: usize = SHARD_SEGMENTS * SEGMENT_PLAIN_LEN;

/// Shards, of 4 MiB each, that are being fetched, checked and decrypted at a time.
const IN_FLIGHT: usize = 6;

/// Cores to compute on.
fn workers() -> usize {
    static WORKERS: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    *WORKERS
}

/// What a sealed file belongs to. Bound into every segment and into the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct RecordIds {
    /// The patient's id.
    pub patient: [u8; 16],
    /// The record's id.
    pub record: [u8; 16],
    /// The record's version, counted from where the contract counts.
    pub version: u32,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the original that were read (sealing) or handed out (opening).
    pub original: u64,
    /// Sealed bytes that the store took, or gave and that were found right.
    pub sealed: u64,
    /// Bytes of the original that are stored (sealing).
    pub stored: u64,
    /// Bytes of the original that will be handed out (opening), once that is known.
    pub expected: Option<u64>,
}

/// Called as a stream proceeds; must not block.
pub type ProgressFn<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What the ledger holds of a sealed file: both stand in the record's account, and everything is held against them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnChain {
    /// SHA-256 of the manifest's bytes.
    pub manifest_hash: [u8; 32],
    /// The content root.
    pub content_root: [u8; 32],
}
