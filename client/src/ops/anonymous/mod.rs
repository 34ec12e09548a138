//! Granting without a name: a leaf of a tree in the place of a grant's account. Whoever decides for the patient takes an
//! invitation, and neither the chain nor the key store learns whose it is. The data key is wrapped to the invitation's
//! one-time key, now and with every version to come.

mod reading;

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    events::AnyEvent,
    instructions::RevokeAnonymousGrantArgs,
    membership::AnonymousTerms,
    seeds::{BUMP, Id, NO_ID, TREE},
    state::{GrantTree, Record},
    vocabulary::Action,
};

pub use reading::{AnonymousReader, ReadAnonymously, ReadingAnonymously, Step};

use super::{
    OpError, Rewrapped, Session, chart::Chart, chart::PERSON_KEY_EPOCH, draw_id, keys::Version, request::rights_mask,
};
use crate::{
    keys::Invitation,
    ledger::{AnonymousGrant, Found, Ledger, LedgerError, Receipt},
    seal::{DataKey, envelope},
    store::{
        BlobStore, KeyStore,
        keystore::{EnvelopeKind, EnvelopeSlot},
    },
};

/// How often a path is read anew that others' changes have outrun.
const READS: usize = 3;

/// A grant without a name to be made.
#[derive(Clone, Debug)]
pub struct AnonymousGrantRequest {
    /// Who grants.
    pub patient: Id,
    /// On which record.
    pub record: Id,
    /// What the reader handed over.
    pub invitation: Invitation,
    /// What is allowed: reading, aggregating or both.
    pub rights: Vec<Action>,
    /// Valid until just before, in seconds since 1970.
    pub expires: i64,
    /// The tree to put it in; the only one, where none is named.
    pub tree: Option<Id>,
}

/// A grant without a name that stands on chain.
#[derive(Clone, Debug)]
pub struct AnonymousGranted {
    /// The tree's id.
    pub tree: Id,
    /// Its place there, from 0.
    pub index: u32,
    /// The transaction.
    pub signature: String,
    /// What became of the record's key.
    pub keys: Rewrapped,
}

/// A grant without a name that has ended.
#[derive(Clone, Debug)]
pub struct AnonymousRevoked {
    /// The transaction; none where it had been revoked before, and only envelopes were left to delete.
    pub signature: Option<String>,
    /// Envelopes that were deleted.
    pub envelopes: u64,
}

/// One-time keys that ought to have an envelope of a record.
pub(super) type OneTimeKeys = Vec<[u8; 32]>;

/// The only tree there is, where none is named.
pub(super) async fn chosen_tree(ledger: &Ledger, named: Option<Id>) -> Result<Id, OpError> {
    if let Some(tree) = named {
        return Ok(tree);
    }
    match ledger.grant_trees().await?.as_slice() {
        [only] => Ok(only.account.id),
        [] => Err(OpError::Usage(
            "there is no tree for grants without a name; the admin opens one (`chartseal tree open`)".into(),
        )),
        several => {
            let ids: Vec<_> = several.iter().map(|found| hex::encode(found.account.id)).collect();
            Err(OpError::Usage(format!(
                "there are several trees; name one (--tree {})",
                ids.join(" or --tree ")
            )))
        }
    }
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Opens a tree for grants without a name; its id. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn open_tree(&self) -> Result<(Id, Receipt), OpError> {
        let fits = |id: &Id| {
            let (_, bump) = Address::find_program_address(&[TREE, id], &chartseal_program::ID);
            *id != NO_ID && bump == BUMP
        };
        let id = draw_id(fits)?;
        let payer = self.payer().await?;
        let receipt = self.send(builders::open_tree(self.wallet(), payer, id)).await?;
        Ok((id, receipt))
    }

    /// Grants rights on a record to whoever holds an invitation, and wraps the record's key for it.
    ///
    /// # Errors
    /// [`OpError`], as long as nothing stands on chain. A key that could not be wrapped afterwards is no error but
    /// pending: [`rewrap`](Self::rewrap) makes up for it.
    pub async fn grant_anonymously(&self, request: &AnonymousGrantRequest) -> Result<AnonymousGranted, OpError> {
        envelope::check_key(&request.invitation.key)?;
        let tree = chosen_tree(&self.ledger, request.tree).await?;
        let patient = self.ledger.patient(&request.patient).await?;
        let terms = AnonymousTerms {
            rights: rights_mask(&request.rights),
            expires: request.expires,
            key: request.invitation.key,
            commitment: request.invitation.commitment,
        };
        let by = self.deciding(&patient).await?;
        let of = (&patient.id, &request.record);
        let instruction = builders::create_anonymous_grant(&by, self.payer().await?, of, &tree, terms);
        let receipt = self.send(instruction).await?;
        let index = match &receipt.event {
            AnyEvent::AnonymousGrantCreated(event) => event.index,
            other => {
                let what = format!("the answer {}", other.name());
                return Err(LedgerError::Malformed { what }.into());
            }
        };
        let mut keys = Rewrapped::default();
        if let Err(error) = self.wrap_granted(&patient.id, &request.record, &mut keys).await {
            keys.pending = keys.pending.max(1);
            keys.because = Some(error.to_string());
        }
        Ok(AnonymousGranted {
            tree,
            index,
            signature: receipt.signature.to_string(),
            keys,
        })
    }

    async fn wrap_granted(&self, patient: &Id, record: &Id, keys: &mut Rewrapped) -> Result<(), OpError> {
        let chart = self.chart(patient).await?;
        let record = self.ledger.record(patient, record).await?;
        self.rewrap_one(&chart, &record, keys).await
    }

    /// Grants without a name on a record, in every tree, also those that have ended.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn anonymous_grants(&self, patient: &Id, record: &Id) -> Result<Vec<AnonymousGrant>, OpError> {
        let trees = self.ledger.grant_trees().await?;
        self.anonymous_grants_in(&trees, patient, record).await
    }

    async fn anonymous_grants_in(
        &self,
        trees: &[Found<GrantTree>],
        patient: &Id,
        record: &Id,
    ) -> Result<Vec<AnonymousGrant>, OpError> {
        let mut grants = Vec::new();
        for tree in trees {
            let id = &tree.account.id;
            grants.extend(self.ledger.anonymous_grants(id, patient, record).await?);
        }
        Ok(grants)
    }

    /// Ends a grant without a name before its time, and deletes the envelopes of everybody who has none on the record any
    /// more. One that was revoked before is no error: what was left to delete is deleted.
    ///
    /// # Errors
    /// [`OpError`]. Where an envelope could not be deleted, revoke again; nobody gets it meanwhile, because the key store
    /// asks the chain.
    pub async fn revoke_anonymous(
        &self,
        patient: &Id,
        record: &Id,
        index: u32,
        tree: Option<Id>,
    ) -> Result<AnonymousRevoked, OpError> {
        let tree = chosen_tree(&self.ledger, tree).await?;
        let grants = self.ledger.anonymous_grants(&tree, patient, record).await?;
        let Some(grant) = grants.iter().find(|grant| grant.index == index) else {
            return Err(OpError::Usage(format!(
                "place {index} of tree {} is no grant on this record; see `chartseal anonymous list`",
                hex::encode(tree)
            )));
        };
        let signature = match grant.revoked_at {
            Some(_) => None,
            None => Some(self.revoke_leaf(grant).await?.signature.to_string()),
        };
        let envelopes = self.sweep_anonymous(patient, record).await?;
        Ok(AnonymousRevoked { signature, envelopes })
    }

    async fn revoke_leaf(&self, grant: &AnonymousGrant) -> Result<Receipt, OpError> {
        let by = self.deciding(&self.ledger.patient(&grant.patient).await?).await?;
        let mut reads = 0;
        loop {
            let grown = self.ledger.grown_tree(&grant.tree, |_, _| {}).await?;
            let path = grown.tree.path(grant.index)?;
            let args = RevokeAnonymousGrantArgs {
                index: grant.index,
                number: path.number,
                terms: grant.terms,
                path: path.trimmed().to_vec(),
            };
            let of = (&grant.patient, &grant.record);
            reads += 1;
            match self
                .send(builders::revoke_anonymous_grant(&by, of, &grant.tree, args))
                .await
            {
                Err(OpError::Ledger(LedgerError::Contract { name: "StalePath", .. })) if reads < READS => {}
                outcome => return outcome,
            }
        }
    }

    /// Deletes the envelopes of one-time keys that have no live grant on a record any more; how many.
    async fn sweep_anonymous(&self, patient: &Id, record: &Id) -> Result<u64, OpError> {
        let now = self.ledger.now().await?;
        let grants = self.anonymous_grants(patient, record).await?;
        let mut deleted = 0;
        for slot in self.keys.slots(*patient, *record).await? {
            let is_live = |grant: &AnonymousGrant| grant.is_live(now) && grant.terms.key == slot.recipient;
            let over = slot.kind == EnvelopeKind::Anonymous && !grants.iter().any(is_live);
            if over && self.keys.discard(slot).await? {
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// The one-time keys of those who may read a record now without a name.
    pub(super) async fn one_time_keys(&self, chart: &Chart, patient: &Id, record: &Id) -> Result<OneTimeKeys, OpError> {
        let grants = self.anonymous_grants_in(&chart.trees, patient, record).await?;
        let reading = grants
            .iter()
            .filter(|grant| grant.is_live(chart.now) && grant.terms.rights & Action::Read.bit() != 0);
        // One reader may have two grants on a record.
        let keys: BTreeMap<_, _> = reading.map(|grant| (grant.terms.key, ())).collect();
        Ok(keys.into_keys().collect())
    }

    /// Those of them who have no envelope of the newest version.
    pub(super) async fn one_time_keys_without(&self, chart: &Chart, record: &Record) -> Result<OneTimeKeys, OpError> {
        let mut missing = self.one_time_keys(chart, &record.patient, &record.id).await?;
        if missing.is_empty() {
            return Ok(missing);
        }
        let version = Version::of(record);
        for slot in self.keys.slots(record.patient, record.id).await? {
            let ours = slot == version.anonymous_slot(slot.recipient);
            if ours && self.keys.wrapping(slot).await?.is_some() {
                missing.retain(|key| *key != slot.recipient);
            }
        }
        Ok(missing)
    }

    /// Wraps a data key to one-time keys; to how many of them nothing was wrapped, because nothing can be, or because this
    /// session insists on X-Wing, of which a one-time key has none.
    pub(super) async fn wrap_anonymously(
        &self,
        key: &DataKey,
        version: &Version,
        readers: &[[u8; 32]],
    ) -> Result<usize, OpError> {
        if self.requires_post_quantum {
            return Ok(readers.len());
        }
        let mut refused = 0;
        for reader in readers {
            let context = self.context(version, *reader, PERSON_KEY_EPOCH).await?;
            match envelope::wrap(key, reader, &context) {
                Ok(envelope) => self.keys.put(version.anonymous_slot(*reader), &envelope).await?,
                Err(envelope::EnvelopeError::BadRecipientKey) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(refused)
    }
}

impl Version {
    pub(super) fn anonymous_slot(&self, one_time_key: [u8; 32]) -> EnvelopeSlot {
        EnvelopeSlot {
            kind: EnvelopeKind::Anonymous,
            ..self.slot(one_time_key)
        }
    }
}
