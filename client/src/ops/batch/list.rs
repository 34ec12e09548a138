//! A batch's list of leaves: what it says of each record, its bytes, and the proof that one record is in it.
//!
//! The list is sealed like a record and stored as a data item, because it links a patient's pseudonym to an institution.
//! It is believed for one reason only: the tree over its leaves has the root that stands on chain.

use borsh::{BorshDeserialize, BorshSerialize};
use chartseal_program::{
    events::Content,
    merkle::{Hash, Leaf, Tree, verify},
    seeds::Id,
    state::{Batch, MOST_IN_BATCH},
};
use serde::{Deserialize, Serialize};

use crate::hexed;
use crate::ops::OpError;

/// Version of the list's form, and of a proof's.
const VERSION: u16 = 1;

/// The most records of a batch: a longer path than sixteen siblings does not fit the transaction that promotes one.
pub const MOST_RECORDS: usize = MOST_IN_BATCH as usize;

/// One record of a batch, sealed and stored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Entry {
    /// Whose it is.
    #[serde(with = "hexed")]
    pub patient: Id,
    /// Its id.
    #[serde(with = "hexed")]
    pub record: Id,
    /// Its sharing class, 0 to 31.
    pub class: u8,
    /// SHA-256 of the manifest's bytes.
    #[serde(with = "hexed")]
    pub manifest_hash: Hash,
    /// Merkle root over the shards.
    #[serde(with = "hexed")]
    pub content_root: Hash,
    /// Id of the manifest's data item.
    #[serde(with = "hexed")]
    pub locator: [u8; 32],
    /// Sealed bytes, after padding.
    pub padded_size: u64,
}

impl Entry {
    /// What will stand on chain of it.
    #[must_use]
    pub fn content(&self) -> Content {
        Content {
            manifest_hash: self.manifest_hash,
            root: self.content_root,
            locator: self.locator,
            padded_size: self.padded_size,
        }
    }

    fn leaf(&self, institution: &Id, batch: &Id, index: u32) -> Hash {
        Leaf {
            institution,
            batch,
            index,
            patient: &self.patient,
            record: &self.record,
            class: self.class,
            content: &self.content(),
        }
        .hash()
    }
}

/// The list of a batch's records, in their order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct List {
    /// Id of the institution.
    pub institution: Id,
    /// Id of the batch.
    pub batch: Id,
    /// The records.
    pub entries: Vec<Entry>,
}

impl List {
    /// The tree over its leaves; `None` of an empty list.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        let leaves = (0..).zip(&self.entries);
        Tree::new(
            leaves
                .map(|(index, entry)| entry.leaf(&self.institution, &self.batch, index))
                .collect(),
        )
    }

    /// Its bytes: version (u16, little-endian), then borsh.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, OpError> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        self.serialize(&mut bytes)
            .map_err(|error| OpError::Usage(format!("the list of the batch cannot be written: {error}")))?;
        Ok(bytes)
    }

    /// The opposite of [`to_bytes`](Self::to_bytes).
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, OpError> {
        let wrong = |what: String| OpError::Usage(format!("this is no list of a batch ({what}); use a newer release"));
        let (version, rest) = bytes
            .split_first_chunk()
            .ok_or_else(|| wrong("it is too short".into()))?;
        match u16::from_le_bytes(*version) {
            VERSION => borsh::from_slice(rest).map_err(|error| wrong(error.to_string())),
            other => Err(wrong(format!("its version is {other}"))),
        }
    }
}

/// A list that is the one on chain, with the tree over it.
#[derive(Debug)]
pub struct Batched {
    list: List,
    tree: Tree,
}

impl Batched {
    /// Holds a list against the batch that stands on chain. `None` where it is another one's.
    #[must_use]
    pub fn check(list: List, anchored: &Batch) -> Option<Self> {
        let tree = list.tree()?;
        let same = list.institution == anchored.institution
            && list.batch == anchored.id
            && tree.count() == anchored.count
            && tree.root() == anchored.root;
        same.then_some(Self { list, tree })
    }

    /// The records, in their order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.list.entries
    }

    /// The proof that a record is in the batch; `None` where it is not.
    #[must_use]
    pub fn prove(&self, record: &Id) -> Option<Proof> {
        let (index, entry) = (0..)
            .zip(&self.list.entries)
            .find(|(_, entry)| entry.record == *record)?;
        Some(Proof {
            version: VERSION,
            institution: self.list.institution,
            batch: self.list.batch,
            index,
            record: entry.clone(),
            path: self.tree.path(index)?,
        })
    }
}

/// Says of one record that it is in a batch, to whoever reads the batch's root on chain. It tells nothing of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    version: u16,
    /// Id of the institution.
    #[serde(with = "hexed")]
    pub institution: Id,
    /// Id of the batch.
    #[serde(with = "hexed")]
    pub batch: Id,
    /// Place in the batch, from 0.
    pub index: u32,
    /// The record.
    pub record: Entry,
    /// Siblings, from the leaf upwards.
    #[serde(with = "hexed::list")]
    pub path: Vec<Hash>,
}

impl Proof {
    /// Whether it holds for the batch that stands on chain.
    #[must_use]
    pub fn holds(&self, anchored: &Batch) -> bool {
        let leaf = self.record.leaf(&self.institution, &self.batch, self.index);
        self.version == VERSION
            && anchored.institution == self.institution
            && anchored.id == self.batch
            && verify(&leaf, self.index, anchored.count, &self.path, &anchored.root)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use anchor_lang::prelude::Address;

    pub(in super::super) fn entry(n: u8) -> Entry {
        Entry {
            patient: [n; 16],
            record: [n + 1; 16],
            class: n % 32,
            manifest_hash: [n + 2; 32],
            content_root: [n + 3; 32],
            locator: [n + 4; 32],
            padded_size: u64::from(n) << 32,
        }
    }

    fn list() -> List {
        List {
            institution: [7; 16],
            batch: [8; 16],
            entries: (0..9).map(|n| entry(n * 7)).collect(),
        }
    }

    fn anchored(list: &List) -> Batch {
        let tree = list.tree().unwrap();
        Batch {
            id: list.batch,
            institution: list.institution,
            author: Address::default(),
            root: tree.root(),
            locator: [1; 32],
            created_at: 0,
            count: tree.count(),
            reserved: [0; 4],
        }
    }

    #[test]
    fn list_comes_back_from_its_bytes_and_nothing_else_does() {
        let bytes = list().to_bytes().unwrap();
        assert_eq!(List::from_bytes(&bytes).unwrap(), list());
        for cut in 0..bytes.len() {
            assert!(List::from_bytes(&bytes[..cut]).is_err());
        }
        assert!(List::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        let newer = [&2u16.to_le_bytes()[..], &bytes[2..]].concat();
        assert!(
            List::from_bytes(&newer)
                .unwrap_err()
                .to_string()
                .contains("version is 2")
        );
    }

    #[test]
    fn only_the_list_on_chain_is_believed() {
        let list = list();
        let batch = anchored(&list);
        assert!(Batched::check(list.clone(), &batch).is_some());
        let mut swapped = list.clone();
        swapped.entries.swap(2, 3);
        let mut shorter = list.clone();
        shorter.entries.pop();
        let mut altered = list.clone();
        altered.entries[8].padded_size ^= 1;
        let mut elsewhere = list;
        elsewhere.batch = [9; 16];
        let empty = List {
            entries: Vec::new(),
            ..elsewhere.clone()
        };
        for other in [swapped, shorter, altered, elsewhere, empty] {
            assert!(Batched::check(other, &batch).is_none());
        }
    }

    #[test]
    fn every_record_is_proven_and_a_proof_survives_its_journey() {
        let list = list();
        let batch = anchored(&list);
        let batched = Batched::check(list.clone(), &batch).unwrap();
        for entry in batched.entries() {
            let proof = batched.prove(&entry.record).unwrap();
            let text = serde_json::to_string(&proof).unwrap();
            let arrived: Proof = serde_json::from_str(&text).unwrap();
            assert_eq!(arrived, proof);
            assert!(arrived.holds(&batch));
            for altered in [
                Proof {
                    index: arrived.index + 1,
                    ..arrived.clone()
                },
                Proof {
                    version: 2,
                    ..arrived.clone()
                },
                Proof {
                    batch: [1; 16],
                    ..arrived.clone()
                },
                Proof {
                    path: Vec::new(),
                    ..arrived
                },
            ] {
                assert!(!altered.holds(&batch));
            }
        }
        assert!(batched.prove(&[0xEE; 16]).is_none());
    }
}
