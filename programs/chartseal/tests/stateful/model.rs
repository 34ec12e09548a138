//! What the contract should have come to, told by its events alone.
//!
//! Nothing here looks at an account or calls the policy: the rules are written a second time, slowly and plainly, over
//! maps. [`Model::judge`] says whether an event was allowed to happen, [`Model::apply`] lets it have happened.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent, Terms},
    log::{Chain, ChainKind},
    membership::Field,
    seeds::{address, Id, NO_ID},
    vocabulary::*,
};

use crate::trees::{Nullifier, Set, Tree};

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) paused: bool,
    pub(crate) admin: Address,
    pub(crate) proposed_admin: Address,
    pub(crate) institutions: BTreeMap<Id, Institution>,
    pub(crate) members: BTreeMap<Address, Member>,
    pub(crate) patients: BTreeMap<Id, Patient>,
    /// By patient and id, like all that follow.
    pub(crate) delegates: BTreeMap<(Id, Id), Delegate>,
    pub(crate) safeguards: BTreeMap<Id, Safeguards>,
    pub(crate) records: BTreeMap<(Id, Id), Record>,
    pub(crate) grants: BTreeMap<(Id, Id), Grant>,
    pub(crate) requests: BTreeMap<(Id, Id), Request>,
    /// By patient and institution.
    pub(crate) policies: BTreeMap<(Id, Id), Policy>,
    pub(crate) emergencies: BTreeMap<(Id, Id), Emergency>,
    /// By institution and id.
    pub(crate) batches: BTreeMap<(Id, Id), Batch>,
    /// By consumer and id.
    pub(crate) agreements: BTreeMap<(Id, Id), Agreement>,
    /// Consumer, agreement, patient, record, version.
    pub(crate) settlements: BTreeMap<(Id, Id, Id, Id, u32), u64>,
    /// By id.
    pub(crate) trees: BTreeMap<Id, Tree>,
    /// By tree, patient and record.
    pub(crate) sets: BTreeMap<(Id, Id, Id), Set>,
    pub(crate) nullifiers: BTreeMap<Field, Nullifier>,
    pub(crate) chains: BTreeMap<(ChainKind, Id), Chain>,
}

#[derive(Clone, Debug)]
pub(crate) struct Institution {
    pub(crate) kind: InstitutionKind,
    pub(crate) authority: Address,
    pub(crate) proposed: Address,
    pub(crate) standing: Standing,
    pub(crate) accepted: bool,
    pub(crate) expires: i64,
    pub(crate) unreviewed: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) institution: Id,
    pub(crate) id: Id,
    pub(crate) wallet: Address,
    pub(crate) role: Role,
    pub(crate) standing: Standing,
    pub(crate) accepted: bool,
    pub(crate) expires: i64,
    pub(crate) emergencies: bool,
    pub(crate) unreviewed: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Patient {
    pub(crate) wallet: Option<Address>,
    pub(crate) proposed: Address,
    pub(crate) steward: Id,
    pub(crate) key_epoch: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Delegate {
    pub(crate) wallet: Address,
    pub(crate) rights: u8,
    pub(crate) expires: i64,
    pub(crate) accepted: bool,
    pub(crate) revoked: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Safeguards {
    pub(crate) guardians: Vec<Address>,
    pub(crate) threshold: u8,
    pub(crate) delay: i64,
    /// What each guardian votes for, and the beginning of the day in which it did.
    pub(crate) votes: BTreeMap<Address, Address>,
    pub(crate) days: BTreeMap<Address, i64>,
    pub(crate) pending: Option<(Address, i64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) class: u8,
    pub(crate) author: Address,
    pub(crate) origin: Address,
    pub(crate) institution: Id,
    pub(crate) version: u32,
    pub(crate) created_at: i64,
    pub(crate) erased: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) terms: Terms,
    pub(crate) parent: Id,
    pub(crate) depth: u8,
    pub(crate) issuer: Address,
    pub(crate) revoked: bool,
    pub(crate) uses_left: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) member: Address,
    pub(crate) record: Id,
    pub(crate) classes: u32,
    pub(crate) rights: u8,
    pub(crate) purposes: u8,
    pub(crate) until: i64,
    pub(crate) state: RequestState,
    pub(crate) grant: Id,
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) classes: u32,
    pub(crate) since: BTreeMap<u8, i64>,
    pub(crate) purposes: u8,
    pub(crate) enrols: bool,
    pub(crate) expires: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Emergency {
    pub(crate) member: Address,
    pub(crate) wallet: Address,
    pub(crate) institution: Id,
    pub(crate) expires: i64,
    /// By the patient, and by the institution.
    pub(crate) reviewed: [Option<Verdict>; 2],
}

#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) author: Address,
    pub(crate) count: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Agreement {
    pub(crate) provider: Id,
    pub(crate) classes: u32,
    pub(crate) purpose: Purpose,
    pub(crate) price: u64,
    pub(crate) expires: i64,
    pub(crate) state: AgreementState,
    pub(crate) deposited: u64,
    pub(crate) paid: u64,
}

/// How somebody acts, as the model sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Patient,
    Member(Address),
    Delegate(Id),
    Person(Address),
}

/// What is claimed: by the model's own names, of whatever patient.
#[derive(Clone, Debug)]
pub(crate) enum Claimed {
    Nothing,
    /// Patient and id of the grant, and the ids of the ancestors that were passed.
    Grant((Id, Id), Vec<Id>),
    Policy(Id, Id),
    Emergency(Id, Id),
}

/// What is asked of a patient's chart.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) patient: Id,
    pub(crate) who: Who,
    pub(crate) claimed: Claimed,
    pub(crate) action: Action,
    pub(crate) purpose: Purpose,
    /// The record, where it exists; otherwise the id and class that it would have.
    pub(crate) record: Id,
    pub(crate) class: u8,
    /// Whether a version before the newest is read.
    pub(crate) older: bool,
    pub(crate) consent: bool,
}

/// A row of the table of roles: what they do, and what for.
fn reach(role: Role) -> (&'static [Action], &'static [Purpose]) {
    use Action::{Aggregate, Amend, Append, Read, Share};
    use Purpose::{Emergency, Legal, Operations, Payment, Research, Treatment};
    match role {
        Role::Doctor => (
            &[Read, Append, Amend, Share, Aggregate],
            &[Treatment, Operations, Research, Legal, Emergency],
        ),
        Role::Nurse => (&[Read, Append, Amend, Share], &[Treatment, Operations, Emergency]),
        Role::Technician => (&[Read, Append, Amend], &[Treatment, Operations]),
        Role::Insurer => (&[Read, Aggregate], &[Payment]),
        Role::Researcher => (&[Read, Aggregate], &[Research]),
        Role::Auditor => (&[], &[]),
    }
}

fn has(mask: u8, bit: u8) -> bool {
    mask & (1 << bit) != 0
}

fn subset(small: u8, large: u8) -> bool {
    (0..8).all(|bit| !has(small, bit) || has(large, bit))
}

impl Model {
    pub(crate) fn institution_is_active(&self, id: &Id) -> bool {
        self.institutions
            .get(id)
            .is_some_and(|body| body.standing == Standing::Active && self.now < body.expires)
    }

    pub(crate) fn member_is_active(&self, address: &Address) -> bool {
        self.members.get(address).is_some_and(|member| {
            member.standing == Standing::Active
                && self.now < member.expires
                && self.institution_is_active(&member.institution)
        })
    }

    fn delegate_lives(&self, patient: &Id, id: &Id) -> bool {
        self.delegates
            .get(&(*patient, *id))
            .is_some_and(|delegate| delegate.accepted && !delegate.revoked && self.now < delegate.expires)
    }

    fn grant_lives(&self, grant: &Grant) -> bool {
        !grant.revoked && grant.terms.not_before <= self.now && self.now < grant.terms.expires && grant.uses_left > 0
    }

    /// The grant's ancestors, parent first.
    pub(crate) fn ancestors(&self, patient: &Id, grant: &Id) -> Vec<Id> {
        let mut line = Vec::new();
        let mut at = *grant;
        while let Some(found) = self.grants.get(&(*patient, at)) {
            if found.parent == NO_ID {
                break;
            }
            line.push(found.parent);
            at = found.parent;
        }
        line
    }

    /// Whether the policy should allow it.
    pub(crate) fn entitled(&self, ask: &Ask) -> bool {
        let Some(patient) = self.patients.get(&ask.patient) else {
            return false;
        };
        let record = self.records.get(&(ask.patient, ask.record));
        if ask.action != Action::Append && record.is_some_and(|record| record.erased) {
            return false;
        }
        let own = address::patient(&ask.patient);
        let began = record.is_some_and(|record| record.origin == own);
        match ask.who {
            Who::Patient => ask.action != Action::Amend || began,
            Who::Delegate(id) => {
                let rights = self.delegates.get(&(ask.patient, id)).map_or(0, |found| found.rights);
                self.delegate_lives(&ask.patient, &id)
                    && ask.purpose == Purpose::Personal
                    && has(rights, ask.action.byte())
                    && (ask.action != Action::Amend || began)
            }
            Who::Person(wallet) => {
                !ask.older
                    && ask.action == Action::Read
                    && ask.purpose == Purpose::Personal
                    && self.grant_entitles(ask, GranteeKind::Person, &[wallet])
            }
            Who::Member(address) => self.member_entitled(ask, patient, &address),
        }
    }

    fn member_entitled(&self, ask: &Ask, patient: &Patient, address: &Address) -> bool {
        let Some(member) = self.members.get(address) else {
            return false;
        };
        let (actions, purposes) = reach(member.role);
        if !self.member_is_active(address) || !actions.contains(&ask.action) || !purposes.contains(&ask.purpose) {
            return false;
        }
        if ask.consent {
            return true;
        }
        let record = self.records.get(&(ask.patient, ask.record));
        let wrote = record.is_some_and(|record| record.author == *address || record.origin == *address);
        if ask.older {
            return record.is_some_and(|record| record.origin == *address);
        }
        if ask.action == Action::Read && wrote {
            return true;
        }
        if ask.action == Action::Append && patient.wallet.is_none() && patient.steward == member.institution {
            return true;
        }
        match &ask.claimed {
            Claimed::Nothing => false,
            Claimed::Grant((_, id), _) => {
                let kind = self
                    .grants
                    .get(&(ask.patient, *id))
                    .map(|grant| grant.terms.grantee_kind);
                let body = address::institution(&member.institution);
                match kind {
                    Some(GranteeKind::Member) => self.grant_entitles(ask, GranteeKind::Member, &[*address]),
                    Some(GranteeKind::Institution) => self.grant_entitles(ask, GranteeKind::Institution, &[body]),
                    _ => false,
                }
            }
            Claimed::Policy(of, institution) => {
                let Some(policy) = self.policies.get(&(*of, *institution)) else {
                    return false;
                };
                let made = record.map_or(self.now, |record| record.created_at);
                let shared = policy.since.get(&ask.class).is_some_and(|since| made >= *since);
                *of == ask.patient
                    && *institution == member.institution
                    && self.now < policy.expires
                    && shared
                    && has(policy.purposes, ask.purpose.byte())
                    && (ask.action == Action::Read || (ask.action == Action::Append && policy.enrols))
            }
            Claimed::Emergency(of, id) => {
                let Some(emergency) = self.emergencies.get(&(*of, *id)) else {
                    return false;
                };
                *of == ask.patient
                    && emergency.member == *address
                    && member.emergencies
                    && self.now < emergency.expires
                    && ask.purpose == Purpose::Emergency
                    && matches!(ask.action, Action::Read | Action::Append)
            }
        }
    }

    fn grant_entitles(&self, ask: &Ask, kind: GranteeKind, names: &[Address]) -> bool {
        let Claimed::Grant((of, id), passed) = &ask.claimed else {
            return false;
        };
        let Some(grant) = self.grants.get(&(*of, *id)) else {
            return false;
        };
        let line = self.ancestors(of, id);
        let terms = &grant.terms;
        let covered = if terms.classes == 0 {
            terms.record == ask.record
        } else {
            terms.classes & (1 << ask.class) != 0
        };
        *of == ask.patient
            && terms.grantee_kind == kind
            && names.contains(&terms.grantee)
            && self.grant_lives(grant)
            && line.iter().enumerate().all(|(place, ancestor)| {
                passed.get(place) == Some(ancestor)
                    && self
                        .grants
                        .get(&(*of, *ancestor))
                        .is_some_and(|found| self.grant_lives(found))
            })
            && covered
            && has(terms.rights, ask.action.byte())
            && has(terms.purposes, ask.purpose.byte())
    }

    /// Whether passing on these terms keeps within the grant that is claimed.
    pub(crate) fn may_pass_on(&self, patient: &Id, parent: &Id, terms: &Terms) -> bool {
        let Some(parent) = self.grants.get(&(*patient, *parent)) else {
            return false;
        };
        let within = &parent.terms;
        let subject = if terms.classes != 0 {
            within.classes != 0 && (0..32).all(|bit| terms.classes >> bit & 1 == 0 || within.classes >> bit & 1 == 1)
        } else if within.classes == 0 {
            terms.record == within.record
        } else {
            let class = self
                .records
                .get(&(*patient, terms.record))
                .map_or(99, |record| record.class);
            class < 32 && within.classes >> class & 1 == 1
        };
        parent.depth < 3
            && terms.grantee_kind != GranteeKind::Person
            && subject
            && subset(terms.rights, within.rights)
            && subset(terms.purposes, within.purposes)
            && terms.not_before >= within.not_before
            && terms.expires <= within.expires
            && terms.uses <= parent.uses_left
    }

    /// Whether this wallet may give these rights until then: as the patient or its steward, or as a delegate that shares and
    /// has them itself.
    pub(crate) fn gives(&self, patient: &Id, wallet: &Address, rights: u8, expires: i64) -> bool {
        let delegated = self.delegates.iter().any(|((of, id), delegate)| {
            of == patient
                && delegate.wallet == *wallet
                && has(delegate.rights, Action::Share.byte())
                && self.delegate_lives(of, id)
                && subset(rights, delegate.rights)
                && expires <= delegate.expires
        });
        let own = self
            .patients
            .get(patient)
            .is_some_and(|found| self.is_patient_or_steward(found, wallet));
        own || delegated
    }

    /// Whether this wallet decides for the patient: itself, as a delegate that shares, or as its steward's authority.
    pub(crate) fn decides(&self, patient: &Id, wallet: &Address) -> bool {
        let Some(found) = self.patients.get(patient) else {
            return false;
        };
        let delegated = self.delegates.iter().any(|((of, id), delegate)| {
            of == patient
                && delegate.wallet == *wallet
                && has(delegate.rights, Action::Share.byte())
                && self.delegate_lives(of, id)
        });
        delegated || self.is_patient_or_steward(found, wallet)
    }

    fn is_patient_or_steward(&self, patient: &Patient, wallet: &Address) -> bool {
        match patient.wallet {
            Some(own) => own == *wallet,
            None => self
                .institutions
                .get(&patient.steward)
                .is_some_and(|body| body.authority == *wallet),
        }
    }

    /// Whether an event was allowed to happen now, by what the model knew before it. `signers` signed the transaction.
    pub(crate) fn judge(&self, event: &AnyEvent, signers: &[Address]) -> Result<(), String> {
        let subject = event.link().subject;
        let signed = |wallet: &Address| signers.contains(wallet);
        let authority = |id: &Id| self.institutions.get(id).is_some_and(|body| signed(&body.authority));
        let decided = |wallet: &Address| signed(wallet) && self.decides(&subject, wallet);
        let patient = self.patients.get(&subject);
        let wallet_signed = patient.is_some_and(|patient| patient.wallet.is_some_and(|wallet| signed(&wallet)));
        let running = !self.paused;
        let just = match event {
            AnyEvent::RegistryCreated(_) => true,
            AnyEvent::AdminProposed(_) | AnyEvent::PauseSet(_) => signed(&self.admin),
            AnyEvent::AdminAccepted(event) => signed(&event.admin) && self.proposed_admin == event.admin,
            AnyEvent::InstitutionRegistered(_) => signed(&self.admin) && running,
            AnyEvent::InstitutionRenewed(event) => {
                let before = self.institutions[&subject].expires;
                signed(&self.admin) && (running || event.expires < before)
            }
            AnyEvent::InstitutionStandingSet(event) => {
                signed(&self.admin) && (running || event.standing == Standing::Suspended)
            }
            AnyEvent::InstitutionAccepted(_) => authority(&subject) && running && !self.institutions[&subject].accepted,
            AnyEvent::AuthorityProposed(event) => {
                let suspended = self.institutions[&subject].standing == Standing::Suspended;
                let named = if suspended {
                    signed(&self.admin)
                } else {
                    authority(&subject)
                };
                named && (running || event.proposed == Address::default())
            }
            AnyEvent::AuthorityAccepted(event) => {
                signed(&event.authority) && running && self.institutions[&subject].proposed == event.authority
            }
            AnyEvent::MemberRegistered(_) => authority(&subject) && running && self.institution_is_active(&subject),
            AnyEvent::MembershipAccepted(event) => {
                let member = &self.members[&event.member];
                signed(&member.wallet) && running && !member.accepted && self.institution_is_active(&subject)
            }
            AnyEvent::MemberStandingSet(event) => {
                authority(&subject) && (running || event.standing == Standing::Suspended)
            }
            AnyEvent::MemberRenewed(event) => {
                let before = self.members[&event.member].expires;
                authority(&subject) && (running || event.expires < before)
            }
            AnyEvent::EmergencyCredentialSet(event) => {
                let member = &self.members[&event.member];
                let fit = self.institutions[&subject].kind == InstitutionKind::Hospital
                    && matches!(member.role, Role::Doctor | Role::Nurse);
                authority(&subject) && (!event.holds || (running && fit))
            }
            AnyEvent::BatchAnchored(event) => {
                let member = &self.members[&event.author];
                signed(&member.wallet)
                    && running
                    && self.member_is_active(&event.author)
                    && reach(member.role).0.contains(&Action::Append)
            }
            AnyEvent::AgreementProposed(event) => {
                authority(&subject)
                    && running
                    && event.provider != subject
                    && self.institution_is_active(&subject)
                    && self.institution_is_active(&event.provider)
            }
            AnyEvent::AgreementAccepted(event) => {
                let agreement = &self.agreements[&(subject, event.agreement)];
                authority(&agreement.provider) && running && agreement.state == AgreementState::Proposed
            }
            AnyEvent::AgreementFunded(event) => {
                let agreement = &self.agreements[&(subject, event.agreement)];
                authority(&subject) && event.received > 0 && agreement.state != AgreementState::Closed
            }
            AnyEvent::AgreementClosed(event) => {
                let agreement = &self.agreements[&(subject, event.agreement)];
                (authority(&subject) || authority(&agreement.provider)) && agreement.state != AgreementState::Closed
            }
            AnyEvent::PatientOpened(event) => {
                let by_steward = authority(&event.steward) && self.institution_is_active(&event.steward);
                running
                    && patient.is_none()
                    && if event.steward == NO_ID {
                        signed(&event.wallet)
                    } else {
                        by_steward
                    }
            }
            AnyEvent::WalletProposed(event) => {
                let named = event.proposed != Address::default();
                signed(&event.by)
                    && patient.is_some_and(|patient| self.is_patient_or_steward(patient, &event.by))
                    && (running || !named)
            }
            AnyEvent::WalletAccepted(event) => {
                let handed = patient.is_some_and(|patient| {
                    patient.proposed == event.wallet
                        && (patient.wallet.is_some() || self.institution_is_active(&patient.steward))
                });
                running && signed(&event.wallet) && handed
            }
            AnyEvent::PatientKeyRotated(_) | AnyEvent::DelegateNamed(_) => running && wallet_signed,
            AnyEvent::GuardiansSet(event) => wallet_signed && (running || event.guardians.is_empty()),
            AnyEvent::BreakGlassSet(event) => wallet_signed && (running || event.holders.is_empty()),
            AnyEvent::DelegationAccepted(event) => {
                let delegate = &self.delegates[&(subject, event.delegate)];
                running && signed(&delegate.wallet) && !delegate.accepted && !delegate.revoked
            }
            AnyEvent::DelegateRevoked(event) => {
                let delegate = &self.delegates[&(subject, event.delegate)];
                !delegate.revoked && (wallet_signed || signed(&delegate.wallet))
            }
            AnyEvent::RecoveryVoted(event) => {
                let guardians = &self.safeguards[&subject].guardians;
                signed(&event.guardian) && guardians.contains(&event.guardian)
            }
            AnyEvent::RecoveryObjected(_) => wallet_signed,
            AnyEvent::RecoveryFinished(event) => {
                let due = self.safeguards[&subject].pending;
                running
                    && signed(&event.wallet)
                    && due.is_some_and(|(wallet, ready)| wallet == event.wallet && self.now >= ready)
            }
            AnyEvent::RecordErased(event) => {
                let record = &self.records[&(subject, event.record)];
                signed(&event.by)
                    && !record.erased
                    && patient.is_some_and(|patient| self.is_patient_or_steward(patient, &event.by))
            }
            AnyEvent::ErasureAttested(event) => {
                let record = &self.records[&(subject, event.record)];
                let wrote = event.actor.kind == ActorKind::Member
                    && (event.actor.institution == record.institution || event.actor.credential == record.origin)
                    && self.member_is_active(&event.actor.credential);
                let own = event.actor.kind == ActorKind::Patient
                    && patient.is_some_and(|patient| self.is_patient_or_steward(patient, &event.actor.wallet));
                signed(&event.actor.wallet) && record.erased && (wrote || own)
            }
            AnyEvent::GrantCreated(event) => {
                let terms = &event.terms;
                running && decided(&event.issuer) && self.gives(&subject, &event.issuer, terms.rights, terms.expires)
            }
            AnyEvent::GrantRevoked(event) => {
                let grant = &self.grants[&(subject, event.grant)];
                let passed_on = grant.parent != NO_ID && grant.issuer == event.by;
                signed(&event.by) && !grant.revoked && (passed_on || self.decides(&subject, &event.by))
            }
            AnyEvent::PolicySet(event) => {
                let before = self.policies.get(&(subject, event.institution));
                let gives = before.is_none_or(|before| {
                    event.classes & !before.classes != 0
                        || !subset(event.purposes, before.purposes)
                        || (event.enrols && !before.enrols)
                        || (event.classes != 0 && event.expires > before.expires)
                });
                let withdraws = event.classes == 0;
                let rights = Action::Read.bit() | if event.enrols { Action::Append.bit() } else { 0 };
                let may = !gives || withdraws || self.gives(&subject, &event.by, rights, event.expires);
                decided(&event.by) && (running || !gives || withdraws) && may
            }
            AnyEvent::AccessRequested(event) => {
                let role = self.members[&event.actor.credential].role;
                let fits = |mask: u8, all: &[u8]| (0..8).all(|bit| !has(mask, bit) || all.contains(&bit));
                let (actions, purposes) = reach(role);
                let actions: Vec<u8> = actions.iter().map(|action| action.byte()).collect();
                let purposes: Vec<u8> = purposes.iter().map(|purpose| purpose.byte()).collect();
                running
                    && signed(&event.actor.wallet)
                    && self.member_is_active(&event.actor.credential)
                    && fits(event.rights, &actions)
                    && fits(event.purposes, &purposes)
            }
            AnyEvent::RequestDecided(event) => {
                let request = &self.requests[&(subject, event.request)];
                let terms = &event.terms;
                let within = terms.record == request.record
                    && terms.classes & !request.classes == 0
                    && subset(terms.rights, request.rights)
                    && subset(terms.purposes, request.purposes)
                    && terms.expires <= request.until
                    && terms.grantee == request.member;
                request.state == RequestState::Open
                    && decided(&event.by)
                    && (!event.approved
                        || (running && within && self.gives(&subject, &event.by, terms.rights, terms.expires)))
            }
            AnyEvent::EmergencyOpened(event) => {
                let member = &self.members[&event.actor.credential];
                running
                    && signed(&event.actor.wallet)
                    && self.member_is_active(&event.actor.credential)
                    && member.emergencies
                    && member.unreviewed == 0
                    && event.expires <= self.now + 12 * 3_600
            }
            AnyEvent::EmergencyReviewed(event) => {
                let emergency = &self.emergencies[&(subject, event.emergency)];
                let who = match event.reviewer {
                    Reviewer::Patient => {
                        patient.is_some_and(|patient| patient.wallet.is_some()) && self.decides(&subject, &event.by)
                    }
                    Reviewer::Institution => {
                        let auditor = self.members.iter().any(|(address, member)| {
                            member.institution == emergency.institution
                                && member.wallet == event.by
                                && member.role == Role::Auditor
                                && member.standing == Standing::Active
                                && self.now < member.expires
                                && *address != emergency.member
                        });
                        authority(&emergency.institution) || auditor
                    }
                };
                signed(&event.by)
                    && who
                    && event.by != emergency.wallet
                    && match emergency.reviewed[usize::from(event.reviewer.byte())] {
                        None => true,
                        Some(before) => before == Verdict::Justified && event.verdict == Verdict::Unjustified,
                    }
            }
            AnyEvent::AccessSettled(event) => {
                let agreement = &self.agreements[&(event.consumer, event.agreement)];
                let request = &self.requests[&(subject, event.request)];
                let record = &self.records[&(subject, event.record)];
                let member = &self.members[&request.member];
                let key = (event.consumer, event.agreement, subject, event.record, event.version);
                running
                    && signed(&member.wallet)
                    && member.institution == event.consumer
                    && request.state == RequestState::Approved
                    && has(request.purposes, agreement.purpose.byte())
                    && agreement.state == AgreementState::Active
                    && self.now < agreement.expires
                    && record.institution == agreement.provider
                    && agreement.classes >> record.class & 1 == 1
                    && !record.erased
                    && event.amount == agreement.price
                    && !self.settlements.contains_key(&key)
                    && agreement.paid + event.amount <= agreement.deposited
            }
            AnyEvent::TreeOpened(_)
            | AnyEvent::AnonymousGrantCreated(_)
            | AnyEvent::AnonymousGrantRevoked(_)
            | AnyEvent::AccessProven(_)
            | AnyEvent::NullifierClosed(_) => self.judge_unnamed(event, signers),
            // These were asked of `entitled` before they were sent. Whoever is named must have signed.
            AnyEvent::RecordCreated(event) => running && self.acted(&event.author, signers),
            AnyEvent::RecordAmended(event) => running && self.acted(&event.author, signers),
            AnyEvent::RecordPromoted(event) => running && self.acted(&event.actor, signers),
            AnyEvent::GrantPassedOn(event) => running && self.acted(&event.actor, signers),
            AnyEvent::AccessAllowed(event) => running && self.acted(&event.actor, signers),
            AnyEvent::ActionRefused(event) => running && self.acted(&event.actor, signers),
        };
        just.then_some(())
            .ok_or_else(|| format!("this must not happen: {event:?}, signed by {signers:?}"))
    }

    /// Whether the actor that an event names is who it says, and signed: nobody is framed.
    fn acted(&self, actor: &Actor, signers: &[Address]) -> bool {
        let real = match actor.kind {
            ActorKind::Member => self
                .members
                .get(&actor.credential)
                .is_some_and(|member| member.wallet == actor.wallet && member.institution == actor.institution),
            ActorKind::Delegate => self.delegates.iter().any(|((of, id), delegate)| {
                address::delegate(of, id) == actor.credential && delegate.wallet == actor.wallet
            }),
            ActorKind::Patient => self
                .patients
                .values()
                .any(|patient| patient.wallet == Some(actor.wallet)),
            ActorKind::Person => true,
        };
        real && signers.contains(&actor.wallet)
    }
}
