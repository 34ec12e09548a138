//! Erasing: a tombstone on chain, every key that the key stores keep destroyed, and a receipt that says so, whose hash goes
//! on chain too. Afterwards every copy of an envelope that was found is put before every key store: none opens it any more.
//! Whatever breaks it off, a key store that is away for example, run again it goes on where it stopped.

mod stores;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use chartseal_program::{
    ID, builders,
    events::AnyEvent,
    instructions::AttestErasureArgs,
    seeds::{Id, address},
    state::{Patient, Record},
};
use serde::{Deserialize, Serialize};

pub use self::stores::{StoreErasure, StoreOutcome};
use self::stores::{destroy_in, look_into, tell_apart};
use super::{OpError, Session};
use crate::{
    crypto,
    store::{
        BlobStore, Existing, KeyStore,
        keystore::{EnvelopeKind, EnvelopeSlot},
        read_file, write_file,
    },
};

const FORMAT: &str = "chartseal/erasure-receipt/v2";
/// Some thousands of envelopes.
const RECEIPT_LIMIT: usize = 16 << 20;

/// What an erasure's receipt says. Its SHA-256 stands on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureReceipt {
    /// What this is.
    pub format: String,
    /// The program's address.
    pub program: String,
    /// The genesis hash of the cluster.
    pub cluster: String,
    /// The patient's id, in hex.
    pub patient: String,
    /// The record's id, in hex.
    pub record: String,
    /// Every version that the record had.
    pub versions: Vec<u32>,
    /// When it became a tombstone, in seconds since 1970 by the chain's clock.
    pub erased_at: i64,
    /// The wallet that attests.
    pub attested_by: String,
    /// Every key store that was given, and what was done in it.
    pub key_stores: Vec<StoreErasure>,
    /// Every envelope and every share that was destroyed.
    pub destroyed: BTreeSet<DestroyedKey>,
    /// When that was done, in seconds since 1970 by the chain's clock; none as long as it is not.
    pub destroyed_at: Option<i64>,
    /// What this proves.
    pub proves: String,
    /// What it does not.
    pub does_not_prove: String,
}

/// An envelope that was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DestroyedKey {
    /// The record's version.
    pub version: u32,
    /// SHA-256 of that version's manifest, in hex.
    pub manifest_hash: String,
    /// The account that it was wrapped for.
    pub recipient: String,
    /// What was in it: the data key, or a share of it.
    pub kind: String,
}

/// A record that was erased.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The transaction that made it a tombstone; none where it was one already.
    pub erased: Option<String>,
    /// The transaction that attests.
    pub attested: String,
    /// The receipt.
    pub receipt: ErasureReceipt,
    /// SHA-256 of the receipt's file, as it stands on chain.
    pub receipt_hash: [u8; 32],
}

/// In what capacity somebody attests: as a member of an institution, or as the authority of a steward.
#[derive(Clone, Copy, Debug, Default)]
struct Attestor {
    institution: Option<Id>,
    member: Option<Id>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Erases a record: on chain, where this session decides for the patient and it is none yet, and out of every key store.
    /// Members of the institution that wrote it last, and whoever wrote it first, do the second for their own stores once the
    /// first was done. The receipt is written to a file that must not exist, or be this record's.
    ///
    /// # Errors
    /// [`OpError`]; run it again then. Where a key store is away, what the others keep is destroyed all the same, and nothing is
    /// attested before that one is there too.
    pub async fn erase(&self, patient: &Id, record: &Id, receipt: &Path) -> Result<Erased, OpError> {
        tell_apart(self.keys.members()).await?;
        let account = self.ledger.record(patient, record).await?;
        let patient = self.ledger.patient(patient).await?;
        let attestor = self.attestor(&patient, &account).await?;
        let draft = self.new_receipt(&account).await?;
        let written = existing(receipt, &draft)?;

        let erased = match account.is_erased() {
            true => None,
            false => {
                let by = self.deciding(&patient).await?;
                let erase = builders::erase_record(&by, &patient.id, record);
                Some(self.send(erase).await?.signature.to_string())
            }
        };
        let (destroyed, attested) = match written {
            Some(written) => {
                self.destroy_again(&account, &written).await?;
                let hash = hash_of(receipt)?;
                (written, self.attestation(&patient.id, record, &hash).await?)
            }
            None => (
                self.destroy_and_write(&draft, patient.id, *record, receipt).await?,
                None,
            ),
        };
        let receipt_hash = hash_of(receipt)?;
        let attested = match attested {
            Some(before) => before,
            None => {
                let args = AttestErasureArgs { receipt: receipt_hash };
                let (institution, member) = (attestor.institution.as_ref(), attestor.member.as_ref());
                let wallet = self.wallet();
                let attest = builders::attest_erasure(wallet, institution, member, &patient.id, record, args);
                self.send(attest).await?.signature.to_string()
            }
        };
        Ok(Erased {
            erased,
            attested,
            receipt: destroyed,
            receipt_hash,
        })
    }

    /// Destroys the keys and writes the receipt. What is about to be destroyed is written down before, beside the receipt: after
    /// a crash nothing else could say what there was.
    async fn destroy_and_write(
        &self,
        new: &ErasureReceipt,
        patient: Id,
        record: Id,
        receipt: &Path,
    ) -> Result<ErasureReceipt, OpError> {
        let account = self.ledger.record(&patient, &record).await?;
        let mut draft = ErasureReceipt {
            erased_at: account.updated_at,
            versions: (1..=account.version).collect(),
            ..new.clone()
        };
        let path = draft_of(receipt);
        if let Some(before) = existing(&path, &draft)? {
            draft.destroyed.extend(before.destroyed);
            draft.key_stores = before.key_stores;
        }
        let found = look_into(self.keys.members(), (patient, record), &mut draft.key_stores).await;
        let slots = found.iter().flat_map(|found| &found.slots);
        draft.destroyed.extend(slots.map(DestroyedKey::of));
        write(&path, &draft, Existing::Replace)?;

        draft.key_stores = destroy_in(self.keys.members(), (patient, record), found, draft.key_stores).await?;
        draft.destroyed_at = Some(self.ledger.now().await?);
        write(receipt, &draft, Existing::Refuse)?;
        // The receipt says all that it said; one that stays is litter and no more.
        let _ = std::fs::remove_file(path);
        Ok(draft)
    }

    /// Destroys once more what came into the key stores since the receipt was written. A store that the receipt does not know
    /// takes another receipt.
    async fn destroy_again(&self, record: &Record, written: &ErasureReceipt) -> Result<(), OpError> {
        for store in self.keys.members() {
            let name = store.name().await?;
            if !written.key_stores.iter().any(|known| known.key_store == name) {
                return Err(OpError::Usage(format!(
                    "the receipt that is there says nothing of key store {name}; choose another name for one that does"
                )));
            }
        }
        let mut known = written.key_stores.clone();
        let (stores, place) = (self.keys.members(), (record.patient, record.id));
        let found = look_into(stores, place, &mut known).await;
        destroy_in(stores, place, found, known).await?;
        Ok(())
    }

    /// The transaction that attests with this receipt, if there is one.
    async fn attestation(&self, patient: &Id, record: &Id, receipt: &[u8; 32]) -> Result<Option<String>, OpError> {
        let log = self.ledger.patient_log(patient).await?;
        let attested = log.events.iter().find(|logged| match &logged.event {
            AnyEvent::ErasureAttested(event) => event.record == *record && event.receipt == *receipt,
            _ => false,
        });
        Ok(attested.map(|logged| logged.signature.to_string()))
    }

    /// As who this wallet attests. Asked first: keys are not destroyed by somebody who cannot say so afterwards.
    async fn attestor(&self, patient: &Patient, record: &Record) -> Result<Attestor, OpError> {
        let wallet = self.wallet();
        if patient.is_wallet(&wallet) {
            return Ok(Attestor::default());
        }
        if !patient.has_wallet() && self.ledger.institution(&patient.steward).await?.authority == wallet {
            return Ok(Attestor {
                institution: Some(patient.steward),
                member: None,
            });
        }
        let wrote = |(institution, member): &(Id, Id)| {
            *institution == record.institution || address::member(institution, member) == record.origin
        };
        match self.membership().await?.filter(wrote) {
            Some((institution, member)) => Ok(Attestor {
                institution: Some(institution),
                member: Some(member),
            }),
            None => Err(OpError::Usage(
                "only the patient, its steward, whoever wrote the record first, or a member of the institution that wrote it \
                 last erases it"
                    .into(),
            )),
        }
    }

    async fn new_receipt(&self, record: &Record) -> Result<ErasureReceipt, OpError> {
        Ok(ErasureReceipt {
            format: FORMAT.into(),
            program: ID.to_string(),
            cluster: bs58::encode(self.ledger.cluster().await?).into_string(),
            patient: hex::encode(record.patient),
            record: hex::encode(record.id),
            versions: Vec::new(),
            erased_at: 0,
            attested_by: self.wallet().to_string(),
            key_stores: Vec::new(),
            destroyed: BTreeSet::new(),
            destroyed_at: None,
            proves: "The wallet that signed the attestation on chain states that every envelope and share listed here, and the \
                     keys that the key stores listed here encrypted them with, were destroyed at this time in each of these \
                     stores; that each of them was given every copy of an envelope that the same run had read before, and \
                     opened none; and that they take none for this record any more."
                .into(),
            does_not_prove: "That no copy was kept: by a reader who opened the record before, in a key store that is not \
                             listed, or by whoever copied a key store together with its record keys. The ciphertext stays on \
                             Arweave; without a key nobody can read it."
                .into(),
        })
    }
}

impl ErasureReceipt {
    /// Whether this is about the same record, by the same wallet.
    fn is_of(&self, other: &Self) -> bool {
        let about = |receipt: &Self| {
            [
                receipt.format.clone(),
                receipt.program.clone(),
                receipt.cluster.clone(),
                receipt.patient.clone(),
                receipt.record.clone(),
                receipt.attested_by.clone(),
            ]
        };
        about(self) == about(other)
    }
}

impl DestroyedKey {
    fn of(slot: &EnvelopeSlot) -> Self {
        let kind = match slot.kind {
            EnvelopeKind::Reader => "data-key",
            EnvelopeKind::Anonymous => "anonymous-data-key",
            EnvelopeKind::BreakGlass { .. } => "break-glass-share",
            EnvelopeKind::Released { .. } => "released-share",
        };
        Self {
            version: slot.version,
            manifest_hash: hex::encode(slot.manifest_hash),
            recipient: bs58::encode(slot.recipient).into_string(),
            kind: kind.into(),
        }
    }
}

fn draft_of(receipt: &Path) -> PathBuf {
    let mut name = receipt.as_os_str().to_owned();
    name.push(".draft");
    name.into()
}

/// What an earlier run wrote, if it did.
fn existing(path: &Path, new: &ErasureReceipt) -> Result<Option<ErasureReceipt>, OpError> {
    let bytes = match read_file(path, RECEIPT_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(None),
        read => read?,
    };
    let found: Option<ErasureReceipt> = serde_json::from_slice(&bytes).ok();
    match found.filter(|found| found.is_of(new)) {
        Some(found) => Ok(Some(found)),
        None => Err(OpError::Usage(format!(
            "{} is no receipt of this record by this wallet; choose another name",
            path.display()
        ))),
    }
}

fn write(path: &Path, receipt: &ErasureReceipt, existing: Existing) -> Result<(), OpError> {
    let text = serde_json::to_vec_pretty(receipt)
        .map_err(|error| OpError::Usage(format!("the receipt cannot be written: {error}")))?;
    Ok(write_file(path, &text, existing)?)
}

fn hash_of(receipt: &Path) -> Result<[u8; 32], OpError> {
    Ok(crypto::sha256(&[&read_file(receipt, RECEIPT_LIMIT)?]))
}
