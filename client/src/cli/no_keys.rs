//! A key store that holds nothing: for what needs no key, so that it leaves no folder behind where there was none.

use crate::{
    seal::envelope::Wrapping,
    store::{
        KeyStore, KeyStoreError,
        keystore::{
            AnonymousAsking, AnonymousEnvelopes, Destruction, EnvelopeCopy, EnvelopeSlot, ProofGate, ReleaseGate,
            ReleaseRequest, ReleasedEnvelope, ShareSlot,
        },
    },
};

/// Holds nothing and takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoKeys;

impl KeyStore for NoKeys {
    type Member = Self;

    fn members(&self) -> &[Self] {
        std::slice::from_ref(self)
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        Err(KeyStoreError::None)
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        Ok(Vec::new())
    }

    async fn put(&self, _: EnvelopeSlot, _: &[u8]) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoEnvelope)
    }

    async fn slots(&self, _: [u8; 16], _: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        Ok(Vec::new())
    }

    async fn wrapping(&self, _: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        Ok(None)
    }

    async fn discard(&self, _: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        Ok(false)
    }

    async fn destroy(&self, _: [u8; 16], _: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        Ok(Destruction::Absent)
    }

    async fn copies(&self, _: [u8; 16], _: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        Ok(Vec::new())
    }

    async fn opens(&self, _: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        Ok(false)
    }

    async fn release(&self, _: &ReleaseRequest, _: &impl ReleaseGate) -> Result<ReleasedEnvelope, KeyStoreError> {
        Err(KeyStoreError::NoEnvelope)
    }

    async fn release_anonymously(
        &self,
        _: &AnonymousAsking,
        _: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        Err(KeyStoreError::NoEnvelope)
    }

    async fn put_share(&self, _: ShareSlot, _: &[u8]) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoEnvelope)
    }

    async fn share(&self, _: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        Ok(None)
    }

    async fn shares(&self, _: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        Ok(Vec::new())
    }

    async fn discard_share(&self, _: ShareSlot) -> Result<bool, KeyStoreError> {
        Ok(false)
    }

    async fn put_public_key(&self, _: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        Err(KeyStoreError::None)
    }

    async fn public_key(&self, _: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        Ok(None)
    }
}
