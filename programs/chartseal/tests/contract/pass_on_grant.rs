//! A grantee passes on what it may share: that or less, to a member or an institution, three times at most.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As},
    events::{Actor, AnyEvent, GrantPassedOn, Terms},
    instructions::PassOnGrantArgs,
    seeds::{address, Id, GRANT, NO_ID},
    state::{Grant, Member, Record, UNLIMITED},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A doctor's grant in the middle of what there is, and terms of the same extent for a colleague elsewhere.
struct Sharer {
    world: World,
    doctor: Person,
    colleague: Person,
    parent: Id,
    terms: Terms,
}

impl Sharer {
    fn new() -> Self {
        let mut world = World::new();
        let (doctor, colleague) = (world.doctor.clone(), world.colleague(61));
        let terms = Terms {
            classes: 0b11,
            rights: Action::Read.bit() | Action::Share.bit(),
            purposes: Purpose::Treatment.bit() | Purpose::Research.bit(),
            not_before: GENESIS - 10,
            expires: GENESIS + DAY,
            uses: 5,
            ..world.terms(GranteeKind::Member, doctor.address())
        };
        let parent = world.grant(terms);
        let terms = Terms {
            grantee: colleague.address(),
            ..terms
        };
        Self {
            world,
            doctor,
            colleague,
            parent,
            terms,
        }
    }

    fn acting(&self) -> As {
        self.doctor.acting().claiming(self.parent)
    }

    fn pass(&mut self, terms: Terms) -> Result<Id, Reason> {
        let (acting, wallet) = (self.acting(), self.doctor.wallet.insecure_clone());
        self.world.pass_on(&wallet, &acting, terms)
    }

    fn instruction(&mut self, terms: Terms) -> Instruction {
        let acting = self.acting();
        let args = self.world.pass_on_args(&acting, terms);
        ix::pass_on_grant(&acting, self.doctor.wallet.pubkey(), &self.world.patient.id, args)
    }

    #[track_caller]
    fn fails(&mut self, terms: Terms, error: ChartsealError) {
        let pass = self.instruction(terms);
        self.world.chain.refuse(pass, &[&self.doctor.wallet], error);
    }

    fn edit_parent(&mut self, change: impl FnOnce(&mut Grant)) {
        let parent = address::grant(&self.world.patient.id, &self.parent);
        self.world.chain.edit(&parent, change);
    }
}

#[test]
fn passed_on_grant_says_what_was_signed() {
    let mut case = Sharer::new();
    case.world.wait(7);
    let (acting, patient, doctor) = (case.acting(), case.world.patient.id, case.doctor.clone());
    let args = case.world.pass_on_args(&acting, case.terms);
    let pass = ix::pass_on_grant(&acting, doctor.wallet.pubkey(), &patient, args);
    let event = case.world.chain.must(pass, &[&doctor.wallet]);
    let actor = Actor {
        kind: ActorKind::Member,
        wallet: doctor.wallet.pubkey(),
        credential: doctor.address(),
        institution: doctor.institution,
    };
    let expected = GrantPassedOn {
        link: *event.link(),
        request: args.request,
        grant: args.id,
        parent: case.parent,
        depth: 1,
        actor,
        purpose: Purpose::Treatment,
        terms: case.terms,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::GrantPassedOn(expected));
    case.world
        .assert_logged(&event, &args.id, &doctor.wallet.pubkey(), Basis::Grant.byte());
    let child = case.world.granted(&args.id);
    assert_eq!(child.terms(), Some(case.terms));
    assert_eq!(
        (child.id, child.patient, child.parent, child.depth),
        (args.id, patient, case.parent, 1)
    );
    assert_eq!(
        (child.issuer, child.created_at, child.revoked, child.revoked_at),
        (doctor.wallet.pubkey(), GENESIS + 7, 0, 0)
    );
}

#[test]
fn passing_on_is_a_use_of_the_grant_and_of_all_above() {
    let mut world = World::new();
    let chain = world.passed_on(|terms| terms.uses = 10);
    let left = |depth: usize| world.granted(&chain.grants[depth]).uses_left;
    assert_eq!([left(0), left(1), left(2), left(3)], [7, 8, 9, 10]);
}

#[test]
fn another_pays_the_rent() {
    let mut case = Sharer::new();
    let (acting, payer) = (case.acting(), case.world.chain.wallet());
    let args = case.world.pass_on_args(&acting, case.terms);
    let before = case.world.chain.svm.get_balance(&case.doctor.wallet.pubkey());
    let pass = ix::pass_on_grant(&acting, payer.pubkey(), &case.world.patient.id, args);
    case.world.chain.must(pass, &[&payer, &case.doctor.wallet]);
    assert_eq!(case.world.chain.svm.get_balance(&case.doctor.wallet.pubkey()), before);
}

#[test]
fn refusal_is_logged_with_the_grant_that_was_claimed_and_makes_nothing() {
    let mut case = Sharer::new();
    let (acting, doctor) = (case.acting(), case.doctor.clone());
    let terms = Terms {
        rights: Action::MASK,
        ..case.terms
    };
    let args = case.world.pass_on_args(&acting, terms);
    let (parent, log) = (case.world.granted(&case.parent).uses_left, case.world.log().chain);
    let pass = ix::pass_on_grant(&acting, doctor.wallet.pubkey(), &case.world.patient.id, args);
    let event = case.world.chain.must(pass, &[&doctor.wallet]);
    case.world.assert_refusal_logged(&event);
    let AnyEvent::ActionRefused(refused) = event else {
        panic!()
    };
    assert_eq!(
        (refused.request, refused.record, refused.action, refused.purpose),
        (args.request, NO_ID, Action::Share, Purpose::Treatment)
    );
    assert_eq!((refused.reason, refused.under), (Reason::BeyondParent, case.parent));
    assert_eq!(refused.actor.credential, doctor.address());
    let child = address::grant(&case.world.patient.id, &args.id);
    assert!(case.world.chain.svm.get_account(&child).is_none());
    assert_eq!(case.world.granted(&case.parent).uses_left, parent);
    assert_eq!(case.world.log().chain, log);
}

#[test]
fn right_escalated_by_passing_on_in_any_dimension_is_refused() {
    let mut case = Sharer::new();
    let sound = case.terms;
    for terms in [
        Terms {
            classes: 0b111,
            ..sound
        },
        Terms {
            classes: 1 | 1 << 31,
            ..sound
        },
        Terms {
            rights: Action::MASK,
            ..sound
        },
        Terms {
            rights: Action::Append.bit(),
            ..sound
        },
        Terms {
            purposes: Purpose::MASK,
            ..sound
        },
        Terms {
            purposes: Purpose::Emergency.bit(),
            ..sound
        },
        Terms {
            not_before: GENESIS - 11,
            ..sound
        },
        Terms {
            not_before: i64::MIN,
            ..sound
        },
        Terms {
            expires: GENESIS + DAY + 1,
            ..sound
        },
        Terms {
            expires: i64::MAX,
            ..sound
        },
        Terms { uses: 6, ..sound },
        Terms {
            uses: UNLIMITED,
            ..sound
        },
    ] {
        assert_eq!(case.pass(terms), Err(Reason::BeyondParent), "{terms:?}");
    }
    // To the very bound in every dimension at once is no more than there is.
    assert!(case.pass(sound).is_ok());
}

#[test]
fn classes_that_begin_outside_the_parent_are_refused() {
    let mut case = Sharer::new();
    let terms = Terms {
        classes: 0b110,
        ..case.terms
    };
    assert_eq!(case.pass(terms), Err(Reason::BeyondParent));
    let terms = Terms {
        classes: 0b100,
        ..case.terms
    };
    assert_eq!(case.pass(terms), Err(Reason::GrantOtherSubject));
}

#[test]
fn less_in_every_dimension_is_passed_on() {
    let mut case = Sharer::new();
    let record = case.world.record_of_class(1);
    let terms = Terms {
        record,
        classes: 0,
        rights: Action::Read.bit(),
        purposes: Purpose::Research.bit(),
        not_before: GENESIS + 1,
        expires: GENESIS + 2,
        uses: 1,
        ..case.terms
    };
    let child = case.pass(terms).unwrap();
    assert_eq!(case.world.granted(&child).terms(), Some(terms));
}

#[test]
fn uses_passed_on_are_no_more_than_are_left() {
    let mut case = Sharer::new();
    let sound = case.terms;
    // Five were given. Each passing on takes one.
    assert!(case.pass(Terms { uses: 5, ..sound }).is_ok());
    assert_eq!(case.pass(Terms { uses: 5, ..sound }), Err(Reason::BeyondParent));
    assert!(case.pass(Terms { uses: 4, ..sound }).is_ok());
    assert_eq!(case.world.granted(&case.parent).uses_left, 3);
}

#[test]
fn unlimited_grant_is_passed_on_without_being_used_up() {
    let mut case = Sharer::new();
    case.edit_parent(|parent| parent.uses_left = UNLIMITED);
    let terms = Terms {
        uses: UNLIMITED,
        ..case.terms
    };
    assert!(case.pass(terms).is_ok());
    assert_eq!(case.world.granted(&case.parent).uses_left, UNLIMITED);
}

#[test]
fn grant_on_one_record_is_widened_neither_to_classes_nor_to_another() {
    let mut case = Sharer::new();
    let (record, other) = (case.world.record(), case.world.record());
    case.edit_parent(|parent| {
        parent.record = record;
        parent.classes = 0;
    });
    let sound = case.terms;
    let of = |record| Terms {
        record,
        classes: 0,
        ..sound
    };
    assert_eq!(case.pass(sound), Err(Reason::GrantOtherSubject));
    assert_eq!(case.pass(of(other)), Err(Reason::GrantOtherSubject));
    assert!(case.pass(of(record)).is_ok());
}

#[test]
fn record_outside_the_classes_is_not_passed_on() {
    let mut case = Sharer::new();
    let record = case.world.record_of_class(2);
    let terms = Terms {
        record,
        classes: 0,
        ..case.terms
    };
    assert_eq!(case.pass(terms), Err(Reason::GrantOtherSubject));
}

#[test]
fn nothing_is_passed_on_to_a_person() {
    let mut case = Sharer::new();
    let person = case.world.chain.wallet().pubkey();
    for grantee_key in [[0; 32], [7; 32]] {
        let terms = Terms {
            grantee_kind: GranteeKind::Person,
            grantee: person,
            grantee_key,
            ..case.terms
        };
        assert_eq!(case.pass(terms), Err(Reason::BeyondParent));
    }
}

#[test]
fn grant_is_passed_on_to_an_institution_and_by_a_member_of_one() {
    let mut case = Sharer::new();
    let clinic = address::institution(&case.colleague.institution);
    let terms = Terms {
        grantee_kind: GranteeKind::Institution,
        grantee: clinic,
        ..case.terms
    };
    let child = case.pass(terms).unwrap();
    // A member of that institution passes it on again, with what it descends from.
    let colleague = case.colleague.clone();
    let acting = colleague.acting().claiming_passed_on(child, &[case.parent]);
    let terms = Terms {
        uses: 1,
        grantee: case.doctor.address(),
        ..case.terms
    };
    let grandchild = case.world.pass_on(&colleague.wallet, &acting, terms).unwrap();
    let account = case.world.granted(&grandchild);
    assert_eq!((account.parent, account.depth), (child, 2));
}

#[test]
fn re_delegation_deeper_than_three_is_refused() {
    let mut world = World::new();
    let (chain, last) = (world.passed_on(|_| {}), world.colleague(67));
    let depth = |n: usize| world.granted(&chain.grants[n]).depth;
    assert_eq!([depth(0), depth(1), depth(2), depth(3)], [0, 1, 2, 3]);
    let terms = world.terms(GranteeKind::Member, last.address());
    let (acting, wallet) = (chain.acting(3), chain.wallet(3).insecure_clone());
    let terms = Terms {
        expires: world.granted(&chain.grants[3]).expires,
        ..terms
    };
    assert_eq!(world.pass_on(&wallet, &acting, terms), Err(Reason::TooDeep));
}

#[test]
fn grant_without_the_right_to_share_is_not_passed_on() {
    let mut case = Sharer::new();
    case.edit_parent(|parent| parent.rights = Action::MASK & !Action::Share.bit());
    let terms = Terms {
        rights: Action::Read.bit(),
        ..case.terms
    };
    assert_eq!(case.pass(terms), Err(Reason::RightNotGranted));
}

#[test]
fn purpose_of_passing_on_is_one_that_was_granted() {
    let mut case = Sharer::new();
    case.edit_parent(|parent| parent.purposes = Purpose::Research.bit());
    let terms = Terms {
        purposes: Purpose::Research.bit(),
        ..case.terms
    };
    assert_eq!(case.pass(terms), Err(Reason::PurposeNotGranted));
}

#[test]
fn dead_grant_is_not_passed_on() {
    let mut case = Sharer::new();
    let (sound, parent) = (case.terms, case.world.granted(&case.parent));
    case.edit_parent(|parent| parent.revoked = 1);
    assert_eq!(case.pass(sound), Err(Reason::GrantRevoked));
    case.edit_parent(|account| *account = parent);
    case.edit_parent(|account| account.uses_left = 0);
    assert_eq!(case.pass(sound), Err(Reason::GrantExhausted));
    case.edit_parent(|account| *account = parent);
    case.edit_parent(|account| account.not_before = GENESIS + 1);
    assert_eq!(case.pass(sound), Err(Reason::GrantNotYetValid));
    case.edit_parent(|account| *account = parent);
    case.edit_parent(|account| account.expires = GENESIS);
    assert_eq!(case.pass(sound), Err(Reason::GrantExpired));
    case.edit_parent(|account| account.expires = GENESIS + 1);
    let shorter = Terms {
        expires: GENESIS + 1,
        ..sound
    };
    assert!(case.pass(shorter).is_ok());
}

#[test]
fn grant_is_passed_on_by_its_grantee_only() {
    let mut case = Sharer::new();
    let (colleague, parent) = (case.colleague.clone(), case.parent);
    let terms = Terms {
        grantee: case.doctor.address(),
        ..case.terms
    };
    let acting = colleague.acting().claiming(parent);
    assert_eq!(
        case.world.pass_on(&colleague.wallet, &acting, terms),
        Err(Reason::GrantNotYours)
    );
}

#[test]
fn self_granted_right_without_a_parent_is_refused() {
    let mut case = Sharer::new();
    let doctor = case.doctor.clone();
    let own = Terms {
        grantee_kind: GranteeKind::Institution,
        grantee: case.world.hospital.address(),
        ..case.terms
    };
    assert_eq!(
        case.world.pass_on(&doctor.wallet, &doctor.acting(), own),
        Err(Reason::NoGrant)
    );
    // A grant of an id that does not exist.
    let nowhere = doctor.acting().claiming(case.world.fitting(GRANT));
    assert_eq!(case.world.pass_on(&doctor.wallet, &nowhere, own), Err(Reason::NoGrant));
}

#[test]
fn member_passes_nothing_on_to_itself() {
    let mut case = Sharer::new();
    let terms = Terms {
        grantee: case.doctor.address(),
        ..case.terms
    };
    let pass = case.instruction(terms);
    let wallet = case.doctor.wallet.insecure_clone();
    case.world.chain.refuse_at_the_door(pass, &[&wallet], DUPLICATE);
}

#[test]
fn member_gains_nothing_by_passing_on_to_its_own_institution() {
    let mut case = Sharer::new();
    let (doctor, hospital) = (case.doctor.clone(), case.world.hospital.clone());
    let own = Terms {
        grantee_kind: GranteeKind::Institution,
        grantee: hospital.address(),
        ..case.terms
    };
    let child = case.pass(own).unwrap();
    // The child has five uses, the parent four: both are spent by each, so that there are four.
    let acting = doctor.acting().claiming_passed_on(child, &[case.parent]);
    let once = Terms { uses: 1, ..case.terms };
    for left in [3, 2, 1, 0] {
        assert!(case.world.pass_on(&doctor.wallet, &acting, once).is_ok());
        assert_eq!(case.world.granted(&case.parent).uses_left, left);
    }
    assert_eq!(
        case.world.pass_on(&doctor.wallet, &acting, once),
        Err(Reason::AncestorLapsed)
    );
    assert_eq!(case.world.granted(&child).uses_left, 1);
}

/// A grant that the patient would pass on, and terms for a colleague.
fn patients_attempt() -> (World, Person, Id, Terms) {
    let mut world = World::new();
    let colleague = world.colleague(61);
    let parent = world.insure(|_| {});
    let terms = world.terms(GranteeKind::Member, colleague.address());
    (world, colleague, parent, terms)
}

#[test]
fn patient_grants_and_passes_nothing_on() {
    let (mut world, _, parent, terms) = patients_attempt();
    let patient = world.patient.clone();
    for acting in [patient.acting(), patient.acting().claiming(parent)] {
        assert_eq!(world.pass_on(&patient.wallet, &acting, terms), Err(Reason::NoGrant));
    }
}

#[test]
fn delegate_grants_and_passes_nothing_on() {
    let (mut world, _, parent, terms) = patients_attempt();
    let carer = world.delegate(Action::MASK);
    for acting in [carer.acting(), carer.acting().claiming(parent)] {
        let args = PassOnGrantArgs {
            purpose: Purpose::Personal,
            ..world.pass_on_args(&acting, terms)
        };
        let pass = ix::pass_on_grant(&acting, carer.wallet.pubkey(), &world.patient.id, args);
        let event = world.chain.must(pass, &[&carer.wallet]);
        assert_eq!(judged(&event), Err(Reason::NoGrant));
    }
}

/// A grant that claims a depth without descending from anything would take the uses of whatever is passed as its parent.
#[test]
fn uses_of_a_strangers_grant_are_not_drained_by_a_patient_who_passes_on() {
    let mut world = World::new();
    let victims = world.insure(|terms| terms.uses = 1);
    let victim = world.patient.clone();
    // The attacker opens a patient of its own, writes a record, and passes a grant of its own on to its own member.
    world.patient = world.chain.patient(90);
    let (attacker, accomplice, record) = (world.patient.clone(), world.colleague(61), world.record());
    let terms = world.terms(GranteeKind::Member, accomplice.address());
    let own = world.grant(terms);
    let acting = attacker.acting().claiming(own);
    if let Ok(child) = world.pass_on(&attacker.wallet, &acting, terms) {
        let acting = accomplice.acting().claiming_passed_on(child, &[own]);
        let mut access = world.access_ix(&acting, record, Purpose::Treatment);
        substitute(
            &mut access,
            address::grant(&attacker.id, &own),
            address::grant(&victim.id, &victims),
        );
        let _ = world.chain.send(&[access], &[&accomplice.wallet]);
    }
    let left: Grant = world.chain.read(&address::grant(&victim.id, &victims));
    assert_eq!(left.uses_left, 1);
}

#[test]
fn roles_that_share_nothing_pass_nothing_on() {
    let mut case = Sharer::new();
    let hospital = case.world.hospital.clone();
    for (n, role, reason) in [
        (91, Role::Technician, Reason::RoleForbidsAction),
        (92, Role::Researcher, Reason::RoleForbidsAction),
        (93, Role::Auditor, Reason::RoleForbidsContent),
    ] {
        let member = case.world.chain.member(&hospital, n, role);
        let grantee = member.address();
        case.edit_parent(|parent| parent.grantee = grantee);
        let acting = member.acting().claiming(case.parent);
        let terms = case.terms;
        assert_eq!(case.world.pass_on(&member.wallet, &acting, terms), Err(reason));
    }
    let (insurer, terms) = (case.world.insurer.clone(), case.terms);
    let acting = insurer.acting().claiming(case.parent);
    assert_eq!(
        case.world.pass_on(&insurer.wallet, &acting, terms),
        Err(Reason::RoleForbidsAction)
    );
}

#[test]
fn person_passes_nothing_on() {
    let mut case = Sharer::new();
    let (relative, acting) = case.world.relative(|_| {});
    let terms = case.terms;
    assert_eq!(
        case.world.pass_on(&relative, &acting, terms),
        Err(Reason::RoleForbidsAction)
    );
}

#[test]
fn policy_and_emergency_are_not_passed_on() {
    let mut case = Sharer::new();
    let (hospital, terms) = (case.world.hospital.clone(), case.terms);
    case.world.set_policy(&hospital, |_| {});
    let doctor = case.world.emergency_doctor();
    let emergency = case.world.open_emergency(&doctor);
    let by_policy = doctor.acting().by_policy(hospital.id);
    assert_eq!(
        case.world.pass_on(&doctor.wallet, &by_policy, terms),
        Err(Reason::RightNotGranted)
    );
    let acting = doctor.acting().in_emergency(emergency);
    let args = PassOnGrantArgs {
        purpose: Purpose::Emergency,
        ..case.world.pass_on_args(&acting, terms)
    };
    let pass = ix::pass_on_grant(&acting, doctor.wallet.pubkey(), &case.world.patient.id, args);
    let event = case.world.chain.must(pass, &[&doctor.wallet]);
    assert_eq!(judged(&event), Err(Reason::RightNotGranted));
}

#[test]
fn steward_passes_on_what_it_was_granted_and_nothing_else() {
    let mut world = World::new();
    world.steward_patient();
    let (doctor, colleague) = (world.doctor.clone(), world.colleague(61));
    let terms = world.terms(GranteeKind::Member, colleague.address());
    assert_eq!(
        world.pass_on(&doctor.wallet, &doctor.acting(), terms),
        Err(Reason::NoGrant)
    );
}

#[test]
fn suspended_or_expired_credential_passes_nothing_on() {
    let mut case = Sharer::new();
    let (hospital, doctor, terms) = (case.world.hospital.clone(), case.doctor.clone(), case.terms);
    case.world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    assert_eq!(case.pass(terms), Err(Reason::MemberSuspended));
    case.world.set_member_standing(&hospital, &doctor, Standing::Active);
    case.world.set_institution_standing(&hospital, Standing::Suspended);
    assert_eq!(case.pass(terms), Err(Reason::InstitutionNotActive));
    case.world.set_institution_standing(&hospital, Standing::Active);
    case.world
        .chain
        .edit(&doctor.address(), |member: &mut Member| member.expires = GENESIS);
    assert_eq!(case.pass(terms), Err(Reason::MemberExpired));
}

#[test]
fn credential_left_out_makes_a_stranger() {
    let mut case = Sharer::new();
    let (acting, terms) = (case.acting(), case.terms);
    let bare = As { member: None, ..acting };
    let args = case.world.pass_on_args(&bare, terms);
    let pass = ix::pass_on_grant(&bare, case.doctor.wallet.pubkey(), &case.world.patient.id, args);
    case.world
        .chain
        .refuse(pass, &[&case.doctor.wallet], ChartsealError::Stranger);
}

#[test]
fn ancestor_left_out_or_dead_stops_passing_on() {
    let mut world = World::new();
    let (chain, last) = (world.passed_on(|_| {}), world.colleague(67));
    let terms = Terms {
        expires: world.granted(&chain.grants[2]).expires,
        ..world.terms(GranteeKind::Member, last.address())
    };
    let (acting, wallet) = (chain.acting(2), chain.wallet(2).insecure_clone());
    for ancestors in [
        [None, None, None],
        [Some(chain.grants[1]), None, None],
        [Some(chain.grants[0]), Some(chain.grants[1]), None],
        [None, Some(chain.grants[0]), None],
    ] {
        let acting = As { ancestors, ..acting };
        assert_eq!(
            world.pass_on(&wallet, &acting, terms),
            Err(Reason::AncestorMissing),
            "{ancestors:?}"
        );
    }
    world.revoke(chain.grants[0]);
    assert_eq!(world.pass_on(&wallet, &acting, terms), Err(Reason::AncestorLapsed));
}

#[test]
fn grant_of_another_patient_is_no_parent() {
    let mut case = Sharer::new();
    let (theirs, parent, doctor) = (case.world.patient.clone(), case.parent, case.doctor.clone());
    case.world.patient = case.world.chain.patient(90);
    let (acting, terms) = (case.acting(), case.terms);
    let args = case.world.pass_on_args(&acting, terms);
    let here = case.world.patient.id;
    let mut pass = ix::pass_on_grant(&acting, doctor.wallet.pubkey(), &here, args);
    substitute(
        &mut pass,
        address::grant_slot(&here, &parent),
        address::grant(&theirs.id, &parent),
    );
    let event = case.world.chain.must(pass, &[&doctor.wallet]);
    assert_eq!(judged(&event), Err(Reason::GrantForeign));
}

#[test]
fn grant_that_is_named_is_the_one_that_is_passed() {
    let mut case = Sharer::new();
    let (other, patient) = (case.world.insure(|_| {}), case.world.patient.id);
    let mut pass = case.instruction(case.terms);
    substitute(
        &mut pass,
        address::grant(&patient, &case.parent),
        address::grant(&patient, &other),
    );
    case.world
        .chain
        .refuse(pass, &[&case.doctor.wallet], ChartsealError::GrantMismatch);
}

#[test]
fn terms_that_give_nothing_are_none() {
    let mut case = Sharer::new();
    let sound = case.terms;
    case.fails(Terms { rights: 0, ..sound }, ChartsealError::BadMask);
    case.fails(Terms { purposes: 0, ..sound }, ChartsealError::BadMask);
    case.fails(
        Terms {
            rights: Action::MASK + 1,
            ..sound
        },
        ChartsealError::BadMask,
    );
    case.fails(Terms { uses: 0, ..sound }, ChartsealError::NoUses);
    for (not_before, expires) in [(0, GENESIS), (GENESIS + 5, GENESIS + 5)] {
        case.fails(
            Terms {
                not_before,
                expires,
                ..sound
            },
            ChartsealError::BadValidity,
        );
    }
    case.fails(Terms { classes: 0, ..sound }, ChartsealError::BadSubject);
}

#[test]
fn record_in_the_terms_is_the_patients_and_not_erased() {
    let mut case = Sharer::new();
    let (record, theirs) = (case.world.record(), case.world.patient.clone());
    let terms = Terms {
        record,
        classes: 0,
        ..case.terms
    };
    case.fails(Terms { classes: 1, ..terms }, ChartsealError::BadSubject);
    let other = case.world.record();
    let mut pass = case.instruction(terms);
    let (named, passed) = (
        address::record(&theirs.id, &record),
        address::record(&theirs.id, &other),
    );
    substitute(&mut pass, named, passed);
    case.world
        .chain
        .refuse(pass, &[&case.doctor.wallet], ChartsealError::BadSubject);
    case.world.chain.edit(&named, |record: &mut Record| {
        record.status = RecordStatus::Erased.byte()
    });
    case.fails(terms, ChartsealError::RecordErased);
    // Another patient's.
    let stranger = case.world.chain.patient(90);
    case.world
        .chain
        .edit(&named, |record: &mut Record| record.patient = stranger.id);
    case.fails(terms, ChartsealError::ForeignPatient);
}

#[test]
fn grantee_is_of_the_kind_that_is_named() {
    let mut case = Sharer::new();
    let sound = case.terms;
    let clinic = address::institution(&case.colleague.institution);
    for grantee in [clinic, case.doctor.wallet.pubkey(), Address::new_from_array([9; 32])] {
        case.fails(Terms { grantee, ..sound }, ChartsealError::BadGrantee);
    }
    case.fails(
        Terms {
            grantee_key: [7; 32],
            ..sound
        },
        ChartsealError::BadGrantee,
    );
    let mut pass = case.instruction(sound);
    substitute(&mut pass, sound.grantee, case.world.insurer.address());
    case.world
        .chain
        .refuse(pass, &[&case.doctor.wallet], ChartsealError::BadGrantee);
}

#[test]
fn ids_of_zeros_of_another_bump_or_taken_are_refused() {
    let mut case = Sharer::new();
    let (acting, terms, patient) = (case.acting(), case.terms, case.world.patient.id);
    let wallet = case.doctor.wallet.insecure_clone();
    let sound = case.world.pass_on_args(&acting, terms);
    let pass = |args| ix::pass_on_grant(&acting, wallet.pubkey(), &patient, args);
    let chain = &mut case.world.chain;
    chain.refuse(
        pass(PassOnGrantArgs {
            request: NO_ID,
            ..sound
        }),
        &[&wallet],
        ChartsealError::ZeroId,
    );
    let id = case.world.misfit(GRANT);
    let other_bump = PassOnGrantArgs { id, ..sound };
    case.world
        .chain
        .refuse(pass(other_bump), &[&wallet], ChartsealError::BumpNot255);
    let id = case.world.insure(|_| {});
    let taken = PassOnGrantArgs { id, ..sound };
    case.world.chain.refuse_at_the_door(pass(taken), &[&wallet], EXISTS);
}

#[test]
fn id_of_zeros_is_refused_where_its_bump_fits() {
    let mut world = World::new();
    world.patient_where_zeros_fit(GRANT);
    let (doctor, colleague) = (world.doctor.clone(), world.colleague(61));
    let mut terms = world.terms(GranteeKind::Member, doctor.address());
    let acting = doctor.acting().claiming(world.grant(terms));
    terms.grantee = colleague.address();
    let args = PassOnGrantArgs {
        id: NO_ID,
        ..world.pass_on_args(&acting, terms)
    };
    let pass = ix::pass_on_grant(&acting, doctor.wallet.pubkey(), &world.patient.id, args);
    world.chain.refuse(pass, &[&doctor.wallet], ChartsealError::ZeroId);
}

#[test]
fn grant_is_not_its_own_child_nor_its_own_parent() {
    let mut case = Sharer::new();
    let (acting, patient, wallet) = (
        case.acting(),
        case.world.patient.id,
        case.doctor.wallet.insecure_clone(),
    );
    let terms = case.terms;
    let args = PassOnGrantArgs {
        id: case.parent,
        ..case.world.pass_on_args(&acting, terms)
    };
    let pass = ix::pass_on_grant(&acting, wallet.pubkey(), &patient, args);
    case.world.chain.refuse_at_the_door(pass, &[&wallet], DUPLICATE);
    let twice = case.doctor.acting().claiming_passed_on(case.parent, &[case.parent]);
    let args = case.world.pass_on_args(&twice, terms);
    let pass = ix::pass_on_grant(&twice, wallet.pubkey(), &patient, args);
    case.world.chain.refuse_at_the_door(pass, &[&wallet], DUPLICATE);
}

#[test]
fn new_grant_stands_under_its_own_patient_and_in_its_own_log() {
    let mut case = Sharer::new();
    let (patient, other) = (case.world.patient.id, case.world.chain.patient(90));
    let wallet = case.doctor.wallet.insecure_clone();
    let (acting, terms) = (case.acting(), case.terms);
    let args = case.world.pass_on_args(&acting, terms);
    let pass = ix::pass_on_grant(&acting, wallet.pubkey(), &patient, args);
    let mut elsewhere = pass.clone();
    substitute(
        &mut elsewhere,
        address::grant(&patient, &args.id),
        address::grant(&other.id, &args.id),
    );
    case.world
        .chain
        .refuse_at_the_door(elsewhere, &[&wallet], InstructionError::InvalidSeeds);
    for (own, theirs) in [
        (address::access_log(&patient), address::access_log(&other.id)),
        (address::refusal_log(&patient), address::refusal_log(&other.id)),
    ] {
        let mut hidden = pass.clone();
        substitute(&mut hidden, own, theirs);
        case.world
            .chain
            .refuse(hidden, &[&wallet], ChartsealError::ForeignPatient);
    }
}

#[test]
fn nothing_is_passed_on_while_paused() {
    let mut case = Sharer::new();
    case.world.set_paused(true);
    case.fails(case.terms, ChartsealError::Paused);
}

#[test]
fn grantee_must_sign() {
    let mut case = Sharer::new();
    let (acting, payer, terms) = (case.acting(), case.world.chain.wallet(), case.terms);
    let args = case.world.pass_on_args(&acting, terms);
    let pass = ix::pass_on_grant(&acting, payer.pubkey(), &case.world.patient.id, args);
    let pass = unsign(pass, case.doctor.wallet.pubkey());
    case.world
        .chain
        .refuse_at_the_door(pass, &[&payer], InstructionError::MissingRequiredSignature);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut case = Sharer::new();
    let (acting, terms, patient) = (case.acting(), case.terms, case.world.patient.id);
    let args = case.world.pass_on_args(&acting, terms);
    let child = address::grant(&patient, &args.id);
    case.world.chain.svm.airdrop(&child, 1_000_000).unwrap();
    let pass = ix::pass_on_grant(&acting, case.doctor.wallet.pubkey(), &patient, args);
    case.world.chain.must(pass, &[&case.doctor.wallet]);
    assert_eq!(case.world.chain.read::<Grant>(&child).terms(), Some(terms));
}

/// Who passed a grant on takes it back, whoever else cannot.
#[test]
fn who_passed_it_on_revokes_it_and_no_grant_above() {
    let mut world = World::new();
    let chain = world.passed_on(|_| {});
    let patient = world.patient.id;
    let revoke = |by: &Keypair, grant: &Id| ix::revoke_grant(&ix::By::wallet(by.pubkey()), &patient, grant);
    for (by, grant) in [(1, 0), (1, 1), (0, 0), (2, 1), (0, 2), (3, 3)] {
        let wallet = chain.wallet(by);
        world.chain.refuse(
            revoke(wallet, &chain.grants[grant]),
            &[wallet],
            ChartsealError::NotPatient,
        );
    }
    let (wallet, child) = (chain.wallet(1), chain.grants[2]);
    world.set_paused(true);
    world.chain.must(revoke(wallet, &child), &[wallet]);
    assert_eq!(world.granted(&child).revoked, 1);
    world
        .chain
        .refuse(revoke(wallet, &child), &[wallet], ChartsealError::AlreadyRevoked);
    assert_eq!(world.granted(&chain.grants[3]).revoked, 0);
}
