//! Key stores of both kinds under one type, so that a folder and a service can be members of one [`KeyStores`](super::KeyStores).

use super::{
    AnonymousAsking, AnonymousEnvelopes, Destruction, EnvelopeCopy, EnvelopeSlot, FolderKeyStore, KeyStore,
    KeyStoreError, ProofGate, ReleaseGate, ReleaseRequest, ReleasedEnvelope, RemoteKeyStore, ShareSlot,
};
use crate::seal::envelope::Wrapping;

/// A key store of either kind.
#[derive(Debug, Clone)]
pub enum KeyBackend {
    /// A folder on this machine.
    Folder(FolderKeyStore),
    /// A key service.
    Remote(Box<RemoteKeyStore>),
}

impl From<FolderKeyStore> for KeyBackend {
    fn from(folder: FolderKeyStore) -> Self {
        Self::Folder(folder)
    }
}

impl From<RemoteKeyStore> for KeyBackend {
    fn from(remote: RemoteKeyStore) -> Self {
        Self::Remote(Box::new(remote))
    }
}

/// Asks whichever it is.
macro_rules! ask {
    ($backend:expr, |$store:ident| $asked:expr) => {
        match $backend {
            KeyBackend::Folder($store) => $asked.await,
            KeyBackend::Remote($store) => $asked.await,
        }
    };
}

impl KeyStore for KeyBackend {
    type Member = Self;

    fn members(&self) -> &[Self] {
        std::slice::from_ref(self)
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        ask!(self, |store| store.name())
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        ask!(self, |store| store.patients())
    }

    async fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        ask!(self, |store| store.put(slot, envelope))
    }

    async fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        ask!(self, |store| store.slots(patient, record))
    }

    async fn wrapping(&self, slot: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        ask!(self, |store| store.wrapping(slot))
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        ask!(self, |store| store.discard(slot))
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        ask!(self, |store| store.destroy(patient, record))
    }

    async fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        ask!(self, |store| store.copies(patient, record))
    }

    async fn opens(&self, copy: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        ask!(self, |store| store.opens(copy))
    }

    async fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> Result<ReleasedEnvelope, KeyStoreError> {
        ask!(self, |store| store.release(request, gate))
    }

    async fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        gate: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        ask!(self, |store| store.release_anonymously(asking, gate))
    }

    async fn put_share(&self, slot: ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        ask!(self, |store| store.put_share(slot, share))
    }

    async fn share(&self, slot: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        ask!(self, |store| store.share(slot))
    }

    async fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        ask!(self, |store| store.shares(patient))
    }

    async fn discard_share(&self, slot: ShareSlot) -> Result<bool, KeyStoreError> {
        ask!(self, |store| store.discard_share(slot))
    }

    async fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        ask!(self, |store| store.put_public_key(key))
    }

    async fn public_key(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        ask!(self, |store| store.public_key(hash))
    }
}
