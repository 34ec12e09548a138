//! Sharing, and its end. A grant on records that exist already is worth something only once their keys are wrapped for
//! the grantee, so the patient does that at once. Revoking is one write on chain; the grantee's envelopes go with it.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self, By},
    events::Terms,
    instructions::CreateGrantArgs,
    seeds::{Id, NO_ID, address},
    state::{Grant, Record, UNLIMITED},
    vocabulary::{Action, GranteeKind, Purpose},
};

use super::{
    OpError, Rewrapped, Session,
    chart::Chart,
    draw_id,
    request::{purposes_mask, rights_mask},
};
use crate::{
    ledger::Receipt,
    seal::envelope,
    store::{BlobStore, KeyStore, keystore::EnvelopeKind},
};

/// Whom a grant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// A member of an institution.
    Member {
        /// The institution's id.
        institution: Id,
        /// The member's id.
        member: Id,
    },
    /// An institution, and so all of its members.
    Institution(Id),
    /// A wallet. Persons have no account that could publish a key: theirs stands in the grant, and without it the
    /// grant's keys stay pending.
    Person {
        /// The wallet's address.
        wallet: [u8; 32],
        /// Its X25519 public key, as the person gave it to the patient.
        key: Option<[u8; 32]>,
    },
}

/// A grant to be made.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Who grants.
    pub patient: Id,
    /// To whom.
    pub grantee: Grantee,
    /// On one record ...
    pub record: Option<Id>,
    /// ... or on classes, one bit each.
    pub classes: u32,
    /// What is allowed.
    pub rights: Vec<Action>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// Valid from, in seconds since 1970; at once where none is named.
    pub not_before: Option<i64>,
    /// Valid until just before, in seconds since 1970.
    pub expires: i64,
    /// How often; without limit where none is named.
    pub uses: Option<u32>,
}

/// A grant that stands on chain.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Its id.
    pub grant: Id,
    /// The transaction.
    pub signature: String,
    /// What became of the keys of the records that it covers.
    pub keys: Rewrapped,
}

/// A grant that has ended.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The transaction; none where it had been revoked before, and only envelopes were left to delete.
    pub signature: Option<String>,
    /// Envelopes that were deleted.
    pub envelopes: u64,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Grants rights, and wraps the keys of the records that it covers for the grantee.
    ///
    /// # Errors
    /// [`OpError`], as long as nothing stands on chain. Keys that could not be wrapped afterwards are no error but
    /// pending: [`rewrap`](Self::rewrap) makes up for them.
    pub async fn grant(&self, request: &GrantRequest) -> Result<Granted, OpError> {
        if let Grantee::Person { key: Some(key), .. } = &request.grantee {
            envelope::check_key(key)?;
        }
        let patient = self.ledger.patient(&request.patient).await?;
        let id = draw_id(|id| address::fits_grant(&patient.id, id))?;
        let terms = request.terms();
        let by = self.deciding(&patient).await?;
        let instruction = builders::create_grant(&by, self.payer().await?, &patient.id, CreateGrantArgs { id, terms });
        let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;

        Ok(self.granted(&patient.id, &id, terms.rights, &receipt).await)
    }

    /// Wraps the keys of the records that a new grant covers. It stands on chain: what fails now is pending.
    pub(super) async fn granted(&self, patient: &Id, grant: &Id, rights: u8, receipt: &Receipt) -> Granted {
        let mut keys = Rewrapped::default();
        if rights & Action::Read.bit() != 0
            && let Err(error) = self.wrap_covered(patient, grant, &mut keys).await
        {
            keys.because = Some(error.to_string());
        }
        Granted {
            grant: *grant,
            signature: receipt.signature.to_string(),
            keys,
        }
    }

    async fn wrap_covered(&self, patient: &Id, grant: &Id, keys: &mut Rewrapped) -> Result<(), OpError> {
        let chart = self.chart(patient).await?;
        let grant = self.ledger.grant(patient, grant).await?;
        for record in self.covered(&grant).await? {
            self.rewrap_one(&chart, &record, keys).await?;
        }
        Ok(())
    }

    /// Ends a grant, and deletes the envelopes of everybody who could read by it and by nothing else. A grant that was
    /// revoked before is no error: what was left to delete is deleted.
    ///
    /// # Errors
    /// [`OpError`]. Where an envelope could not be deleted, revoke again; nobody gets it meanwhile, because the key
    /// store asks the chain.
    pub async fn revoke(&self, patient: &Id, grant: &Id) -> Result<Revoked, OpError> {
        let before = self.ledger.grant(patient, grant).await?;
        let mut revoked = Revoked {
            signature: None,
            envelopes: 0,
        };
        if before.revoked == 0 {
            let wallet = self.wallet();
            // Whoever passed a grant on ends it by its own signature.
            let by = if before.parent != NO_ID && before.issuer == wallet {
                By::wallet(wallet)
            } else {
                self.deciding(&self.ledger.patient(patient).await?).await?
            };
            let instruction = builders::revoke_grant(&by, patient, grant);
            let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;
            revoked.signature = Some(receipt.signature.to_string());
        }
        let chart = self.chart(patient).await?;
        for record in self.covered(&before).await? {
            revoked.envelopes += self.sweep(&chart, &record).await?;
        }
        Ok(revoked)
    }

    /// Deletes the envelopes of everybody who may not keep one of a record any more; how many.
    pub(super) async fn sweep(&self, chart: &Chart, record: &Record) -> Result<u64, OpError> {
        let keepers = chart.keepers(record);
        let mut deleted = self.sweep_released(&record.patient, &record.id).await?;
        for slot in self.keys.slots(record.patient, record.id).await? {
            let reader = slot.kind == EnvelopeKind::Reader;
            if reader && !keepers.contains(&slot.recipient) && self.keys.discard(slot).await? {
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// The records that a grant is about.
    pub(super) async fn covered(&self, grant: &Grant) -> Result<Vec<Record>, OpError> {
        let records = self
            .ledger
            .records(&grant.patient)
            .await?
            .into_iter()
            .map(|found| found.account);
        Ok(records
            .filter(|record| !record.is_erased() && grant.covers(&record.id, record.class))
            .collect())
    }
}

impl GrantRequest {
    fn terms(&self) -> Terms {
        let (grantee_kind, grantee) = self.grantee.address();
        let grantee_key = match self.grantee {
            Grantee::Person { key: Some(key), .. } => key,
            _ => [0; 32],
        };
        Terms {
            record: self.record.unwrap_or(NO_ID),
            classes: self.classes,
            grantee_kind,
            grantee,
            grantee_key,
            rights: rights_mask(&self.rights),
            purposes: purposes_mask(&self.purposes),
            not_before: self.not_before.unwrap_or_default(),
            expires: self.expires,
            uses: self.uses.unwrap_or(UNLIMITED),
        }
    }
}

impl Grantee {
    pub(super) fn address(&self) -> (GranteeKind, Address) {
        match self {
            Self::Member { institution, member } => (GranteeKind::Member, address::member(institution, member)),
            Self::Institution(id) => (GranteeKind::Institution, address::institution(id)),
            Self::Person { wallet, .. } => (GranteeKind::Person, Address::new_from_array(*wallet)),
        }
    }
}
