//! A member asks a patient for a grant: within its role, and not without end.

use chartseal_program::{
    builders as ix,
    events::{AccessRequested, Actor, AnyEvent},
    instructions::RequestAccessArgs,
    seeds::{address, NO_ID, REQUEST},
    state::{Member, Record, Request, HOUR, MEMBER_REQUESTS_PER_HOUR, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

impl World {
    #[track_caller]
    fn refuses_request(&mut self, who: &Person, args: RequestAccessArgs, error: ChartsealError) {
        let request = self.request_ix(who, args);
        self.chain.refuse(request, &[&who.wallet], error);
    }

    fn doctors_request(&mut self) -> (Person, RequestAccessArgs) {
        (self.doctor.clone(), self.request_args())
    }
}

#[test]
fn request_says_what_was_asked() {
    let mut world = World::new();
    let (doctor, patient) = (world.doctor.clone(), world.patient.id);
    let args = RequestAccessArgs {
        classes: 0b101,
        rights: Action::Read.bit() | Action::Share.bit(),
        purposes: Purpose::Treatment.bit() | Purpose::Legal.bit(),
        until: GENESIS + 77,
        ..world.request_args()
    };
    world.wait(5);
    let request = world.request_ix(&doctor, args);
    let event = world.chain.must(request, &[&doctor.wallet]);
    let actor = Actor {
        kind: ActorKind::Member,
        wallet: doctor.wallet.pubkey(),
        credential: doctor.address(),
        institution: doctor.institution,
    };
    let expected = AccessRequested {
        link: *event.link(),
        request: args.id,
        actor,
        record: NO_ID,
        classes: 0b101,
        rights: args.rights,
        purposes: args.purposes,
        until: GENESIS + 77,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::AccessRequested(expected));
    world.assert_logged(&event, &args.id, &doctor.wallet.pubkey(), NO_OUTCOME);
    let account = world.requested(&args.id);
    assert_eq!(
        (account.id, account.patient, account.member),
        (args.id, patient, doctor.address())
    );
    assert_eq!(
        (account.institution, account.record, account.classes),
        (doctor.institution, NO_ID, 0b101)
    );
    assert_eq!(
        (account.rights, account.purposes, account.until),
        (args.rights, args.purposes, args.until)
    );
    assert_eq!(
        (account.created_at, account.decided_at, account.grant),
        (GENESIS + 5, 0, NO_ID)
    );
    assert!(account.is_open());
    let member = world.member_account(&doctor);
    assert_eq!((member.requests.count, member.requests.since), (1, GENESIS + 5));
}

#[test]
fn request_gives_no_right() {
    let mut world = World::new();
    let (grant, record, insurer) = (world.enrol(), world.record(), world.insurer.clone());
    world.request(&insurer, |args| args.purposes = Purpose::Payment.bit());
    assert_eq!(
        world.asks(&insurer, None, record, Purpose::Payment),
        Err(Reason::NoGrant)
    );
    assert_eq!(
        world.asks(&insurer, Some(grant), record, Purpose::Payment),
        Err(Reason::GrantNotYours)
    );
}

#[test]
fn request_is_about_one_record_or_about_classes() {
    let mut world = World::new();
    let (record, other) = (world.record(), world.record());
    let (doctor, args) = world.doctors_request();
    let of_record = RequestAccessArgs {
        record,
        classes: 0,
        ..args
    };
    for args in [
        RequestAccessArgs { classes: 0, ..args },
        RequestAccessArgs { record, ..args },
    ] {
        world.refuses_request(&doctor, args, ChartsealError::BadSubject);
    }
    let patient = world.patient.id;
    let mut another = world.request_ix(&doctor, of_record);
    substitute(
        &mut another,
        address::record(&patient, &record),
        address::record(&patient, &other),
    );
    world
        .chain
        .refuse(another, &[&doctor.wallet], ChartsealError::BadSubject);
    let request = world.request_ix(&doctor, of_record);
    world.chain.must(request, &[&doctor.wallet]);
    let account = world.requested(&args.id);
    assert_eq!((account.record, account.classes), (record, 0));
}

#[test]
fn record_of_another_patient_or_an_erased_one_is_not_asked_for() {
    let mut world = World::new();
    let (record, theirs) = (world.record(), world.patient.clone());
    let at = address::record(&theirs.id, &record);
    world.patient = world.chain.patient(90);
    let (doctor, args) = world.doctors_request();
    let args = RequestAccessArgs {
        record,
        classes: 0,
        ..args
    };
    let mut request = world.request_ix(&doctor, args);
    substitute(&mut request, address::record(&world.patient.id, &record), at);
    world
        .chain
        .refuse(request, &[&doctor.wallet], ChartsealError::ForeignPatient);
    world.patient = theirs;
    world
        .chain
        .edit(&at, |record: &mut Record| record.status = RecordStatus::Erased.byte());
    let args = RequestAccessArgs {
        id: world.fitting(REQUEST),
        ..args
    };
    world.refuses_request(&doctor, args, ChartsealError::RecordErased);
}

#[test]
fn insurer_asking_for_treatment_is_refused() {
    let mut world = World::new();
    let (insurer, args) = (world.insurer.clone(), world.request_args());
    for purpose in Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::Payment) {
        for purposes in [purpose.bit(), purpose.bit() | Purpose::Payment.bit()] {
            world.refuses_request(
                &insurer,
                RequestAccessArgs { purposes, ..args },
                ChartsealError::BeyondRole,
            );
        }
    }
    for right in [Action::Append, Action::Amend, Action::Share] {
        let args = RequestAccessArgs {
            purposes: Purpose::Payment.bit(),
            rights: right.bit(),
            ..args
        };
        world.refuses_request(&insurer, args, ChartsealError::BeyondRole);
    }
    world.request(&insurer, |args| args.purposes = Purpose::Payment.bit());
}

#[test]
fn auditor_asking_for_content_is_refused() {
    let mut world = World::new();
    let (hospital, args) = (world.hospital.clone(), world.request_args());
    let auditor = world.chain.member(&hospital, 70, Role::Auditor);
    for right in Action::ALL {
        for purpose in Purpose::ALL {
            let args = RequestAccessArgs {
                rights: right.bit(),
                purposes: purpose.bit(),
                ..args
            };
            world.refuses_request(&auditor, args, ChartsealError::BeyondRole);
        }
    }
}

#[test]
fn no_profession_asks_for_personal_purposes() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let args = RequestAccessArgs {
        purposes: Purpose::Personal.bit(),
        ..args
    };
    world.refuses_request(&doctor, args, ChartsealError::BeyondRole);
}

#[test]
fn masks_name_something_and_nothing_else() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    for (rights, purposes) in [
        (0, 1),
        (1, 0),
        (Action::MASK + 1, 1),
        (1, Purpose::MASK + 1),
        (u8::MAX, u8::MAX),
    ] {
        let args = RequestAccessArgs {
            rights,
            purposes,
            ..args
        };
        world.refuses_request(&doctor, args, ChartsealError::BadMask);
    }
}

#[test]
fn end_lies_in_the_future() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    for until in [GENESIS, GENESIS - 1, 0, i64::MIN] {
        world.refuses_request(
            &doctor,
            RequestAccessArgs { until, ..args },
            ChartsealError::BadValidity,
        );
    }
    world.request(&doctor, |args| args.until = GENESIS + 1);
    world.request(&doctor, |args| args.until = i64::MAX);
}

#[test]
fn nobody_asks_in_a_members_name() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let (stranger, patient) = (world.chain.wallet(), world.patient.clone());
    let (authority, insurer) = (
        world.hospital.authority.insecure_clone(),
        world.insurer.wallet.insecure_clone(),
    );
    let credential = (&doctor.institution, &doctor.id);
    for by in [&stranger, &patient.wallet, &authority, &insurer] {
        let request = ix::request_access(by.pubkey(), by.pubkey(), credential, &patient.id, args);
        world.chain.refuse(request, &[by], ChartsealError::Stranger);
    }
    let request = ix::request_access(doctor.wallet.pubkey(), stranger.pubkey(), credential, &patient.id, args);
    let unsigned = unsign(request.clone(), doctor.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
    // Another may pay.
    let before = world.chain.svm.get_balance(&doctor.wallet.pubkey());
    world.chain.must(request, &[&stranger, &doctor.wallet]);
    assert_eq!(world.chain.svm.get_balance(&doctor.wallet.pubkey()), before);
}

#[test]
fn institution_is_the_members_own() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let mut request = world.request_ix(&doctor, args);
    substitute(&mut request, world.hospital.address(), world.insurance.address());
    world
        .chain
        .refuse(request, &[&doctor.wallet], ChartsealError::ForeignMember);
}

#[test]
fn suspended_expired_or_invited_credential_asks_for_nothing() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let hospital = world.hospital.clone();
    for standing in [Standing::Suspended, Standing::Invited] {
        world.chain.edit(&doctor.address(), |member: &mut Member| {
            member.standing = standing.byte()
        });
        world.refuses_request(&doctor, args, ChartsealError::MemberNotActive);
    }
    world.chain.edit(&doctor.address(), |member: &mut Member| {
        member.standing = Standing::Active.byte();
        member.expires = GENESIS + 10;
    });
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.refuses_request(&doctor, args, ChartsealError::InstitutionNotActive);
    world.set_institution_standing(&hospital, Standing::Active);
    for at in [GENESIS + 10, GENESIS + 11] {
        world.chain.set_time(at);
        world.refuses_request(&doctor, args, ChartsealError::MemberNotActive);
    }
    world.chain.set_time(GENESIS + 9);
    world.request(&doctor, |_| {});
}

#[test]
fn institution_asks_for_nothing_from_its_end_on() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let hospital = world.hospital.address();
    world
        .chain
        .edit(&hospital, |hospital: &mut chartseal_program::state::Institution| {
            hospital.expires = GENESIS + 1
        });
    world.request(&doctor, |_| {});
    world.wait(1);
    world.refuses_request(&doctor, args, ChartsealError::InstitutionNotActive);
}

#[test]
fn nothing_is_asked_for_while_paused() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    world.set_paused(true);
    world.refuses_request(&doctor, args, ChartsealError::Paused);
}

#[test]
fn request_is_written_into_the_patients_own_log_and_place() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let (patient, other) = (world.patient.id, world.chain.patient(90).id);
    let request = world.request_ix(&doctor, args);
    let mut hidden = request.clone();
    substitute(&mut hidden, address::access_log(&patient), address::access_log(&other));
    world
        .chain
        .refuse(hidden, &[&doctor.wallet], ChartsealError::ForeignPatient);
    let mut elsewhere = request;
    substitute(
        &mut elsewhere,
        address::request(&patient, &args.id),
        address::request(&other, &args.id),
    );
    world
        .chain
        .refuse_at_the_door(elsewhere, &[&doctor.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn id_of_another_bump_or_taken_is_refused() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let id = world.misfit(REQUEST);
    world.refuses_request(&doctor, RequestAccessArgs { id, ..args }, ChartsealError::BumpNot255);
    let request = world.request_ix(&doctor, args);
    world.chain.must(request.clone(), &[&doctor.wallet]);
    world.chain.refuse_at_the_door(request, &[&doctor.wallet], EXISTS);
}

#[test]
fn id_of_zeros_is_refused() {
    let mut world = World::new();
    world.patient_where_zeros_fit(REQUEST);
    let (doctor, args) = world.doctors_request();
    world.refuses_request(&doctor, RequestAccessArgs { id: NO_ID, ..args }, ChartsealError::ZeroId);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (doctor, args) = world.doctors_request();
    let at = address::request(&world.patient.id, &args.id);
    world.chain.svm.airdrop(&at, 1_000_000).unwrap();
    let request = world.request_ix(&doctor, args);
    world.chain.must(request, &[&doctor.wallet]);
    assert_eq!(world.chain.read::<Request>(&at).id, args.id);
}

#[test]
fn member_who_floods_patients_logs_with_requests_is_stopped_for_the_hour() {
    let mut world = World::new();
    let doctor = world.doctor.clone();
    world.request(&doctor, |_| {});
    world.wait(HOUR - 1);
    for n in 1..MEMBER_REQUESTS_PER_HOUR {
        // Over all patients.
        if n == 10 {
            world.patient = world.chain.patient(90);
        }
        world.request(&doctor, |_| {});
    }
    let args = world.request_args();
    world.refuses_request(&doctor, args, ChartsealError::RequestCap);
    // Nobody else is.
    let insurer = world.insurer.clone();
    world.request(&insurer, |args| args.purposes = Purpose::Payment.bit());
    // The hour began with the first.
    world.wait(1);
    world.request(&doctor, |_| {});
    assert_eq!(world.member_account(&doctor).requests.count, 1);
    // A clock that goes back opens no new one.
    world.chain.edit(&doctor.address(), |member: &mut Member| {
        member.requests.count = MEMBER_REQUESTS_PER_HOUR
    });
    world.chain.set_time(GENESIS - DAY);
    let args = world.request_args();
    world.refuses_request(&doctor, args, ChartsealError::RequestCap);
}
