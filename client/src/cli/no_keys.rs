//! A key store that holds nothing: for what needs no key, so that it leaves no folder behind where there was none.

use crate::store::{
    KeyStore, KeyStoreError,
    keystore::{EnvelopeSlot, ReleaseGate, ReleaseRequest, ReleasedEnvelope, ShareSlot},
};

/// Holds nothing and takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoKeys;

impl KeyStore for NoKeys {
    async fn put(&self, _: EnvelopeSlot, _: &[u8]) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoEnvelope)
    }

    async fn slots(&self, _: [u8; 16], _: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        Ok(Vec::new())
    }

    async fn key_epoch(&self, _: EnvelopeSlot) -> Result<Option<u32>, KeyStoreError> {
        Ok(None)
    }

    async fn discard(&self, _: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        Ok(false)
    }

    async fn destroy(&self, _: [u8; 16], _: [u8; 16]) -> Result<(), KeyStoreError> {
        Ok(())
    }

    async fn release(&self, _: &ReleaseRequest, _: &impl ReleaseGate) -> Result<ReleasedEnvelope, KeyStoreError> {
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
}
