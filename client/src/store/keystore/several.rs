//! Several key stores that work as one: a clinic's own and one at another place, so that a disk that is lost takes no key
//! with it. What is written goes to all of them, or it is an error, also where a key service refuses what a folder took: the
//! caller takes it back or makes up for it, and never believes it done. What is read comes from the first that has it, so one
//! that is away stops nobody who reads; what is deleted or destroyed goes in every one, and which one could not is said.
//!
//! Where nobody gives an envelope out, this is said, in this order: that the record was erased, if one says so; the refusal
//! of one that asked the ledger by itself; that nobody has one, if all were there to say so; and otherwise who could not be
//! asked. "There is none" is not said for a store that is away.

use std::fmt::Display;

use super::{
    AnonymousAsking, AnonymousEnvelopes, Claim, Destruction, EnvelopeCopy, EnvelopeSlot, GateError, KeyStore,
    KeyStoreError, ProofGate, ReleaseGate, ReleaseRequest, Released, ReleasedEnvelope, ShareSlot, pass_gate,
};
use crate::crypto;
use crate::seal::envelope::Wrapping;

/// One key store or several, that work as one.
#[derive(Debug, Clone)]
pub struct KeyStores<K>(Vec<K>);

impl<K: KeyStore> KeyStores<K> {
    /// These stores, asked in this order.
    ///
    /// # Errors
    /// [`KeyStoreError::None`] where there are none.
    pub fn new(members: Vec<K>) -> Result<Self, KeyStoreError> {
        if members.is_empty() {
            Err(KeyStoreError::None)
        } else {
            Ok(Self(members))
        }
    }
}

/// A gate that was passed already: the ledger is asked once, not once for every store.
struct Passed {
    released: Released,
    /// For a store that asks by itself all the same.
    claim: Option<Claim>,
}

impl ReleaseGate for Passed {
    async fn check(&self, _: [u8; 16]) -> Result<Released, GateError> {
        Ok(self.released)
    }

    fn claim(&self) -> Option<Claim> {
        self.claim
    }
}

/// What every member did; the first error where it is the only one, otherwise what each of those said who failed.
struct Outcomes<T> {
    done: Vec<T>,
    failed: Vec<KeyStoreError>,
}

impl<T> Outcomes<T> {
    fn new() -> Self {
        Self {
            done: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn add(&mut self, outcome: Result<T, KeyStoreError>) {
        match outcome {
            Ok(done) => self.done.push(done),
            Err(error) => self.failed.push(error),
        }
    }

    fn all(mut self) -> Result<Vec<T>, KeyStoreError> {
        match self.failed.len() {
            0 => Ok(self.done),
            1 => Err(self.failed.swap_remove(0)),
            _ => Err(KeyStoreError::Some(said(&self.failed))),
        }
    }
}

fn said(errors: &[impl Display]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Everything that any of them named, once.
fn union<T: Ord>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut all: Vec<T> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Asks every member, whatever the ones before it said.
macro_rules! every {
    ($stores:expr, |$member:ident| $asked:expr) => {{
        let mut outcomes = Outcomes::new();
        for $member in &$stores.0 {
            outcomes.add($asked.await);
        }
        outcomes
    }};
}

/// Asks one member after the other for what only one of them need have.
macro_rules! first {
    ($stores:expr, |$member:ident| $asked:expr) => {{
        let mut outcomes = Outcomes::new();
        for $member in &$stores.0 {
            match $asked.await {
                Ok(Some(found)) => return Ok(Some(found)),
                outcome => outcomes.add(outcome),
            }
        }
        // One that has none says so for all, as long as it is there to be asked.
        if outcomes.done.is_empty() {
            outcomes.all()?;
        }
        Ok(None)
    }};
}

/// A store's public key of this hash. What does not match it is none, so that another store is asked.
async fn matching_key(store: &impl KeyStore, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
    let key = store.public_key(hash).await?;
    Ok(key.filter(|key| crypto::sha256(&[key]) == hash))
}

impl<K: KeyStore> KeyStore for KeyStores<K> {
    type Member = K;

    fn members(&self) -> &[K] {
        &self.0
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        Ok(every!(self, |store| store.name()).all()?.join("+"))
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        Ok(union(every!(self, |store| store.patients()).all()?))
    }

    async fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        every!(self, |store| store.put(slot, envelope)).all().map(|_| ())
    }

    /// What any of them keeps.
    async fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        Ok(union(every!(self, |store| store.slots(patient, record)).all()?))
    }

    /// How an envelope is wrapped in all of them; `None` where one lacks it or has another, so that it is wrapped again.
    async fn wrapping(&self, slot: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        let wrappings = every!(self, |store| store.wrapping(slot)).all()?;
        let first = wrappings.first().copied().flatten();
        Ok(first.filter(|_| wrappings.iter().all(|wrapping| *wrapping == first)))
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        Ok(every!(self, |store| store.discard(slot)).all()?.contains(&true))
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        let found = every!(self, |store| store.destroy(patient, record)).all()?;
        // `Destroyed` comes before `Absent`.
        Ok(found.into_iter().min().unwrap_or(Destruction::Absent))
    }

    async fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        let copies = every!(self, |store| store.copies(patient, record)).all()?;
        Ok(copies.into_iter().flatten().collect())
    }

    async fn opens(&self, copy: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        Ok(every!(self, |store| store.opens(copy)).all()?.contains(&true))
    }

    async fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> Result<ReleasedEnvelope, KeyStoreError> {
        let passed = Passed {
            released: pass_gate(request, gate).await?,
            claim: gate.claim(),
        };
        let (mut failed, mut refused, mut lacking) = (Vec::new(), None, false);
        for (n, store) in self.0.iter().enumerate() {
            match store.release(request, &passed).await {
                Ok(released) => {
                    // Those before were asked already.
                    for other in self.0.iter().skip(n + 1) {
                        if let Err(KeyStoreError::Destroyed) = other.wrapping(released.released.slot).await {
                            return Err(KeyStoreError::Destroyed);
                        }
                    }
                    return Ok(released);
                }
                // A record that was erased in one of them is erased.
                Err(KeyStoreError::Destroyed) => return Err(KeyStoreError::Destroyed),
                Err(KeyStoreError::NoEnvelope) => lacking = true,
                Err(error) if error.is_decision() => refused = refused.or(Some(error)),
                Err(error) => failed.push(error),
            }
        }
        Err(match (refused, lacking) {
            (Some(error), _) => error,
            (None, true) if failed.is_empty() => KeyStoreError::NoEnvelope,
            (None, true) => KeyStoreError::NoneAtHand(said(&failed)),
            (None, false) => {
                let failed = Outcomes::<()> {
                    done: Vec::new(),
                    failed,
                };
                failed.all().err().unwrap_or(KeyStoreError::NoEnvelope)
            }
        })
    }

    /// A proof is for one of them, and no other has a use for it: show one to each of [`members`](KeyStore::members), until
    /// one gives. Of a single store it is that one's.
    async fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        gate: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        match self.0.as_slice() {
            [only] => only.release_anonymously(asking, gate).await,
            _ => Err(KeyStoreError::SeveralVerifiers),
        }
    }

    async fn put_share(&self, slot: ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        every!(self, |store| store.put_share(slot, share)).all().map(|_| ())
    }

    async fn share(&self, slot: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        first!(self, |store| store.share(slot))
    }

    async fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        Ok(union(every!(self, |store| store.shares(patient)).all()?))
    }

    async fn discard_share(&self, slot: ShareSlot) -> Result<bool, KeyStoreError> {
        Ok(every!(self, |store| store.discard_share(slot)).all()?.contains(&true))
    }

    async fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        let hashes = every!(self, |store| store.put_public_key(key)).all()?;
        hashes.first().copied().ok_or(KeyStoreError::None)
    }

    async fn public_key(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        first!(self, |store| matching_key(store, hash))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{keys::EncryptionKey, store::keystore::lying::LyingKeyStore};

    #[tokio::test]
    async fn a_store_that_gives_another_key_does_not_hide_the_right_one_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let [wanted, other] = [(), ()].map(|()| EncryptionKey::generate().unwrap());
        let honest = LyingKeyStore::open(&folder.path().join("honest"), None);
        honest.put_public_key(wanted.post_quantum().unwrap()).await.unwrap();
        for lie in [other.post_quantum().unwrap(), b"garbage"] {
            let liar = LyingKeyStore::open(&folder.path().join("liar"), Some(lie.to_vec()));
            let hash = wanted.post_quantum_hash();
            assert_eq!(liar.public_key(hash).await.unwrap().unwrap(), lie);
            let both = KeyStores::new(vec![liar.clone(), honest.clone()]).unwrap();
            assert_eq!(both.public_key(hash).await.unwrap().as_deref(), wanted.post_quantum());
            let alone = KeyStores::new(vec![liar]).unwrap();
            assert_eq!(alone.public_key(hash).await.unwrap(), None);
        }
    }
}
