//! Storing envelopes, and shares of patients' keys. The chain says who may, and what may be replaced by it; what lies there
//! is looked at last, while nobody else stores for that record. Whoever is no staff stores as much as the quotas allow.

use chartseal::ledger::LedgerError;
use chartseal::seal::envelope::{self, Wrapping};
use chartseal::store::KeyStore as _;
use chartseal::store::keystore::remote::wire::{Acting, Failure};
use chartseal::store::keystore::{EnvelopeKind, EnvelopeSlot, ShareSlot};
use chartseal_program::seeds::{Id, address};
use chartseal_program::state::Emergency;
use chartseal_program::vocabulary::Action;
use solana_address::Address;
use tokio::sync::{Mutex, MutexGuard};

use crate::calls::{Service, is_patients_own, not_allowed, said};
use crate::sharing::{Sharer, may_share};
use crate::staff::{Capacity, account, capacity, unavailable};

/// What a delegate has to be allowed before it wraps keys for others.
const WRITING: u8 = Action::Append.bit() | Action::Amend.bit() | Action::Share.bit();

/// What an envelope may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Anything,
    /// Of nothing that is an envelope.
    Nothing,
    /// Of no envelope that is wrapped to its reader's key of this epoch: the present one.
    Unreadable(u32),
}

impl Over {
    fn allows(self, there: Option<Wrapping>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => there.is_none(),
            Self::Unreadable(epoch) => there.is_none_or(|there| there.key_epoch != epoch),
        }
    }
}

/// Lets one at a time store for a record: what was looked at is what is replaced.
#[derive(Debug)]
pub(crate) struct Places(Vec<Mutex<()>>);

impl Places {
    pub(crate) fn new() -> Self {
        Self((0..=u8::MAX).map(|_| Mutex::new(())).collect())
    }

    async fn alone(&self, id: &Id) -> Option<MutexGuard<'_, ()>> {
        let [first, ..] = id;
        match self.0.get(usize::from(*first)) {
            Some(place) => Some(place.lock().await),
            None => None,
        }
    }
}

impl Service {
    /// Stores an envelope for whoever may.
    pub(crate) async fn put(
        &self,
        wallet: [u8; 32],
        acting: Option<Acting>,
        slot: &EnvelopeSlot,
        envelope: &[u8],
    ) -> Result<(), Failure> {
        if envelope::wrapping(envelope).is_err() {
            return Err(not_allowed(
                "these bytes are no envelope that this release of the service knows",
            ));
        }
        let capacity = capacity(&self.ledger, &self.served, wallet, acting).await?;
        let over = self.may_put(wallet, capacity, slot).await?;
        let _alone = self.places.alone(&slot.record).await;
        let there = self.keys.wrapping(*slot).await.map_err(|error| said(&error))?;
        if !over.allows(there) {
            return Err(not_allowed(
                "there is an envelope already that its reader can open; only the patient, staff of the institutions that \
                 this service is for, and delegates who may share replace it",
            ));
        }
        if there.is_none() && capacity != Capacity::Staff {
            self.quotas.place(&slot.patient)?;
        }
        self.keys.put(*slot, envelope).await.map_err(|error| said(&error))
    }

    async fn may_put(&self, wallet: [u8; 32], capacity: Capacity, slot: &EnvelopeSlot) -> Result<Over, Failure> {
        match (slot.kind, capacity) {
            (
                EnvelopeKind::Released { holder, emergency },
                Capacity::Elsewhere {
                    institution,
                    member: None,
                },
            ) if institution.to_bytes() == holder => {
                self.may_give_share(institution, emergency, slot).await?;
                return Ok(Over::Anything);
            }
            (_, Capacity::Delegate { patient, rights })
                if patient == slot.patient && rights & WRITING != 0 && !is_patients_own(slot) =>
            {
                // To overwrite is to discard, which takes the right to share; what is being written stands nowhere yet.
                let may_discard = rights & Action::Share.bit() != 0;
                return Ok(match may_discard || self.is_to_come(slot).await? {
                    true => Over::Anything,
                    false => Over::Nothing,
                });
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
                if let Some(present) = may_share(&self.ledger, &sharer, slot).await?
                    && !self.is_patient(wallet, &slot.patient).await?
                {
                    return Ok(Over::Unreadable(present));
                }
            }
            _ => {}
        }
        self.is_for(wallet, capacity, &slot.patient).await?;
        Ok(Over::Anything)
    }

    /// Whether no such version stands on chain.
    async fn is_to_come(&self, slot: &EnvelopeSlot) -> Result<bool, Failure> {
        match self.ledger.record(&slot.patient, &slot.record).await {
            Ok(record) if slot.version == record.version => Ok(slot.manifest_hash != record.manifest_hash),
            Ok(record) => Ok(slot.version > record.version),
            Err(LedgerError::NotFound { .. }) => Ok(true),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// A holder gives its share to whoever opened an emergency that is not over, of a patient who names it, of a record that is
    /// there, in the version that an emergency opens.
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
            Ok(record) if record.is_erased() => Err(not_allowed("there is no such record")),
            Ok(record) if (record.version, record.manifest_hash) != (slot.version, slot.manifest_hash) => Err(
                not_allowed("an emergency opens the record's newest version, and no other"),
            ),
            Ok(_) => Ok(()),
            Err(LedgerError::NotFound { .. }) => Err(not_allowed("there is no such record")),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Stores a share of a patient's key: the patient deals them, and a guardian passes on what was dealt to it.
    pub(crate) async fn put_share(&self, wallet: [u8; 32], slot: &ShareSlot, share: &[u8]) -> Result<(), Failure> {
        if !self.is_patient(wallet, &slot.patient).await? {
            self.may_pass_on(wallet, slot).await?;
        }
        let _alone = self.places.alone(&slot.patient).await;
        let there = self.keys.share(*slot).await.map_err(|error| said(&error))?;
        if there.is_none() {
            self.quotas.place(&slot.patient)?;
        }
        self.keys.put_share(*slot, share).await.map_err(|error| said(&error))
    }

    /// One guardian must not bury the others' shares, so it stores beside a share that was dealt to it, for the patient's next
    /// or present key, and nothing else.
    async fn may_pass_on(&self, wallet: [u8; 32], slot: &ShareSlot) -> Result<(), Failure> {
        let named = self.ledger.safeguards(&slot.patient).await.map_err(unavailable)?;
        let is_guardian = |guardian: &chartseal_program::state::Guardian| guardian.wallet.to_bytes() == wallet;
        let Some(named) = named.filter(|named| named.guardians().iter().any(is_guardian)) else {
            return Err(not_allowed(
                "only the patient and the guardian itself, whom the patient names, may do that",
            ));
        };
        let of_another = slot.guardian != wallet;
        let present = self.ledger.patient(&slot.patient).await.map_err(unavailable)?.keys;
        let is_next = named.is_pending() && slot.sealed_to == named.pending_keys.encryption;
        if of_another || !(is_next || slot.sealed_to == present.encryption) {
            return Err(not_allowed(
                "a guardian passes its own share on, to the key that the guardians agreed on or the patient's present one",
            ));
        }
        let dealt = self.keys.shares(slot.patient).await.map_err(|error| said(&error))?;
        let fits = |dealt: &ShareSlot| {
            let sealed_to = slot.sealed_to;
            ShareSlot { sealed_to, ..*dealt } == *slot
        };
        if dealt.iter().any(fits) {
            Ok(())
        } else {
            Err(not_allowed(
                "no such share was dealt to this guardian by way of this service",
            ))
        }
    }

    /// Shares of a patient's key are the patient's to take back.
    pub(crate) async fn may_take_back(&self, wallet: [u8; 32], slot: &ShareSlot) -> Result<(), Failure> {
        if self.is_patient(wallet, &slot.patient).await? {
            Ok(())
        } else {
            Err(not_allowed("only the patient may do that"))
        }
    }
}
