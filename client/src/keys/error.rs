//! What can go wrong with keys, told apart so that a person knows whether to type again or to fetch the backup.

use thiserror::Error;

use super::file::KdfCost;
use crate::CryptoError;
use crate::store::FileError;

/// A key or an identity file that could not be made, read or written.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A passphrase of no characters protects nothing.
    #[error("the passphrase is empty; choose one")]
    EmptyPassphrase,
    /// What was given for a passphrase is none.
    #[error("the passphrase is longer than {most} bytes: that is none; see that it is the right file")]
    PassphraseTooLong {
        /// The most that is taken.
        most: usize,
    },
    /// The file is whole, but this passphrase does not open it.
    #[error("wrong passphrase for this identity file; try again, or restore a backup")]
    WrongPassphrase,
    /// The file does not begin as an identity file does.
    #[error("this is not a Chartseal identity file; check the path (a Solana keypair file has to be imported)")]
    NotAnIdentity,
    /// Made by a newer release.
    #[error("identity file of version {0}, which this release does not know; use a newer release")]
    UnknownVersion(u16),
    /// Made with another key derivation.
    #[error("identity file with key derivation {0}, which this release does not know; use a newer release")]
    UnknownKdf(u8),
    /// Bytes are missing at the end, or there are too many.
    #[error("the identity file has {found} bytes instead of {expected}: it was cut or is damaged; restore a backup")]
    WrongLength {
        /// Bytes that such a file has.
        expected: usize,
        /// Bytes that this one has.
        found: usize,
    },
    /// The length is right and the checksum is not.
    #[error("the identity file does not match its checksum: it is damaged or was altered; restore a backup")]
    Damaged,
    /// The header asks for more memory or time than any identity of ours.
    #[error(
        "argon2id with {} KiB, {} passes and {} lanes is outside what is accepted (8 to 1048576 KiB, 1 to 16 passes, \
         1 to 8 lanes); if a file asks for it, it is not one of ours",
        .0.memory_kib, .0.passes, .0.lanes
    )]
    CostOutOfBounds(KdfCost),
    /// A file that should be a Solana CLI keypair is not.
    #[error("this is not a Solana CLI keypair (a JSON list of 64 numbers): {0}")]
    NotAKeypair(&'static str),
    /// What was just written does not read back.
    #[error("the copy that was written does not read back as the same identity; it was removed, check the disk")]
    CopyDiffers,
    /// The file holds a key that would be gone.
    #[error(
        "the identity file was changed meanwhile and holds keys that this one does not; it was left as it is, run again"
    )]
    WouldLoseKeys,
    /// The keys before are as many as a file holds.
    #[error("an identity keeps at most 255 encryption keys and this one has as many; move to a new identity")]
    TooManyKeys,
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
