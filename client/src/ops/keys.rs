//! For whom a version's data key is wrapped, and how the envelopes come into the key store.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    ID,
    seeds::{Id, address},
    state::{Grant, Institution, Member, Patient},
    vocabulary::{Action, GranteeKind, Standing},
};

use super::{OpError, Session};
use crate::{
    clock::now,
    seal::{
        DataKey,
        envelope::{self, EnvelopeContext},
    },
    store::{BlobStore, KeyStore, keystore::EnvelopeSlot},
};

/// A public encryption key and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) key: [u8; 32],
    pub(super) epoch: u32,
}

/// Accounts that get an envelope, and their keys.
pub(super) type Recipients = BTreeMap<[u8; 32], PublicKey>;

/// The version that a data key opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) patient: Id,
    pub(super) record: Id,
    pub(super) version: u32,
    pub(super) manifest_hash: [u8; 32],
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Everybody who may read a record of this class by now: the patient, and every live grantee. Persons publish no
    /// key on chain: theirs is wrapped when they are granted, from the key that the patient has of them.
    pub(super) async fn readers(&self, patient: &Patient, record: &Id, class: u8) -> Result<Recipients, OpError> {
        let mut readers = Recipients::new();
        readers.insert(
            address::patient(&patient.id).to_bytes(),
            PublicKey {
                key: patient.keys.encryption,
                epoch: patient.key_epoch,
            },
        );
        let now = now();
        for grant in self.ledger.grants(&patient.id).await? {
            let grant = grant.account;
            let live = grant.revoked == 0 && now < grant.expires && grant.uses_left > 0;
            if live && grant.rights & Action::Read.bit() != 0 && grant.covers(record, class) {
                self.grantee_keys(&grant, &mut readers).await?;
            }
        }
        Ok(readers)
    }

    /// The accounts behind a grantee: a member; an institution and all of its members, who act by its grants.
    pub(super) async fn grantee_keys(&self, grant: &Grant, readers: &mut Recipients) -> Result<(), OpError> {
        match GranteeKind::from_byte(grant.grantee_kind) {
            Some(GranteeKind::Member) => {
                if let Some(member) = self.ledger.try_read::<Member>(&grant.grantee).await? {
                    insert_member(&grant.grantee, &member, readers);
                }
            }
            Some(GranteeKind::Institution) => {
                if let Some(institution) = self.ledger.try_read::<Institution>(&grant.grantee).await? {
                    let key = PublicKey {
                        key: institution.keys.encryption,
                        epoch: institution.key_epoch,
                    };
                    if key.epoch > 0 {
                        readers.insert(grant.grantee.to_bytes(), key);
                    }
                    for member in self.ledger.members(&institution.id).await? {
                        insert_member(&member.address, &member.account, readers);
                    }
                }
            }
            Some(GranteeKind::Person) | None => {}
        }
        Ok(())
    }

    /// Wraps a data key for every reader and puts the envelopes into the key store.
    pub(super) async fn wrap_all(&self, key: &DataKey, version: &Version, readers: &Recipients) -> Result<(), OpError> {
        for (recipient, public) in readers {
            let context = self.context(version, *recipient, public.epoch).await?;
            let envelope = envelope::wrap(key, &public.key, &context)?;
            self.keys.put(slot(version, *recipient), &envelope).await?;
        }
        Ok(())
    }

    /// Takes back the envelopes of a version that did not come to stand on chain.
    pub(super) async fn unwrap_all(&self, version: &Version, readers: &Recipients) -> Result<(), OpError> {
        for recipient in readers.keys() {
            self.keys
                .remove(version.patient, version.record, Some(version.version), *recipient)
                .await?;
        }
        Ok(())
    }

    /// What an envelope is bound to.
    pub(super) async fn context(
        &self,
        version: &Version,
        recipient: [u8; 32],
        recipient_key_epoch: u32,
    ) -> Result<EnvelopeContext, OpError> {
        Ok(EnvelopeContext {
            cluster: self.ledger.cluster().await?,
            program: ID.to_bytes(),
            patient: version.patient,
            record: version.record,
            version: version.version,
            manifest_hash: version.manifest_hash,
            recipient,
            recipient_key_epoch,
        })
    }
}

fn insert_member(at: &Address, member: &Member, readers: &mut Recipients) {
    if member.standing() == Standing::Active {
        readers.insert(
            at.to_bytes(),
            PublicKey {
                key: member.keys.encryption,
                epoch: member.key_epoch,
            },
        );
    }
}

fn slot(version: &Version, recipient: [u8; 32]) -> EnvelopeSlot {
    EnvelopeSlot {
        patient: version.patient,
        record: version.record,
        version: version.version,
        recipient,
    }
}
