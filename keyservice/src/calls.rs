//! What a call may do, and doing it. Whoever may write or look around works at an institution that the service is for, or
//! is the patient or acts for it; a key leaves against a decision on chain and nothing else, whoever asks.

use std::num::NonZeroU32;

use chartseal::ledger::{Commitment, HolderGate, Ledger, LedgerError, LedgerGate, LedgerOptions, ReleasedShareGate};
use chartseal::ops::PERSON_KEY_EPOCH;
use chartseal::seal::envelope;
use chartseal::store::keystore::remote::wire::{Acting, Asked, Asking, Bytes, Call, Failure, PatientId, RecordId};
use chartseal::store::keystore::{
    Claim, EnvelopeKind, EnvelopeSlot, ReleaseRequest, Released, ReleasedEnvelope, ShareSlot,
};
use chartseal::store::{FolderKeyStore, KeyStore as _, KeyStoreError};
use chartseal_program::seeds::{Id, address};
use chartseal_program::state::{Delegate, Emergency, Institution, Member};
use chartseal_program::vocabulary::Action;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Serialize;
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;

use crate::sharing::{Sharer, may_share};
use crate::staff::{Capacity, account, capacity, unavailable};

/// What a delegate has to be allowed before it wraps keys for others.
const WRITING: u8 = Action::Append.bit() | Action::Amend.bit() | Action::Share.bit();

/// How many public keys all strangers together may publish at once. Whoever opens a chart or accepts an invitation is a
/// stranger up to that moment, and its key has to lie here by then.
const STRANGERS_KEYS: u32 = 200;
/// And in an hour, in the long run: half a gigabyte a year.
const STRANGERS_KEYS_AN_HOUR: u32 = 50;

/// After how many seconds it is worth asking again what is final by then.
const FINAL: u64 = 8;

/// A key store, and the ledger that it asks.
#[derive(Debug)]
pub struct Service {
    keys: FolderKeyStore,
    ledger: Ledger,
    /// The same, where only what is final is believed.
    settled: Ledger,
    /// Ids of the institutions whose staff it is for.
    served: Vec<Id>,
    strangers_keys: DefaultDirectRateLimiter,
}

impl Service {
    /// Serves a key store to the staff of these institutions, and to readers whom the ledger at an address allows.
    #[must_use]
    pub fn new(keys: FolderKeyStore, rpc: &str, served: Vec<Id>) -> Self {
        let believing = |commitment| {
            Ledger::with(LedgerOptions {
                commitment,
                ..LedgerOptions::new([rpc])
            })
        };
        let some = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_hour(some(STRANGERS_KEYS_AN_HOUR)).allow_burst(some(STRANGERS_KEYS));
        Self {
            keys,
            ledger: believing(Commitment::Confirmed),
            settled: believing(Commitment::Finalized),
            served,
            strangers_keys: RateLimiter::direct(quota),
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
        self.carry_out(wallet, asked.call).await
    }

    /// Whether somebody may make a call.
    async fn check(&self, wallet: [u8; 32], acting: Option<Acting>, call: &Call) -> Result<(), Failure> {
        let capacity = || capacity(&self.ledger, &self.served, wallet, acting);
        match call {
            // Public, or of no use to anybody but whom it is sealed to.
            Call::Name | Call::PublicKey { .. } | Call::Share(_) | Call::Shares { .. } => Ok(()),
            // The ledger decides, whoever asks.
            Call::Release(_) => Ok(()),
            // Names say no more than grants on chain do. Holders and readers in an emergency look for shares.
            Call::Slots(_) | Call::Wrapping(_) => match capacity().await? {
                Capacity::Stranger => Err(not_allowed("nobody without a part in this does that")),
                _ => Ok(()),
            },
            Call::PutPublicKey { .. } => match capacity().await? {
                Capacity::Stranger => self.strangers_keys.check().map_err(|until| Failure::Later {
                    detail: "too many public keys were published by wallets that have no part in this yet".to_owned(),
                    seconds: until.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
                }),
                _ => Ok(()),
            },
            Call::Patients => match capacity().await? {
                Capacity::Staff => Ok(()),
                _ => Err(not_allowed(
                    "only staff of the institutions that this service is for lists patients",
                )),
            },
            Call::Put { slot, envelope } => {
                if envelope::wrapping(envelope).is_err() {
                    return Err(not_allowed(
                        "these bytes are no envelope that this release of the service knows",
                    ));
                }
                let capacity = capacity().await?;
                match (slot.kind, capacity) {
                    (
                        EnvelopeKind::Released { holder, emergency },
                        Capacity::Elsewhere {
                            institution,
                            member: None,
                        },
                    ) if institution.to_bytes() == holder => self.may_give_share(institution, emergency, slot).await,
                    (_, Capacity::Delegate { patient, rights })
                        if patient == slot.patient && rights & WRITING != 0 && !is_patients_own(slot) =>
                    {
                        Ok(())
                    }
                    (
                        _,
                        Capacity::Elsewhere {
                            institution,
                            member: Some(member),
                        },
                    ) => {
                        let sharer = Sharer {
                            wallet: Address::new_from_array(wallet),
                            institution,
                            member,
                        };
                        let there = self.keys.wrapping(*slot).await.map_err(|error| said(&error))?;
                        match may_share(&self.ledger, &sharer, slot, there).await? {
                            true => Ok(()),
                            false => self.is_for(wallet, capacity, &slot.patient).await,
                        }
                    }
                    _ => self.is_for(wallet, capacity, &slot.patient).await,
                }
            }
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
            Call::PutShare { slot, .. } | Call::DiscardShare(slot) => self.may_deal(wallet, slot).await,
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
    async fn is_for(&self, wallet: [u8; 32], capacity: Capacity, patient: &Id) -> Result<(), Failure> {
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

    async fn is_patient(&self, wallet: [u8; 32], patient: &Id) -> Result<bool, Failure> {
        match self.ledger.patient(patient).await {
            Ok(account) => Ok(account.is_wallet(&Address::new_from_array(wallet))),
            Err(LedgerError::NotFound { .. }) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// A holder gives its share to whoever opened an emergency that is not over, of a patient who names it, of a record that is
    /// there.
    async fn may_give_share(&self, holder: Address, emergency: Id, slot: &EnvelopeSlot) -> Result<(), Failure> {
        let named = self.ledger.safeguards(&slot.patient).await.map_err(unavailable)?;
        if !named.is_some_and(|named| named.holders().contains(&holder)) {
            return Err(not_allowed("the patient does not name this institution as a holder"));
        }
        let at = address::emergency(&slot.patient, &emergency);
        let emergency: Option<Emergency> = account(&self.ledger, &at).await?;
        let now = self.ledger.now().await.map_err(unavailable)?;
        let is_open = |emergency: &Emergency| now < emergency.expires && emergency.member.to_bytes() == slot.recipient;
        if !emergency.as_ref().is_some_and(is_open) {
            return Err(not_allowed("there is no such emergency of that member, or it is over"));
        }
        match self.ledger.record(&slot.patient, &slot.record).await {
            Ok(record) if !record.is_erased() => Ok(()),
            Ok(_) | Err(LedgerError::NotFound { .. }) => Err(not_allowed("there is no such record")),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Shares of a patient's key are the patient's to deal, and a guardian's whom it names to pass on.
    async fn may_deal(&self, wallet: [u8; 32], slot: &ShareSlot) -> Result<(), Failure> {
        if self.is_patient(wallet, &slot.patient).await? {
            return Ok(());
        }
        let named = self.ledger.safeguards(&slot.patient).await.map_err(unavailable)?;
        let is_guardian = named.is_some_and(|named| {
            let mut guardians = named.guardians().iter();
            guardians.any(|guardian| guardian.wallet.to_bytes() == wallet)
        });
        if is_guardian && slot.guardian == wallet {
            Ok(())
        } else {
            Err(not_allowed(
                "only the patient and the guardian itself, whom the patient names, may do that",
            ))
        }
    }

    async fn carry_out(&self, wallet: [u8; 32], call: Call) -> Result<Value, Failure> {
        let keys = &self.keys;
        match call {
            Call::Name => done(keys.name()).await,
            Call::Patients => done(async { Ok(in_hex(keys.patients().await?)) }).await,
            Call::Put { slot, envelope } => done(keys.put(slot, &envelope)).await,
            Call::Slots(of) => done(keys.slots(of.patient, of.record)).await,
            Call::Wrapping(slot) => done(keys.wrapping(slot)).await,
            Call::Discard(slot) => done(keys.discard(slot)).await,
            Call::Destroy(of) => done(keys.destroy(of.patient, of.record)).await,
            Call::Copies(of) => done(keys.copies(of.patient, of.record)).await,
            Call::Opens(copy) => done(keys.opens(&copy)).await,
            Call::Release(asking) => Ok(json!(self.release(wallet, &asking).await?)),
            Call::PutShare { slot, share } => done(keys.put_share(slot, &share)).await,
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
                let gate = LedgerGate::new(ledger, Signature::from(transaction));
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
fn is_patients_own(slot: &EnvelopeSlot) -> bool {
    slot.recipient == address::patient(&slot.patient).to_bytes()
}

fn in_hex(patients: Vec<Id>) -> Vec<PatientId> {
    patients.into_iter().map(PatientId).collect()
}

/// What the key store did, as an answer.
async fn done<T: Serialize>(work: impl Future<Output = Result<T, KeyStoreError>>) -> Result<Value, Failure> {
    work.await.map(|done| json!(done)).map_err(|error| said(&error))
}

fn not_allowed(detail: &str) -> Failure {
    Failure::NotAllowed {
        detail: detail.to_owned(),
    }
}

/// What the caller is told; what it is not, goes into the log.
fn said(error: &KeyStoreError) -> Failure {
    let failure = Failure::from(error);
    match failure {
        Failure::LedgerUnavailable => tracing::warn!(%error, "the ledger gave no answer"),
        Failure::Broken { .. } | Failure::Damaged => tracing::error!(%error, "the key store failed"),
        _ => {}
    }
    failure
}
