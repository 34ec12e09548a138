//! Sharing, and its end. A grant on records that exist already is worth something only once their keys are wrapped for
//! the grantee, so the patient does that at once. Revoking is one write on chain; the grantee's envelopes go with it.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    events::Terms,
    instructions::CreateGrantArgs,
    seeds::{Id, NO_ID, address},
    state::{Grant, Patient, Record},
    vocabulary::{Action, GranteeKind, Purpose},
};

use super::{
    OpError, Session, draw_id,
    keys::{PublicKey, Recipients, Version},
};
use crate::store::{BlobStore, KeyStore, KeyStoreError};

/// Epoch of a person's key. A person has no account, so its key cannot change: it gets a new grant instead.
pub(super) const PERSON_KEY_EPOCH: u32 = 0;

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
    /// A wallet. Persons publish no key on chain: without theirs the grant stays `key pending`.
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
    /// Records whose key was wrapped for the grantee.
    pub wrapped: usize,
    /// Records whose key is still pending, because this session does not hold it.
    pub pending: usize,
}

/// A grant that has ended.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The transaction.
    pub signature: String,
    /// Envelopes that were deleted.
    pub envelopes: u64,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Grants rights, and wraps the keys of the records that it covers for the grantee.
    ///
    /// # Errors
    /// [`OpError`]. A grant that stands on chain and whose keys could not be wrapped is no error but `pending`.
    pub async fn grant(&self, request: &GrantRequest) -> Result<Granted, OpError> {
        let patient = self.ledger.patient(&request.patient).await?;
        let id = draw_id(|id| address::fits_grant(&patient.id, id))?;
        let (grantee_kind, grantee) = request.grantee.address();
        let terms = Terms {
            record: request.record.unwrap_or(NO_ID),
            classes: request.classes,
            grantee_kind,
            grantee,
            rights: request.rights.iter().fold(0, |mask, right| mask | right.bit()),
            purposes: request.purposes.iter().fold(0, |mask, purpose| mask | purpose.bit()),
            not_before: request.not_before.unwrap_or_default(),
            expires: request.expires,
            uses: request.uses.unwrap_or(chartseal_program::state::UNLIMITED),
        };
        let steward = Self::steward_of(&patient);
        let wallet = self.wallet();
        let instruction = builders::create_grant(
            wallet,
            wallet,
            steward.as_ref(),
            &patient.id,
            CreateGrantArgs { id, terms },
        );
        let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;

        let grant = self.ledger.grant(&patient.id, &id).await?;
        let mut granted = Granted {
            grant: id,
            signature: receipt.signature.to_string(),
            wrapped: 0,
            pending: 0,
        };
        if grant.rights & Action::Read.bit() == 0 {
            return Ok(granted);
        }
        let mut readers = Recipients::new();
        self.grantee_keys(&grant, &mut readers).await?;
        if let Grantee::Person { wallet, key: Some(key) } = request.grantee {
            readers.insert(
                wallet,
                PublicKey {
                    key,
                    epoch: PERSON_KEY_EPOCH,
                },
            );
        }
        for record in self.covered(&patient, &grant).await? {
            if readers.is_empty() || !self.rewrap(&patient, &record, &readers).await? {
                granted.pending += 1;
            } else {
                granted.wrapped += 1;
            }
        }
        Ok(granted)
    }

    /// Ends a grant, and deletes the envelopes of everybody who could read by it and by nothing else.
    ///
    /// # Errors
    /// [`OpError`]. Where the grant has ended on chain and an envelope could not be deleted, revoking again says so;
    /// the key store releases it to nobody all the same.
    pub async fn revoke(&self, patient: &Id, grant: &Id) -> Result<Revoked, OpError> {
        let patient = self.ledger.patient(patient).await?;
        let steward = Self::steward_of(&patient);
        let instruction = builders::revoke_grant(self.wallet(), steward.as_ref(), &patient.id, grant);
        let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;
        let grant = self.ledger.grant(&patient.id, grant).await?;
        let mut revoked = Revoked {
            signature: receipt.signature.to_string(),
            envelopes: 0,
        };
        let mut former = Recipients::new();
        self.grantee_keys(&grant, &mut former).await?;
        if grant.grantee_kind == GranteeKind::Person.byte() {
            former.insert(
                grant.grantee.to_bytes(),
                PublicKey {
                    key: [0; 32],
                    epoch: PERSON_KEY_EPOCH,
                },
            );
        }
        for record in self.covered(&patient, &grant).await? {
            let readers = self.readers(&patient, &record.id, record.class).await?;
            for recipient in former.keys() {
                let still = readers.contains_key(recipient) || record.author.to_bytes() == *recipient;
                if !still && !self.still_granted(&patient, &record, recipient).await? {
                    revoked.envelopes += self.keys.remove(patient.id, record.id, None, *recipient).await?;
                }
            }
        }
        Ok(revoked)
    }

    /// Opens this session's own envelope of a record, by an access that is logged like any other, and wraps the key for
    /// more readers. False where this session has no envelope.
    async fn rewrap(&self, patient: &Patient, record: &Record, readers: &Recipients) -> Result<bool, OpError> {
        let purpose = if patient.is_wallet(&self.wallet()) {
            Purpose::Personal
        } else {
            Purpose::Operations
        };
        let key = match self.obtain_key(patient, record, purpose, None).await {
            Ok((key, _)) => key,
            Err(OpError::Refused { .. } | OpError::KeyStore(KeyStoreError::NoEnvelope)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let version = Version {
            patient: patient.id,
            record: record.id,
            version: record.version,
            manifest_hash: record.manifest_hash,
        };
        self.wrap_all(&key, &version, readers).await?;
        Ok(true)
    }

    /// The records that a grant is about.
    async fn covered(&self, patient: &Patient, grant: &Grant) -> Result<Vec<Record>, OpError> {
        let records = self
            .ledger
            .records(&patient.id)
            .await?
            .into_iter()
            .map(|found| found.account);
        Ok(records
            .filter(|record| !record.is_erased() && grant.covers(&record.id, record.class))
            .collect())
    }

    /// Whether a person has another live grant on a record. Persons have no account, so `readers` does not list them.
    async fn still_granted(&self, patient: &Patient, record: &Record, wallet: &[u8; 32]) -> Result<bool, OpError> {
        let now = crate::clock::now();
        Ok(self
            .ledger
            .grants(&patient.id)
            .await?
            .into_iter()
            .map(|found| found.account)
            .any(|grant| {
                grant.grantee_kind == GranteeKind::Person.byte()
                    && grant.grantee.to_bytes() == *wallet
                    && grant.revoked == 0
                    && now < grant.expires
                    && grant.rights & Action::Read.bit() != 0
                    && grant.covers(&record.id, record.class)
            }))
    }
}

impl Grantee {
    fn address(&self) -> (GranteeKind, Address) {
        match self {
            Self::Member { institution, member } => (GranteeKind::Member, address::member(institution, member)),
            Self::Institution(id) => (GranteeKind::Institution, address::institution(id)),
            Self::Person { wallet, .. } => (GranteeKind::Person, Address::new_from_array(*wallet)),
        }
    }
}
