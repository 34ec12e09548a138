//! The policy against a model that is written from its prose, and against what must hold whatever the rules say.

use std::{cell::RefCell, collections::BTreeMap};

use chartseal_program::{events::Terms, policy::*, seeds::NO_ID, state::*, vocabulary::*};
use proptest::{prelude::*, test_runner::TestRunner};

mod case;
mod model;
mod restrictions;

use case::*;
use restrictions::*;

/// Answers that only [`may_open_emergency`], [`may_pass_on`] and, of versions, `access_record` give.
const NEVER_DECIDED: &[Reason] = &[
    Reason::TooDeep,
    Reason::BeyondParent,
    Reason::EmergencyUnreviewed,
    Reason::EmergencyCap,
    Reason::OlderVersion,
];

/// How often each answer has to have come, so that no rule goes untested.
const OFTEN: u32 = 20;

/// Tries a property out on so many values, and counts what its answers were.
fn answers<T: std::fmt::Debug, A: Ord>(
    cases: u32,
    values: &impl Strategy<Value = T>,
    property: impl Fn(T) -> Result<A, TestCaseError>,
) -> BTreeMap<A, u32> {
    let counts = RefCell::new(BTreeMap::new());
    let config = ProptestConfig {
        cases,
        source_file: Some(file!()),
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(values, |value| {
        *counts.borrow_mut().entry(property(value)?).or_default() += 1;
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    counts.into_inner()
}

#[test]
fn policy_answers_as_the_model_does() {
    let counts = answers(60_000, &any_case(), |case| {
        let answer = case.decide();
        prop_assert_eq!(answer, model::decision(&case));
        Ok(answer)
    });
    for &basis in Basis::ALL {
        let count = counts.get(&Ok(basis)).copied().unwrap_or_default();
        assert!(count >= OFTEN, "only {count} were allowed as {}", basis.word());
    }
    for &reason in Reason::ALL {
        let count = counts.get(&Err(reason)).copied().unwrap_or_default();
        if NEVER_DECIDED.contains(&reason) {
            assert_eq!(count, 0, "{}", reason.word());
        } else {
            assert!(count >= OFTEN, "only {count} were refused as {}", reason.word());
        }
    }
}

fn restricted(case: &Case, restriction: fn(&mut Case)) -> Result<Basis, Reason> {
    let mut case = case.clone();
    restriction(&mut case);
    case.decide()
}

/// None of these restrictions leaves the right.
fn prop_none_leaves_it(case: &Case, restrictions: &[Restriction]) -> Result<(), TestCaseError> {
    for (name, restriction) in restrictions {
        prop_assert!(restricted(case, *restriction).is_err(), "although {}", name);
    }
    Ok(())
}

#[test]
fn no_right_comes_from_what_it_rests_on_where_that_is_not_sound_or_left_out() {
    let counts = answers(25_000, &any_case(), |case| {
        let answer = case.decide();
        if case.capacity == ActorKind::Member {
            prop_none_leaves_it(&case, OF_THE_CREDENTIAL)?;
        }
        match answer {
            Ok(Basis::Grant) => {
                prop_none_leaves_it(&case, OF_THE_GRANT)?;
                prop_assert_eq!(
                    restricted(&case, |case| case.claim = Claimed::Nothing),
                    Err(Reason::NoGrant)
                );
            }
            Ok(Basis::Policy) => {
                prop_none_leaves_it(&case, OF_THE_POLICY)?;
                prop_assert_eq!(
                    restricted(&case, |case| case.claim = Claimed::Nothing),
                    Err(Reason::NoGrant)
                );
            }
            Ok(Basis::Emergency) => prop_none_leaves_it(&case, OF_THE_EMERGENCY)?,
            Ok(Basis::Delegate) => prop_none_leaves_it(&case, OF_THE_DELEGATE)?,
            _ => {}
        }
        Ok(answer.ok())
    });
    for basis in [Basis::Grant, Basis::Policy, Basis::Emergency, Basis::Delegate] {
        assert!(counts[&Some(basis)] >= OFTEN, "{}", basis.word());
    }
}

#[test]
fn no_right_comes_from_a_grant_one_of_whose_ancestors_does_not_live() {
    let counts = answers(25_000, &any_case(), |case| {
        let (Ok(Basis::Grant), Claimed::Grant(claimed)) = (case.decide(), &case.claim) else {
            return Ok(0);
        };
        let (grant, ancestors) = claimed.as_ref();
        // As many as there are: what is passed beyond them is not looked at.
        let mut line = 0;
        let mut last = grant;
        while let (true, Some(Some(parent))) = (last.parent != NO_ID, ancestors.get(line)) {
            last = parent;
            line += 1;
        }
        for place in 0..line {
            for (name, restriction) in OF_AN_ANCESTOR {
                let mut ancestors = *ancestors;
                restriction(&mut ancestors[place]);
                let restricted = Case {
                    claim: Claimed::granted(*grant, ancestors),
                    ..case.clone()
                };
                prop_assert!(
                    matches!(
                        restricted.decide(),
                        Err(Reason::AncestorMissing | Reason::AncestorLapsed)
                    ),
                    "although ancestor {} {}",
                    place,
                    name
                );
            }
        }
        Ok(line)
    });
    assert!(
        (1..=3).all(|line| counts.get(&line).is_some_and(|&count| count >= OFTEN)),
        "{counts:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn taking_something_away_never_gives_a_right(case in any_case()) {
        if case.decide().is_err() {
            let all = [
                OF_THE_CASE, OF_THE_CREDENTIAL, OF_THE_GRANT, OF_THE_POLICY, OF_THE_DELEGATE,
                // An emergency is no use for treatment, but treatment may be what a grant is for.
                &OF_THE_EMERGENCY[..4],
            ];
            prop_none_leaves_it(&case, &all.concat())?;
        }
    }

    #[test]
    fn nothing_is_done_with_an_erased_record(case in any_case()) {
        prop_assert_eq!(restricted(&case, |case| case.erased = true), Err(Reason::RecordErased));
    }

    #[test]
    fn answer_says_on_what_it_rests(case in any_case()) {
        let member = case.capacity == ActorKind::Member;
        match case.decide() {
            Ok(Basis::Patient) => prop_assert_eq!(case.capacity, ActorKind::Patient),
            Ok(Basis::Consent) => prop_assert!(case.consent && member),
            Ok(Basis::Author) => prop_assert!(
                case.action == Action::Read && [case.author, case.origin].contains(&Some(key(MEMBER_ACCOUNT)))
            ),
            Ok(Basis::Steward) => prop_assert!(!case.patient.has_wallet() && case.action == Action::Append),
            Ok(Basis::Grant) => prop_assert!(matches!(case.claim, Claimed::Grant(_))),
            Ok(Basis::Delegate) => prop_assert_eq!(case.capacity, ActorKind::Delegate),
            Ok(Basis::Policy) => prop_assert!(member && matches!(case.claim, Claimed::Policy(_))),
            Ok(Basis::Emergency) => prop_assert!(
                member && matches!(case.claim, Claimed::Emergency(_)) && case.purpose == Purpose::Emergency
            ),
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

    #[test]
    fn delegate_does_nothing_that_the_patient_could_not(case in any_case()) {
        if case.capacity == ActorKind::Delegate && case.decide().is_ok() {
            prop_assert_eq!(restricted(&case, |case| case.capacity = ActorKind::Patient), Ok(Basis::Patient));
            prop_assert_eq!(case.purpose, Purpose::Personal);
        }
    }

    #[test]
    fn claim_of_one_kind_is_never_taken_for_another(case in any_case()) {
        // Neither policies nor emergencies let anybody change what is written, or pass anything on.
        if let Ok(Basis::Policy | Basis::Emergency) = case.decide() {
            prop_assert!(matches!(case.action, Action::Read | Action::Append));
        }
    }
}

fn any_tally(cap: u32) -> impl Strategy<Value = (i64, u32)> {
    let day = model::A_DAY;
    let since = prop::sample::select(vec![0, NOW - day - 1, NOW - day, NOW - day + 1, NOW - 1, NOW, NOW + 1]);
    (since, prop_oneof![Just(0), cap - 1..=cap + 1])
}

#[test]
fn emergencies_are_opened_as_the_model_says() {
    let member = (
        prop_oneof![4 => Just(0u32), 1 => 1..3u32],
        any_tally(model::OF_A_MEMBER),
    );
    let unreviewed = prop_oneof![2 => Just(0u32), 1 => model::UNREVIEWED - 1..=model::UNREVIEWED + 1];
    let institution = (unreviewed, any_tally(model::OF_AN_INSTITUTION));
    let counts = answers(
        30_000,
        &(any_case(), member, institution),
        |(mut case, member, institution)| {
            case.member.unreviewed_emergencies = member.0;
            (case.member.emergencies.since, case.member.emergencies.count) = member.1;
            case.institution.unreviewed_emergencies = institution.0;
            (case.institution.emergencies.since, case.institution.emergencies.count) = institution.1;
            let answer = case.may_open_emergency();
            prop_assert_eq!(answer, model::opening(&case));
            Ok(answer)
        },
    );
    let reasons = [
        Reason::MemberInvited,
        Reason::MemberSuspended,
        Reason::MemberExpired,
        Reason::InstitutionNotActive,
        Reason::RoleForbidsContent,
        Reason::RoleForbidsAction,
        Reason::RoleForbidsPurpose,
        Reason::NoEmergencyCredential,
        Reason::EmergencyUnreviewed,
        Reason::EmergencyCap,
    ];
    // Whoever has a role that reads has a role that may do something.
    for reason in reasons
        .into_iter()
        .filter(|reason| *reason != Reason::RoleForbidsAction)
    {
        let count = counts.get(&Err(reason)).copied().unwrap_or_default();
        assert!(count >= OFTEN, "only {count} times {}", reason.word());
    }
    assert!(counts[&Ok(())] >= OFTEN);
    assert_eq!(counts.len(), reasons.len(), "and no other answer");
}

prop_compose! {
    /// A grant of some things, and terms that often give no more.
    fn any_passing_on()(
        depth in 0..5u8,
        (rights, purposes) in (1..=Action::MASK, 1..=Purpose::MASK),
        (more_rights, more_purposes) in (mostly(0, any::<u8>()), mostly(0, any::<u8>())),
        (fewer_rights, fewer_purposes) in (any::<u8>(), any::<u8>()),
        (not_before, length) in (NOW - 2..=NOW, 2..6i64),
        (later, earlier) in (mostly(1, -1..=1i64), mostly(0, -1..=1i64)),
        (uses_left, uses) in (prop_oneof![Just(5), Just(UNLIMITED)], mostly(5, prop_oneof![4..7u32, Just(UNLIMITED)])),
        (classes, own_classes) in (mostly(0b1011, Just(0)), mostly(0b0011, prop_oneof![Just(0b0100), any::<u32>()])),
        class in prop::option::of(0..4u8),
        record in mostly(RECORD, Just(OTHER)),
        kind in mostly(GranteeKind::Member, prop::sample::select(GranteeKind::ALL)),
    ) -> (Grant, Terms, Option<u8>) {
        let mut parent = sound_grant(0);
        (parent.depth, parent.rights, parent.purposes) = (depth, rights, purposes);
        (parent.not_before, parent.expires, parent.uses_left) = (not_before, not_before + length, uses_left);
        (parent.classes, parent.record) = (classes, if classes == 0 { RECORD } else { NO_ID });
        let some = |all: u8, fewer: u8, more: u8| match all & fewer {
            0 => all | more,
            some => some | more,
        };
        let terms = Terms {
            record: if class.is_some() { record } else { NO_ID },
            classes: if class.is_some() { 0 } else { own_classes.max(1) },
            grantee_kind: kind,
            grantee: key(MEMBER_ACCOUNT),
            grantee_key: [0; 32],
            rights: some(rights, fewer_rights, more_rights),
            purposes: some(purposes, fewer_purposes, more_purposes),
            not_before: not_before + later,
            expires: (not_before + length - earlier).max(not_before + later + 1),
            uses,
        };
        (parent, terms, class)
    }
}

#[test]
fn grant_is_passed_on_as_the_model_says() {
    let counts = answers(30_000, &any_passing_on(), |(parent, terms, class)| {
        let answer = may_pass_on(&parent, &terms, class);
        prop_assert_eq!(answer, model::passing_on(&parent, &terms, class));
        Ok((answer, class.is_some(), parent.classes == 0))
    });
    for of_record in [false, true] {
        for answer in [Ok(()), Err(Reason::TooDeep), Err(Reason::BeyondParent)] {
            // Classes are never part of one record.
            let impossible = answer.is_ok() && !of_record;
            let count = |one| counts.get(&(answer, of_record, one)).copied().unwrap_or_default();
            assert!(count(false) >= OFTEN, "{answer:?}");
            assert!(
                if impossible {
                    count(true) == 0
                } else {
                    count(true) >= OFTEN
                },
                "{answer:?}"
            );
        }
    }
}

#[test]
fn grant_that_was_passed_on_gives_nothing_that_its_parent_does_not() {
    let counts = answers(
        30_000,
        &(any_case(), any_passing_on().boxed()),
        |(case, (parent, terms, class))| {
            if case.capacity != ActorKind::Member || case.consent || may_pass_on(&parent, &terms, class).is_err() {
                return Ok(false);
            }
            let mut child = sound_grant(1);
            child.begin(&[41; 16], &PATIENT, &terms, &key(SOMEBODY), NOW);
            (child.parent, child.depth) = (parent.id, parent.depth + 1);
            // Ancestors of a parent that descends from another are looked at elsewhere.
            let claiming = |grant: Grant, ancestors| Case {
                claim: Claimed::granted(grant, ancestors),
                class: class.unwrap_or(case.class),
                ..case.clone()
            };
            let by_child = claiming(child, [Some(parent), None, None]).decide();
            if by_child == Ok(Basis::Grant) {
                prop_assert_eq!(claiming(parent, [None; 3]).decide(), Ok(Basis::Grant));
            }
            Ok(by_child == Ok(Basis::Grant))
        },
    );
    assert!(counts[&true] >= OFTEN, "{counts:?}");
}

#[test]
fn role_asks_for_what_it_may_have_and_no_more() {
    for role in (0..=u8::MAX).map(Role::from_byte) {
        let (actions, purposes) = role.map_or((&[][..], &[][..]), model::table);
        for rights in 0..=u8::MAX {
            let may = |mask: u8| {
                let asks = |bit: &u8| mask >> bit & 1 == 1;
                (0..8)
                    .filter(asks)
                    .all(|bit| actions.iter().any(|action| action.byte() == bit))
            };
            for asked in 0..=u8::MAX {
                let asks = |bit: &u8| asked >> bit & 1 == 1;
                let fits = (0..8)
                    .filter(asks)
                    .all(|bit| purposes.iter().any(|purpose| purpose.byte() == bit));
                let expected = !actions.is_empty() && may(rights) && fits;
                assert_eq!(
                    may_request(role, rights, asked),
                    expected,
                    "{role:?} {rights:b} {asked:b}"
                );
            }
        }
        if role.is_none() {
            break;
        }
    }
}

#[test]
fn doctors_and_nurses_of_hospitals_hold_the_credential_for_emergencies() {
    for kind in InstitutionKind::ALL.iter().copied().map(Some).chain([None]) {
        for role in Role::ALL.iter().copied().map(Some).chain([None]) {
            let expected = kind == Some(InstitutionKind::Hospital) && matches!(role, Some(Role::Doctor | Role::Nurse));
            assert_eq!(
                may_hold_emergency_credential(kind, role),
                expected,
                "{role:?} of {kind:?}"
            );
        }
    }
}

#[test]
fn role_limits_what_the_widest_grant_gives() {
    for &role in Role::ALL {
        let (actions, purposes) = model::table(role);
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
        case.on_grant(|grant| (grant.not_before, grant.expires) = (not_before, expires));
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
