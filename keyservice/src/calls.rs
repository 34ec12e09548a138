//! What a call may do, and doing it. Whoever may write or look around works at an institution that the service is for, or
//! is the patient or acts for it; a key leaves against a decision on chain and nothing else, whoever asks.

use std::num::NonZeroU32;

use chartseal::ledger::{
    AnonymousGate, Commitment, HolderGate, Ledger, LedgerError, LedgerGate, LedgerOptions, ReleasedShareGate,
};
use chartseal::ops::PERSON_KEY_EPOCH;
use chartseal::seal::envelope;
use chartseal::store::keystore::remote::wire::{Acting, Asked, Asking, Bytes, Call, Failure, PatientId, RecordId};
use chartseal::store::keystore::{
    AnonymousAsking, AnonymousEnvelopes, Claim, EnvelopeSlot, ReleaseRequest, Released, ReleasedEnvelope,
};
use chartseal::store::{FolderKeyStore, KeyStore as _, KeyStoreError};
use chartseal_program::log::sha256_of;
use chartseal_program::seeds::{Id, address};
use chartseal_program::state::{Delegate, Institution, Member};
use chartseal_program::vocabulary::Action;
use serde::Serialize;
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;

use crate::quotas::Quotas;
use crate::staff::{Capacity, account, capacity, stands_on_chain, unavailable};
use crate::storing::Places;

/// After how many seconds it is worth asking again what is final by then.
const FINAL: u64 = 8;

/// How many transactions are looked through for an earlier version of a record, each by a question to the node.
const LONGEST_HISTORY: usize = 500;

/// A key store, and the ledger that it asks.
#[derive(Debug)]
pub struct Service {
    pub(crate) keys: FolderKeyStore,
    pub(crate) ledger: Ledger,
    /// The same, where only what is final is believed.
    settled: Ledger,
    /// Ids of the institutions whose staff it is for.
    pub(crate) served: Vec<Id>,
    pub(crate) quotas: Quotas,
    pub(crate) places: Places,
}

impl Service {
    /// Serves a key store to the staff of these institutions, and to readers whom the ledger at an address allows. Those who
    /// are no staff store so many envelopes and shares in an hour, of all patients together.
    #[must_use]
    pub fn new(keys: FolderKeyStore, rpc: &str, served: Vec<Id>, others_an_hour: NonZeroU32) -> Self {
        let believing = |commitment| {
            Ledger::with(LedgerOptions {
                commitment,
                ..LedgerOptions::new([rpc])
            })
        };
        Self {
            keys,
            ledger: believing(Commitment::Confirmed),
            settled: believing(Commitment::Finalized),
            served,
            quotas: Quotas::new(others_an_hour),
            places: Places::new(),
        }
    }

    /// What the key store is called.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn name(&self) -> Result<String, KeyStoreError> {
        self.keys.name().await
    }

    /// Does what a wallet asks for.
    ///
    /// # Errors
    /// [`Failure`]; nothing was done then.
    pub async fn answer(&self, wallet: [u8; 32], asked: Asked) -> Result<Value, Failure> {
        self.check(wallet, asked.acting, &asked.call).await?;
        self.carry_out(wallet, asked).await
    }

    /// Whether somebody may make a call.
    async fn check(&self, wallet: [u8; 32], acting: Option<Acting>, call: &Call) -> Result<(), Failure> {
        let capacity = || capacity(&self.ledger, &self.served, wallet, acting);
        match call {
            // Public, or of no use to anybody but whom it is sealed to.
            Call::Name | Call::PublicKey { .. } | Call::Share(_) | Call::Shares { .. } => Ok(()),
            // The ledger decides, whoever asks.
            Call::Release(_) | Call::ReleaseAnonymously(_) => Ok(()),
            // Names say no more than grants on chain do. Holders and readers in an emergency look for shares.
            Call::Slots(_) | Call::Wrapping(_) => match capacity().await? {
                Capacity::Stranger => Err(not_allowed("nobody without a part in this does that")),
                _ => Ok(()),
            },
            Call::PutPublicKey { key } => match capacity().await? {
                Capacity::Staff => Ok(()),
                _ if stands_on_chain(&self.ledger, acting, &sha256_of(&[key])).await? => Ok(()),
                _ => self.quotas.key(),
            },
            Call::Patients => match capacity().await? {
                Capacity::Staff => Ok(()),
                _ => Err(not_allowed(
                    "only staff of the institutions that this service is for lists patients",
                )),
            },
            Call::Discard(slot) => match capacity().await? {
                Capacity::Delegate { patient, rights }
                    if patient == slot.patient && rights & Action::Share.bit() != 0 && !is_patients_own(slot) =>
                {
                    Ok(())
                }
                capacity => self.is_for(wallet, capacity, &slot.patient).await,
            },
            Call::Copies(of) => self.is_for(wallet, capacity().await?, &of.patient).await,
            Call::Opens(copy) => self.is_for(wallet, capacity().await?, &copy.slot.patient).await,
            Call::DiscardShare(slot) => self.may_take_back(wallet, slot).await,
            // Whether something may be stored depends on what lies there, which is looked at last.
            Call::Put { .. } | Call::PutShare { .. } => Ok(()),
            Call::Destroy(of) => {
                self.is_for(wallet, capacity().await?, &of.patient).await?;
                self.may_destroy(of).await
            }
        }
    }

    /// Keys cannot be brought back, and what was confirmed a moment ago could still be undone: only what is final counts.
    async fn may_destroy(&self, of: &RecordId) -> Result<(), Failure> {
        if !is_erased(&self.ledger, of).await? {
            return Err(not_allowed(
                "keys are destroyed of a record that was erased on chain; erase it first",
            ));
        }
        if !is_erased(&self.settled, of).await? {
            return Err(Failure::Later {
                detail: "the record was erased a moment ago, and that is not final yet".to_owned(),
                seconds: FINAL,
            });
        }
        Ok(())
    }

    /// Whether somebody works here, or is the patient.
    pub(crate) async fn is_for(&self, wallet: [u8; 32], capacity: Capacity, patient: &Id) -> Result<(), Failure> {
        let is_patient = match capacity {
            Capacity::Staff => return Ok(()),
            Capacity::Patient(known) => known == *patient,
            // Whoever works elsewhere may be a patient here.
            Capacity::Elsewhere { .. } | Capacity::Delegate { .. } | Capacity::Stranger => {
                self.is_patient(wallet, patient).await?
            }
        };
        if is_patient {
            Ok(())
        } else {
            Err(not_allowed(
                "only the patient, whom it gave the right to, and staff of the institutions that this service is for may \
                 do that",
            ))
        }
    }

    pub(crate) async fn is_patient(&self, wallet: [u8; 32], patient: &Id) -> Result<bool, Failure> {
        match self.ledger.patient(patient).await {
            Ok(account) => Ok(account.is_wallet(&Address::new_from_array(wallet))),
            Err(LedgerError::NotFound { .. }) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn carry_out(&self, wallet: [u8; 32], asked: Asked) -> Result<Value, Failure> {
        let keys = &self.keys;
        match asked.call {
            Call::Name => done(keys.name()).await,
            Call::Patients => done(async { Ok(in_hex(keys.patients().await?)) }).await,
            Call::Put { slot, envelope } => Ok(json!(self.put(wallet, asked.acting, &slot, &envelope).await?)),
            Call::Slots(of) => done(keys.slots(of.patient, of.record)).await,
            Call::Wrapping(slot) => done(keys.wrapping(slot)).await,
            Call::Discard(slot) => done(keys.discard(slot)).await,
            Call::Destroy(of) => done(keys.destroy(of.patient, of.record)).await,
            Call::Copies(of) => done(keys.copies(of.patient, of.record)).await,
            Call::Opens(copy) => done(keys.opens(&copy)).await,
            Call::Release(asking) => Ok(json!(self.release(wallet, &asking).await?)),
            Call::ReleaseAnonymously(asking) => Ok(json!(self.release_anonymously(wallet, &asking).await?)),
            Call::PutShare { slot, share } => Ok(json!(self.put_share(wallet, &slot, &share).await?)),
            Call::Share(slot) => done(async { Ok(keys.share(slot).await?.map(Bytes)) }).await,
            Call::Shares { patient } => done(keys.shares(patient)).await,
            Call::DiscardShare(slot) => done(keys.discard_share(slot)).await,
            Call::PutPublicKey { key } => done(async { keys.put_public_key(&key).await.map(|_| ()) }).await,
            Call::PublicKey { hash } => done(async { Ok(keys.public_key(hash).await?.map(Bytes)) }).await,
        }
    }

    /// Gives out an envelope to the wallet that the ledger allowed it to. Asked twice, it gives the same twice.
    async fn release(&self, wallet: [u8; 32], asking: &Asking) -> Result<ReleasedEnvelope, Failure> {
        let request = ReleaseRequest {
            request_id: asking.request_id,
            recipient: asking.recipient,
        };
        let (ledger, keys) = (&self.ledger, &self.keys);
        let released = match asking.claim {
            Claim::Access { transaction } => {
                let gate = LedgerGate::new(ledger, Signature::from(transaction)).asked_by(wallet, LONGEST_HISTORY);
                keys.release(&request, &gate).await
            }
            Claim::Holder {
                transaction,
                institution,
                threshold,
            } => {
                let gate = HolderGate::new(ledger, Signature::from(transaction), institution, wallet, threshold);
                keys.release(&request, &gate).await
            }
            Claim::ReleasedShare { transaction, holder } => {
                let gate = ReleasedShareGate::new(ledger, Signature::from(transaction), holder);
                let gate = gate.asked_by(wallet, LONGEST_HISTORY);
                keys.release(&request, &gate).await
            }
        };
        let given = released.map_err(|error| said(&error))?;
        let released = given.released;
        // Request ids stand on chain for everybody to see.
        if released.reader != wallet {
            return Err(Failure::NotTheReader);
        }
        let found = envelope::key_epoch(&given.envelope).map_err(|_| Failure::Damaged)?;
        let expected = self.key_epoch(&released).await?;
        if found != expected {
            return Err(Failure::Refused {
                reason: format!(
                    "the key is wrapped to the reader's key of epoch {found}, and the reader's key has epoch {expected}; \
                     have it wrapped again (chartseal rewrap)"
                ),
            });
        }
        tracing::info!(
            request = hex::encode(asking.request_id),
            wallet = bs58::encode(wallet).into_string(),
            record = hex::encode(released.slot.record),
            version = released.slot.version,
            "released"
        );
        Ok(given)
    }

    /// Gives out every envelope for grants without a name of a record, to a wallet that shows a proof. The log says which
    /// record, and nothing of the reader: there is nothing to say.
    async fn release_anonymously(
        &self,
        wallet: [u8; 32],
        asking: &AnonymousAsking,
    ) -> Result<AnonymousEnvelopes, Failure> {
        let gate = AnonymousGate::new(&self.ledger, wallet);
        let given = self.keys.release_anonymously(asking, &gate).await;
        let given = given.map_err(|error| said(&error))?;
        tracing::info!(
            record = hex::encode(asking.record),
            version = given.version,
            envelopes = given.envelopes.len(),
            "released without a name"
        );
        Ok(given)
    }

    /// The epoch of the key that the recipient has now.
    async fn key_epoch(&self, released: &Released) -> Result<u32, Failure> {
        let (patient, recipient) = (&released.slot.patient, released.slot.recipient);
        let at = Address::new_from_array(recipient);
        if at == address::patient(patient) {
            return Ok(self.ledger.patient(patient).await.map_err(unavailable)?.key_epoch);
        }
        if recipient == released.reader {
            return Ok(PERSON_KEY_EPOCH);
        }
        if let Some(member) = account::<Member>(&self.ledger, &at).await? {
            return Ok(member.key_epoch);
        }
        if let Some(delegate) = account::<Delegate>(&self.ledger, &at).await? {
            return Ok(delegate.key_epoch);
        }
        if let Some(institution) = account::<Institution>(&self.ledger, &at).await? {
            return Ok(institution.key_epoch);
        }
        Err(Failure::NoDecision)
    }
}

async fn is_erased(ledger: &Ledger, of: &RecordId) -> Result<bool, Failure> {
    match ledger.record(&of.patient, &of.record).await {
        Ok(record) => Ok(record.is_erased()),
        Err(LedgerError::NotFound { .. }) => Ok(false),
        Err(error) => Err(unavailable(error)),
    }
}

/// Whether an envelope is the patient's own: no delegate touches it.
pub(crate) fn is_patients_own(slot: &EnvelopeSlot) -> bool {
    slot.recipient == address::patient(&slot.patient).to_bytes()
}

fn in_hex(patients: Vec<Id>) -> Vec<PatientId> {
    patients.into_iter().map(PatientId).collect()
}

/// What the key store did, as an answer.
async fn done<T: Serialize>(work: impl Future<Output = Result<T, KeyStoreError>>) -> Result<Value, Failure> {
    work.await.map(|done| json!(done)).map_err(|error| said(&error))
}

pub(crate) fn not_allowed(detail: &str) -> Failure {
    Failure::NotAllowed {
        detail: detail.to_owned(),
    }
}

/// What the caller is told; what it is not, goes into the log.
pub(crate) fn said(error: &KeyStoreError) -> Failure {
    let failure = Failure::from(error);
    match failure {
        Failure::LedgerUnavailable => tracing::warn!(%error, "the ledger gave no answer"),
        Failure::Broken { .. } | Failure::Damaged => tracing::error!(%error, "the key store failed"),
        _ => {}
    }
    failure
}
