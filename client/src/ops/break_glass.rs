//! Break-glass: who holds shares of a patient's data keys, how the shares come to them, how one is released against a live
//! emergency, and how whoever opened it puts the key together.

use std::collections::BTreeSet;

use chartseal_program::{
    seeds::{Id, address},
    state::{Institution, Member, Record, Safeguards},
};
use solana_signature::Signature;

use super::{
    Access, OpError, Session,
    chart::{Chart, PublicKey, Recipients},
    keys::Version,
    post_quantum::recipient_key,
};
use crate::{
    keys::EncryptionKey,
    ledger::{HolderGate, LedgerError, ReleasedShareGate},
    seal::{
        DataKey, Manifest,
        break_glass::{self, BreakGlassError, KeyShare, ReleaseContext},
        envelope::{self, EnvelopeContext, EnvelopeError},
        fetch_manifest,
    },
    store::{
        BlobStore, KeyStore, KeyStoreError,
        keystore::{EnvelopeKind, EnvelopeSlot, GateError, ReleaseRequest},
    },
};

/// The institutions that hold shares of a patient's data keys.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// How many of them open a record together.
    threshold: u8,
    /// Those with a usable key, by the addresses of their accounts.
    pub(super) keys: Vec<([u8; 32], PublicKey)>,
}

/// A share that was released.
#[derive(Clone, Debug)]
pub struct ReleasedShare {
    /// The institution that held it.
    pub institution: Id,
    /// Whose record it is.
    pub patient: Id,
    /// The record.
    pub record: Id,
    /// The record's version.
    pub version: u32,
    /// The emergency.
    pub emergency: Id,
    /// The address of the Member account that it was released to.
    pub reader: String,
}

impl Holders {
    /// How many shares a data key is split into, and how many make it again. `None` where too few could keep one.
    fn sharing(&self) -> Option<(u8, u8)> {
        let count = u8::try_from(self.keys.len()).ok()?;
        (self.threshold > 0 && count >= self.threshold).then_some((self.threshold, count))
    }

    /// Whether the patient named holders, and too few of them could keep a share.
    pub(super) fn are_too_few(&self) -> bool {
        self.threshold > 0 && self.sharing().is_none()
    }

    fn slot(&self, version: &Version, holder: [u8; 32]) -> EnvelopeSlot {
        EnvelopeSlot {
            kind: EnvelopeKind::BreakGlass {
                threshold: self.threshold,
            },
            ..version.slot(holder)
        }
    }

    /// The places of all shares of a version.
    fn slots(&self, version: &Version) -> Vec<EnvelopeSlot> {
        let holders = self.keys.iter().filter(|_| self.sharing().is_some());
        holders.map(|(holder, _)| self.slot(version, *holder)).collect()
    }
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Who holds shares of a patient's data keys. An institution that published no usable key holds none.
    pub(super) async fn holders(&self, patient: &Id) -> Result<Holders, OpError> {
        let Some(safeguards) = self.ledger.safeguards(patient).await? else {
            return Ok(Holders::default());
        };
        let mut holders = Holders {
            threshold: safeguards.holder_threshold,
            keys: Vec::new(),
        };
        for holder in safeguards.holders() {
            if let Some(institution) = self.ledger.try_read::<Institution>(holder).await?
                && institution.key_epoch != 0
                && envelope::check_key(&institution.keys.encryption).is_ok()
            {
                let key = PublicKey::of(&institution.keys, institution.key_epoch);
                holders.keys.push((holder.to_bytes(), key));
            }
        }
        Ok(holders)
    }

    /// Shares a version's data key among its holders, in the place of what they held of it before; how many shares there
    /// are. What was before goes first, so that shares of two sharings never stand side by side. It goes only where the
    /// new ones can be wrapped as this session wants them.
    pub(super) async fn share_out(
        &self,
        key: &DataKey,
        version: &Version,
        holders: &Holders,
    ) -> Result<usize, OpError> {
        self.insist_on_post_quantum(&Recipients::new(), Some(holders)).await?;
        for slot in self.held(version).await? {
            self.keys.discard(slot).await?;
        }
        let Some((threshold, count)) = holders.sharing() else {
            return Ok(0);
        };
        let shares = break_glass::split(key, threshold, count)?;
        for (share, (holder, public)) in shares.iter().zip(&holders.keys) {
            let context = self.context(version, *holder, public.epoch).await?;
            let x_wing = self.x_wing_key(public).await?;
            let envelope = break_glass::wrap(share, recipient_key(public, x_wing.as_deref()), &context)?;
            self.keys.put(holders.slot(version, *holder), &envelope).await?;
        }
        Ok(shares.len())
    }

    /// Whether the holders of a version's shares are others by now, or more of them have to agree, or one has a new key.
    pub(super) async fn shares_due(&self, version: &Version, chart: &Chart) -> Result<bool, OpError> {
        let holders = &chart.holders;
        let (mut held, mut wanted) = (self.held(version).await?, holders.slots(version));
        held.sort_unstable();
        wanted.sort_unstable();
        if held != wanted {
            return Ok(true);
        }
        for (slot, (_, public)) in wanted.iter().zip(sorted(&holders.keys)) {
            if !self.is_wrapped(*slot, &public, chart.prefers_post_quantum).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The shares of a version that holders have.
    pub(super) async fn held(&self, version: &Version) -> Result<Vec<EnvelopeSlot>, OpError> {
        let all = self.keys.slots(version.patient, version.record).await?.into_iter();
        Ok(all
            .filter(|slot| {
                let ours = EnvelopeSlot {
                    kind: slot.kind,
                    ..version.slot(slot.recipient)
                };
                *slot == ours && matches!(slot.kind, EnvelopeKind::BreakGlass { .. })
            })
            .collect())
    }

    /// Deletes the shares that were released in emergencies that are over: nobody gets them any more, so nobody shall find
    /// them either. How many.
    pub(super) async fn sweep_released(&self, patient: &Id, record: &Id) -> Result<u64, OpError> {
        let (now, mut deleted) = (self.ledger.now().await?, 0);
        for slot in self.keys.slots(*patient, *record).await? {
            if let EnvelopeKind::Released { emergency, .. } = slot.kind {
                let over = now >= self.ledger.emergency(patient, &emergency).await?.expires;
                if over && self.keys.discard(slot).await? {
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    }

    /// Releases this institution's share to whoever opened the emergency that an access rests on: wraps it for that member's
    /// key: by X-Wing or not at all where this session insists on that. Only while the emergency is live, and the patient
    /// names the institution as a holder. `institution` where this wallet speaks for several holders.
    ///
    /// # Errors
    /// [`OpError`]; where [`OpError::is_refusal`] holds nothing was released.
    pub async fn release_share(&self, transaction: &str, institution: Option<Id>) -> Result<ReleasedShare, OpError> {
        let transaction: Signature = transaction
            .parse()
            .map_err(|_| OpError::Usage(format!("'{transaction}' is no transaction's signature")))?;
        let access = self.ledger.emergency_access(&transaction).await?;
        let patient = access.link.subject;
        let record = self.ledger.record(&patient, &access.record).await?;
        let version = Version::of(&record);
        let institution = match institution {
            Some(institution) => institution,
            None => self.holder_of(&patient).await?,
        };
        let holder = address::institution(&institution).to_bytes();
        let held = self.held(&version).await?;
        let slot = held.iter().find(|slot| slot.recipient == holder);
        let Some(EnvelopeKind::BreakGlass { threshold }) = slot.map(|slot| slot.kind) else {
            return Err(OpError::Usage(
                "this key store keeps no share of the record's newest version for this institution; the patient or \
                 another reader has to run `chartseal rewrap`"
                    .into(),
            ));
        };

        let reader = access.actor.credential;
        let member: Option<Member> = self.ledger.try_read(&reader).await?;
        let member = member.ok_or_else(|| LedgerError::NotFound {
            what: format!("member account {reader}"),
        })?;
        let public = PublicKey::of(&member.keys, member.key_epoch);
        // Before the share comes out of the key store.
        let readers = Recipients::from([(reader.to_bytes(), public)]);
        self.insist_on_post_quantum(&readers, None).await?;

        let gate = HolderGate::new(
            &self.ledger,
            transaction,
            institution,
            self.identity.wallet.address(),
            threshold,
        );
        let request = ReleaseRequest {
            request_id: access.request,
            recipient: holder,
        };
        let envelope = self.keys.release(&request, &gate).await?.envelope;
        let epoch = self.ledger.institution(&institution).await?.key_epoch;
        let context = self.context(&version, holder, epoch).await?;
        let share = self.open_share(&envelope, context, break_glass::open)?;

        let release = ReleaseContext {
            holder,
            emergency: access.under,
        };
        let context = self.context(&version, reader.to_bytes(), member.key_epoch).await?;
        let x_wing = self.x_wing_key(&public).await?;
        let to = recipient_key(&public, x_wing.as_deref());
        let envelope = break_glass::wrap_released(&share, to, &context, &release)?;
        self.keys
            .put(released_slot(&version, reader.to_bytes(), &release), &envelope)
            .await?;
        Ok(ReleasedShare {
            institution,
            patient,
            record: record.id,
            version: record.version,
            emergency: access.under,
            reader: reader.to_string(),
        })
    }

    /// The holder of a patient's shares that this wallet speaks for.
    async fn holder_of(&self, patient: &Id) -> Result<Id, OpError> {
        let safeguards = self.ledger.safeguards(patient).await?;
        let mut ours = Vec::new();
        for holder in safeguards.iter().flat_map(Safeguards::holders) {
            if let Some(institution) = self.ledger.try_read::<Institution>(holder).await?
                && institution.authority == self.wallet()
            {
                ours.push(institution.id);
            }
        }
        match ours.as_slice() {
            [one] => Ok(*one),
            [] => Err(OpError::Usage(
                "this wallet speaks for none of the institutions that the patient named as holders".into(),
            )),
            _ => Err(OpError::Usage(
                "this wallet speaks for several holders; say whose share it is (--institution)".into(),
            )),
        }
    }

    /// Puts a version's data key together from the shares that were released to this member in the emergency that an access
    /// rests on.
    pub(super) async fn combine_released(
        &self,
        record: &Record,
        (recipient, epoch): ([u8; 32], u32),
        access: &Access,
        emergency: Id,
    ) -> Result<DataKey, OpError> {
        let version = Version::of(record);
        let transaction: Signature = access.signature.parse().unwrap_or_default();
        let context = self.context(&version, recipient, epoch).await?;
        let (mut shares, mut refused) = (Vec::new(), None);
        for slot in self.slots_at_hand(&version).await? {
            let EnvelopeKind::Released { holder, .. } = slot.kind else {
                continue;
            };
            let release = ReleaseContext { holder, emergency };
            if slot != released_slot(&version, recipient, &release) {
                continue;
            }
            let gate = ReleasedShareGate::new(&self.ledger, transaction, holder);
            let request = ReleaseRequest {
                request_id: access.request,
                recipient,
            };
            let envelope = match self.keys.release(&request, &gate).await {
                Ok(released) => released.envelope,
                // Of two key stores one is away, and the other one's shares may do; of two shares one is damaged, or wrapped to
                // a key that the reader had before.
                Err(
                    KeyStoreError::NoEnvelope
                    | KeyStoreError::NoneAtHand(_)
                    | KeyStoreError::Unreachable(_)
                    | KeyStoreError::Damaged
                    | KeyStoreError::Service { .. },
                ) => continue,
                Err(error @ KeyStoreError::Gate(GateError::Refused { .. })) => {
                    refused = Some(error);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let open = |envelope: &[u8], key: &EncryptionKey, context: &EnvelopeContext| {
                break_glass::open_released(envelope, key, context, &release)
            };
            // One holder's damaged share must not spoil the others'.
            if let Ok(share) = self.open_share(&envelope, context, open) {
                shares.push(share);
            }
        }
        let manifest = fetch_manifest(&self.stores, record.locator, record.manifest_hash).await?;
        let manifest = Manifest::parse(&manifest).map_err(BreakGlassError::from)?;
        match break_glass::combine(&shares, &manifest) {
            Err(BreakGlassError::Missing { released, .. }) => match refused {
                Some(error) if shares.is_empty() => Err(error.into()),
                _ => Err(missing(&self.held(&version).await?, released, access)),
            },
            other => Ok(other?),
        }
    }

    /// The envelopes in those key stores that are there: in an emergency one that is away must not keep the others shut.
    async fn slots_at_hand(&self, version: &Version) -> Result<BTreeSet<EnvelopeSlot>, OpError> {
        let (mut slots, mut away) = (BTreeSet::new(), None);
        for store in self.keys.members() {
            match store.slots(version.patient, version.record).await {
                Ok(found) => slots.extend(found),
                Err(error) => away = Some(error),
            }
        }
        match away {
            Some(error) if slots.is_empty() => Err(error.into()),
            _ => Ok(slots),
        }
    }

    /// Opens the envelope of a share with any of this identity's keys.
    fn open_share(
        &self,
        envelope: &[u8],
        mut context: EnvelopeContext,
        open: impl Fn(&[u8], &EncryptionKey, &EnvelopeContext) -> Result<KeyShare, BreakGlassError>,
    ) -> Result<KeyShare, BreakGlassError> {
        context.recipient_key_epoch = envelope::key_epoch(envelope)?.min(context.recipient_key_epoch);
        let mut keys = self.identity.encryption_keys();
        keys.find_map(|key| open(envelope, key, &context).ok())
            .ok_or_else(|| EnvelopeError::DoesNotOpen.into())
    }
}

fn sorted(keys: &[([u8; 32], PublicKey)]) -> Vec<([u8; 32], PublicKey)> {
    let mut keys = keys.to_vec();
    keys.sort_unstable_by_key(|(holder, _)| *holder);
    keys
}

fn released_slot(version: &Version, reader: [u8; 32], release: &ReleaseContext) -> EnvelopeSlot {
    EnvelopeSlot {
        kind: EnvelopeKind::Released {
            holder: release.holder,
            emergency: release.emergency,
        },
        ..version.slot(reader)
    }
}

/// What is missing before a record opens: shares, or all of them where nobody ever had any.
fn missing(held: &[EnvelopeSlot], released: usize, access: &Access) -> OpError {
    let threshold = held.iter().find_map(|slot| match slot.kind {
        EnvelopeKind::BreakGlass { threshold } => Some(threshold),
        EnvelopeKind::Reader | EnvelopeKind::Released { .. } | EnvelopeKind::Anonymous => None,
    });
    match threshold {
        Some(threshold) => OpError::SharesMissing {
            released,
            needed: threshold.into(),
            transaction: access.signature.clone(),
        },
        None => OpError::Usage(
            "the emergency is open, but nobody holds shares of this record's key: it was stored before the patient named \
             holders, and somebody who can read it has to run `chartseal rewrap`"
                .into(),
        ),
    }
}
