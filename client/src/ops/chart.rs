//! A patient's grants and everybody whom they name, read once: who gets a key of a record now, and who may keep one.

use std::collections::{BTreeMap, BTreeSet};

use anchor_lang::prelude::Address;
use chartseal_program::{
    seeds::{Id, address},
    state::{Grant, Institution, Member, Patient, Record},
    vocabulary::{Action, GranteeKind, Reason, Standing},
};

use super::{OpError, Session};
use crate::{
    clock::now,
    ledger::Listed,
    store::{BlobStore, KeyStore},
};

/// A public encryption key and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) key: [u8; 32],
    pub(super) epoch: u32,
}

/// Accounts that get an envelope, and their keys.
pub(super) type Recipients = BTreeMap<[u8; 32], PublicKey>;

/// Epoch of a person's key. A person has no account, so its key cannot change: it gets a new grant instead.
pub(super) const PERSON_KEY_EPOCH: u32 = 0;

/// A patient, the grants, and the accounts that they name.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) patient: Patient,
    pub(super) grants: Vec<Grant>,
    members: BTreeMap<Address, Member>,
    institutions: BTreeMap<Address, (Institution, Listed<Member>)>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Reads a patient's chart.
    pub(super) async fn chart(&self, patient: &Id) -> Result<Chart, OpError> {
        let patient = self.ledger.patient(patient).await?;
        let grants: Vec<Grant> = self
            .ledger
            .grants(&patient.id)
            .await?
            .into_iter()
            .map(|found| found.account)
            .collect();
        let (mut members, mut institutions) = (BTreeMap::new(), BTreeMap::new());
        for grant in grants.iter().filter(|grant| grant.rights & Action::Read.bit() != 0) {
            match GranteeKind::from_byte(grant.grantee_kind) {
                Some(GranteeKind::Member) if !members.contains_key(&grant.grantee) => {
                    if let Some(member) = self.ledger.try_read(&grant.grantee).await? {
                        members.insert(grant.grantee, member);
                    }
                }
                Some(GranteeKind::Institution) if !institutions.contains_key(&grant.grantee) => {
                    if let Some(institution) = self.ledger.try_read::<Institution>(&grant.grantee).await? {
                        let staff = self.ledger.members(&institution.id).await?;
                        institutions.insert(grant.grantee, (institution, staff));
                    }
                }
                _ => {}
            }
        }
        Ok(Chart {
            patient,
            grants,
            members,
            institutions,
        })
    }
}

impl Chart {
    /// Everybody who may read a record of this class by now, with the keys that they published: the patient, and every
    /// grantee whose grant has not lapsed. Authors are for the caller to add.
    pub(super) fn readers(&self, record: &Id, class: u8) -> Recipients {
        let patient = &self.patient;
        let mut readers = Recipients::new();
        let own = PublicKey {
            key: patient.keys.encryption,
            epoch: patient.key_epoch,
        };
        readers.insert(address::patient(&patient.id).to_bytes(), own);
        for grant in self.grants.iter().filter(|grant| gives_reading(grant, record, class)) {
            match GranteeKind::from_byte(grant.grantee_kind) {
                Some(GranteeKind::Member) => {
                    if let Some(member) = self.members.get(&grant.grantee) {
                        insert_member(&grant.grantee, member, &mut readers);
                    }
                }
                Some(GranteeKind::Institution) => {
                    if let Some((institution, staff)) = self.institutions.get(&grant.grantee)
                        && institution.is_active()
                    {
                        let key = PublicKey {
                            key: institution.keys.encryption,
                            epoch: institution.key_epoch,
                        };
                        readers.insert(grant.grantee.to_bytes(), key);
                        for found in staff {
                            insert_member(&found.address, &found.account, &mut readers);
                        }
                    }
                }
                Some(GranteeKind::Person) if grant.grantee_key != [0; 32] => {
                    let key = PublicKey {
                        key: grant.grantee_key,
                        epoch: PERSON_KEY_EPOCH,
                    };
                    readers.insert(grant.grantee.to_bytes(), key);
                }
                Some(GranteeKind::Person) | None => {}
            }
        }
        readers
    }

    /// Persons who may read a record and whose key nobody knows: theirs stays pending.
    pub(super) fn keyless(&self, record: &Id, class: u8) -> usize {
        let grants = self.grants.iter().filter(|grant| gives_reading(grant, record, class));
        let person = GranteeKind::Person.byte();
        grants
            .filter(|grant| grant.grantee_kind == person && grant.grantee_key == [0; 32])
            .count()
    }

    /// Everybody who may keep an envelope of a record, whatever their standing is at the moment: somebody who is
    /// suspended is refused by the chain, and needs the envelope again when that is lifted.
    pub(super) fn keepers(&self, record: &Record) -> BTreeSet<[u8; 32]> {
        let patient = address::patient(&self.patient.id);
        let mut keepers = BTreeSet::from([patient, record.author, record.origin].map(|account| account.to_bytes()));
        let (record, class) = (&record.id, record.class);
        for grant in self.grants.iter().filter(|grant| gives_reading(grant, record, class)) {
            keepers.insert(grant.grantee.to_bytes());
            if let Some((_, staff)) = self.institutions.get(&grant.grantee) {
                keepers.extend(staff.iter().map(|found| found.address.to_bytes()));
            }
        }
        keepers
    }
}

/// Whether a grant gives its grantee the reading of a record, now or when it begins.
fn gives_reading(grant: &Grant, record: &Id, class: u8) -> bool {
    let lapsed = matches!(
        grant.fault(now()),
        Some(Reason::GrantRevoked | Reason::GrantExpired | Reason::GrantExhausted)
    );
    !lapsed && grant.rights & Action::Read.bit() != 0 && grant.covers(record, class)
}

fn insert_member(at: &Address, member: &Member, readers: &mut Recipients) {
    if member.standing() == Standing::Active && now() < member.expires {
        readers.insert(
            at.to_bytes(),
            PublicKey {
                key: member.keys.encryption,
                epoch: member.key_epoch,
            },
        );
    }
}
