//! What sealing is told, and what it tells.

use super::{DataKey, OnChain, Padding};

/// How a file is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealOptions {
    /// The file's name, kept encrypted; at most 1,024 bytes.
    pub name: String,
    /// Its media type; told from its first bytes where none is given.
    pub media_type: Option<String>,
    /// How its size is hidden.
    pub padding: Padding,
    /// Whether frames are compressed where that makes them smaller.
    pub compress: bool,
    /// Whether the manifest keeps SHA-256 of the file. What is opened is authenticated without it, and one core hashes more
    /// slowly than it seals.
    pub file_hash: bool,
}

impl SealOptions {
    /// A file of this name, padded and compressed.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            media_type: None,
            padding: Padding::Padme,
            compress: true,
            file_hash: false,
        }
    }
}

/// What became of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealStats {
    /// Of the file.
    pub original: u64,
    /// Of its frames.
    pub encoded: u64,
    /// Of frames and padding.
    pub padded: u64,
    /// Segments and leaves of all shards, without manifest, headers and parity.
    pub sealed: u64,
    /// In all stores together: every item with its header, the manifest's too.
    pub stored: u64,
    /// How many shards.
    pub shards: u64,
}

/// A sealed and stored file: what goes on chain, and the key that goes into envelopes.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The manifest's bytes, stored under `locator`.
    pub manifest: Vec<u8>,
    /// What the chain has to hold of it.
    pub on_chain: OnChain,
    /// The id of the data item that holds the manifest.
    pub locator: [u8; 32],
    /// Bytes of the content: [`SealStats::sealed`], as the record's account shows it.
    pub padded_size: u64,
    /// The key. Wrap it for its readers (see [`envelope`](super::envelope)) and let it go.
    pub data_key: DataKey,
    /// The media type that the manifest has.
    pub media_type: String,
    /// Figures.
    pub stats: SealStats,
}

/// What sealing would give; see [`Sealer::measure`](super::Sealer::measure).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The media type that was found.
    pub media_type: String,
    /// Figures.
    pub stats: SealStats,
    /// Bytes of each item that each store would take, headers included.
    pub items: Vec<u64>,
}
