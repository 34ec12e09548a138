//! Where things are kept: ciphertext in a [`BlobStore`] (an Arweave gateway, a bucket, a folder) or spread over several
//! ([`Stores`]), wrapped keys in a [`KeyStore`], and plain files on disk, which appear whole or not at all
//! ([`AtomicFile`]). A blob store is trusted with nothing: whatever it answers is bounded here and held against hashes by
//! [`crate::seal`]. A key store is trusted to forget.

pub mod ans104;
pub mod arweave;
mod atomic_file;
mod backend;
mod blob;
mod buffers;
mod erasure;
pub mod gateway;
pub mod keystore;
mod line_file;
mod objects;
mod partial;
mod stores;
mod web;

pub use ans104::SignedItem;
pub use arweave::{LayerOne, LayerOneOptions};
pub use atomic_file::{AtomicFile, Existing, FileError, write_file};
pub(crate) use atomic_file::{is_full, read_file, sync_folder};
pub use backend::Backend;
pub use blob::{BlobStore, ItemId, Price, StoreError};
pub use buffers::buffer;
pub(crate) use buffers::{Borrowed, SEALING};
pub use erasure::{Code, ErasureError, MOST_PIECES};
pub(crate) use gateway::is_loopback;
pub use gateway::{Gateway, GatewayOptions};
pub use keystore::{FolderKeyStore, KeyStore, KeyStoreError, KeyStores};
pub(crate) use line_file::LineFile;
pub use line_file::LineFileError;
pub use objects::Objects;
pub use partial::{Kept, Partial};
pub use stores::{Stores, StoresError};
pub(crate) use web::{no_password_in, web_address};
