//! Questions to the policy, by value, and random ones in which what is sound is likely enough that every rule is
//! reached.

use anchor_lang::prelude::Address;
use bytemuck::Zeroable;
use chartseal_program::{
    policy::*,
    seeds::{Id, NO_ID},
    state::{Delegate, Emergency, Grant, Institution, Member, Patient, Policy, UNLIMITED},
    vocabulary::*,
};
use proptest::prelude::*;

use super::model::table;

pub(super) const NOW: i64 = 1_000_000;
pub(super) const PATIENT: Id = [1; 16];
pub(super) const INSTITUTION: Id = [2; 16];
pub(super) const RECORD: Id = [3; 16];
pub(super) const OTHER: Id = [9; 16];
/// Ids of a grant and of those that it descends from.
const LINE: [Id; 5] = [[40; 16], [41; 16], [42; 16], [43; 16], [44; 16]];

pub(super) fn key(n: u8) -> Address {
    Address::new_from_array([n; 32])
}

pub(super) const PATIENT_ACCOUNT: u8 = 11;
pub(super) const MEMBER_ACCOUNT: u8 = 12;
pub(super) const INSTITUTION_ACCOUNT: u8 = 13;
pub(super) const PERSON_WALLET: u8 = 14;
pub(super) const SOMEBODY: u8 = 19;

/// The grants that a grant descends from, parent first.
pub(super) type Ancestors = [Option<Grant>; 3];

/// A claim, by value.
#[derive(Clone, Debug)]
pub(super) enum Claimed {
    Nothing,
    /// A grant, and what is passed as its ancestors.
    Grant(Box<(Grant, Ancestors)>),
    Policy(Box<Policy>),
    Emergency(Box<Emergency>),
}

impl Claimed {
    pub(super) fn granted(grant: Grant, ancestors: Ancestors) -> Self {
        Self::Grant(Box::new((grant, ancestors)))
    }
}

/// Everything that a decision looks at, by value.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub capacity: ActorKind,
    pub patient: Patient,
    pub member: Member,
    pub institution: Institution,
    pub delegate: Delegate,
    pub claim: Claimed,
    pub class: u8,
    pub created_at: i64,
    pub author: Option<Address>,
    pub origin: Option<Address>,
    pub erased: bool,
    pub action: Action,
    pub purpose: Purpose,
    pub consent: bool,
}

impl Case {
    pub(super) fn decide(&self) -> Result<Basis, Reason> {
        let (patient, member) = (key(PATIENT_ACCOUNT), key(MEMBER_ACCOUNT));
        let (institution, person) = (key(INSTITUTION_ACCOUNT), key(PERSON_WALLET));
        decide(&Query {
            patient: &self.patient,
            capacity: match self.capacity {
                ActorKind::Patient => Capacity::Patient { address: &patient },
                ActorKind::Member => Capacity::Member(self.credential(&member, &institution)),
                ActorKind::Person => Capacity::Person { wallet: &person },
                ActorKind::Delegate => Capacity::Delegate {
                    delegate: &self.delegate,
                    patient_address: &patient,
                },
            },
            subject: Subject {
                record: &RECORD,
                class: self.class,
                author: self.author.as_ref(),
                origin: self.origin.as_ref(),
                created_at: self.created_at,
                erased: self.erased,
            },
            action: self.action,
            purpose: self.purpose,
            claim: match &self.claim {
                Claimed::Nothing => Claim::Nothing,
                Claimed::Grant(line) => Claim::Grant(&line.0, line.1.each_ref().map(Option::as_ref)),
                Claimed::Policy(policy) => Claim::Policy(policy),
                Claimed::Emergency(emergency) => Claim::Emergency(emergency),
            },
            consent: self.consent,
            now: NOW,
        })
    }

    pub(super) fn may_open_emergency(&self) -> Result<(), Reason> {
        let (member, institution) = (key(MEMBER_ACCOUNT), key(INSTITUTION_ACCOUNT));
        may_open_emergency(&self.credential(&member, &institution), NOW)
    }

    fn credential<'a>(&'a self, address: &'a Address, institution_address: &'a Address) -> Credential<'a> {
        Credential {
            address,
            member: &self.member,
            institution_address,
            institution: &self.institution,
        }
    }

    /// A question of somebody who has everything: each test takes something away.
    pub(super) fn sound(role: Role, action: Action, purpose: Purpose) -> Self {
        let mut patient = Patient::zeroed();
        (patient.id, patient.wallet) = (PATIENT, key(1));
        let mut institution = Institution::zeroed();
        (institution.id, institution.standing) = (INSTITUTION, Standing::Active.byte());
        (institution.expires, institution.kind) = (NOW + 1, InstitutionKind::Hospital.byte());
        let mut member = Member::zeroed();
        (member.institution, member.expires) = (INSTITUTION, NOW + 1);
        (member.role, member.standing) = (role.byte(), Standing::Active.byte());
        member.emergency_credential = 1;
        let mut delegate = Delegate::zeroed();
        (delegate.patient, delegate.key_epoch) = (PATIENT, 1);
        (delegate.rights, delegate.expires) = (Action::MASK, NOW + 1);
        Self {
            capacity: ActorKind::Member,
            patient,
            member,
            institution,
            delegate,
            claim: Claimed::granted(sound_grant(0), [None; 3]),
            class: 0,
            created_at: NOW,
            author: None,
            origin: None,
            erased: false,
            action,
            purpose,
            consent: false,
        }
    }

    pub(super) fn on_grant(&mut self, change: impl FnOnce(&mut Grant)) {
        if let Claimed::Grant(line) = &mut self.claim {
            change(&mut line.0);
        }
    }
}

/// A grant of everything to the member, the `n`th of its line.
pub(super) fn sound_grant(n: usize) -> Grant {
    let mut grant = Grant::zeroed();
    (grant.id, grant.patient, grant.classes, grant.uses_left) = (LINE[n], PATIENT, 1, 1);
    (grant.grantee_kind, grant.grantee) = (GranteeKind::Member.byte(), key(MEMBER_ACCOUNT));
    (grant.rights, grant.purposes) = (Action::MASK, Purpose::MASK);
    (grant.not_before, grant.expires) = (NOW, NOW + 1);
    grant
}

/// A policy that shares class 0 with the member's institution and enrols it.
pub(super) fn sound_policy() -> Policy {
    let mut policy = Policy::zeroed();
    (policy.patient, policy.institution) = (PATIENT, INSTITUTION);
    (policy.classes, policy.purposes, policy.enrols) = (1, Purpose::MASK, 1);
    policy.expires = NOW + 1;
    policy
}

/// An emergency that the member opened.
pub(super) fn sound_emergency() -> Emergency {
    let mut emergency = Emergency::zeroed();
    (emergency.patient, emergency.member, emergency.expires) = (PATIENT, key(MEMBER_ACCOUNT), NOW + 1);
    emergency
}

pub(super) fn mostly<T: Clone + std::fmt::Debug + 'static>(
    sound: T,
    other: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    prop_oneof![9 => Just(sound), 1 => other].boxed()
}

fn rarely<T: Clone + std::fmt::Debug + 'static>(
    sound: T,
    other: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    prop_oneof![40 => Just(sound), 1 => other].boxed()
}

fn any_standing() -> BoxedStrategy<u8> {
    prop_oneof![20 => Just(1), 1 => Just(0), 1 => Just(2), 1 => any::<u8>()].boxed()
}

/// A moment around now, in which every rule about time changes its answer.
fn about_now() -> impl Strategy<Value = i64> {
    NOW - 1..=NOW + 1
}

prop_compose! {
    /// A grant of which one thing or another may be wrong.
    fn any_grant(n: usize)(
        patient in mostly(PATIENT, Just(OTHER)),
        (grantee_kind, grantee) in prop_oneof![
            4 => Just((0, MEMBER_ACCOUNT)),
            4 => Just((1, INSTITUTION_ACCOUNT)),
            4 => Just((2, PERSON_WALLET)),
            1 => (any::<u8>(), prop::sample::select(&[
                MEMBER_ACCOUNT, INSTITUTION_ACCOUNT, PERSON_WALLET, SOMEBODY
            ])),
        ],
        (record, classes) in prop_oneof![
            6 => Just((NO_ID, 1)),
            3 => Just((RECORD, 0)),
            1 => Just((OTHER, 0)),
            1 => any::<u32>().prop_map(|classes| (NO_ID, classes)),
        ],
        rights in mostly(Action::MASK, any::<u8>()),
        purposes in mostly(Purpose::MASK, any::<u8>()),
        not_before in mostly(0, about_now()),
        expires in mostly(i64::MAX, about_now()),
        uses_left in prop_oneof![8 => Just(5), 1 => 0..2u32, 1 => Just(UNLIMITED)],
        revoked in mostly(0, 0..3u8),
    ) -> Grant {
        let mut grant = sound_grant(n);
        grant.patient = patient;
        (grant.grantee_kind, grant.grantee) = (grantee_kind, key(grantee));
        (grant.record, grant.classes) = (record, classes);
        (grant.rights, grant.purposes) = (rights, purposes);
        (grant.not_before, grant.expires) = (not_before, expires);
        (grant.uses_left, grant.revoked) = (uses_left, revoked);
        grant
    }
}

prop_compose! {
    /// A grant that the claimed one descends from, which may name whom it likes: it has to live.
    fn any_ancestor(n: usize)(
        not_before in rarely(0, about_now()),
        expires in rarely(i64::MAX, about_now()),
        uses_left in rarely(1, Just(0)),
        revoked in rarely(0, Just(1)),
        patient in rarely(PATIENT, Just(OTHER)),
        id in rarely(LINE[n], Just(OTHER)),
    ) -> Grant {
        let mut grant = sound_grant(n);
        (grant.id, grant.patient, grant.grantee) = (id, patient, key(SOMEBODY));
        (grant.not_before, grant.expires) = (not_before, expires);
        (grant.uses_left, grant.revoked) = (uses_left, revoked);
        grant
    }
}

prop_compose! {
    /// A grant and the line that it descends from: mostly whole, sometimes with one left out or one too many.
    fn any_line()(
        mut grant in any_grant(0),
        mut line in [1, 2, 3].map(|n| any_ancestor(n).boxed()),
        depth in prop::sample::select(&[0, 0, 0, 1, 2, 3, 4]),
        left_out in prop::option::weighted(0.1, 0..3usize),
    ) -> Claimed {
        for (grant, parent) in std::iter::once(&mut grant).chain(&mut line).zip(&LINE[1..]).take(depth) {
            grant.parent = *parent;
        }
        let mut ancestors = line.map(Some);
        if let Some(n) = left_out {
            ancestors[n] = None;
        }
        Claimed::granted(grant, ancestors)
    }
}

prop_compose! {
    fn any_policy()(
        (patient, institution) in (mostly(PATIENT, Just(OTHER)), mostly(INSTITUTION, Just(OTHER))),
        expires in mostly(i64::MAX, about_now()),
        classes in mostly(1, any::<u32>()),
        since in mostly(0, about_now()),
        purposes in mostly(Purpose::MASK, any::<u8>()),
        enrols in prop::sample::select(&[0, 1, 77]),
    ) -> Claimed {
        let mut policy = sound_policy();
        (policy.patient, policy.institution, policy.expires) = (patient, institution, expires);
        (policy.classes, policy.purposes, policy.enrols) = (classes, purposes, enrols);
        policy.since = [since; 32];
        Claimed::Policy(Box::new(policy))
    }
}

prop_compose! {
    fn any_emergency()(
        patient in mostly(PATIENT, Just(OTHER)),
        member in mostly(MEMBER_ACCOUNT, Just(SOMEBODY)),
        expires in mostly(i64::MAX, about_now()),
    ) -> Claimed {
        let mut emergency = sound_emergency();
        (emergency.patient, emergency.member, emergency.expires) = (patient, key(member), expires);
        Claimed::Emergency(Box::new(emergency))
    }
}

prop_compose! {
    fn any_delegate()(
        patient in mostly(PATIENT, Just(OTHER)),
        revoked in mostly(0, 1..3u8),
        key_epoch in mostly(1, 0..3u32),
        expires in mostly(i64::MAX, about_now()),
        rights in prop_oneof![2 => Just(Action::MASK), 1 => any::<u8>()],
    ) -> Delegate {
        let mut delegate = Delegate::zeroed();
        (delegate.patient, delegate.revoked, delegate.key_epoch) = (patient, revoked, key_epoch);
        (delegate.expires, delegate.rights) = (expires, rights);
        delegate
    }
}

prop_compose! {
    fn any_member()(
        standing in any_standing(),
        role in prop_oneof![3 => Just(0), 2 => Just(1), 4 => 0..7u8],
        expires in mostly(NOW + 1, about_now()),
        emergency_credential in mostly(1, Just(0)),
        institution in mostly(INSTITUTION, Just(OTHER)),
    ) -> Member {
        let mut member = Member::zeroed();
        (member.standing, member.role, member.expires) = (standing, role, expires);
        (member.emergency_credential, member.institution) = (emergency_credential, institution);
        member
    }
}

prop_compose! {
    fn any_institution()(
        id in mostly(INSTITUTION, Just(OTHER)),
        standing in any_standing(),
        expires in mostly(NOW + 1, about_now()),
        kind in mostly(InstitutionKind::Hospital.byte(), any::<u8>()),
    ) -> Institution {
        let mut institution = Institution::zeroed();
        (institution.id, institution.standing) = (id, standing);
        (institution.expires, institution.kind) = (expires, kind);
        institution
    }
}

/// Mostly a purpose that whoever asks could have.
fn purpose_of(capacity: ActorKind, role: u8, claim: &Claimed) -> Vec<Purpose> {
    let role = Role::from_byte(role).map_or(&[][..], |role| table(role).1);
    match (capacity, claim) {
        (ActorKind::Member, Claimed::Emergency(_)) => vec![Purpose::Emergency],
        (ActorKind::Member, _) if !role.is_empty() => role.to_vec(),
        (ActorKind::Member, _) => Purpose::ALL.to_vec(),
        _ => vec![Purpose::Personal],
    }
}

fn author() -> BoxedStrategy<Option<Address>> {
    let somebody = prop::sample::select(&[PATIENT_ACCOUNT, MEMBER_ACCOUNT, SOMEBODY, SOMEBODY, SOMEBODY]);
    prop::option::of(somebody.prop_map(key)).boxed()
}

prop_compose! {
    fn any_question()(
        capacity in prop_oneof![
            1 => Just(ActorKind::Patient),
            12 => Just(ActorKind::Member),
            4 => Just(ActorKind::Person),
            3 => Just(ActorKind::Delegate),
        ],
        (wallet, steward) in (mostly(1, Just(0)), prop::sample::select(&[NO_ID, INSTITUTION, OTHER])),
        (member, institution, delegate) in (any_member().boxed(), any_institution().boxed(), any_delegate().boxed()),
        claim in prop_oneof![
            1 => Just(Claimed::Nothing),
            6 => any_line().boxed(),
            4 => any_policy().boxed(),
            4 => any_emergency().boxed(),
        ],
        class in mostly(0, any::<u8>()),
        created_at in about_now(),
        (author, origin) in (author(), author()),
        erased in prop::bool::weighted(0.03),
        action in prop_oneof![2 => Just(Action::Read), 2 => Just(Action::Append), 3 => prop::sample::select(Action::ALL)],
        natural in prop::bool::weighted(0.8),
        (any_purpose, place) in (prop::sample::select(Purpose::ALL), any::<prop::sample::Index>()),
        consent in prop::bool::weighted(0.1),
    ) -> Case {
        let natural = natural.then(|| *place.get(&purpose_of(capacity, member.role, &claim)));
        let purpose = natural.unwrap_or(any_purpose);
        let mut case = Case::sound(Role::Doctor, action, purpose);
        (case.patient.wallet, case.patient.steward) = (key(wallet), steward);
        Case {
            capacity, member, institution, delegate, claim, class, created_at, author, origin, erased, consent, ..case
        }
    }
}

/// A question of which one thing or another may be wrong.
pub(super) fn any_case() -> BoxedStrategy<Case> {
    any_question().boxed()
}
