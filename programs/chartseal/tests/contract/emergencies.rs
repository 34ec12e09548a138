//! What an open emergency lets its opener do: read and add, for the emergency, until it ends.

use chartseal_program::{
    builders::{As, Reviewing},
    events::AnyEvent,
    seeds::{address, Id},
    state::{Member, Record, LONGEST_EMERGENCY},
    vocabulary::*,
    ChartsealError,
};
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A doctor of a clinic that has nothing to do with the patient, its open emergency, and a record of the hospital's.
struct Open {
    world: World,
    clinic: Body,
    doctor: Person,
    record: Id,
    emergency: Id,
}

impl Open {
    fn new() -> Self {
        let mut world = World::new();
        let record = world.record();
        let clinic = world.chain.institution(61, InstitutionKind::Hospital);
        let doctor = world.chain.member(&clinic, 62, Role::Doctor);
        world.set_credential(&clinic, &doctor, true);
        let emergency = world.open_emergency(&doctor);
        Self {
            world,
            clinic,
            doctor,
            record,
            emergency,
        }
    }

    fn acting(&self) -> As {
        self.doctor.acting().in_emergency(self.emergency)
    }

    fn read_for(&mut self, purpose: Purpose) -> Result<Basis, Reason> {
        let (acting, wallet, record) = (self.acting(), self.doctor.wallet.insecure_clone(), self.record);
        self.world.verdict(&wallet, acting, record, purpose)
    }

    fn read(&mut self) -> Result<Basis, Reason> {
        self.read_for(Purpose::Emergency)
    }

    fn review(&mut self, reviewer: Reviewer, verdict: Verdict) {
        let by = match reviewer {
            Reviewer::Patient => self.world.patient.wallet.insecure_clone(),
            Reviewer::Institution => self.clinic.authority.insecure_clone(),
        };
        let review = self.world.review_ix(
            &Reviewing::wallet(by.pubkey()),
            &self.doctor,
            &self.emergency,
            reviewer,
            verdict,
        );
        self.world.chain.must(review, &[&by]);
    }
}

#[test]
fn opener_reads_and_the_access_is_marked() {
    let mut case = Open::new();
    let (acting, wallet, record) = (case.acting(), case.doctor.wallet.insecure_clone(), case.record);
    let done = case.world.access(&wallet, acting, record, Purpose::Emergency).unwrap();
    let AnyEvent::AccessAllowed(event) = &done.event else {
        panic!()
    };
    assert_eq!(
        (event.basis, event.under, event.purpose),
        (Basis::Emergency, case.emergency, Purpose::Emergency)
    );
    case.world
        .assert_logged(&done.event, &event.request, &wallet.pubkey(), Basis::Emergency.byte());
}

#[test]
fn opener_adds_a_record() {
    let mut case = Open::new();
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let (record, verdict) = case.world.write(&wallet, &acting, 3, Purpose::Emergency);
    assert_eq!(verdict, Ok(Basis::Emergency));
    let at = address::record(&case.world.patient.id, &record);
    assert_eq!(case.world.chain.read::<Record>(&at).author, case.doctor.address());
}

#[test]
fn emergency_used_to_amend_is_refused() {
    let mut case = Open::new();
    let (acting, wallet, record) = (case.acting(), case.doctor.wallet.insecure_clone(), case.record);
    let verdict = case.world.amend(&wallet, &acting, record, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::RightNotGranted));
    // Not even what it added under it.
    let (own, _) = case.world.write(&wallet, &acting, 0, Purpose::Emergency);
    let verdict = case.world.amend(&wallet, &acting, own, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::RightNotGranted));
}

#[test]
fn emergency_used_for_another_purpose_is_refused() {
    let mut case = Open::new();
    for purpose in [
        Purpose::Treatment,
        Purpose::Research,
        Purpose::Operations,
        Purpose::Legal,
    ] {
        assert_eq!(case.read_for(purpose), Err(Reason::PurposeNotEmergency));
    }
    for purpose in [Purpose::Payment, Purpose::Personal] {
        assert_eq!(case.read_for(purpose), Err(Reason::RoleForbidsPurpose));
    }
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let (_, verdict) = case.world.write(&wallet, &acting, 0, Purpose::Treatment);
    assert_eq!(verdict, Err(Reason::PurposeNotEmergency));
}

#[test]
fn purpose_alone_opens_nothing() {
    let mut case = Open::new();
    let (doctor, record) = (case.doctor.clone(), case.record);
    assert_eq!(
        case.world.asks(&doctor, None, record, Purpose::Emergency),
        Err(Reason::NoGrant)
    );
}

#[test]
fn emergency_used_after_its_end_is_refused() {
    let mut case = Open::new();
    case.world.chain.set_time(GENESIS + LONGEST_EMERGENCY - 1);
    assert_eq!(case.read(), Ok(Basis::Emergency));
    for at in [GENESIS + LONGEST_EMERGENCY, GENESIS + LONGEST_EMERGENCY + 1] {
        case.world.chain.set_time(at);
        assert_eq!(case.read(), Err(Reason::EmergencyOver));
    }
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let (_, verdict) = case.world.write(&wallet, &acting, 0, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::EmergencyOver));
}

#[test]
fn emergency_used_after_an_unjustified_verdict_is_refused() {
    for reviewer in [Reviewer::Patient, Reviewer::Institution] {
        let mut case = Open::new();
        case.world.wait(5);
        assert_eq!(case.read(), Ok(Basis::Emergency));
        case.review(reviewer, Verdict::Unjustified);
        assert_eq!(case.read(), Err(Reason::EmergencyOver));
    }
}

#[test]
fn emergency_found_justified_goes_on_to_its_end() {
    let mut case = Open::new();
    case.review(Reviewer::Patient, Verdict::Justified);
    case.review(Reviewer::Institution, Verdict::Justified);
    assert_eq!(case.read(), Ok(Basis::Emergency));
    case.world.wait(LONGEST_EMERGENCY);
    assert_eq!(case.read(), Err(Reason::EmergencyOver));
}

#[test]
fn emergency_used_after_the_credential_was_taken_is_refused() {
    let mut case = Open::new();
    let (clinic, doctor) = (case.clinic.clone(), case.doctor.clone());
    case.world.set_credential(&clinic, &doctor, false);
    assert_eq!(case.read(), Err(Reason::NoEmergencyCredential));
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let (_, verdict) = case.world.write(&wallet, &acting, 0, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::NoEmergencyCredential));
}

/// Taking the credential is no verdict: only a review ends an emergency for good.
#[test]
fn credential_that_is_given_back_revives_no_emergency_that_ended() {
    let mut case = Open::new();
    let (clinic, doctor) = (case.clinic.clone(), case.doctor.clone());
    case.world.set_credential(&clinic, &doctor, false);
    case.world.set_credential(&clinic, &doctor, true);
    assert_eq!(case.read(), Ok(Basis::Emergency));
    case.world.set_credential(&clinic, &doctor, false);
    case.review(Reviewer::Institution, Verdict::Unjustified);
    case.world.set_credential(&clinic, &doctor, true);
    assert_eq!(case.read(), Err(Reason::EmergencyOver));
}

#[test]
fn emergency_of_a_suspended_or_expired_credential_gives_nothing() {
    let mut case = Open::new();
    let (clinic, doctor) = (case.clinic.clone(), case.doctor.clone());
    case.world.set_member_standing(&clinic, &doctor, Standing::Suspended);
    assert_eq!(case.read(), Err(Reason::MemberSuspended));
    case.world.set_member_standing(&clinic, &doctor, Standing::Active);
    case.world.set_institution_standing(&clinic, Standing::Suspended);
    assert_eq!(case.read(), Err(Reason::InstitutionNotActive));
    case.world.set_institution_standing(&clinic, Standing::Active);
    case.world
        .chain
        .edit(&doctor.address(), |member: &mut Member| member.expires = GENESIS);
    assert_eq!(case.read(), Err(Reason::MemberExpired));
}

#[test]
fn emergency_used_by_another_member_is_refused() {
    let mut case = Open::new();
    let clinic = case.clinic.clone();
    let colleague = case.world.chain.member(&clinic, 63, Role::Doctor);
    case.world.set_credential(&clinic, &colleague, true);
    let (acting, record) = (colleague.acting().in_emergency(case.emergency), case.record);
    let verdict = case
        .world
        .verdict(&colleague.wallet, acting, record, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::EmergencyNotYours));
    // In the opener's name it is a stranger.
    let mut acting = case.acting();
    acting.wallet = colleague.wallet.pubkey();
    let access = case.world.access_ix(&acting, record, Purpose::Emergency);
    case.world
        .chain
        .refuse(access, &[&colleague.wallet], ChartsealError::Stranger);
}

#[test]
fn second_membership_of_the_openers_wallet_is_another_member() {
    let mut case = Open::new();
    let clinic = case.clinic.clone();
    let second = case.world.chain.member(&clinic, 64, Role::Doctor);
    let wallet = case.doctor.wallet.insecure_clone();
    let key = wallet.pubkey();
    case.world.chain.edit(&second.address(), |member: &mut Member| {
        member.wallet = key;
        member.emergency_credential = 1;
    });
    let acting = As::member(key, clinic.id, second.id).in_emergency(case.emergency);
    let record = case.record;
    let verdict = case.world.verdict(&wallet, acting, record, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::EmergencyNotYours));
}

#[test]
fn emergency_used_about_another_patient_is_refused() {
    let mut case = Open::new();
    let theirs = case.world.patient.clone();
    case.world.patient = case.world.chain.patient(90);
    let (record, acting, wallet) = (case.world.record(), case.acting(), case.doctor.wallet.insecure_clone());
    let mut access = case.world.access_ix(&acting, record, Purpose::Emergency);
    let own = address::emergency(&case.world.patient.id, &case.emergency);
    substitute(&mut access, own, address::emergency(&theirs.id, &case.emergency));
    let event = case.world.chain.must(access, &[&wallet]);
    assert_eq!(judged(&event), Err(Reason::EmergencyForeign));
    // Nor the other patient's record in this one's name.
    let mut access = case.world.access_ix(&acting, record, Purpose::Emergency);
    for (own, other) in [
        (address::patient(&case.world.patient.id), address::patient(&theirs.id)),
        (
            address::access_log(&case.world.patient.id),
            address::access_log(&theirs.id),
        ),
        (
            address::refusal_log(&case.world.patient.id),
            address::refusal_log(&theirs.id),
        ),
        (
            address::emergency(&case.world.patient.id, &case.emergency),
            address::emergency(&theirs.id, &case.emergency),
        ),
    ] {
        substitute(&mut access, own, other);
    }
    case.world
        .chain
        .refuse(access, &[&wallet], ChartsealError::ForeignPatient);
}

#[test]
fn erased_record_stays_erased_in_an_emergency() {
    let mut case = Open::new();
    let at = address::record(&case.world.patient.id, &case.record);
    case.world
        .chain
        .edit(&at, |record: &mut Record| record.status = RecordStatus::Erased.byte());
    assert_eq!(case.read(), Err(Reason::RecordErased));
}

#[test]
fn emergency_gives_nothing_while_paused() {
    let mut case = Open::new();
    case.world.set_paused(true);
    let acting = case.acting();
    let access = case.world.access_ix(&acting, case.record, Purpose::Emergency);
    case.world
        .chain
        .refuse(access, &[&case.doctor.wallet], ChartsealError::Paused);
}

#[test]
fn emergency_and_grant_are_not_claimed_together() {
    let mut case = Open::new();
    let terms = case.world.terms(GranteeKind::Member, case.doctor.address());
    let acting = case.acting().claiming(case.world.grant(terms));
    let access = case.world.access_ix(&acting, case.record, Purpose::Emergency);
    case.world
        .chain
        .refuse(access, &[&case.doctor.wallet], ChartsealError::OneClaim);
    let acting = case.acting().by_policy(case.clinic.id);
    let clinic = case.clinic.clone();
    case.world.set_policy(&clinic, |_| {});
    let access = case.world.access_ix(&acting, case.record, Purpose::Emergency);
    case.world
        .chain
        .refuse(access, &[&case.doctor.wallet], ChartsealError::OneClaim);
}

#[test]
fn refusal_names_the_emergency_that_was_claimed() {
    let mut case = Open::new();
    case.world.wait(LONGEST_EMERGENCY);
    let (acting, wallet, record) = (case.acting(), case.doctor.wallet.insecure_clone(), case.record);
    let done = case.world.access(&wallet, acting, record, Purpose::Emergency).unwrap();
    case.world.assert_refusal_logged(&done.event);
    let AnyEvent::ActionRefused(event) = done.event else {
        panic!()
    };
    assert_eq!((event.reason, event.under), (Reason::EmergencyOver, case.emergency));
}
