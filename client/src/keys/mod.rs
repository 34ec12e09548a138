//! Who somebody is: a wallet that signs for the ledger, an encryption key that data keys are wrapped to, and a storage
//! key that signs what goes to Arweave. All three live in one [`Identity`], which rests on disk in one file under a
//! passphrase. They are independent of each other on purpose: the storage key must not lead an observer to the wallet,
//! and a wallet that moves to other hardware must not take the power to decrypt with it.

mod encryption;
mod error;
pub(crate) mod file;
mod identity;
mod invitation;
mod passphrase;
pub mod shares;
mod storage;
mod wallet;

pub(crate) use encryption::Origin;
pub use encryption::{EncryptionKey, POST_QUANTUM_KEY_LEN};
pub use error::KeyError;
pub use file::KdfCost;
pub use identity::Identity;
pub use invitation::{Invitation, InvitationError, InvitationSecret};
pub use passphrase::Passphrase;
pub use storage::StorageKey;
pub use wallet::WalletKey;
