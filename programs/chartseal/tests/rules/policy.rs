//! The policy against a model that is written from its prose, and against what must hold whatever the rules say.

use anchor_lang::prelude::Address;
use bytemuck::Zeroable;
use chartseal_program::{
    policy::*,
    seeds::Id,
    state::{Grant, Institution, Member, Patient},
    vocabulary::*,
};
use proptest::prelude::*;

const NOW: i64 = 1_000_000;
const PATIENT: Id = [1; 16];
const INSTITUTION: Id = [2; 16];
const RECORD: Id = [3; 16];
const OTHER: Id = [9; 16];

fn key(n: u8) -> Address {
    Address::new_from_array([n; 32])
}

const PATIENT_ACCOUNT: u8 = 11;
const MEMBER_ACCOUNT: u8 = 12;
const INSTITUTION_ACCOUNT: u8 = 13;
const PERSON_WALLET: u8 = 14;
const SOMEBODY: u8 = 19;

/// Everything that a decision looks at, by value.
#[derive(Clone, Debug)]
struct Case {
    capacity: ActorKind,
    patient: Patient,
    member: Member,
    institution: Institution,
    grant: Option<Grant>,
    class: u8,
    author: Option<Address>,
    origin: Option<Address>,
    erased: bool,
    action: Action,
    purpose: Purpose,
    consent: bool,
}

impl Case {
    fn decide(&self) -> Result<Basis, Reason> {
        let (patient, member) = (key(PATIENT_ACCOUNT), key(MEMBER_ACCOUNT));
        let (institution, person) = (key(INSTITUTION_ACCOUNT), key(PERSON_WALLET));
        decide(&Query {
            patient: &self.patient,
            capacity: match self.capacity {
                ActorKind::Patient => Capacity::Patient { address: &patient },
                ActorKind::Member => Capacity::Member(Credential {
                    address: &member,
                    member: &self.member,
                    institution_address: &institution,
                    institution: &self.institution,
                }),
                ActorKind::Person => Capacity::Person { wallet: &person },
            },
            subject: Subject {
                record: &RECORD,
                class: self.class,
                author: self.author.as_ref(),
                origin: self.origin.as_ref(),
                erased: self.erased,
            },
            action: self.action,
            purpose: self.purpose,
            grant: self.grant.as_ref(),
            consent: self.consent,
            now: NOW,
        })
    }

    /// The same question of somebody who has everything: each test takes something away.
    fn sound(role: Role, action: Action, purpose: Purpose) -> Self {
        let mut patient = Patient::zeroed();
        (patient.id, patient.wallet) = (PATIENT, key(1));
        let mut institution = Institution::zeroed();
        (institution.id, institution.standing) = (INSTITUTION, Standing::Active.byte());
        let mut member = Member::zeroed();
        (member.institution, member.expires) = (INSTITUTION, NOW + 1);
        (member.role, member.standing) = (role.byte(), Standing::Active.byte());
        let mut grant = Grant::zeroed();
        (grant.patient, grant.classes, grant.uses_left) = (PATIENT, 1, 1);
        (grant.grantee_kind, grant.grantee) = (GranteeKind::Member.byte(), key(MEMBER_ACCOUNT));
        (grant.rights, grant.purposes) = (Action::MASK, Purpose::MASK);
        (grant.not_before, grant.expires) = (NOW, NOW + 1);
        Self {
            capacity: ActorKind::Member,
            patient,
            member,
            institution,
            grant: Some(grant),
            class: 0,
            author: None,
            origin: None,
            erased: false,
            action,
            purpose,
            consent: false,
        }
    }
}

// A model of the rules: every reason that applies, in the order in which they are given.

/// The table of the design: what a role may do, and what for.
fn table(role: Role) -> (&'static [Action], &'static [Purpose]) {
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

fn model(case: &Case) -> Result<Basis, Reason> {
    let mut against = Vec::new();
    let mut object = |applies: bool, reason| {
        if applies {
            against.push(reason);
        }
    };
    object(case.erased, Reason::RecordErased);
    let mut basis = None;
    match case.capacity {
        ActorKind::Patient => {
            let own = case.origin == Some(key(PATIENT_ACCOUNT));
            object(case.action == Action::Amend && !own, Reason::NotTheAuthor);
            basis = Some(Basis::Patient);
        }
        ActorKind::Member => {
            let member = &case.member;
            object(member.standing == 0, Reason::MemberInvited);
            object(member.standing >= 2, Reason::MemberSuspended);
            object(member.expires <= NOW, Reason::MemberExpired);
            let active = case.institution.standing == 1 && case.institution.id == member.institution;
            object(!active, Reason::InstitutionNotActive);
            let (actions, purposes) = Role::from_byte(member.role).map_or((&[][..], &[][..]), table);
            object(actions.is_empty(), Reason::RoleForbidsContent);
            object(!actions.contains(&case.action), Reason::RoleForbidsAction);
            object(!purposes.contains(&case.purpose), Reason::RoleForbidsPurpose);
            let wrote = [case.author, case.origin].contains(&Some(key(MEMBER_ACCOUNT)));
            let stewarded = case.patient.wallet == key(0)
                && case.patient.steward == case.institution.id
                && case.patient.steward != [0; 16];
            if case.consent {
                basis = Some(Basis::Consent);
            } else if case.action == Action::Read && wrote {
                basis = Some(Basis::Author);
            } else if case.action == Action::Append && stewarded {
                basis = Some(Basis::Steward);
            }
        }
        ActorKind::Person => {
            object(case.action != Action::Read, Reason::RoleForbidsAction);
            object(case.purpose != Purpose::Personal, Reason::PurposeNotPersonal);
        }
    }
    let basis = match (basis, &case.grant) {
        (Some(basis), _) => Ok(basis),
        (None, None) => Err(Reason::NoGrant),
        (None, Some(grant)) => {
            object(grant.patient != PATIENT, Reason::GrantForeign);
            let named = match (case.capacity, grant.grantee_kind) {
                (ActorKind::Member, 0) => grant.grantee == key(MEMBER_ACCOUNT),
                (ActorKind::Member, 1) => grant.grantee == key(INSTITUTION_ACCOUNT),
                (ActorKind::Person, 2) => grant.grantee == key(PERSON_WALLET),
                _ => false,
            };
            object(!named, Reason::GrantNotYours);
            object(grant.revoked != 0, Reason::GrantRevoked);
            object(NOW < grant.not_before, Reason::GrantNotYetValid);
            object(grant.expires <= NOW, Reason::GrantExpired);
            object(grant.uses_left == 0, Reason::GrantExhausted);
            let covered = if grant.classes == 0 {
                grant.record == RECORD
            } else {
                case.class < 32 && u64::from(grant.classes) >> case.class & 1 == 1
            };
            object(!covered, Reason::GrantOtherSubject);
            object(grant.rights >> case.action.byte() & 1 == 0, Reason::RightNotGranted);
            object(
                grant.purposes >> case.purpose.byte() & 1 == 0,
                Reason::PurposeNotGranted,
            );
            Ok(Basis::Grant)
        }
    };
    match against.first() {
        Some(&reason) => Err(reason),
        None => basis,
    }
}

// Random cases, in which what is sound is likely enough that both answers are common.

fn mostly<T: Clone + std::fmt::Debug + 'static>(
    sound: T,
    other: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![6 => Just(sound), 1 => other]
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

prop_compose! {
    fn any_grant()(
        patient in mostly(PATIENT, Just(OTHER)),
        (grantee_kind, grantee) in prop_oneof![
            3 => Just((0, MEMBER_ACCOUNT)),
            3 => Just((1, INSTITUTION_ACCOUNT)),
            3 => Just((2, PERSON_WALLET)),
            1 => (any::<u8>(), prop::sample::select(&[
                MEMBER_ACCOUNT, INSTITUTION_ACCOUNT, PERSON_WALLET, SOMEBODY
            ])),
        ],
        (record, classes) in prop_oneof![
            4 => Just(([0; 16], 1)),
            2 => Just((RECORD, 0)),
            1 => Just((OTHER, 0)),
            1 => any::<u32>().prop_map(|classes| ([0; 16], classes)),
        ],
        rights in mostly(Action::MASK, any::<u8>()),
        purposes in mostly(Purpose::MASK, any::<u8>()),
        not_before in mostly(0, NOW - 1..=NOW + 1),
        expires in mostly(i64::MAX, NOW - 1..=NOW + 1),
        uses_left in mostly(5, 0..2u32),
        revoked in mostly(0, 0..3u8),
    ) -> Grant {
        let mut grant = Grant::zeroed();
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
    fn any_case()(
        capacity in prop_oneof![1 => Just(ActorKind::Patient), 5 => Just(ActorKind::Member), 2 => Just(ActorKind::Person)],
        (wallet, steward) in (mostly(1, Just(0)), prop::sample::select(&[[0; 16], INSTITUTION, OTHER])),
        (standing, role, expires) in (mostly(1, any::<u8>()), 0..7u8, mostly(NOW + 1, NOW - 1..=NOW)),
        (institution_id, institution_standing) in (mostly(INSTITUTION, Just(OTHER)), mostly(1, any::<u8>())),
        grant in prop::option::weighted(0.8, any_grant()),
        class in mostly(0, any::<u8>()),
        author in prop::option::of(prop::sample::select(&[PATIENT_ACCOUNT, MEMBER_ACCOUNT, SOMEBODY])),
        origin in prop::option::of(prop::sample::select(&[PATIENT_ACCOUNT, MEMBER_ACCOUNT, SOMEBODY])),
        erased in prop::bool::weighted(0.05),
        (action, purpose) in (word(Action::ALL), word(Purpose::ALL)),
        consent in prop::bool::weighted(0.2),
    ) -> Case {
        let sound = Case::sound(Role::Doctor, action, purpose);
        let mut case = Case { capacity, grant, class, author: author.map(key), origin: origin.map(key), erased, consent, ..sound };
        (case.patient.wallet, case.patient.steward) = (key(wallet), steward);
        (case.member.standing, case.member.role, case.member.expires) = (standing, role, expires);
        (case.institution.id, case.institution.standing) = (institution_id, institution_standing);
        case
    }
}

/// What takes something away from the actor, whatever it had.
type Restriction = (&'static str, fn(&mut Case));

const OF_THE_CASE: &[Restriction] = &[
    ("the record is erased", |case| case.erased = true),
    ("no consent", |case| case.consent = false),
    ("no grant is passed", |case| case.grant = None),
    ("somebody else is the author", |case| case.author = Some(key(SOMEBODY))),
    ("somebody else wrote the first version", |case| {
        case.origin = Some(key(SOMEBODY))
    }),
    ("the patient has a wallet", |case| case.patient.wallet = key(1)),
    ("another is the steward", |case| case.patient.steward = OTHER),
    ("there is no steward", |case| case.patient.steward = [0; 16]),
];

const OF_THE_CREDENTIAL: &[Restriction] = &[
    ("the member is suspended", |case| {
        case.member.standing = Standing::Suspended.byte()
    }),
    ("the member did not accept", |case| {
        case.member.standing = Standing::Invited.byte()
    }),
    ("the member's standing is no word", |case| case.member.standing = 77),
    ("the membership ends now", |case| case.member.expires = NOW),
    ("the institution is suspended", |case| {
        case.institution.standing = Standing::Suspended.byte()
    }),
    ("the institution did not accept", |case| {
        case.institution.standing = Standing::Invited.byte()
    }),
    ("the institution is another one", |case| {
        case.member.institution = [8; 16]
    }),
    ("the role is to audit", |case| case.member.role = Role::Auditor.byte()),
    ("the role is no word", |case| case.member.role = 77),
];

const OF_THE_GRANT: &[Restriction] = &[
    ("the grant is another patient's", |case| {
        on_grant(case, |grant| grant.patient = OTHER)
    }),
    ("the grant is revoked", |case| on_grant(case, |grant| grant.revoked = 1)),
    ("the grant ends now", |case| on_grant(case, |grant| grant.expires = NOW)),
    ("the grant begins later", |case| {
        on_grant(case, |grant| grant.not_before = NOW + 1)
    }),
    ("the grant has no uses left", |case| {
        on_grant(case, |grant| grant.uses_left = 0)
    }),
    ("the grant names another", |case| {
        on_grant(case, |grant| grant.grantee = key(SOMEBODY))
    }),
    ("the grant's grantee is of no kind", |case| {
        on_grant(case, |grant| grant.grantee_kind = 77)
    }),
    ("the grant is on another record", |case| {
        on_grant(case, |grant| (grant.record, grant.classes) = (OTHER, 0));
    }),
    ("the right is not granted", |case| {
        let bit = case.action.bit();
        on_grant(case, |grant| grant.rights &= !bit);
    }),
    ("the purpose is not granted", |case| {
        let bit = case.purpose.bit();
        on_grant(case, |grant| grant.purposes &= !bit);
    }),
];

fn on_grant(case: &mut Case, change: impl FnOnce(&mut Grant)) {
    if let Some(grant) = &mut case.grant {
        change(grant);
    }
}

fn restricted(case: &Case, restriction: fn(&mut Case)) -> Result<Basis, Reason> {
    let mut case = case.clone();
    restriction(&mut case);
    case.decide()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn policy_answers_as_the_model_does(case in any_case()) {
        prop_assert_eq!(case.decide(), model(&case));
    }

    #[test]
    fn taking_something_away_never_gives_a_right(case in any_case()) {
        if case.decide().is_err() {
            for (name, restriction) in [OF_THE_CASE, OF_THE_CREDENTIAL, OF_THE_GRANT].concat() {
                prop_assert!(restricted(&case, restriction).is_err(), "although {}", name);
            }
        }
    }

    #[test]
    fn no_right_comes_from_a_credential_that_is_not_sound(case in any_case()) {
        if case.capacity == ActorKind::Member {
            for (name, restriction) in OF_THE_CREDENTIAL {
                prop_assert!(restricted(&case, *restriction).is_err(), "although {}", name);
            }
        }
    }

    #[test]
    fn no_right_comes_from_a_grant_that_is_not_sound_or_left_out(case in any_case()) {
        if case.decide() == Ok(Basis::Grant) {
            for (name, restriction) in OF_THE_GRANT {
                prop_assert!(restricted(&case, *restriction).is_err(), "although {}", name);
            }
            prop_assert_eq!(restricted(&case, |case| case.grant = None), Err(Reason::NoGrant));
        }
    }

    #[test]
    fn nothing_is_done_with_an_erased_record(case in any_case()) {
        prop_assert_eq!(restricted(&case, |case| case.erased = true), Err(Reason::RecordErased));
    }

    #[test]
    fn answer_says_on_what_it_rests(case in any_case()) {
        match case.decide() {
            Ok(Basis::Patient) => prop_assert_eq!(case.capacity, ActorKind::Patient),
            Ok(Basis::Consent) => prop_assert!(case.consent && case.capacity == ActorKind::Member),
            Ok(Basis::Author) => prop_assert!(
                case.action == Action::Read && [case.author, case.origin].contains(&Some(key(MEMBER_ACCOUNT)))
            ),
            Ok(Basis::Steward) => prop_assert!(!case.patient.has_wallet() && case.action == Action::Append),
            Ok(Basis::Grant) => prop_assert!(case.grant.is_some()),
            Err(_) => {}
        }
    }

    #[test]
    fn person_does_nothing_but_read_for_itself(case in any_case()) {
        if case.capacity == ActorKind::Person && case.decide().is_ok() {
            prop_assert_eq!((case.action, case.purpose), (Action::Read, Purpose::Personal));
            prop_assert_eq!(case.decide(), Ok(Basis::Grant));
        }
    }
}

#[test]
fn role_limits_what_the_widest_grant_gives() {
    for &role in Role::ALL {
        let (actions, purposes) = table(role);
        for &action in Action::ALL {
            for &purpose in Purpose::ALL {
                let verdict = Case::sound(role, action, purpose).decide();
                let may = actions.contains(&action) && purposes.contains(&purpose);
                assert_eq!(
                    verdict.is_ok(),
                    may,
                    "{} {} for {}",
                    role.word(),
                    action.word(),
                    purpose.word()
                );
            }
        }
    }
}

#[test]
fn no_profession_acts_for_personal_purposes() {
    for &role in Role::ALL {
        for &action in Action::ALL {
            assert!(Case::sound(role, action, Purpose::Personal).decide().is_err());
        }
    }
}

#[test]
fn validity_is_exact_at_its_bounds() {
    let at = |not_before, expires| {
        let mut case = Case::sound(Role::Doctor, Action::Read, Purpose::Treatment);
        on_grant(&mut case, |grant| {
            (grant.not_before, grant.expires) = (not_before, expires)
        });
        case.decide()
    };
    assert_eq!(at(NOW, NOW + 1), Ok(Basis::Grant));
    assert_eq!(at(NOW + 1, NOW + 2), Err(Reason::GrantNotYetValid));
    assert_eq!(at(NOW - 1, NOW), Err(Reason::GrantExpired));
    assert_eq!(at(i64::MIN, i64::MAX), Ok(Basis::Grant));
}

#[test]
fn institution_has_members_of_the_roles_of_its_kind() {
    use InstitutionKind::{Hospital, Insurer, Laboratory, Regulator, ResearchBody};
    for (kind, roles) in [
        (
            Hospital,
            &[
                Role::Doctor,
                Role::Nurse,
                Role::Technician,
                Role::Researcher,
                Role::Auditor,
            ][..],
        ),
        (
            Laboratory,
            &[
                Role::Doctor,
                Role::Nurse,
                Role::Technician,
                Role::Researcher,
                Role::Auditor,
            ],
        ),
        (Insurer, &[Role::Insurer, Role::Auditor]),
        (ResearchBody, &[Role::Researcher, Role::Auditor]),
        (Regulator, &[Role::Auditor]),
    ] {
        for &role in Role::ALL {
            assert_eq!(
                employs(kind, role),
                roles.contains(&role),
                "{} of {}",
                role.word(),
                kind.word()
            );
        }
    }
}
