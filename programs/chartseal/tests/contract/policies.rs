//! What a policy lets the members of an institution do: read what was made since, and add where it enrols them.

use chartseal_program::{
    builders::As,
    instructions::SetPolicyArgs,
    seeds::{address, Id, NO_ID},
    state::{Institution, Member},
    vocabulary::*,
    ChartsealError,
};
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A clinic with a policy on class 0 for treatment, its doctor, and the hospital's records.
struct Shared {
    world: World,
    clinic: Body,
    doctor: Person,
}

impl Shared {
    fn new() -> Self {
        let mut world = World::new();
        let clinic = world.chain.institution(61, InstitutionKind::Hospital);
        let doctor = world.chain.member(&clinic, 62, Role::Doctor);
        let mut case = Self { world, clinic, doctor };
        case.set(|_| {});
        case
    }

    fn set(&mut self, change: impl FnOnce(&mut SetPolicyArgs)) {
        let clinic = self.clinic.clone();
        self.world.set_policy(&clinic, change);
    }

    fn acting(&self) -> As {
        self.doctor.acting().by_policy(self.clinic.id)
    }

    fn read(&mut self, record: Id) -> Result<Basis, Reason> {
        self.read_for(record, Purpose::Treatment)
    }

    fn read_for(&mut self, record: Id, purpose: Purpose) -> Result<Basis, Reason> {
        let (acting, wallet) = (self.acting(), self.doctor.wallet.insecure_clone());
        self.world.verdict(&wallet, acting, record, purpose)
    }

    fn write(&mut self, class: u8) -> (Id, Result<Basis, Reason>) {
        let (acting, wallet) = (self.acting(), self.doctor.wallet.insecure_clone());
        self.world.write(&wallet, &acting, class, Purpose::Treatment)
    }
}

#[test]
fn new_record_of_a_chosen_class_is_shared_by_itself() {
    let mut case = Shared::new();
    let record = case.world.record();
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let done = case.world.access(&wallet, acting, record, Purpose::Treatment).unwrap();
    let chartseal_program::events::AnyEvent::AccessAllowed(event) = &done.event else {
        panic!()
    };
    assert_eq!((event.basis, event.under), (Basis::Policy, case.clinic.id));
    case.world
        .assert_logged(&done.event, &event.request, &wallet.pubkey(), Basis::Policy.byte());
}

#[test]
fn refusal_names_the_policys_institution() {
    let mut case = Shared::new();
    let record = case.world.record_of_class(1);
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let done = case.world.access(&wallet, acting, record, Purpose::Treatment).unwrap();
    case.world.assert_refusal_logged(&done.event);
    let chartseal_program::events::AnyEvent::ActionRefused(event) = done.event else {
        panic!()
    };
    assert_eq!((event.reason, event.under), (Reason::PolicyOtherClass, case.clinic.id));
}

#[test]
fn record_older_than_the_policy_is_not_shared() {
    let mut world = World::new();
    let old = world.record();
    world.wait(1);
    let clinic = world.chain.institution(61, InstitutionKind::Hospital);
    let doctor = world.chain.member(&clinic, 62, Role::Doctor);
    let mut case = Shared { world, clinic, doctor };
    case.set(|_| {});
    let same_second = case.world.record();
    assert_eq!(case.read(old), Err(Reason::PolicyOtherClass));
    assert_eq!(case.read(same_second), Ok(Basis::Policy));
    // An amendment makes it no newer.
    case.world.wait(1);
    let (hospitals, acting) = (case.world.doctor.clone(), case.world.doctor.acting());
    let grant = case.world.enrol();
    let amended = case
        .world
        .amend(&hospitals.wallet, &acting.claiming(grant), old, Purpose::Treatment);
    assert_eq!(amended, Ok(Basis::Grant));
    assert_eq!(case.read(old), Err(Reason::PolicyOtherClass));
}

#[test]
fn class_removed_and_added_again_shares_nothing_of_before() {
    let mut case = Shared::new();
    let record = case.world.record();
    assert_eq!(case.read(record), Ok(Basis::Policy));
    case.set(|args| args.classes = 0b10);
    assert_eq!(case.read(record), Err(Reason::PolicyOtherClass));
    let meanwhile = case.world.record();
    case.world.wait(1);
    case.set(|args| args.classes = 0b11);
    assert_eq!(case.read(record), Err(Reason::PolicyOtherClass));
    assert_eq!(case.read(meanwhile), Err(Reason::PolicyOtherClass));
    let after = case.world.record();
    assert_eq!(case.read(after), Ok(Basis::Policy));
}

#[test]
fn withdrawn_policy_shares_nothing() {
    let mut case = Shared::new();
    let record = case.world.record();
    case.set(|args| {
        *args = SetPolicyArgs {
            classes: 0,
            purposes: 0,
            enrols: false,
            expires: i64::MAX,
        }
    });
    assert_eq!(case.read(record), Err(Reason::PolicyOtherClass));
}

#[test]
fn policy_that_expired_shares_nothing() {
    let mut case = Shared::new();
    case.set(|args| {
        args.expires = GENESIS + 10;
        args.enrols = true;
    });
    let record = case.world.record();
    case.world.chain.set_time(GENESIS + 9);
    assert_eq!(case.read(record), Ok(Basis::Policy));
    for at in [GENESIS + 10, GENESIS + 11] {
        case.world.chain.set_time(at);
        assert_eq!(case.read(record), Err(Reason::PolicyExpired));
        assert_eq!(case.write(0).1, Err(Reason::PolicyExpired));
    }
}

#[test]
fn policy_renewed_after_its_end_shares_nothing_of_before() {
    let mut case = Shared::new();
    case.set(|args| args.expires = GENESIS + 10);
    let before = case.world.record();
    case.world.chain.set_time(GENESIS + 10);
    let meanwhile = case.world.record();
    case.world.wait(1);
    case.set(|_| {});
    assert_eq!(case.read(before), Err(Reason::PolicyOtherClass));
    assert_eq!(case.read(meanwhile), Err(Reason::PolicyOtherClass));
    let after = case.world.record();
    assert_eq!(case.read(after), Ok(Basis::Policy));
}

#[test]
fn policy_renewed_before_its_end_goes_on_sharing() {
    let mut case = Shared::new();
    case.set(|args| args.expires = GENESIS + 10);
    let record = case.world.record();
    case.world.chain.set_time(GENESIS + 9);
    case.set(|_| {});
    case.world.wait(DAY);
    assert_eq!(case.read(record), Ok(Basis::Policy));
}

#[test]
fn every_class_is_its_own() {
    let mut case = Shared::new();
    case.set(|args| args.classes = 1 << 31 | 1 << 7);
    for (class, verdict) in [
        (31, Ok(Basis::Policy)),
        (7, Ok(Basis::Policy)),
        (0, Err(Reason::PolicyOtherClass)),
        (8, Err(Reason::PolicyOtherClass)),
        (30, Err(Reason::PolicyOtherClass)),
    ] {
        let record = case.world.record_of_class(class);
        assert_eq!(case.read(record), verdict, "class {class}");
    }
}

#[test]
fn policy_serves_its_purposes_within_the_role() {
    let mut case = Shared::new();
    let record = case.world.record();
    assert_eq!(case.read_for(record, Purpose::Research), Err(Reason::PurposeNotGranted));
    case.set(|args| args.purposes = Purpose::MASK);
    assert_eq!(case.read_for(record, Purpose::Research), Ok(Basis::Policy));
    for purpose in [Purpose::Payment, Purpose::Personal] {
        assert_eq!(case.read_for(record, purpose), Err(Reason::RoleForbidsPurpose));
    }
}

#[test]
fn insurer_asking_for_treatment_is_refused_whatever_the_policy_says() {
    let mut case = Shared::new();
    let (insurance, insurer) = (case.world.insurance.clone(), case.world.insurer.clone());
    case.world.set_policy(&insurance, |args| args.purposes = Purpose::MASK);
    let record = case.world.record();
    let acting = insurer.acting().by_policy(insurance.id);
    let ask = |case: &mut Shared, purpose| case.world.verdict(&insurer.wallet, acting, record, purpose);
    assert_eq!(ask(&mut case, Purpose::Treatment), Err(Reason::RoleForbidsPurpose));
    assert_eq!(ask(&mut case, Purpose::Payment), Ok(Basis::Policy));
}

#[test]
fn auditor_asking_for_content_is_refused_whatever_the_policy_says() {
    let mut case = Shared::new();
    let clinic = case.clinic.clone();
    case.doctor = case.world.chain.member(&clinic, 63, Role::Auditor);
    case.set(|args| {
        args.purposes = Purpose::MASK;
        args.enrols = true;
    });
    let record = case.world.record();
    for purpose in Purpose::ALL {
        assert_eq!(case.read_for(record, *purpose), Err(Reason::RoleForbidsContent));
    }
    assert_eq!(case.write(0).1, Err(Reason::RoleForbidsContent));
}

#[test]
fn policy_of_another_institution_is_not_claimed() {
    let mut case = Shared::new();
    let (record, hospital) = (case.world.record(), case.world.hospital.clone());
    case.world.set_policy(&hospital, |_| {});
    let (acting, wallet) = (
        case.doctor.acting().by_policy(hospital.id),
        case.doctor.wallet.insecure_clone(),
    );
    let verdict = case.world.verdict(&wallet, acting, record, Purpose::Treatment);
    assert_eq!(verdict, Err(Reason::PolicyNotYours));
}

#[test]
fn policy_of_another_patient_is_not_claimed() {
    let mut case = Shared::new();
    let (theirs, clinic) = (case.world.patient.clone(), case.clinic.id);
    case.world.patient = case.world.chain.patient(90);
    let (record, acting, wallet) = (case.world.record(), case.acting(), case.doctor.wallet.insecure_clone());
    let mut access = case.world.access_ix(&acting, record, Purpose::Treatment);
    let own = address::policy(&case.world.patient.id, &clinic);
    substitute(&mut access, own, address::policy(&theirs.id, &clinic));
    let event = case.world.chain.must(access, &[&wallet]);
    assert_eq!(judged(&event), Err(Reason::PolicyForeign));
}

#[test]
fn suspended_or_expired_credential_gains_nothing_by_a_policy() {
    let mut case = Shared::new();
    let (record, clinic, doctor) = (case.world.record(), case.clinic.clone(), case.doctor.clone());
    case.world.set_institution_standing(&clinic, Standing::Suspended);
    assert_eq!(case.read(record), Err(Reason::InstitutionNotActive));
    case.world.set_institution_standing(&clinic, Standing::Active);
    case.world.set_member_standing(&clinic, &doctor, Standing::Suspended);
    assert_eq!(case.read(record), Err(Reason::MemberSuspended));
    case.world.set_member_standing(&clinic, &doctor, Standing::Active);
    case.world
        .chain
        .edit(&doctor.address(), |member: &mut Member| member.expires = GENESIS + 1);
    case.world.chain.edit(&clinic.address(), |clinic: &mut Institution| {
        clinic.expires = GENESIS + 1
    });
    assert_eq!(case.read(record), Ok(Basis::Policy));
    case.world.wait(1);
    assert_eq!(case.read(record), Err(Reason::MemberExpired));
    case.world
        .chain
        .edit(&doctor.address(), |member: &mut Member| member.expires = GENESIS + 2);
    assert_eq!(case.read(record), Err(Reason::InstitutionNotActive));
}

#[test]
fn institution_that_is_not_enrolled_adds_nothing() {
    let mut case = Shared::new();
    assert_eq!(case.write(0).1, Err(Reason::NotEnrolled));
    case.set(|args| args.enrols = true);
    let (record, verdict) = case.write(0);
    assert_eq!(verdict, Ok(Basis::Policy));
    let at = address::record(&case.world.patient.id, &record);
    let account: chartseal_program::state::Record = case.world.chain.read(&at);
    assert_eq!(
        (account.author, account.institution),
        (case.doctor.address(), case.clinic.id)
    );
    assert_eq!(case.write(1).1, Err(Reason::PolicyOtherClass));
    case.set(|args| args.enrols = false);
    assert_eq!(case.write(0).1, Err(Reason::NotEnrolled));
}

#[test]
fn policy_lets_nobody_amend() {
    let mut case = Shared::new();
    case.set(|args| args.enrols = true);
    let (record, _) = case.write(0);
    let (acting, wallet) = (case.acting(), case.doctor.wallet.insecure_clone());
    let verdict = case.world.amend(&wallet, &acting, record, Purpose::Treatment);
    assert_eq!(verdict, Err(Reason::RightNotGranted));
}

#[test]
fn policy_is_claimed_alone() {
    let mut case = Shared::new();
    let record = case.world.record();
    let terms = case.world.terms(GranteeKind::Member, case.doctor.address());
    let grant = case.world.grant(terms);
    let acting = case.acting().claiming(grant);
    let access = case.world.access_ix(&acting, record, Purpose::Treatment);
    case.world
        .chain
        .refuse(access, &[&case.doctor.wallet], ChartsealError::OneClaim);
}

#[test]
fn stranger_who_passes_a_policy_leaves_nothing() {
    let mut case = Shared::new();
    let (record, stranger) = (case.world.record(), case.world.chain.wallet());
    let mut acting = As::wallet(stranger.pubkey()).by_policy(case.clinic.id);
    let access = case.world.access_ix(&acting, record, Purpose::Treatment);
    case.world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
    acting.member = Some((case.clinic.id, case.doctor.id));
    let access = case.world.access_ix(&acting, record, Purpose::Treatment);
    case.world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn person_gains_nothing_by_a_policy() {
    let mut case = Shared::new();
    let (record, (relative, acting)) = (case.world.record(), case.world.relative(|_| {}));
    let acting = As {
        grant: None,
        ..acting.by_policy(case.clinic.id)
    };
    assert_eq!(acting.claimed(), NO_ID);
    let access = case.world.access_ix(&acting, record, Purpose::Personal);
    case.world.chain.refuse(access, &[&relative], ChartsealError::Stranger);
}

#[test]
fn policy_set_by_a_delegate_ends_when_the_patient_says_so() {
    let mut case = Shared::new();
    let carer = case.world.delegate(Action::Share.bit());
    let record = case.world.record();
    case.world.revoke_delegate(&carer);
    assert_eq!(case.read(record), Ok(Basis::Policy));
    case.set(|args| args.expires = GENESIS);
    assert_eq!(case.read(record), Err(Reason::PolicyExpired));
}
