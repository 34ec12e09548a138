//! The other way out of a key store: for somebody who shows no name. A reader proves that one of the grants without a name
//! gives it a right to the record (see [`chartseal_program::membership`]), and gets every envelope that was wrapped for
//! such a grant, of the record's newest version: so the store does not learn which of them it opens. What the store learns
//! is the record, and a nullifier, which is the same for one reader, store and epoch and is unlike all others.

use std::fmt;
use std::future::Future;

use chartseal_program::membership::Field;
use chartseal_program::proof::PROOF;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{GateError, KeyStoreError, base64_text};
use crate::crypto;
use crate::hexed;

/// The address that proofs name a key store by: of whom they are shown to, and of nobody else, they are worth something.
#[must_use]
pub fn verifier(store: &str) -> [u8; 32] {
    crypto::sha256(&[b"chartseal/verifier/v1", store.as_bytes()])
}

/// What hides a record in its handle. The key store is told, and nobody else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Blind(#[serde(with = "hexed")] pub Field);

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind(..)")
    }
}

/// What somebody without a name asks a key store for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnonymousAsking {
    /// The patient's id.
    #[serde(with = "hexed")]
    pub patient: [u8; 16],
    /// The record's id.
    #[serde(with = "hexed")]
    pub record: [u8; 16],
    /// The id of the tree that the grant stands in.
    #[serde(with = "hexed")]
    pub tree: [u8; 16],
    /// 16 random bytes that name this access. They are taken once.
    #[serde(with = "hexed")]
    pub exchange: [u8; 16],
    /// Opens the handle of the proof.
    pub blind: Blind,
    /// The proof, or where it stands.
    pub shown: Shown,
}

/// How a proof comes to a key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    /// To the store itself, and to nobody else. It was made for the wallet that asks.
    Proof(Box<ShownProof>),
    /// The chain checked it and counted the use.
    Counted {
        /// The transaction that it stands in.
        #[serde(with = "hexed")]
        transaction: [u8; 64],
    },
}

/// A proof, and what a store cannot know of its statement by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownProof {
    /// Of reader, record, store and epoch.
    #[serde(with = "hexed")]
    pub nullifier: Field,
    /// Names the record to whoever knows the blind.
    #[serde(with = "hexed")]
    pub handle: Field,
    /// Number of the root that it rests on.
    pub number: u64,
    /// The time that it names, in seconds since 1970.
    pub now: i64,
    /// The rights that it claims, one bit for each `Action`.
    pub rights: u8,
    /// See [`chartseal_program::proof`].
    #[serde(with = "proof_text")]
    pub proof: [u8; PROOF],
}

/// A proof of 256 bytes as base64 text.
mod proof_text {
    use serde::{Deserializer, Serializer, de::Error as _};

    use super::{PROOF, base64_text};

    pub(super) fn serialize<S: Serializer>(proof: &[u8; PROOF], to: S) -> Result<S::Ok, S::Error> {
        base64_text::serialize(proof, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; PROOF], D::Error> {
        let bytes = base64_text::deserialize(from)?;
        bytes.try_into().map_err(|_| D::Error::custom("a proof has 256 bytes"))
    }
}

/// What a gate found proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// The record's newest version, which may be had.
    pub version: u32,
    /// SHA-256 of its manifest, as it stands on chain.
    pub manifest_hash: [u8; 32],
    /// Of the proof.
    pub nullifier: Field,
    /// The epoch that the nullifier is of.
    pub epoch: u64,
    /// What time it is, in seconds since 1970.
    pub at: i64,
}

/// Checks a proof against the ledger.
pub trait ProofGate: Send + Sync {
    /// Whether what is shown to this verifier proves a right to read the record, now.
    ///
    /// # Errors
    /// [`GateError`]: not proven, refused, or no answer. None of them releases anything.
    fn check(
        &self,
        verifier: [u8; 32],
        asking: &AnonymousAsking,
    ) -> impl Future<Output = Result<Proven, GateError>> + Send;
}

/// Every envelope for grants without a name, of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnonymousEnvelopes {
    /// The record's version.
    pub version: u32,
    /// SHA-256 of its manifest.
    #[serde(with = "hexed")]
    pub manifest_hash: [u8; 32],
    /// In the order of their keys.
    pub envelopes: Vec<AnonymousEnvelope>,
}

/// An envelope for a grant without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnonymousEnvelope {
    /// The one-time X25519 public key that it is wrapped to.
    #[serde(with = "hexed")]
    pub key: [u8; 32],
    /// The envelope (see [`crate::seal::envelope`]).
    #[serde(with = "base64_text")]
    pub envelope: Vec<u8>,
}

/// Takes what was collected of a record: what opens is given out; where nothing is there, it is said why.
pub(super) fn at_least_one(
    found: Vec<Result<AnonymousEnvelope, KeyStoreError>>,
) -> Result<Vec<AnonymousEnvelope>, KeyStoreError> {
    let (mut envelopes, mut failed) = (Vec::new(), None);
    for one in found {
        match one {
            Ok(envelope) => envelopes.push(envelope),
            // One that was altered is its own reader's loss, and not the others'.
            Err(KeyStoreError::Damaged | KeyStoreError::NoEnvelope) => failed = Some(KeyStoreError::Damaged),
            Err(error) => return Err(error),
        }
    }
    if envelopes.is_empty() {
        return Err(failed.unwrap_or(KeyStoreError::NoEnvelope));
    }
    Ok(envelopes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asking() -> AnonymousAsking {
        AnonymousAsking {
            patient: [1; 16],
            record: [2; 16],
            tree: [3; 16],
            exchange: [4; 16],
            blind: Blind([5; 32]),
            shown: Shown::Proof(Box::new(ShownProof {
                nullifier: [6; 32],
                handle: [7; 32],
                number: u64::MAX,
                now: 1_700_000_000,
                rights: 1,
                proof: [8; PROOF],
            })),
        }
    }

    #[test]
    fn what_is_asked_survives_the_line_and_a_proof_of_another_length_does_not() {
        let text = serde_json::to_string(&asking()).unwrap();
        assert_eq!(serde_json::from_str::<AnonymousAsking>(&text).unwrap(), asking());
        let (before, after) = text.split_once("\"proof\":\"").unwrap();
        let cut = format!("{before}\"proof\":\"{}", after.split_at(4).1);
        let error = serde_json::from_str::<AnonymousAsking>(&cut).unwrap_err().to_string();
        assert!(error.contains("256 bytes"), "{error}");
    }

    #[test]
    fn the_blind_is_not_shown_in_logs() {
        let shown = format!("{:?}", asking());
        assert!(shown.contains("Blind(..)") && !shown.contains("5, 5"), "{shown}");
    }

    #[test]
    fn each_store_has_an_address_of_its_own() {
        let one = verifier("00112233445566778899aabbccddeeff");
        assert_ne!(one, verifier("00112233445566778899aabbccddeefe"));
        assert_eq!(
            one,
            crypto::sha256(&[b"chartseal/verifier/v100112233445566778899aabbccddeeff"])
        );
    }
}
