//! A key store that lies about public keys, for tests: whatever key it is asked for, it gives another. In everything else it
//! is a folder.

use std::path::Path;

use super::{
    AnonymousAsking, AnonymousEnvelopes, Destruction, EnvelopeCopy, EnvelopeSlot, FolderKeyStore, KeyStore,
    KeyStoreError, ProofGate, ReleaseGate, ReleaseRequest, ReleasedEnvelope, ShareSlot,
};
use crate::seal::envelope::Wrapping;

/// A folder, and the key that it gives in the place of all others; none where it is honest.
#[derive(Debug, Clone)]
pub(crate) struct LyingKeyStore {
    folder: FolderKeyStore,
    lie: Option<Vec<u8>>,
}

impl LyingKeyStore {
    #[allow(clippy::unwrap_used)]
    pub(crate) fn open(folder: &Path, lie: Option<Vec<u8>>) -> Self {
        let folder = FolderKeyStore::open(folder).unwrap();
        Self { folder, lie }
    }
}

impl KeyStore for LyingKeyStore {
    type Member = Self;

    fn members(&self) -> &[Self] {
        std::slice::from_ref(self)
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        self.folder.name().await
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        self.folder.patients().await
    }

    async fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        self.folder.put(slot, envelope).await
    }

    async fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        self.folder.slots(patient, record).await
    }

    async fn wrapping(&self, slot: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        self.folder.wrapping(slot).await
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        self.folder.discard(slot).await
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        self.folder.destroy(patient, record).await
    }

    async fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        self.folder.copies(patient, record).await
    }

    async fn opens(&self, copy: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        self.folder.opens(copy).await
    }

    async fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> Result<ReleasedEnvelope, KeyStoreError> {
        self.folder.release(request, gate).await
    }

    async fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        gate: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        self.folder.release_anonymously(asking, gate).await
    }

    async fn put_share(&self, slot: ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        self.folder.put_share(slot, share).await
    }

    async fn share(&self, slot: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.folder.share(slot).await
    }

    async fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        self.folder.shares(patient).await
    }

    async fn discard_share(&self, slot: ShareSlot) -> Result<bool, KeyStoreError> {
        self.folder.discard_share(slot).await
    }

    async fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        self.folder.put_public_key(key).await
    }

    async fn public_key(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        match &self.lie {
            Some(lie) => Ok(Some(lie.clone())),
            None => self.folder.public_key(hash).await,
        }
    }
}
