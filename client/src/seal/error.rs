//! What can go wrong while sealing and opening. The one distinction that everybody needs is
//! [`OpenError::is_tampered`]: bytes that are not what was sealed, as against a network, a disk or a key that fails.

use std::io;

use thiserror::Error;

use super::ManifestError;
use crate::CryptoError;
use crate::media::MediaError;
use crate::store::{ErasureError, FileError, StoreError, StoresError};

/// A file that could not be sealed or stored. Shards that the store took already are ciphertext that nothing refers to.
#[derive(Debug, Error)]
pub enum SealError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}; nothing was recorded, run again when it can be read")]
    Input(#[source] io::Error),
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not fit a manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is not what it was when reading began.
    #[error("the file was changed while it was read; nothing was recorded, run again when nobody writes to it")]
    ChangedWhileRead,
    /// A shard that was announced before is another one now.
    #[error("the file was changed since its upload was begun; upload it anew (--restart)")]
    SourceChanged,
    /// The journal of the upload cannot be written.
    #[error(transparent)]
    Journal(#[from] FileError),
    /// It cannot be cut into pieces.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// The codec cannot be started.
    #[error("cannot start the codec: {0}; there may be too little memory")]
    Codec(#[source] io::Error),
    /// The work was stopped from outside.
    #[error("sealing was stopped in the middle; nothing was recorded, run again")]
    Interrupted,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A record that could not be opened or verified. What was handed out before the error is not the file: callers write
/// to an [`AtomicFile`](crate::store::AtomicFile) and drop it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Stored bytes are not those that the hashes on chain were made of.
    #[error("{what} does not match its hash: it may have been tampered with or damaged; try another gateway")]
    Tampered {
        /// What does not match.
        what: String,
    },
    /// The bytes are those on chain, and do not decrypt.
    #[error(
        "segment {segment} of shard {shard} matches its hash and does not decrypt: it was not sealed for this place; \
         tell the record's author"
    )]
    Undecryptable {
        /// Which shard, from 0.
        shard: usize,
        /// Which of its segments, from 0.
        segment: u32,
    },
    /// Too few of a shard's stores or pieces are good.
    #[error(
        "{good} of the {needed} that are needed of {what} are good; of the others: {first}; repair it, or name more stores"
    )]
    Lost {
        /// What is lost.
        what: String,
        /// Good ones.
        good: usize,
        /// How many it takes.
        needed: usize,
        /// What is wrong with the others: with the worst of them.
        first: Box<OpenError>,
    },
    /// The stores are not those that the record is spread over.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// Pieces do not give a shard.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// Everything decrypts, and is not the file that the manifest describes.
    #[error(
        "what was opened does not match the file's own hash: it may have been tampered with at its source; \
             tell the record's author"
    )]
    PlaintextDiffers,
    /// The manifest is not usable.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The range is not within the file.
    #[error("bytes {start} to {end} are not within this file, which has {length} bytes")]
    RangeOutside {
        /// First byte asked for.
        start: u64,
        /// First byte not asked for.
        end: u64,
        /// The file's length.
        length: u64,
    },
    /// A frame does not decode.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// No room is left for what is opened.
    #[error("no room is left to write the opened file; free some space and run again")]
    OutputFull,
    /// What is opened cannot be written.
    #[error("cannot write the opened file: {0}")]
    Output(#[source] io::Error),
    /// The codec cannot be started.
    #[error("cannot start the codec: {0}; there may be too little memory")]
    Codec(#[source] io::Error),
    /// The work was stopped from outside.
    #[error("opening was stopped in the middle; run again")]
    Interrupted,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl OpenError {
    /// Whether the bytes are at fault: they are not what was sealed, or not what their author said. What only a newer
    /// release knows is no fault of theirs.
    #[must_use]
    pub fn is_tampered(&self) -> bool {
        match self {
            Self::Tampered { .. } | Self::Undecryptable { .. } | Self::PlaintextDiffers => true,
            Self::Lost { first, .. } => first.is_tampered(),
            Self::Media(error) | Self::Manifest(ManifestError::Media(error)) => {
                !matches!(error, MediaError::UnknownCodec { .. })
            }
            Self::Manifest(error) => !matches!(
                error,
                ManifestError::WrongKey
                    | ManifestError::OtherRecord
                    | ManifestError::Crypto(_)
                    | ManifestError::UnknownVersion(_)
                    | ManifestError::UnknownSuite(_)
            ),
            _ => false,
        }
    }

    /// Whether too little is left: every store that was asked has nothing, or something else. A store that did not answer
    /// may still have it.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Lost { first, .. } => first.is_tampered() || first.is_missing() || first.is_lost(),
            _ => false,
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::Store(StoreError::NotFound { .. }))
    }

    pub(crate) fn tampered(what: impl Into<String>) -> Self {
        Self::Tampered { what: what.into() }
    }

    /// What is wrong when every attempt failed: the one error there is, or the worst of several.
    pub(super) fn lost(what: String, good: usize, needed: usize, failed: Vec<Self>) -> Self {
        let several = failed.len() > 1;
        // What never was there is told only where no store said anything else.
        let worst = failed
            .into_iter()
            .max_by_key(|error| (error.is_tampered(), !error.is_missing()));
        match worst {
            Some(first) if several || needed > 1 => Self::Lost {
                what,
                good,
                needed,
                first: Box::new(first),
            },
            Some(error) => error,
            None => Self::Interrupted,
        }
    }

    /// A store's failure to give `what`; another file under its id counts as tampered with.
    pub(super) fn from_store(error: StoreError, what: impl FnOnce() -> String) -> Self {
        if error.is_another_file() {
            Self::tampered(what())
        } else {
            Self::Store(error)
        }
    }

    pub(super) fn from_output(error: io::Error) -> Self {
        if crate::store::is_full(&error) {
            Self::OutputFull
        } else {
            Self::Output(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_newer_release_knows_is_not_tampering() {
        let unknown = || MediaError::UnknownCodec { frame: 0, codec: 9 };
        for error in [
            OpenError::Media(unknown()),
            ManifestError::Media(unknown()).into(),
            ManifestError::UnknownVersion(9).into(),
            ManifestError::UnknownSuite(9).into(),
        ] {
            assert!(!error.is_tampered(), "{error}");
            assert!(error.to_string().contains("use a newer release"), "{error}");
        }
        assert!(OpenError::Media(MediaError::Undecodable("it has another length")).is_tampered());
    }

    #[test]
    fn what_no_store_has_is_lost_and_what_one_did_not_tell_is_not() {
        let missing = || {
            OpenError::Store(StoreError::NotFound {
                id: crate::store::ItemId([0; 32]),
            })
        };
        let silent = || OpenError::Store(StoreError::RateLimited);
        let lost = |failed| OpenError::lost("it".to_owned(), 0, 2, failed);
        assert!(lost(vec![missing(), missing()]).is_lost());
        assert!(lost(vec![missing(), OpenError::tampered("it")]).is_lost());
        assert!(!lost(vec![missing(), silent(), missing()]).is_lost());
        assert!(!missing().is_lost());
    }
}
