//! Reading: who may, who is refused, and what either leaves behind.

use chartseal_program::{
    builders as ix,
    events::*,
    instructions::AccessRecordArgs,
    seeds::{address, Id, NO_ID},
    state::*,
    vocabulary::*,
};
use solana_signer::Signer;

use crate::common::*;

impl World {
    /// The insurer asks for payment.
    fn insurer_asks(&mut self, grant: Option<Id>, record: Id) -> Result<Basis, Reason> {
        let insurer = self.insurer.clone();
        self.asks(&insurer, grant, record, Purpose::Payment)
    }
}

#[test]
fn allowed_access_says_who_what_and_why() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    let acting = insurer.acting().claiming(grant);
    let args = AccessRecordArgs {
        request: id(77),
        version: 1,
        purpose: Purpose::Payment,
        grant,
    };
    let access = ix::access_record(&acting, &world.patient.id, &record, args);
    let AnyEvent::AccessAllowed(event) = world.chain.must(access, &[&insurer.wallet]) else {
        panic!()
    };
    assert_eq!((event.request, event.record, event.version), (id(77), record, 1));
    assert_eq!(
        (event.purpose, event.basis, event.under),
        (Purpose::Payment, Basis::Grant, grant)
    );
    let actor = Actor {
        kind: ActorKind::Member,
        wallet: insurer.wallet.pubkey(),
        credential: insurer.address(),
        institution: insurer.institution,
    };
    assert_eq!(event.actor, actor);
    assert_eq!((event.link.subject, event.link.at), (world.patient.id, GENESIS));
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
    let entry = log.ring.entries[event.link.seq as usize % RING];
    assert_eq!(
        (entry.id, entry.wallet, entry.outcome),
        (id(77), actor.wallet, Basis::Grant.byte())
    );
}

#[test]
fn refused_access_goes_through_and_is_an_entry_of_the_refusals() {
    let mut world = World::new();
    let (record, insurer, before) = (world.record(), world.insurer.clone(), world.log());
    let args = AccessRecordArgs {
        request: id(78),
        version: 1,
        purpose: Purpose::Payment,
        grant: NO_ID,
    };
    let access = ix::access_record(&insurer.acting(), &world.patient.id, &record, args);
    let AnyEvent::ActionRefused(event) = world.chain.must(access, &[&insurer.wallet]) else {
        panic!()
    };
    assert_eq!(
        (event.request, event.record, event.action),
        (id(78), record, Action::Read)
    );
    assert_eq!(
        (event.purpose, event.reason, event.under),
        (Purpose::Payment, Reason::NoGrant, NO_ID)
    );
    assert_eq!(event.actor.credential, insurer.address());
    let refusals = world.refusals();
    assert_eq!((refusals.chain.seq, refusals.chain.head), (1, event.head));
    let entry = refusals.ring.entries[1];
    assert_eq!(
        (entry.seq, entry.id, entry.outcome),
        (1, id(78), Reason::NoGrant.byte())
    );
    assert_eq!(world.log().chain, before.chain, "the log of accesses is not touched");
}

// Every basis.

#[test]
fn patient_reads_what_the_doctor_wrote() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    for &purpose in Purpose::ALL {
        assert_eq!(
            world.verdict(&patient.wallet, patient.acting(), record, purpose),
            Ok(Basis::Patient)
        );
    }
}

#[test]
fn author_reads_what_it_wrote_and_its_colleague_does_not() {
    let mut world = World::new();
    let (record, doctor, hospital) = (world.record(), world.doctor.clone(), world.hospital.clone());
    let colleague = world.chain.member(&hospital, 81, Role::Doctor);
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
    assert_eq!(
        world.asks(&colleague, None, record, Purpose::Treatment),
        Err(Reason::NoGrant)
    );
}

#[test]
fn whole_institution_reads_by_a_grant_to_it() {
    let mut world = World::new();
    let (record, grant, hospital) = (world.record(), world.enrol(), world.hospital.clone());
    for (n, role) in [(82, Role::Doctor), (83, Role::Nurse), (84, Role::Technician)] {
        let member = world.chain.member(&hospital, n, role);
        assert_eq!(
            world.asks(&member, Some(grant), record, Purpose::Treatment),
            Ok(Basis::Grant)
        );
    }
}

#[test]
fn member_reads_by_a_grant_to_it() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.insure(|_| {}));
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
}

#[test]
fn person_reads_by_a_grant_to_it_for_itself_only() {
    let mut world = World::new();
    let record = world.record();
    let (wallet, acting) = world.relative(|_| {});
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Personal),
        Ok(Basis::Grant)
    );
    for &purpose in Purpose::ALL.iter().filter(|&&purpose| purpose != Purpose::Personal) {
        assert_eq!(
            world.verdict(&wallet, acting, record, purpose),
            Err(Reason::PurposeNotPersonal)
        );
    }
}

#[test]
fn steward_reads_by_a_grant_like_anybody_else() {
    let mut world = World::new();
    world.steward_patient();
    let hospital = world.hospital.clone();
    let (record, _) = world.create(0, None);
    let nurse = world.chain.member(&hospital, 85, Role::Nurse);
    assert_eq!(
        world.asks(&nurse, None, record, Purpose::Treatment),
        Err(Reason::NoGrant)
    );
    let doctor = world.doctor.clone();
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
}

#[test]
fn allowing_event_names_a_grant_only_where_it_is_the_basis() {
    let mut world = World::new();
    let (record, grant, doctor) = (world.record(), world.enrol(), world.doctor.clone());
    let acting = doctor.acting().claiming(grant);
    let done = world
        .access(&doctor.wallet, acting, record, Purpose::Treatment)
        .unwrap();
    let AnyEvent::AccessAllowed(event) = done.event else {
        panic!()
    };
    assert_eq!((event.basis, event.under), (Basis::Author, NO_ID));
}

// Every reason.

#[test]
fn without_a_grant_nobody_reads() {
    let mut world = World::new();
    let record = world.record();
    assert_eq!(world.insurer_asks(None, record), Err(Reason::NoGrant));
}

#[test]
fn grant_that_does_not_exist_is_a_logged_refusal_whatever_its_id() {
    let mut world = World::new();
    let record = world.record();
    for _ in 0..8 {
        let missing = world.id();
        assert_eq!(world.insurer_asks(Some(missing), record), Err(Reason::NoGrant));
    }
    assert_eq!(world.refusals().chain.seq, 8);
}

#[test]
fn erased_record_is_read_by_nobody() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let address = address::record(&patient.id, &record);
    world.chain.edit(&address, |record: &mut Record| {
        record.status = RecordStatus::Erased.byte()
    });
    let verdict = world.verdict(&patient.wallet, patient.acting(), record, Purpose::Personal);
    assert_eq!(verdict, Err(Reason::RecordErased));
    // A status that no word stands for is none that can be read either.
    world.chain.edit(&address, |record: &mut Record| record.status = 200);
    let verdict = world.verdict(&patient.wallet, patient.acting(), record, Purpose::Personal);
    assert_eq!(verdict, Err(Reason::RecordErased));
}

#[test]
fn who_has_not_accepted_reads_nothing() {
    let mut world = World::new();
    let (record, grant, hospital, wallet) = (
        world.record(),
        world.enrol(),
        world.hospital.clone(),
        world.chain.wallet(),
    );
    let expires = world.chain.now() + DAY;
    let args = chartseal_program::instructions::RegisterMemberArgs {
        id: id(86),
        wallet: wallet.pubkey(),
        role: Role::Doctor,
        expires,
    };
    let authority = hospital.authority.pubkey();
    world.chain.must(
        ix::register_member(authority, authority, &hospital.id, args),
        &[&hospital.authority],
    );
    let invited = Person {
        institution: hospital.id,
        id: id(86),
        wallet,
    };
    assert_eq!(
        world.asks(&invited, Some(grant), record, Purpose::Treatment),
        Err(Reason::MemberInvited)
    );
}

#[test]
fn suspended_member_reads_nothing_also_by_a_grant_of_its_own() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.insure(|_| {}));
    let (insurance, insurer) = (world.insurance.clone(), world.insurer.clone());
    world.set_member_standing(&insurance, &insurer, Standing::Suspended);
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::MemberSuspended));
}

#[test]
fn member_of_a_suspended_institution_reads_nothing_also_by_a_grant_of_its_own() {
    let mut world = World::new();
    let (record, grant, insurance) = (world.record(), world.insure(|_| {}), world.insurance.clone());
    world.set_institution_standing(&insurance, Standing::Suspended);
    assert_eq!(
        world.insurer_asks(Some(grant), record),
        Err(Reason::InstitutionNotActive)
    );
}

#[test]
fn membership_ends_at_its_very_second() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.insure(|terms| terms.expires = i64::MAX));
    let expires = world.chain.read::<Member>(&world.insurer.address()).expires;
    world.chain.set_time(expires - 1);
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    world.chain.set_time(expires);
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::MemberExpired));
}

#[test]
fn auditor_reads_the_log_and_never_content() {
    let mut world = World::new();
    let (record, grant, hospital) = (world.record(), world.enrol(), world.hospital.clone());
    let auditor = world.chain.member(&hospital, 87, Role::Auditor);
    for &purpose in Purpose::ALL {
        assert_eq!(
            world.asks(&auditor, Some(grant), record, purpose),
            Err(Reason::RoleForbidsContent)
        );
    }
}

#[test]
fn insurer_reads_for_payment_only_whatever_the_grant_says() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    for &purpose in Purpose::ALL {
        let verdict = world.asks(&insurer, Some(grant), record, purpose);
        let expected = if purpose == Purpose::Payment {
            Ok(Basis::Grant)
        } else {
            Err(Reason::RoleForbidsPurpose)
        };
        assert_eq!(verdict, expected, "{}", purpose.word());
    }
}

#[test]
fn grant_of_another_patient_gives_nothing_here() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    world.patient = world.chain.patient(90);
    let theirs = (world.patient.id, world.insure(|_| {}));
    world.patient = patient;
    let insurer = world.insurer.clone();
    let acting = insurer.acting().claiming(theirs.1);
    let mut access = world.access_ix(&acting, record, Purpose::Payment);
    let (empty, foreign) = (
        address::grant_slot(&world.patient.id, &theirs.1),
        address::grant(&theirs.0, &theirs.1),
    );
    substitute(&mut access, empty, foreign);
    let AnyEvent::ActionRefused(event) = world.chain.must(access, &[&insurer.wallet]) else {
        panic!()
    };
    assert_eq!((event.reason, event.under), (Reason::GrantForeign, theirs.1));
}

#[test]
fn grant_that_names_another_gives_nothing() {
    let mut world = World::new();
    let (record, theirs) = (world.record(), world.insure(|_| {}));
    let (hospital, insurance) = (world.hospital.clone(), world.insurance.clone());
    let nurse = world.chain.member(&hospital, 88, Role::Nurse);
    let colleague = world.chain.member(&insurance, 89, Role::Insurer);
    assert_eq!(
        world.asks(&nurse, Some(theirs), record, Purpose::Treatment),
        Err(Reason::GrantNotYours)
    );
    assert_eq!(
        world.asks(&colleague, Some(theirs), record, Purpose::Payment),
        Err(Reason::GrantNotYours)
    );
    // A member does not act by what names its wallet as a person's.
    let wallet = nurse.wallet.pubkey();
    let personal = world.grant(world.terms(GranteeKind::Person, wallet));
    assert_eq!(
        world.asks(&nurse, Some(personal), record, Purpose::Treatment),
        Err(Reason::GrantNotYours)
    );
}

#[test]
fn revoked_grant_reads_nothing() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.insure(|_| {}));
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    world.revoke(grant);
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::GrantRevoked));
    world.wait(30 * DAY);
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::GrantRevoked));
}

#[test]
fn grant_is_valid_from_its_first_second_until_just_before_its_last() {
    let mut world = World::new();
    let (from, until) = (GENESIS + 1_000, GENESIS + 2_000);
    let record = world.record();
    let grant = world.insure(|terms| (terms.not_before, terms.expires) = (from, until));
    for (now, verdict) in [
        (from - 1, Err(Reason::GrantNotYetValid)),
        (from, Ok(Basis::Grant)),
        (until - 1, Ok(Basis::Grant)),
        (until, Err(Reason::GrantExpired)),
        (until + 1, Err(Reason::GrantExpired)),
    ] {
        world.chain.set_time(now);
        assert_eq!(world.insurer_asks(Some(grant), record), verdict);
    }
}

#[test]
fn uses_run_out_and_refusals_take_none() {
    let mut world = World::new();
    let (record, other) = (world.record(), world.record_of_class(5));
    let grant = world.insure(|terms| terms.uses = 2);
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    assert_eq!(world.insurer_asks(Some(grant), other), Err(Reason::GrantOtherSubject));
    assert_eq!(world.granted(&grant).uses_left, 1);
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::GrantExhausted));
    assert_eq!(world.granted(&grant).uses_left, 0);
}

#[test]
fn unlimited_grant_is_not_counted() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.insure(|_| {}));
    for _ in 0..3 {
        assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    }
    assert_eq!(world.granted(&grant).uses_left, UNLIMITED);
}

#[test]
fn author_spends_no_use_of_the_grant_it_claims() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let terms = world.terms(GranteeKind::Member, doctor.address());
    let grant = world.grant(Terms { uses: 1, ..terms });
    assert_eq!(
        world.asks(&doctor, Some(grant), record, Purpose::Treatment),
        Ok(Basis::Author)
    );
    assert_eq!(world.granted(&grant).uses_left, 1);
}

#[test]
fn grant_on_one_record_opens_no_other() {
    let mut world = World::new();
    let (record, other) = (world.record(), world.record());
    let grant = world.insure(|terms| (terms.record, terms.classes) = (record, 0));
    assert_eq!(world.insurer_asks(Some(grant), record), Ok(Basis::Grant));
    assert_eq!(world.insurer_asks(Some(grant), other), Err(Reason::GrantOtherSubject));
}

#[test]
fn grant_on_classes_opens_these_only() {
    let mut world = World::new();
    let grant = world.insure(|terms| terms.classes = 1 << 31 | 1 << 3);
    for (class, verdict) in [
        (0, Err(Reason::GrantOtherSubject)),
        (3, Ok(Basis::Grant)),
        (30, Err(Reason::GrantOtherSubject)),
        (31, Ok(Basis::Grant)),
    ] {
        let record = world.record_of_class(class);
        assert_eq!(world.insurer_asks(Some(grant), record), verdict, "class {class}");
    }
}

#[test]
fn right_that_is_not_granted_is_none() {
    let mut world = World::new();
    let (record, grant) = (
        world.record(),
        world.insure(|terms| terms.rights = Action::MASK & !Action::Read.bit()),
    );
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::RightNotGranted));
}

#[test]
fn purpose_that_is_not_granted_is_none() {
    let mut world = World::new();
    let record = world.record();
    let grant = world.insure(|terms| terms.purposes = Purpose::MASK & !Purpose::Payment.bit());
    assert_eq!(world.insurer_asks(Some(grant), record), Err(Reason::PurposeNotGranted));
    let (wallet, acting) = world.relative(|terms| terms.purposes = Purpose::Treatment.bit());
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Personal),
        Err(Reason::PurposeNotGranted)
    );
}
