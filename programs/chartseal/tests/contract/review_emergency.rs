//! What patient and institution think of an emergency: each once, and never by the wallet that opened it. That a review
//! can be turned is in `turned_reviews.rs`.

use chartseal_program::{
    builders::{self as ix, Reviewing},
    events::{AnyEvent, EmergencyReviewed},
    seeds::{address, Id},
    state::{Emergency, Institution, Member, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

use Reviewer::{Institution as Hospital, Patient as Theirs};
use Verdict::{Justified, Unjustified};

/// An emergency that the hospital's doctor opened.
pub(crate) struct Opened {
    pub(crate) world: World,
    pub(crate) doctor: Person,
    pub(crate) emergency: Id,
}

impl Opened {
    pub(crate) fn new() -> Self {
        Self::of(World::new())
    }

    fn of(mut world: World) -> Self {
        let doctor = world.emergency_doctor();
        let emergency = world.open_emergency(&doctor);
        Self {
            world,
            doctor,
            emergency,
        }
    }

    pub(crate) fn review(&self, by: &Reviewing, reviewer: Reviewer, verdict: Verdict) -> Instruction {
        self.world
            .review_ix(by, &self.doctor, &self.emergency, reviewer, verdict)
    }

    pub(crate) fn account(&self) -> Emergency {
        self.world.emergency(&self.emergency)
    }

    #[track_caller]
    pub(crate) fn fails(&mut self, by: &Reviewing, wallet: &Keypair, reviewer: Reviewer, error: ChartsealError) {
        for verdict in [Justified, Unjustified] {
            let review = self.review(by, reviewer, verdict);
            self.world.chain.refuse(review, &[wallet], error);
        }
    }

    pub(crate) fn must(&mut self, by: &Keypair, reviewer: Reviewer, verdict: Verdict) -> AnyEvent {
        let review = self.review(&Reviewing::wallet(by.pubkey()), reviewer, verdict);
        self.world.chain.must(review, &[by])
    }

    pub(crate) fn authority(&self) -> Keypair {
        self.world.hospital.authority.insecure_clone()
    }

    pub(crate) fn patient(&self) -> Keypair {
        self.world.patient.wallet.insecure_clone()
    }

    /// An auditor of the hospital.
    pub(crate) fn auditor(&mut self) -> (Person, Reviewing) {
        let hospital = self.world.hospital.clone();
        let auditor = self.world.chain.member(&hospital, 80, Role::Auditor);
        let by = Reviewing {
            auditor: Some(auditor.id),
            ..Reviewing::wallet(auditor.wallet.pubkey())
        };
        (auditor, by)
    }
}

#[test]
fn patients_review_is_written_down() {
    let mut case = Opened::new();
    case.world.wait(60);
    let wallet = case.patient();
    let event = case.must(&wallet, Theirs, Justified);
    let expected = EmergencyReviewed {
        link: *event.link(),
        emergency: case.emergency,
        reviewer: Theirs,
        by: wallet.pubkey(),
        verdict: Justified,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::EmergencyReviewed(expected));
    case.world
        .assert_logged(&event, &case.emergency, &wallet.pubkey(), NO_OUTCOME);
    let account = case.account();
    assert_eq!(
        (account.patient_reviewed_at, account.patient_verdict),
        (GENESIS + 60, Justified.byte())
    );
    assert_eq!((account.institution_reviewed_at, account.institution_verdict), (0, 0));
    assert_eq!(account.expires, GENESIS + 12 * 3600);
    let doctor = case.doctor.clone();
    assert_eq!(case.world.member_account(&doctor).unreviewed_emergencies, 1);
}

#[test]
fn institutions_review_is_written_down_and_lets_the_next_be_opened() {
    let mut case = Opened::new();
    case.world.wait(60);
    let authority = case.authority();
    let event = case.must(&authority, Hospital, Unjustified);
    let expected = EmergencyReviewed {
        link: *event.link(),
        emergency: case.emergency,
        reviewer: Hospital,
        by: authority.pubkey(),
        verdict: Unjustified,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::EmergencyReviewed(expected));
    case.world
        .assert_logged(&event, &case.emergency, &authority.pubkey(), NO_OUTCOME);
    let account = case.account();
    assert_eq!(
        (account.institution_reviewed_at, account.institution_verdict),
        (GENESIS + 60, Unjustified.byte())
    );
    assert_eq!((account.patient_reviewed_at, account.patient_verdict), (0, 0));
    assert_eq!(account.expires, GENESIS + 60);
    let (doctor, hospital) = (case.doctor.clone(), case.world.hospital.clone());
    assert_eq!(case.world.member_account(&doctor).unreviewed_emergencies, 0);
    assert_eq!(case.world.body_account(&hospital).unreviewed_emergencies, 0);
}

#[test]
fn each_reviews_once() {
    let mut case = Opened::new();
    let (patient, authority) = (case.patient(), case.authority());
    case.must(&patient, Theirs, Unjustified);
    case.must(&authority, Hospital, Unjustified);
    let (auditor, by) = case.auditor();
    case.fails(
        &Reviewing::wallet(patient.pubkey()),
        &patient,
        Theirs,
        ChartsealError::AlreadyReviewed,
    );
    case.fails(
        &Reviewing::wallet(authority.pubkey()),
        &authority,
        Hospital,
        ChartsealError::AlreadyReviewed,
    );
    case.fails(&by, &auditor.wallet, Hospital, ChartsealError::AlreadyReviewed);
    let carer = case.world.delegate(Action::Share.bit());
    case.fails(
        &carer.reviewing(),
        &carer.wallet,
        Theirs,
        ChartsealError::AlreadyReviewed,
    );
}

#[test]
fn unjustified_ends_it_at_once_and_lengthens_nothing() {
    let mut case = Opened::new();
    let (patient, authority, expires) = (case.patient(), case.authority(), case.account().expires);
    case.world.chain.set_time(expires - 1);
    case.must(&patient, Theirs, Unjustified);
    assert_eq!(case.account().expires, expires - 1);
    case.world.chain.set_time(expires + DAY);
    case.must(&authority, Hospital, Unjustified);
    assert_eq!(case.account().expires, expires - 1);
}

#[test]
fn one_that_is_justified_does_not_undo_one_that_is_not() {
    let mut case = Opened::new();
    let (patient, authority) = (case.patient(), case.authority());
    case.must(&patient, Theirs, Unjustified);
    case.must(&authority, Hospital, Justified);
    assert_eq!(case.account().expires, GENESIS);
}

#[test]
fn auditor_reviews_for_its_institution() {
    let mut case = Opened::new();
    let (auditor, by) = case.auditor();
    let review = case.review(&by, Hospital, Justified);
    case.world.chain.must(review, &[&auditor.wallet]);
    assert_eq!(case.account().institution_reviewed_at, GENESIS);
}

#[test]
fn auditor_must_be_active_an_auditor_and_of_that_institution() {
    let mut case = Opened::new();
    let (hospital, (auditor, by)) = (case.world.hospital.clone(), case.auditor());
    case.world.set_member_standing(&hospital, &auditor, Standing::Suspended);
    case.fails(&by, &auditor.wallet, Hospital, ChartsealError::NotReviewer);
    case.world.set_member_standing(&hospital, &auditor, Standing::Active);
    case.world
        .chain
        .edit(&auditor.address(), |member: &mut Member| member.expires = GENESIS);
    case.fails(&by, &auditor.wallet, Hospital, ChartsealError::NotReviewer);
    // A colleague who is none.
    let nurse = case.world.chain.member(&hospital, 81, Role::Nurse);
    let by_nurse = Reviewing {
        auditor: Some(nurse.id),
        ..Reviewing::wallet(nurse.wallet.pubkey())
    };
    case.fails(&by_nurse, &nurse.wallet, Hospital, ChartsealError::NotReviewer);
    // An auditor from elsewhere.
    let clinic = case.world.chain.institution(61, InstitutionKind::Hospital);
    let foreign = case.world.chain.member(&clinic, 82, Role::Auditor);
    let mut review = case.review(
        &Reviewing {
            wallet: foreign.wallet.pubkey(),
            ..by
        },
        Hospital,
        Justified,
    );
    substitute(&mut review, auditor.address(), foreign.address());
    case.world
        .chain
        .refuse(review, &[&foreign.wallet], ChartsealError::NotReviewer);
    // Another's membership.
    let stranger = case.world.chain.wallet();
    let by = Reviewing {
        wallet: stranger.pubkey(),
        ..by
    };
    case.fails(&by, &stranger, Hospital, ChartsealError::NotReviewer);
}

#[test]
fn reviewer_who_is_the_opener_is_refused() {
    let mut case = Opened::new();
    let opener = case.doctor.wallet.insecure_clone();
    let by = Reviewing::wallet(opener.pubkey());
    for reviewer in [Theirs, Hospital] {
        case.fails(&by, &opener, reviewer, ChartsealError::OwnReview);
    }
}

#[test]
fn reviewer_who_is_the_opener_as_the_patients_delegate_is_refused() {
    let mut case = Opened::new();
    let opener = case.doctor.wallet.insecure_clone();
    let (args, patient) = (case.world.delegation(&opener, Action::MASK), case.world.patient.clone());
    let name = ix::name_delegate(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
    case.world.chain.must(name, &[&patient.wallet]);
    let accept = ix::accept_delegation(opener.pubkey(), &patient.id, &args.id, keys(8));
    case.world.chain.must(accept, &[&opener]);
    let by = Reviewing {
        delegate: Some(args.id),
        ..Reviewing::wallet(opener.pubkey())
    };
    case.fails(&by, &opener, Theirs, ChartsealError::OwnReview);
}

#[test]
fn reviewer_who_is_the_opener_as_authority_after_a_handover_is_refused() {
    let mut case = Opened::new();
    let (opener, hospital) = (case.doctor.wallet.insecure_clone(), case.world.hospital.clone());
    let propose = ix::propose_authority(hospital.authority.pubkey(), &hospital.id, opener.pubkey());
    case.world.chain.must(propose, &[&hospital.authority]);
    let accept = ix::accept_authority(opener.pubkey(), &hospital.id);
    case.world.chain.must(accept, &[&opener]);
    case.fails(
        &Reviewing::wallet(opener.pubkey()),
        &opener,
        Hospital,
        ChartsealError::OwnReview,
    );
    // Nor does the authority before it.
    let old = hospital.authority;
    case.fails(
        &Reviewing::wallet(old.pubkey()),
        &old,
        Hospital,
        ChartsealError::NotReviewer,
    );
}

#[test]
fn reviewer_who_is_the_opener_as_the_patient_or_as_auditor_is_refused() {
    let mut case = Opened::new();
    let (opener, hospital) = (case.doctor.wallet.insecure_clone(), case.world.hospital.clone());
    // A second membership of the same wallet.
    let auditor = case.world.chain.member(&hospital, 83, Role::Auditor);
    let wallet = opener.pubkey();
    case.world
        .chain
        .edit(&auditor.address(), |member: &mut Member| member.wallet = wallet);
    let by = Reviewing {
        auditor: Some(auditor.id),
        ..Reviewing::wallet(wallet)
    };
    case.fails(&by, &opener, Hospital, ChartsealError::OwnReview);
    // Handed over to it, the patient's own review is the opener's too.
    let patient = case.world.patient.clone();
    let propose = ix::propose_wallet(patient.wallet.pubkey(), None, &patient.id, wallet);
    case.world.chain.must(propose, &[&patient.wallet]);
    let accept = ix::accept_wallet(wallet, None, &patient.id, keys(7));
    case.world.chain.must(accept, &[&opener]);
    case.fails(&Reviewing::wallet(wallet), &opener, Theirs, ChartsealError::OwnReview);
}

#[test]
fn opener_whose_account_has_another_wallet_now_reviews_by_neither() {
    let mut case = Opened::new();
    let (old, new) = (case.doctor.wallet.insecure_clone(), case.authority());
    let wallet = new.pubkey();
    case.world
        .chain
        .edit(&case.doctor.address(), |member: &mut Member| member.wallet = wallet);
    for by in [&old, &new] {
        case.fails(&Reviewing::wallet(by.pubkey()), by, Hospital, ChartsealError::OwnReview);
    }
}

#[test]
fn nobody_else_reviews() {
    let mut case = Opened::new();
    let (stranger, admin) = (case.world.chain.wallet(), case.world.chain.admin.insecure_clone());
    let (patient, authority, insurer) = (
        case.patient(),
        case.authority(),
        case.world.insurer.wallet.insecure_clone(),
    );
    for by in [&stranger, &admin, &insurer, &authority] {
        case.fails(&Reviewing::wallet(by.pubkey()), by, Theirs, ChartsealError::NotPatient);
    }
    for by in [&stranger, &admin, &insurer, &patient] {
        case.fails(
            &Reviewing::wallet(by.pubkey()),
            by,
            Hospital,
            ChartsealError::NotReviewer,
        );
    }
}

#[test]
fn steward_reviews_not_for_the_patient() {
    let mut world = World::new();
    world.steward_patient();
    let mut case = Opened::of(world);
    let authority = case.authority();
    case.fails(
        &Reviewing::wallet(authority.pubkey()),
        &authority,
        Theirs,
        ChartsealError::NotPatient,
    );
    case.must(&authority, Hospital, Justified);
    case.world.take_out();
    let wallet = case.patient();
    case.must(&wallet, Theirs, Unjustified);
}

#[test]
fn delegate_that_may_share_reviews_for_the_patient() {
    let mut case = Opened::new();
    let carer = case.world.delegate(Action::Share.bit());
    let review = case.review(&carer.reviewing(), Theirs, Unjustified);
    let event = case.world.chain.must(review, &[&carer.wallet]);
    case.world
        .assert_logged(&event, &case.emergency, &carer.wallet.pubkey(), NO_OUTCOME);
    assert_eq!(case.account().expires, GENESIS);
}

#[test]
fn delegate_without_a_living_right_to_share_reviews_nothing() {
    let mut case = Opened::new();
    let reader = case.world.delegate(Action::MASK & !Action::Share.bit());
    case.fails(&reader.reviewing(), &reader.wallet, Theirs, ChartsealError::NotReviewer);
    let named = case.world.named_delegate(Action::MASK);
    case.fails(&named.reviewing(), &named.wallet, Theirs, ChartsealError::NotReviewer);
    let revoked = case.world.delegate(Action::MASK);
    case.world.revoke_delegate(&revoked);
    case.fails(
        &revoked.reviewing(),
        &revoked.wallet,
        Theirs,
        ChartsealError::NotReviewer,
    );
    let carer = case.world.delegate(Action::MASK);
    let stranger = case.world.chain.wallet();
    let by = Reviewing {
        wallet: stranger.pubkey(),
        ..carer.reviewing()
    };
    case.fails(&by, &stranger, Theirs, ChartsealError::NotReviewer);
    // A delegation is not passed to hide the institution's review.
    case.fails(&carer.reviewing(), &carer.wallet, Hospital, ChartsealError::NotReviewer);
    case.world.wait(365 * DAY);
    case.fails(&carer.reviewing(), &carer.wallet, Theirs, ChartsealError::NotReviewer);
    case.world.wait(-1);
    let review = case.review(&carer.reviewing(), Theirs, Justified);
    case.world.chain.must(review, &[&carer.wallet]);
}

#[test]
fn delegate_of_another_patient_reviews_nothing() {
    let mut case = Opened::new();
    let own = case.world.patient.clone();
    case.world.patient = case.world.chain.patient(90);
    let (theirs, carer) = (case.world.patient.id, case.world.delegate(Action::MASK));
    case.world.patient = own.clone();
    let mut review = case.review(&carer.reviewing(), Theirs, Justified);
    substitute(
        &mut review,
        address::delegate(&own.id, &carer.id),
        address::delegate(&theirs, &carer.id),
    );
    case.world
        .chain
        .refuse(review, &[&carer.wallet], ChartsealError::NotReviewer);
}

#[test]
fn old_wallet_reviewing_after_a_handover_is_refused() {
    let mut case = Opened::new();
    let old = case.world.hand_over();
    case.fails(
        &Reviewing::wallet(old.pubkey()),
        &old,
        Theirs,
        ChartsealError::NotPatient,
    );
    let wallet = case.patient();
    case.must(&wallet, Theirs, Justified);
}

#[test]
fn reviewing_is_never_paused_and_a_suspended_hospital_still_reviews() {
    let mut case = Opened::new();
    let (patient, authority, hospital) = (case.patient(), case.authority(), case.world.hospital.clone());
    case.world.set_institution_standing(&hospital, Standing::Suspended);
    case.world.set_paused(true);
    case.must(&patient, Theirs, Unjustified);
    case.must(&authority, Hospital, Justified);
}

#[test]
fn emergency_about_another_patient_is_not_reviewed() {
    let mut case = Opened::new();
    let own = case.world.patient.clone();
    let other = case.world.chain.patient(90);
    case.world.patient = other.clone();
    let mut review = case.review(&Reviewing::wallet(other.wallet.pubkey()), Theirs, Justified);
    substitute(
        &mut review,
        address::emergency(&other.id, &case.emergency),
        address::emergency(&own.id, &case.emergency),
    );
    case.world
        .chain
        .refuse(review, &[&other.wallet], ChartsealError::ForeignPatient);
    case.world.patient = own.clone();
    let mut review = case.review(&Reviewing::wallet(own.wallet.pubkey()), Theirs, Justified);
    substitute(
        &mut review,
        address::access_log(&own.id),
        address::access_log(&other.id),
    );
    case.world
        .chain
        .refuse(review, &[&own.wallet], ChartsealError::ForeignPatient);
}

/// Somebody else's count of unreviewed emergencies must not go down by it.
#[test]
fn opener_and_institution_that_are_passed_are_its_own() {
    let mut case = Opened::new();
    let (hospital, authority) = (case.world.hospital.clone(), case.authority());
    let colleague = case.world.chain.member(&hospital, 84, Role::Doctor);
    let clinic = case.world.chain.institution(61, InstitutionKind::Hospital);
    let review = case.review(&Reviewing::wallet(authority.pubkey()), Hospital, Justified);
    let mut other_member = review.clone();
    substitute(&mut other_member, case.doctor.address(), colleague.address());
    case.world
        .chain
        .refuse(other_member, &[&authority], ChartsealError::ForeignMember);
    let review = case.review(&Reviewing::wallet(clinic.authority.pubkey()), Hospital, Justified);
    let mut other_institution = review.clone();
    substitute(&mut other_institution, hospital.address(), clinic.address());
    case.world
        .chain
        .refuse(other_institution, &[&clinic.authority], ChartsealError::ForeignMember);
    case.world
        .chain
        .refuse(review, &[&clinic.authority], ChartsealError::NotReviewer);
}

#[test]
fn counters_never_go_below_zero() {
    let mut case = Opened::new();
    let (authority, hospital) = (case.authority(), case.world.hospital.clone());
    case.world.chain.edit(&case.doctor.address(), |member: &mut Member| {
        member.unreviewed_emergencies = 0
    });
    case.world
        .chain
        .edit(&hospital.address(), |hospital: &mut Institution| {
            hospital.unreviewed_emergencies = 0
        });
    case.must(&authority, Hospital, Justified);
    let doctor = case.doctor.clone();
    assert_eq!(case.world.member_account(&doctor).unreviewed_emergencies, 0);
    assert_eq!(case.world.body_account(&hospital).unreviewed_emergencies, 0);
}

#[test]
fn reviewer_must_sign() {
    let mut case = Opened::new();
    let (wallet, stranger) = (case.patient(), case.world.chain.wallet());
    let review = case.review(&Reviewing::wallet(wallet.pubkey()), Theirs, Justified);
    case.world.chain.refuse_at_the_door(
        unsign(review, wallet.pubkey()),
        &[&stranger],
        InstructionError::MissingRequiredSignature,
    );
}
