//! Versions before a record's newest: the patient, its delegates and who wrote the first read each of them, others the
//! newest only. So nobody loses what it could read by an amendment, and nobody gains what was there before.

use chartseal_program::{
    builders::{self as ix, As},
    events::AnyEvent,
    instructions::AccessRecordArgs,
    seeds::{address, Id},
    state::Record,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A record of which the hospital's doctor wrote the first version and another hospital's doctor the second and newest.
struct Amended {
    world: World,
    record: Id,
    first: Person,
    second: Person,
}

impl Amended {
    fn new() -> Self {
        Self::of(World::new())
    }

    fn of(mut world: World) -> Self {
        let (record, first) = (world.record(), world.doctor.clone());
        let second = world.amended_elsewhere(record, 71);
        Self {
            world,
            record,
            first,
            second,
        }
    }

    fn asking(&mut self, acting: &As, version: u32, purpose: Purpose) -> Instruction {
        let args = AccessRecordArgs {
            request: self.world.id(),
            version,
            purpose,
            grant: acting.claimed(),
        };
        ix::access_record(acting, &self.world.patient.id, &self.record, args)
    }

    #[track_caller]
    fn reads(&mut self, wallet: &Keypair, acting: As, version: u32, purpose: Purpose) -> AnyEvent {
        let access = self.asking(&acting, version, purpose);
        self.world.chain.must(access, &[wallet])
    }

    /// Somebody reads both versions.
    #[track_caller]
    fn both(&mut self, wallet: &Keypair, acting: As, purpose: Purpose, basis: Basis) {
        for version in [1, 2] {
            let event = self.reads(wallet, acting, version, purpose);
            let AnyEvent::AccessAllowed(allowed) = &event else {
                panic!("version {version}: {event:?}")
            };
            assert_eq!((allowed.version, allowed.basis), (version, basis));
            let request = allowed.request;
            self.world
                .assert_logged(&event, &request, &wallet.pubkey(), basis.byte());
        }
    }

    /// Somebody reads the newest version, and is refused the one before.
    #[track_caller]
    fn newest_only(&mut self, wallet: &Keypair, acting: As, purpose: Purpose, basis: Basis) {
        let AnyEvent::AccessAllowed(allowed) = self.reads(wallet, acting, 2, purpose) else {
            panic!()
        };
        assert_eq!((allowed.version, allowed.basis), (2, basis));
        let before = self.world.log().chain;
        let event = self.reads(wallet, acting, 1, purpose);
        self.world.assert_refusal_logged(&event);
        assert_eq!(self.world.log().chain, before);
        assert_eq!(judged(&event), Err(Reason::OlderVersion));
    }
}

#[test]
fn version_that_there_is_not_is_asked_for_by_nobody() {
    let mut case = Amended::new();
    let (patient, insurer) = (case.world.patient.clone(), case.world.insurer.clone());
    let stranger = case.world.chain.wallet();
    for version in [0, 3, u32::MAX] {
        for (wallet, acting) in [
            (&patient.wallet, patient.acting()),
            (&insurer.wallet, insurer.acting()),
            (&stranger, As::wallet(stranger.pubkey())),
        ] {
            let access = case.asking(&acting, version, Purpose::Personal);
            case.world.chain.refuse(access, &[wallet], ChartsealError::StaleVersion);
        }
    }
    assert_eq!(case.world.refusals().chain.seq, 0);
}

#[test]
fn patient_reads_every_version_and_the_log_says_which() {
    let mut case = Amended::new();
    let patient = case.world.patient.clone();
    case.both(&patient.wallet, patient.acting(), Purpose::Personal, Basis::Patient);
}

#[test]
fn delegate_that_may_read_reads_every_version() {
    let mut case = Amended::new();
    let carer = case.world.delegate(Action::Read.bit());
    case.both(&carer.wallet, carer.acting(), Purpose::Personal, Basis::Delegate);
    // One that may not reads neither.
    let other = case.world.delegate(Action::MASK & !Action::Read.bit());
    for version in [1, 2] {
        let event = case.reads(&other.wallet, other.acting(), version, Purpose::Personal);
        assert_eq!(judged(&event), Err(Reason::RightNotGranted));
    }
}

#[test]
fn who_wrote_the_first_version_reads_every_version() {
    let mut case = Amended::new();
    let first = case.first.clone();
    case.both(&first.wallet, first.acting(), Purpose::Treatment, Basis::Author);
    // Only as long as it is a member, and within its role.
    let event = case.reads(&first.wallet, first.acting(), 1, Purpose::Payment);
    assert_eq!(judged(&event), Err(Reason::RoleForbidsPurpose));
    let hospital = case.world.hospital.clone();
    case.world.set_member_standing(&hospital, &first, Standing::Suspended);
    let event = case.reads(&first.wallet, first.acting(), 1, Purpose::Treatment);
    assert_eq!(judged(&event), Err(Reason::MemberSuspended));
}

#[test]
fn who_wrote_the_newest_version_reads_that_one() {
    let mut case = Amended::new();
    let second = case.second.clone();
    case.newest_only(&second.wallet, second.acting(), Purpose::Treatment, Basis::Author);
}

#[test]
fn colleague_of_who_wrote_the_first_version_reads_no_version() {
    let mut case = Amended::new();
    let hospital = case.world.hospital.clone();
    let nurse = case.world.chain.member(&hospital, 80, Role::Nurse);
    for version in [1, 2] {
        let event = case.reads(&nurse.wallet, nurse.acting(), version, Purpose::Treatment);
        assert_eq!(judged(&event), Err(Reason::NoGrant));
    }
}

#[test]
fn grantee_reads_the_newest_version_and_pays_no_use_for_asking_for_another() {
    let mut case = Amended::new();
    let grant = case.world.insure(|terms| terms.uses = 2);
    let insurer = case.world.insurer.clone();
    let acting = insurer.acting().claiming(grant);
    case.newest_only(&insurer.wallet, acting, Purpose::Payment, Basis::Grant);
    assert_eq!(case.world.granted(&grant).uses_left, 1);
    // What was claimed stands in the refusal.
    let AnyEvent::ActionRefused(event) = case.reads(&insurer.wallet, acting, 1, Purpose::Payment) else {
        panic!()
    };
    assert_eq!(
        (event.action, event.claim, event.under),
        (Action::Read, ClaimKind::Grant, grant)
    );
    // Also where it is on this record alone, and where it is a person's.
    let record = case.record;
    let grant = case.world.insure(|terms| (terms.record, terms.classes) = (record, 0));
    case.newest_only(
        &insurer.wallet,
        insurer.acting().claiming(grant),
        Purpose::Payment,
        Basis::Grant,
    );
    let (wallet, acting) = case.world.relative(|_| {});
    case.newest_only(&wallet, acting, Purpose::Personal, Basis::Grant);
}

#[test]
fn grant_that_was_passed_on_loses_no_use_above_it_either() {
    let mut case = Amended::new();
    let line = case.world.passed_on(|terms| terms.uses = 9);
    let uses = |case: &Amended| line.grants.map(|grant| case.world.granted(&grant).uses_left);
    let before = uses(&case);
    let event = case.reads(line.wallet(3), line.acting(3), 1, Purpose::Treatment);
    assert_eq!(judged(&event), Err(Reason::OlderVersion));
    assert_eq!(uses(&case), before);
    let event = case.reads(line.wallet(3), line.acting(3), 2, Purpose::Treatment);
    assert_eq!(judged(&event), Ok(Basis::Grant));
    assert_eq!(uses(&case), before.map(|left| left - 1));
}

#[test]
fn policy_shares_the_newest_version() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_policy(&hospital, |_| {});
    let mut case = Amended::of(world);
    let nurse = case.world.chain.member(&hospital, 80, Role::Nurse);
    let acting = nurse.acting().by_policy(hospital.id);
    case.newest_only(&nurse.wallet, acting, Purpose::Treatment, Basis::Policy);
}

#[test]
fn emergency_opens_the_newest_version() {
    let mut case = Amended::new();
    let hospital = case.world.hospital.clone();
    let nurse = case.world.chain.member(&hospital, 80, Role::Nurse);
    case.world.set_credential(&hospital, &nurse, true);
    let emergency = case.world.open_emergency(&nurse);
    let acting = nurse.acting().in_emergency(emergency);
    case.newest_only(&nurse.wallet, acting, Purpose::Emergency, Basis::Emergency);
}

#[test]
fn who_may_not_read_at_all_is_told_that_first() {
    let mut case = Amended::new();
    let (insurer, grant) = (case.world.insurer.clone(), case.world.insure(|_| {}));
    let event = case.reads(&insurer.wallet, insurer.acting(), 1, Purpose::Payment);
    assert_eq!(judged(&event), Err(Reason::NoGrant));
    case.world.revoke(grant);
    let event = case.reads(&insurer.wallet, insurer.acting().claiming(grant), 1, Purpose::Payment);
    assert_eq!(judged(&event), Err(Reason::GrantRevoked));
}

#[test]
fn version_is_an_earlier_one_from_its_amendment_on() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    let acting = insurer.acting().claiming(grant);
    let mut case = Amended {
        record,
        first: world.doctor.clone(),
        second: world.doctor.clone(),
        world,
    };
    let event = case.reads(&insurer.wallet, acting, 1, Purpose::Payment);
    assert_eq!(judged(&event), Ok(Basis::Grant));
    case.world.amended_elsewhere(record, 71);
    let event = case.reads(&insurer.wallet, acting, 1, Purpose::Payment);
    assert_eq!(judged(&event), Err(Reason::OlderVersion));
}

#[test]
fn no_version_of_an_erased_record_is_read() {
    let mut case = Amended::new();
    let (patient, first) = (case.world.patient.clone(), case.first.clone());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &case.record);
    case.world.chain.must(erase, &[&patient.wallet]);
    let tombstone: Record = case.world.chain.read(&address::record(&patient.id, &case.record));
    assert_eq!(tombstone.version, 2);
    for version in [1, 2] {
        for (wallet, acting, purpose) in [
            (&patient.wallet, patient.acting(), Purpose::Personal),
            (&first.wallet, first.acting(), Purpose::Treatment),
        ] {
            let event = case.reads(wallet, acting, version, purpose);
            assert_eq!(judged(&event), Err(Reason::RecordErased));
        }
    }
    let access = case.asking(&patient.acting(), 3, Purpose::Personal);
    case.world
        .chain
        .refuse(access, &[&patient.wallet], ChartsealError::StaleVersion);
}
