//! What somebody can open who stole the whole key store, record keys and all, and has the gateway's ciphertext and its
//! own encryption key: the question that revocation is about, asked of bytes and not of messages.

use std::path::Path;

use anyhow::{Context as _, Result};
use chartseal::{
    keys::{Identity, Passphrase},
    ledger::Ledger,
    seal::envelope::{self, EnvelopeContext},
    store::{
        FolderKeyStore, KeyStore as _,
        keystore::{GateError, ReleaseGate, ReleaseRequest, Released},
    },
};
use chartseal_program::seeds::Id;

use crate::people::Person;

/// A gate that lets everything pass.
struct NoGate(Released);

impl ReleaseGate for NoGate {
    async fn check(&self, _: [u8; 16]) -> Result<Released, GateError> {
        Ok(self.0)
    }
}

/// Key epochs that are tried. No thief of the story ever changes its key, and a person's has the epoch 0.
const EPOCHS: [u32; 2] = [0, 1];

/// The records of a patient whose data key a thief's own key opens, out of any envelope in the store.
///
/// # Errors
/// Where the store or the ledger cannot be read.
pub async fn opens(thief: &Person, rpc: &str, patient: Id) -> Result<Vec<Id>> {
    let passphrase = std::fs::read(thief.passphrase()).context("cannot read the passphrase")?;
    let passphrase = Passphrase::new(passphrase.trim_ascii_end())?;
    let key = Identity::load(&thief.identity(), &passphrase)?.encryption;
    let ledger = Ledger::new(rpc);
    let store = open_store(&thief.key_store())?;
    let mut opened = Vec::new();
    for record in ledger.records(&patient).await? {
        let record = record.account;
        for slot in store.slots(patient, record.id).await? {
            let recipient = slot.recipient;
            let released = Released {
                slot,
                reader: recipient,
            };
            let request = ReleaseRequest {
                request_id: [1; 16],
                recipient,
            };
            let stolen = store.release(&request, &NoGate(released)).await?;
            let mut context = EnvelopeContext {
                cluster: ledger.cluster().await?,
                program: chartseal_program::ID.to_bytes(),
                patient,
                record: record.id,
                version: slot.version,
                manifest_hash: slot.manifest_hash,
                recipient,
                recipient_key_epoch: 0,
            };
            let opens = EPOCHS.iter().any(|epoch| {
                context.recipient_key_epoch = *epoch;
                envelope::open(&stolen.envelope, &key, &context).is_ok()
            });
            if opens && !opened.contains(&record.id) {
                opened.push(record.id);
            }
        }
    }
    Ok(opened)
}

fn open_store(folder: &Path) -> Result<FolderKeyStore> {
    FolderKeyStore::open(folder).context("cannot open the key store")
}
