//! Opening a batch's list: who may, and that it is the one that stands on chain.

use chartseal_program::{
    seeds::{Id, address},
    state::Batch,
};

use super::{Batched, List, list_ids, writes};
use crate::{
    ledger::{Ledger, LedgerError},
    ops::{OpError, Session, keys::Version},
    seal::{Manifest, OnChain, OpenError, RecordIds, fetch_manifest, open_stream},
    store::{
        BlobStore, KeyStore, KeyStoreError,
        keystore::{EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate, ReleaseRequest, Released},
    },
};

/// The longest list that is opened, in sealed bytes: far more than that of the largest batch.
const LONGEST_LIST: u64 = 64 << 20;

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Opens a batch's list and holds it against the chain. For members of its institution who may write, and for its
    /// authority.
    ///
    /// # Errors
    /// [`KeyStoreError::NoEnvelope`] where this session holds no key of it; an error for which [`OpError::is_tampered`]
    /// holds where the list is not the one that was anchored.
    pub async fn batch(&self, institution: &Id, batch: &Id) -> Result<Batched, OpError> {
        let anchored = self.anchored(institution, batch).await?;
        let holder = self.holder(institution).await?;
        let ids = list_ids(institution, batch);
        let slots = self.keys.slots(ids.patient, ids.record).await?.into_iter();
        // Of an import that was broken off there may be more than one list; the chain names one.
        let mut failure = OpError::from(KeyStoreError::NoEnvelope);
        for slot in slots.filter(|slot| (slot.recipient, slot.kind) == (holder.account, EnvelopeKind::Reader)) {
            match fetch_manifest(&self.stores, anchored.locator, slot.manifest_hash).await {
                Ok(manifest) => {
                    let bytes = self.open_list(&manifest, slot.manifest_hash, &holder, ids).await?;
                    let list = List::from_bytes(&bytes)?;
                    let tampered = || OpError::from(OpenError::tampered("the list of the batch"));
                    return Batched::check(list, &anchored).ok_or_else(tampered);
                }
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    async fn open_list(
        &self,
        manifest: &[u8],
        manifest_hash: [u8; 32],
        holder: &Holder,
        ids: RecordIds,
    ) -> Result<Vec<u8>, OpError> {
        let parsed = Manifest::parse(manifest).map_err(OpenError::from)?;
        if parsed.padded_size() > LONGEST_LIST {
            return Err(OpenError::tampered("the list of the batch").into());
        }
        let gate = ListGate {
            ledger: &self.ledger,
            holder,
            reader: self.identity.wallet.address(),
            ids,
            manifest_hash,
        };
        let request = ReleaseRequest {
            request_id: ids.record,
            recipient: holder.account,
        };
        let released = self.keys.release(&request, &gate).await?;
        let version = Version {
            patient: ids.patient,
            record: ids.record,
            version: ids.version,
            manifest_hash,
        };
        let context = self.context(&version, holder.account, holder.epoch).await?;
        let key = self.open_envelope(&released.envelope, context)?;
        let on_chain = OnChain {
            manifest_hash,
            content_root: parsed.content_root(),
        };
        let mut bytes = Vec::new();
        open_stream(manifest, &on_chain, ids, &key, &self.stores, None, &mut bytes, &|_| {}).await?;
        Ok(bytes)
    }

    /// As whom this session holds keys of an institution's lists: one of its members, or its authority.
    async fn holder(&self, institution: &Id) -> Result<Holder, OpError> {
        let ours = self.membership().await?.filter(|(of, _)| of == institution);
        Ok(match ours {
            Some((_, member)) => Holder {
                institution: *institution,
                member: Some(member),
                account: address::member(institution, &member).to_bytes(),
                epoch: self.ledger.member(institution, &member).await?.key_epoch,
            },
            None => Holder {
                institution: *institution,
                member: None,
                account: address::institution(institution).to_bytes(),
                epoch: self.ledger.institution(institution).await?.key_epoch,
            },
        })
    }

    /// A batch as it stands on chain.
    pub(super) async fn anchored(&self, institution: &Id, batch: &Id) -> Result<Batch, OpError> {
        let found = self.ledger.try_read(&address::batch(institution, batch)).await?;
        found.ok_or_else(|| {
            let what = format!(
                "batch {} of institution {}",
                hex::encode(batch),
                hex::encode(institution)
            );
            LedgerError::NotFound { what }.into()
        })
    }
}

/// The account that a key of a list is wrapped for.
#[derive(Debug)]
struct Holder {
    institution: Id,
    member: Option<Id>,
    account: [u8; 32],
    epoch: u32,
}

/// What stands between a key store and whoever opens a list: no patient decides about it, so no event allows it; the
/// reader is who it says and belongs to the institution, now.
struct ListGate<'a> {
    ledger: &'a Ledger,
    holder: &'a Holder,
    reader: [u8; 32],
    ids: RecordIds,
    manifest_hash: [u8; 32],
}

impl ReleaseGate for ListGate<'_> {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        let refused = |reason: &str| GateError::Refused { reason: reason.into() };
        let Holder {
            institution,
            member,
            account,
            ..
        } = self.holder;
        let now = self.ledger.now().await?;
        let body = self.ledger.institution(institution).await?;
        let belongs = match member {
            Some(member) => {
                let member = self.ledger.member(institution, member).await?;
                member.is_active(now) && writes(&member) && member.wallet.to_bytes() == self.reader
            }
            None => body.authority.to_bytes() == self.reader,
        };
        if !belongs || !body.is_active(now) || request_id != self.ids.record {
            return Err(refused(
                "only the institution and its active members who write open its lists",
            ));
        }
        Ok(Released {
            slot: EnvelopeSlot {
                patient: self.ids.patient,
                record: self.ids.record,
                version: self.ids.version,
                manifest_hash: self.manifest_hash,
                recipient: *account,
                kind: EnvelopeKind::Reader,
            },
            reader: self.reader,
        })
    }
}
