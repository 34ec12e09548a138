//! A patient's grants, policies and delegates and everybody whom they name, read once: who gets a key of a record now, and
//! who may keep one.

use std::collections::{BTreeMap, BTreeSet};

use anchor_lang::prelude::Address;
use chartseal_program::{
    policy::Subject,
    seeds::{Id, address},
    state::{Delegate, Grant, GrantTree, Institution, Keys, Member, Patient, Policy, Record},
    vocabulary::{Action, GranteeKind, Standing},
};

use super::{OpError, Session, acting::stands, break_glass::Holders};
use crate::{
    ledger::Listed,
    store::{BlobStore, KeyStore},
};

/// The public keys that an account holds, and their epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// X25519.
    pub(super) key: [u8; 32],
    /// SHA-256 of the X-Wing key, or zeros where there is none.
    pub(super) post_quantum: [u8; 32],
    pub(super) epoch: u32,
}

impl PublicKey {
    pub(super) fn of(keys: &Keys, epoch: u32) -> Self {
        Self {
            key: keys.encryption,
            post_quantum: keys.post_quantum_hash,
            epoch,
        }
    }

    /// The key of a person, which stands in the grant and has no X-Wing half.
    fn of_person(key: [u8; 32]) -> Self {
        Self {
            key,
            post_quantum: [0; 32],
            epoch: PERSON_KEY_EPOCH,
        }
    }
}

/// Accounts that get an envelope, and their keys.
pub(super) type Recipients = BTreeMap<[u8; 32], PublicKey>;

/// Epoch of a person's key. A person has no account, so its key cannot change: it gets a new grant instead.
pub const PERSON_KEY_EPOCH: u32 = 0;

/// A patient, what it decided, and the accounts that are named in it.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) patient: Patient,
    pub(super) grants: Vec<Grant>,
    /// The chain's time when it was read, in seconds since 1970.
    pub(super) now: i64,
    pub(super) holders: Holders,
    /// Whether an X25519 envelope counts as none, where its reader has an X-Wing key.
    pub(super) prefers_post_quantum: bool,
    /// Trees for grants without a name.
    pub(super) trees: Listed<GrantTree>,
    policies: Vec<Policy>,
    delegates: Listed<Delegate>,
    members: BTreeMap<Address, Member>,
    institutions: BTreeMap<Address, (Institution, Listed<Member>)>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Reads a patient's chart.
    pub(super) async fn chart(&self, patient: &Id) -> Result<Chart, OpError> {
        let mut chart = Chart {
            patient: self.ledger.patient(patient).await?,
            grants: Vec::new(),
            now: self.ledger.now().await?,
            holders: self.holders(patient).await?,
            prefers_post_quantum: self.requires_post_quantum,
            trees: self.ledger.grant_trees().await?,
            policies: Vec::new(),
            delegates: self.ledger.delegates(patient).await?,
            members: BTreeMap::new(),
            institutions: BTreeMap::new(),
        };
        chart.grants = self
            .ledger
            .grants(patient)
            .await?
            .into_iter()
            .map(|found| found.account)
            .collect();
        let policies = self.ledger.policies(patient).await?.into_iter();
        chart.policies = policies.map(|found| found.account).collect();

        let reading = |grant: &&Grant| grant.rights & Action::Read.bit() != 0;
        for grant in chart.grants.iter().filter(reading) {
            let known = &mut chart.members;
            match GranteeKind::from_byte(grant.grantee_kind) {
                Some(GranteeKind::Member) if !known.contains_key(&grant.grantee) => {
                    if let Some(member) = self.ledger.try_read(&grant.grantee).await? {
                        known.insert(grant.grantee, member);
                    }
                }
                Some(GranteeKind::Institution) => {
                    self.institution_into(grant.grantee, &mut chart.institutions).await?;
                }
                _ => {}
            }
        }
        for policy in chart.policies.iter().filter(|policy| policy.classes != 0) {
            let at = address::institution(&policy.institution);
            self.institution_into(at, &mut chart.institutions).await?;
        }
        Ok(chart)
    }

    /// Reads an institution and its members, once.
    async fn institution_into(
        &self,
        at: Address,
        known: &mut BTreeMap<Address, (Institution, Listed<Member>)>,
    ) -> Result<(), OpError> {
        if !known.contains_key(&at)
            && let Some(institution) = self.ledger.try_read::<Institution>(&at).await?
        {
            let staff = self.ledger.members(&institution.id).await?;
            known.insert(at, (institution, staff));
        }
        Ok(())
    }
}

impl Chart {
    /// Everybody who may read a record by now, with the keys that they published: the patient, its delegates, every grantee
    /// whose grant has not lapsed, and the institutions that a policy shares it with. Authors are for the caller to add.
    pub(super) fn readers(&self, subject: &Subject<'_>) -> Recipients {
        let patient = &self.patient;
        let mut readers = Recipients::new();
        let own = PublicKey::of(&patient.keys, patient.key_epoch);
        readers.insert(address::patient(&patient.id).to_bytes(), own);
        for found in &self.delegates {
            let delegate = &found.account;
            if delegate.has(Action::Read) && delegate.fault(self.now).is_none() {
                let key = PublicKey::of(&delegate.keys, delegate.key_epoch);
                readers.insert(found.address.to_bytes(), key);
            }
        }
        for grant in self.reading(subject) {
            match GranteeKind::from_byte(grant.grantee_kind) {
                Some(GranteeKind::Member) => {
                    if let Some(member) = self.members.get(&grant.grantee) {
                        self.insert_member(&grant.grantee, member, &mut readers);
                    }
                }
                Some(GranteeKind::Institution) => self.insert_institution(&grant.grantee, &mut readers),
                Some(GranteeKind::Person) if grant.grantee_key != [0; 32] => {
                    readers.insert(grant.grantee.to_bytes(), PublicKey::of_person(grant.grantee_key));
                }
                Some(GranteeKind::Person) | None => {}
            }
        }
        for policy in self.sharing(subject) {
            self.insert_institution(&address::institution(&policy.institution), &mut readers);
        }
        readers
    }

    /// Those of the readers who may read earlier versions too, by what they are: the patient and its delegates.
    pub(super) fn owners(&self, subject: &Subject<'_>) -> Recipients {
        let patient = address::patient(&self.patient.id);
        let delegates = self.delegates.iter().map(|found| found.address);
        let owners: BTreeSet<_> = delegates.chain([patient]).map(|account| account.to_bytes()).collect();
        let mut readers = self.readers(subject);
        readers.retain(|account, _| owners.contains(account));
        readers
    }

    /// Persons who may read a record and whose key nobody knows: theirs stays pending.
    pub(super) fn keyless(&self, subject: &Subject<'_>) -> usize {
        let person = GranteeKind::Person.byte();
        self.reading(subject)
            .filter(|grant| grant.grantee_kind == person && grant.grantee_key == [0; 32])
            .count()
    }

    /// Everybody who may keep an envelope of a record, whatever their standing is at the moment: somebody who is
    /// suspended is refused by the chain, and needs the envelope again when that is lifted.
    pub(super) fn keepers(&self, record: &Record) -> BTreeSet<[u8; 32]> {
        let patient = address::patient(&self.patient.id);
        let mut keepers = BTreeSet::from([patient, record.author, record.origin].map(|account| account.to_bytes()));
        let subject = Subject::of(record);
        let delegates = self.delegates.iter();
        let reading = delegates.filter(|found| {
            found.account.revoked == 0 && self.now < found.account.expires && found.account.has(Action::Read)
        });
        keepers.extend(reading.map(|found| found.address.to_bytes()));
        let granted = self.reading(&subject).map(|grant| grant.grantee);
        let shared = self
            .sharing(&subject)
            .map(|policy| address::institution(&policy.institution));
        for keeper in granted.chain(shared) {
            keepers.insert(keeper.to_bytes());
            if let Some((_, staff)) = self.institutions.get(&keeper) {
                keepers.extend(staff.iter().map(|found| found.address.to_bytes()));
            }
        }
        keepers
    }

    /// Whom a grant reaches by itself or by its institution, of a set of accounts.
    pub(super) fn reaches(&self, grant: &Grant, account: &[u8; 32]) -> bool {
        let staff = self.institutions.get(&grant.grantee).map(|(_, staff)| staff.as_slice());
        grant.grantee.to_bytes() == *account
            || staff
                .unwrap_or_default()
                .iter()
                .any(|found| found.address.to_bytes() == *account)
    }

    /// The grants that give the reading of a record, now or when they begin.
    fn reading<'a>(&'a self, subject: &Subject<'a>) -> impl Iterator<Item = &'a Grant> + use<'a> {
        let (record, class) = (subject.record, subject.class);
        self.grants.iter().filter(move |grant| {
            grant.rights & Action::Read.bit() != 0
                && grant.covers(record, class)
                && stands(grant, &self.grants, self.now)
        })
    }

    /// The policies that share a record.
    fn sharing<'a>(&'a self, subject: &Subject<'a>) -> impl Iterator<Item = &'a Policy> + use<'a> {
        let (class, created_at) = (subject.class, subject.created_at);
        self.policies
            .iter()
            .filter(move |policy| self.now < policy.expires && policy.shares(class, created_at))
    }

    fn insert_institution(&self, at: &Address, readers: &mut Recipients) {
        let Some((institution, staff)) = self.institutions.get(at) else {
            return;
        };
        if !institution.is_active(self.now) {
            return;
        }
        let key = PublicKey::of(&institution.keys, institution.key_epoch);
        readers.insert(at.to_bytes(), key);
        for found in staff {
            self.insert_member(&found.address, &found.account, readers);
        }
    }

    fn insert_member(&self, at: &Address, member: &Member, readers: &mut Recipients) {
        if member.standing() == Standing::Active && self.now < member.expires {
            readers.insert(at.to_bytes(), PublicKey::of(&member.keys, member.key_epoch));
        }
    }
}
