//! Opening a chart without asking: with the credential, for hours, seldom, and never while one awaits review.

use chartseal_program::{
    builders::{self as ix, Reviewing},
    events::{Actor, AnyEvent, EmergencyOpened},
    instructions::OpenEmergencyArgs,
    seeds::{address, EMERGENCY, NO_ID},
    state::*,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

impl World {
    /// The hospital's doctor with the credential, and what it would open.
    fn in_need(&mut self) -> (Person, OpenEmergencyArgs) {
        (self.emergency_doctor(), self.emergency_args())
    }

    #[track_caller]
    fn refuses_to_open(&mut self, who: &Person, args: OpenEmergencyArgs, error: ChartsealError) {
        let open = self.open_ix(who, args);
        self.chain.refuse(open, &[&who.wallet], error);
    }

    fn edit_member(&mut self, who: &Person, change: impl FnOnce(&mut Member)) {
        self.chain.edit(&who.address(), change);
    }

    fn edit_hospital(&mut self, change: impl FnOnce(&mut Institution)) {
        let hospital = self.hospital.address();
        self.chain.edit(&hospital, change);
    }
}

#[test]
fn emergency_says_who_opened_it_why_and_until_when() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    world.wait(4);
    let args = OpenEmergencyArgs { duration: 600, ..args };
    let open = world.open_ix(&doctor, args);
    let event = world.chain.must(open, &[&doctor.wallet]);
    let actor = Actor {
        kind: ActorKind::Member,
        wallet: doctor.wallet.pubkey(),
        credential: doctor.address(),
        institution: doctor.institution,
    };
    let expected = EmergencyOpened {
        link: *event.link(),
        emergency: args.id,
        actor,
        reason_hash: [5; 32],
        expires: GENESIS + 604,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::EmergencyOpened(expected));
    world.assert_logged(&event, &args.id, &doctor.wallet.pubkey(), NO_OUTCOME);
    let account = world.emergency(&args.id);
    assert_eq!(
        (account.id, account.patient, account.member),
        (args.id, world.patient.id, doctor.address())
    );
    assert_eq!(
        (account.wallet, account.institution, account.reason_hash),
        (doctor.wallet.pubkey(), doctor.institution, [5; 32])
    );
    assert_eq!((account.opened_at, account.expires), (GENESIS + 4, GENESIS + 604));
    assert_eq!((account.patient_reviewed_at, account.institution_reviewed_at), (0, 0));
    let (member, hospital) = (world.member_account(&doctor), world.body_account(&world.hospital));
    assert_eq!((member.unreviewed_emergencies, member.emergencies.count), (1, 1));
    assert_eq!((hospital.unreviewed_emergencies, hospital.emergencies.count), (1, 1));
    assert_eq!(
        (member.emergencies.since, hospital.emergencies.since),
        (GENESIS + 4, GENESIS + 4)
    );
}

#[test]
fn member_without_the_credential_is_refused_and_that_is_logged() {
    let mut world = World::new();
    let (doctor, args) = (world.doctor.clone(), world.emergency_args());
    let (log, open) = (world.log().chain, world.open_ix(&doctor, args));
    let event = world.chain.must(open, &[&doctor.wallet]);
    world.assert_refusal_logged(&event);
    let AnyEvent::ActionRefused(refused) = event else {
        panic!()
    };
    assert_eq!(
        (refused.request, refused.record, refused.under),
        (args.id, NO_ID, NO_ID)
    );
    assert_eq!(
        (refused.action, refused.purpose, refused.reason),
        (Action::Read, Purpose::Emergency, Reason::NoEmergencyCredential)
    );
    assert_eq!(refused.actor.credential, doctor.address());
    let at = address::emergency(&world.patient.id, &args.id);
    assert!(world.chain.svm.get_account(&at).is_none());
    let member = world.member_account(&doctor);
    assert_eq!(
        (
            member.unreviewed_emergencies,
            member.emergencies.count,
            member.refusals.count
        ),
        (0, 0, 1)
    );
    assert_eq!(world.body_account(&world.hospital).unreviewed_emergencies, 0);
    assert_eq!(world.log().chain, log);
}

#[test]
fn credential_outside_a_hospital_opens_nothing() {
    let mut world = World::new();
    let laboratory = world.chain.institution(70, InstitutionKind::Laboratory);
    let doctor = world.chain.member(&laboratory, 71, Role::Doctor);
    // No instruction leads to this.
    world.edit_member(&doctor, |member| member.emergency_credential = 1);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::NoEmergencyCredential));
}

#[test]
fn credential_in_the_wrong_hands_opens_nothing() {
    let mut world = World::new();
    let (hospital, insurer) = (world.hospital.clone(), world.insurer.clone());
    for (n, role, reason) in [
        (71, Role::Technician, Reason::RoleForbidsPurpose),
        (72, Role::Researcher, Reason::RoleForbidsPurpose),
        (73, Role::Auditor, Reason::RoleForbidsContent),
    ] {
        let member = world.chain.member(&hospital, n, role);
        world.edit_member(&member, |member| member.emergency_credential = 1);
        assert_eq!(world.try_emergency(&member), Err(reason));
    }
    world.edit_member(&insurer, |member| member.emergency_credential = 1);
    assert_eq!(world.try_emergency(&insurer), Err(Reason::RoleForbidsPurpose));
    let nurse = world.chain.member(&hospital, 74, Role::Nurse);
    world.set_credential(&hospital, &nurse, true);
    assert!(world.try_emergency(&nurse).is_ok());
}

#[test]
fn suspended_or_expired_credential_opens_nothing() {
    let mut world = World::new();
    let (doctor, hospital) = (world.emergency_doctor(), world.hospital.clone());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::MemberSuspended));
    world.set_member_standing(&hospital, &doctor, Standing::Active);
    world.set_institution_standing(&hospital, Standing::Suspended);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::InstitutionNotActive));
    world.set_institution_standing(&hospital, Standing::Active);
    world.edit_member(&doctor, |member| member.expires = GENESIS);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::MemberExpired));
    world.edit_member(&doctor, |member| member.expires = GENESIS + 1);
    world.edit_hospital(|hospital| hospital.expires = GENESIS);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::InstitutionNotActive));
    world.edit_hospital(|hospital| hospital.expires = GENESIS + 1);
    assert!(world.try_emergency(&doctor).is_ok());
}

#[test]
fn one_member_opening_emergencies_on_many_patients_waits_for_a_review_each_time() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    let first = world.open_emergency(&doctor);
    let reviewed = world.patient.clone();
    world.patient = world.chain.patient(90);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
    // Neither its end nor the patient's review is the institution's.
    world.wait(LONGEST_EMERGENCY);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
    let next = world.patient.clone();
    world.patient = reviewed.clone();
    let by = Reviewing::wallet(reviewed.wallet.pubkey());
    let review = world.review_ix(&by, &doctor, &first, Reviewer::Patient, Verdict::Justified);
    world.chain.must(review, &[&reviewed.wallet]);
    world.patient = next.clone();
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
    world.patient = reviewed;
    world.hospital_reviews(&doctor, &first, Verdict::Justified);
    world.patient = next;
    assert!(world.try_emergency(&doctor).is_ok());
}

#[test]
fn member_opens_four_a_day_however_fast_they_are_reviewed() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    let first = world.open_emergency(&doctor);
    world.hospital_reviews(&doctor, &first, Verdict::Justified);
    world.wait(DAY - 1);
    for n in 1..MEMBER_EMERGENCIES_PER_DAY {
        world.patient = world.chain.patient(90 + u64::from(n));
        let emergency = world.open_emergency(&doctor);
        world.hospital_reviews(&doctor, &emergency, Verdict::Justified);
    }
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyCap));
    // The day began with the first.
    world.wait(1);
    world.open_emergency(&doctor);
    assert_eq!(world.member_account(&doctor).emergencies.count, 1);
    assert_eq!(world.member_account(&doctor).emergencies.since, GENESIS + DAY);
}

#[test]
fn clock_that_goes_back_opens_no_new_day() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    world.edit_member(&doctor, |member| {
        member.emergencies.since = GENESIS;
        member.emergencies.count = MEMBER_EMERGENCIES_PER_DAY;
    });
    world.chain.set_time(GENESIS - DAY);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyCap));
}

#[test]
fn members_of_an_institution_open_forty_a_day_together() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    world.edit_hospital(|hospital| {
        hospital.emergencies.since = GENESIS;
        hospital.emergencies.count = INSTITUTION_EMERGENCIES_PER_DAY;
    });
    world.wait(DAY - 1);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyCap));
    world.edit_hospital(|hospital| hospital.emergencies.count -= 1);
    let before = world.clone();
    let last = world.open_emergency(&doctor);
    world.hospital_reviews(&doctor, &last, Verdict::Justified);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyCap));
    world = before;
    world.edit_hospital(|hospital| hospital.emergencies.count += 1);
    world.wait(1);
    world.open_emergency(&doctor);
    assert_eq!(world.body_account(&world.hospital).emergencies.count, 1);
}

#[test]
fn institution_leaves_twenty_unreviewed_and_no_more() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    world.edit_hospital(|hospital| hospital.unreviewed_emergencies = MOST_UNREVIEWED);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
    world.edit_hospital(|hospital| hospital.unreviewed_emergencies = u32::MAX);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
    world.edit_hospital(|hospital| hospital.unreviewed_emergencies = MOST_UNREVIEWED - 1);
    world.open_emergency(&doctor);
    assert_eq!(
        world.body_account(&world.hospital).unreviewed_emergencies,
        MOST_UNREVIEWED
    );
}

#[test]
fn member_of_another_hospital_is_not_held_up() {
    let mut world = World::new();
    let (doctor, clinic) = (
        world.emergency_doctor(),
        world.chain.institution(61, InstitutionKind::Hospital),
    );
    let colleague = world.chain.member(&clinic, 62, Role::Doctor);
    world.set_credential(&clinic, &colleague, true);
    let first = world.open_emergency(&doctor);
    let second = world.open_emergency(&colleague);
    assert_ne!(first, second);
    assert_eq!(world.emergency(&second).institution, clinic.id);
    assert_eq!(world.body_account(&clinic).unreviewed_emergencies, 1);
    assert_eq!(world.body_account(&world.hospital).unreviewed_emergencies, 1);
}

#[test]
fn refusals_are_logged_up_to_the_cap_and_nothing_beyond() {
    let mut world = World::new();
    let doctor = world.doctor.clone();
    world.edit_member(&doctor, |member| {
        member.refusals.since = GENESIS;
        member.refusals.count = MEMBER_REFUSALS_PER_HOUR - 1;
    });
    assert_eq!(world.try_emergency(&doctor), Err(Reason::NoEmergencyCredential));
    let args = world.emergency_args();
    world.refuses_to_open(&doctor, args, ChartsealError::RefusalCap);
    world.wait(HOUR);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::NoEmergencyCredential));
}

#[test]
fn emergency_lasts_between_a_second_and_twelve_hours() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    for duration in [0, -1, i64::MIN, LONGEST_EMERGENCY + 1, i64::MAX] {
        world.refuses_to_open(
            &doctor,
            OpenEmergencyArgs { duration, ..args },
            ChartsealError::BadDuration,
        );
    }
    for duration in [1, LONGEST_EMERGENCY] {
        let mut world = world.clone();
        let open = world.open_ix(&doctor, OpenEmergencyArgs { duration, ..args });
        world.chain.must(open, &[&doctor.wallet]);
        assert_eq!(world.emergency(&args.id).expires, GENESIS + duration);
    }
}

#[test]
fn reason_of_zeros_is_none() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let args = OpenEmergencyArgs {
        reason_hash: [0; 32],
        ..args
    };
    world.refuses_to_open(&doctor, args, ChartsealError::ZeroId);
}

#[test]
fn id_of_another_bump_or_taken_is_refused() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let id = world.misfit(EMERGENCY);
    world.refuses_to_open(&doctor, OpenEmergencyArgs { id, ..args }, ChartsealError::BumpNot255);
    let open = world.open_ix(&doctor, args);
    world.chain.must(open.clone(), &[&doctor.wallet]);
    world.hospital_reviews(&doctor, &args.id, Verdict::Unjustified);
    // What was found unjustified is not opened anew.
    world.chain.refuse_at_the_door(open, &[&doctor.wallet], EXISTS);
}

#[test]
fn id_of_zeros_is_refused() {
    let mut world = World::new();
    world.patient_where_zeros_fit(EMERGENCY);
    let (doctor, args) = world.in_need();
    world.refuses_to_open(&doctor, OpenEmergencyArgs { id: NO_ID, ..args }, ChartsealError::ZeroId);
}

#[test]
fn nobody_opens_in_a_members_name() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let (stranger, patient) = (world.chain.wallet(), world.patient.clone());
    let (authority, insurer) = (
        world.hospital.authority.insecure_clone(),
        world.insurer.wallet.insecure_clone(),
    );
    let credential = (&doctor.institution, &doctor.id);
    for by in [&stranger, &patient.wallet, &authority, &insurer] {
        let open = ix::open_emergency(by.pubkey(), by.pubkey(), credential, &patient.id, args);
        world.chain.refuse(open, &[by], ChartsealError::Stranger);
    }
    let open = ix::open_emergency(doctor.wallet.pubkey(), stranger.pubkey(), credential, &patient.id, args);
    let unsigned = unsign(open.clone(), doctor.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
    let before = world.chain.svm.get_balance(&doctor.wallet.pubkey());
    world.chain.must(open, &[&stranger, &doctor.wallet]);
    assert_eq!(world.chain.svm.get_balance(&doctor.wallet.pubkey()), before);
}

#[test]
fn institution_left_out_for_another_is_refused() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let mut open = world.open_ix(&doctor, args);
    substitute(&mut open, world.hospital.address(), world.insurance.address());
    world
        .chain
        .refuse(open, &[&doctor.wallet], ChartsealError::ForeignMember);
}

#[test]
fn emergency_is_told_to_the_patient_that_it_is_about() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let (patient, other) = (world.patient.id, world.chain.patient(90).id);
    let open = world.open_ix(&doctor, args);
    for (own, theirs) in [
        (address::access_log(&patient), address::access_log(&other)),
        (address::refusal_log(&patient), address::refusal_log(&other)),
    ] {
        let mut hidden = open.clone();
        substitute(&mut hidden, own, theirs);
        world
            .chain
            .refuse(hidden, &[&doctor.wallet], ChartsealError::ForeignPatient);
    }
    let mut elsewhere = open;
    substitute(
        &mut elsewhere,
        address::emergency(&patient, &args.id),
        address::emergency(&other, &args.id),
    );
    world
        .chain
        .refuse_at_the_door(elsewhere, &[&doctor.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn nothing_is_opened_while_paused() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    world.set_paused(true);
    world.refuses_to_open(&doctor, args, ChartsealError::Paused);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (doctor, args) = world.in_need();
    let at = address::emergency(&world.patient.id, &args.id);
    world.chain.svm.airdrop(&at, 1_000_000).unwrap();
    let open = world.open_ix(&doctor, args);
    world.chain.must(open, &[&doctor.wallet]);
    assert_eq!(world.chain.read::<Emergency>(&at).id, args.id);
}

#[test]
fn patient_without_a_wallet_is_opened_too() {
    let mut world = World::new();
    world.steward_patient();
    let doctor = world.emergency_doctor();
    world.open_emergency(&doctor);
}
