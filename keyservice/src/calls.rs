//! What a call may do, and doing it. Whoever may write or look around works at an institution that the service is for, or
//! is the patient or acts for it; a key leaves against a decision on chain and nothing else, whoever asks.

use std::num::NonZeroU32;

use anchor_lang::AccountDeserialize;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal::ledger::{HolderGate, Ledger, LedgerError, LedgerGate, ReleasedShareGate};
use chartseal::seal::envelope;
use chartseal::store::keystore::remote::wire::{
    Asked, Asking, Call, Copied, Failure, Found, Given, WereThere, Wrapped,
};
use chartseal::store::keystore::{
    Claim, EnvelopeKind, EnvelopeSlot, ReleaseRequest, Released, ReleasedEnvelope, ShareSlot,
};
use chartseal::store::{FolderKeyStore, KeyStore as _, KeyStoreError};
use chartseal_program::seeds::{Id, address};
use chartseal_program::state::{Delegate, Emergency, Institution, Member};
use chartseal_program::vocabulary::Action;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;

use crate::staff::{Capacity, capacity, unavailable};

/// The epoch of a person's key: it never changes.
const PERSON_KEY_EPOCH: u32 = 0;

/// What a delegate has to be allowed before it wraps keys for others.
const WRITING: u8 = Action::Append.bit() | Action::Amend.bit() | Action::Share.bit();

/// How many public keys all strangers together may publish at once. Whoever opens a chart or accepts an invitation is a
/// stranger up to that moment, and its key has to lie here by then.
const STRANGERS_KEYS: u32 = 200;
/// And in an hour, in the long run: half a gigabyte a year.
const STRANGERS_KEYS_AN_HOUR: u32 = 50;

/// A key store, and the ledger that it asks.
#[derive(Debug)]
pub struct Service {
    keys: FolderKeyStore,
    ledger: Ledger,
    /// Ids of the institutions whose staff it is for.
    served: Vec<Id>,
    strangers_keys: DefaultDirectRateLimiter,
}

impl Service {
    /// Serves a key store to the staff of these institutions, and to readers whom the ledger allows.
    #[must_use]
    pub fn new(keys: FolderKeyStore, ledger: Ledger, served: Vec<Id>) -> Self {
        let some = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_hour(some(STRANGERS_KEYS_AN_HOUR)).allow_burst(some(STRANGERS_KEYS));
        Self {
            keys,
            ledger,
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
        match &asked.call {
            // Public, or of no use to anybody but whom it is sealed to.
            Call::Name | Call::PublicKey { .. } | Call::Share(_) | Call::Shares { .. } => {}
            // The ledger decides, whoever asks.
            Call::Release(asking) => return Ok(json!(self.release(wallet, asking).await?)),
            call => {
                let capacity = capacity(&self.ledger, &self.served, wallet, asked.acting).await?;
                self.check(wallet, capacity, call).await?;
            }
        }
        self.carry_out(asked.call).await.map_err(|error| said(&error))
    }

    /// Whether somebody may make a call that changes something or looks around.
    async fn check(&self, wallet: [u8; 32], capacity: Capacity, call: &Call) -> Result<(), Failure> {
        match call {
            Call::Name | Call::PublicKey { .. } | Call::Share(_) | Call::Shares { .. } | Call::Release(_) => Ok(()),
            // Names say no more than grants on chain do. Holders and readers in an emergency look for shares.
            Call::Slots(_) | Call::Wrapping(_) => match capacity {
                Capacity::Stranger => Err(not_allowed("nobody without a part in this does that")),
                _ => Ok(()),
            },
            Call::PutPublicKey { .. } => match capacity {
                Capacity::Stranger => self.strangers_keys.check().map_err(|until| Failure::Later {
                    detail: "too many public keys were published by wallets that have no part in this yet".to_owned(),
                    seconds: until.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
                }),
                _ => Ok(()),
            },
            Call::Patients => match capacity {
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
                match (slot.kind, capacity) {
                    (
                        EnvelopeKind::Released { holder, emergency },
                        Capacity::Elsewhere {
                            institution,
                            is_authority: true,
                        },
                    ) if institution.to_bytes() == holder => self.may_give_share(institution, emergency, slot).await,
                    (_, Capacity::Delegate { patient, rights })
                        if patient == slot.patient && rights & WRITING != 0 && !is_patients_own(slot) =>
                    {
                        Ok(())
                    }
                    _ => self.is_for(wallet, capacity, &slot.patient).await,
                }
            }
            Call::Discard(slot) => match capacity {
                Capacity::Delegate { patient, rights }
                    if patient == slot.patient && rights & Action::Share.bit() != 0 && !is_patients_own(slot) =>
                {
                    Ok(())
                }
                _ => self.is_for(wallet, capacity, &slot.patient).await,
            },
            Call::Copies(of) => self.is_for(wallet, capacity, &of.patient).await,
            Call::Opens(copy) => self.is_for(wallet, capacity, &copy.slot.patient).await,
            Call::PutShare { slot, .. } | Call::DiscardShare(slot) => self.may_deal(wallet, slot).await,
            Call::Destroy(of) => {
                self.is_for(wallet, capacity, &of.patient).await?;
                match self.ledger.record(&of.patient, &of.record).await {
                    Ok(record) if record.is_erased() => Ok(()),
                    Ok(_) | Err(LedgerError::NotFound { .. }) => Err(not_allowed(
                        "keys are destroyed of a record that was erased on chain; erase it first",
                    )),
                    Err(error) => Err(unavailable(error)),
                }
            }
        }
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

    /// A holder gives its share in an emergency that is open, of a patient who names it, of a record that is there.
    async fn may_give_share(&self, holder: Address, emergency: Id, slot: &EnvelopeSlot) -> Result<(), Failure> {
        let named = self.ledger.safeguards(&slot.patient).await.map_err(unavailable)?;
        if !named.is_some_and(|named| named.holders().contains(&holder)) {
            return Err(not_allowed("the patient does not name this institution as a holder"));
        }
        let at = address::emergency(&slot.patient, &emergency);
        let emergency: Option<Emergency> = self.account(&at).await?;
        let now = self.ledger.now().await.map_err(unavailable)?;
        if emergency.is_none_or(|emergency| now >= emergency.expires) {
            return Err(not_allowed("there is no such emergency, or it is over"));
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

    async fn carry_out(&self, call: Call) -> Result<Value, KeyStoreError> {
        let keys = &self.keys;
        Ok(match call {
            Call::Name => json!(keys.name().await?),
            Call::Patients => json!(keys.patients().await?.iter().map(hex::encode).collect::<Vec<_>>()),
            Call::Put { slot, envelope } => json!(keys.put(slot, &envelope).await?),
            Call::Slots(of) => json!(keys.slots(of.patient, of.record).await?),
            Call::Wrapping(slot) => json!(keys.wrapping(slot).await?.map(Wrapped::from)),
            Call::Discard(slot) => json!(keys.discard(slot).await?),
            Call::Destroy(of) => json!(WereThere::from(keys.destroy(of.patient, of.record).await?)),
            Call::Copies(of) => {
                let copies = keys.copies(of.patient, of.record).await?;
                json!(copies.into_iter().map(Copied::from).collect::<Vec<_>>())
            }
            Call::Opens(copy) => json!(keys.opens(&copy.into()).await?),
            Call::PutShare { slot, share } => json!(keys.put_share(slot, &share).await?),
            Call::Share(slot) => json!(found(keys.share(slot).await?)),
            Call::Shares { patient } => json!(keys.shares(patient).await?),
            Call::DiscardShare(slot) => json!(keys.discard_share(slot).await?),
            Call::PutPublicKey { key } => {
                keys.put_public_key(&key).await?;
                Value::Null
            }
            Call::PublicKey { hash } => json!(found(keys.public_key(hash).await?)),
            // Never without its own gate.
            Call::Release(_) => return Err(KeyStoreError::NoEnvelope),
        })
    }

    /// Gives out an envelope to the wallet that the ledger allowed it to. Asked twice, it gives the same twice.
    async fn release(&self, wallet: [u8; 32], asking: &Asking) -> Result<Given, Failure> {
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
        let ReleasedEnvelope { released, envelope } = released.map_err(|error| said(&error))?;
        // Request ids stand on chain for everybody to see.
        if released.reader != wallet {
            return Err(Failure::NotTheReader);
        }
        let found = envelope::key_epoch(&envelope).map_err(|_| Failure::Damaged)?;
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
        Ok(Given {
            slot: released.slot,
            reader: released.reader,
            envelope,
        })
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
        if let Some(member) = self.account::<Member>(&at).await? {
            return Ok(member.key_epoch);
        }
        if let Some(delegate) = self.account::<Delegate>(&at).await? {
            return Ok(delegate.key_epoch);
        }
        if let Some(institution) = self.account::<Institution>(&at).await? {
            return Ok(institution.key_epoch);
        }
        Err(Failure::NoDecision)
    }

    /// An account, if it is one of this kind.
    async fn account<T: AccountDeserialize>(&self, at: &Address) -> Result<Option<T>, Failure> {
        match self.ledger.try_read(at).await {
            Ok(account) => Ok(account),
            Err(LedgerError::Malformed { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// Whether an envelope is the patient's own: no delegate touches it.
fn is_patients_own(slot: &EnvelopeSlot) -> bool {
    slot.recipient == address::patient(&slot.patient).to_bytes()
}

fn found(bytes: Option<Vec<u8>>) -> Found {
    Found {
        bytes: bytes.map(|bytes| STANDARD.encode(bytes)),
    }
}

fn not_allowed(detail: &str) -> Failure {
    Failure::NotAllowed {
        detail: detail.to_owned(),
    }
}

/// What the caller is told; what it is not, goes into the log.
fn said(error: &KeyStoreError) -> Failure {
    match Failure::from(error) {
        Failure::LedgerUnavailable { .. } => {
            tracing::warn!(%error, "the ledger gave no answer");
            Failure::LedgerUnavailable {
                detail: "the service gets no answer from its ledger".to_owned(),
            }
        }
        failure => {
            if matches!(failure, Failure::Broken { .. } | Failure::Damaged) {
                tracing::error!(%error, "the key store failed");
            }
            failure
        }
    }
}
