//! How many refusals are logged within an hour, so that nobody floods a log, and what lies beyond.

use chartseal_program::{
    builders::{self as ix, As},
    instructions::AmendRecordArgs,
    seeds::Id,
    state::*,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

impl World {
    /// The insurer asks for what it may not have.
    fn insurer_is_refused(&mut self, record: [u8; 16]) {
        let insurer = self.insurer.clone();
        assert_eq!(
            self.asks(&insurer, None, record, Purpose::Payment),
            Err(Reason::NoGrant)
        );
    }

    /// As often as it is logged within an hour.
    fn insurer_reaches_its_cap(&mut self, record: [u8; 16]) {
        for _ in 0..MEMBER_REFUSALS_PER_HOUR {
            self.insurer_is_refused(record);
        }
    }

    #[track_caller]
    fn insurer_is_beyond_its_cap(&mut self, record: [u8; 16]) {
        let insurer = self.insurer.clone();
        let access = self.access_ix(&insurer.acting(), record, Purpose::Payment);
        self.chain
            .refuse(access, &[&insurer.wallet], ChartsealError::RefusalCap);
    }
}

#[test]
fn beyond_the_cap_a_members_attempt_fails_and_leaves_nothing() {
    let mut world = World::new();
    let record = world.record();
    world.insurer_reaches_its_cap(record);
    world.insurer_is_beyond_its_cap(record);
    assert_eq!(world.refusals().chain.seq, u64::from(MEMBER_REFUSALS_PER_HOUR));
}

#[test]
fn hour_ends_an_hour_after_its_first_refusal() {
    let mut world = World::new();
    let record = world.record();
    world.insurer_is_refused(record);
    world.wait(HOUR - 1);
    for _ in 1..MEMBER_REFUSALS_PER_HOUR {
        world.insurer_is_refused(record);
    }
    world.insurer_is_beyond_its_cap(record);
    world.wait(1);
    world.insurer_reaches_its_cap(record);
    world.insurer_is_beyond_its_cap(record);
}

#[test]
fn cap_of_a_member_counts_over_all_patients() {
    let mut world = World::new();
    let record = world.record();
    world.insurer_reaches_its_cap(record);
    world.patient = world.chain.patient(90);
    let record = world.record();
    world.insurer_is_beyond_its_cap(record);
}

#[test]
fn cap_of_one_member_stops_no_other() {
    let mut world = World::new();
    let (record, insurance) = (world.record(), world.insurance.clone());
    let colleague = world.chain.member(&insurance, 89, Role::Insurer);
    world.insurer_reaches_its_cap(record);
    assert_eq!(
        world.asks(&colleague, None, record, Purpose::Payment),
        Err(Reason::NoGrant)
    );
}

#[test]
fn cap_stops_no_access_that_is_allowed() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    world.insurer_reaches_its_cap(record);
    assert_eq!(
        world.asks(&insurer, Some(grant), record, Purpose::Payment),
        Ok(Basis::Grant)
    );
}

#[test]
fn cap_counts_refused_writing_too() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    for _ in 0..MEMBER_REFUSALS_PER_HOUR {
        world.create(0, None);
    }
    let access = world.access_ix(&doctor.acting(), record, Purpose::Payment);
    world
        .chain
        .refuse(access, &[&doctor.wallet], ChartsealError::RefusalCap);
}

#[test]
fn refused_member_does_not_crowd_out_the_log_of_accesses() {
    let mut world = World::new();
    let record = world.record();
    let before = world.log();
    world.insurer_reaches_its_cap(record);
    let after = world.log();
    assert_eq!((after.chain, after.ring), (before.chain, before.ring));
}

#[test]
fn persons_share_a_cap_for_each_patient() {
    let mut world = World::new();
    let record = world.record();
    let (first, by_first) = world.relative(|_| {});
    let (second, by_second) = world.relative(|_| {});
    for _ in 0..PERSON_REFUSALS_PER_HOUR {
        let verdict = world.verdict(&first, by_first, record, Purpose::Treatment);
        assert_eq!(verdict, Err(Reason::PurposeNotPersonal));
    }
    let access = world.access_ix(&by_second, record, Purpose::Treatment);
    world.chain.refuse(access, &[&second], ChartsealError::RefusalCap);
    // Members are counted apart, and what is allowed is not counted.
    world.insurer_is_refused(record);
    assert_eq!(
        world.verdict(&second, by_second, record, Purpose::Personal),
        Ok(Basis::Grant)
    );
    world.wait(HOUR);
    let verdict = world.verdict(&second, by_second, record, Purpose::Treatment);
    assert_eq!(verdict, Err(Reason::PurposeNotPersonal));
}

/// Somebody who is no member, and is refused.
struct Refused {
    wallet: Keypair,
    acting: As,
}

impl World {
    /// A person whose grant is for another class, the patient's delegate, who may not read, and the patient itself.
    fn refused(&mut self) -> [Refused; 3] {
        let (wallet, acting) = self.relative(|terms| terms.classes = 0b10);
        let (carer, patient) = (self.delegate(Action::Append.bit()), self.patient.clone());
        [
            Refused { wallet, acting },
            Refused {
                acting: carer.acting(),
                wallet: carer.wallet,
            },
            Refused {
                acting: patient.acting(),
                wallet: patient.wallet,
            },
        ]
    }

    /// What is refused to all of them: to put another version in the place of what the doctor wrote.
    fn amendment(&mut self, who: &Refused, record: Id) -> Instruction {
        let args = AmendRecordArgs {
            request: self.id(),
            expected_version: 1,
            purpose: Purpose::Personal,
            grant: who.acting.claimed(),
            content: content(9),
        };
        ix::amend_record(&who.acting, None, &self.patient.id, &record, args)
    }

    #[track_caller]
    fn is_refused(&mut self, who: &Refused, record: Id) {
        let amend = self.amendment(who, record);
        let event = self.chain.must(amend, &[&who.wallet]);
        assert!(judged(&event).is_err());
    }

    #[track_caller]
    fn is_beyond_its_cap(&mut self, who: &Refused, record: Id) {
        let amend = self.amendment(who, record);
        self.chain.refuse(amend, &[&who.wallet], ChartsealError::RefusalCap);
    }

    fn counts(&self) -> (u32, u32) {
        let log = self.refusals();
        (log.persons.count, log.own.count)
    }
}

#[test]
fn persons_crowd_out_neither_the_patient_nor_its_delegates() {
    let mut world = World::new();
    let record = world.record();
    let [person, carer, patient] = world.refused();
    for _ in 0..PERSON_REFUSALS_PER_HOUR {
        world.is_refused(&person, record);
    }
    world.is_beyond_its_cap(&person, record);
    assert_eq!(world.counts(), (PERSON_REFUSALS_PER_HOUR, 0));
    for who in [&carer, &patient] {
        world.is_refused(who, record);
    }
    assert_eq!(world.counts(), (PERSON_REFUSALS_PER_HOUR, 2));
}

#[test]
fn patient_and_its_delegates_share_a_cap_and_crowd_out_no_person() {
    let mut world = World::new();
    let record = world.record();
    let [person, carer, patient] = world.refused();
    for _ in 0..PERSON_REFUSALS_PER_HOUR / 2 {
        world.is_refused(&carer, record);
        world.is_refused(&patient, record);
    }
    for who in [&carer, &patient] {
        world.is_beyond_its_cap(who, record);
    }
    world.is_refused(&person, record);
    assert_eq!(world.counts(), (1, PERSON_REFUSALS_PER_HOUR));
    world.insurer_is_refused(record);
    assert_eq!(
        world.counts(),
        (1, PERSON_REFUSALS_PER_HOUR),
        "members are counted apart"
    );
    world.wait(HOUR);
    world.is_refused(&patient, record);
    assert_eq!(world.counts(), (1, 1));
}

#[test]
fn clock_that_goes_back_opens_no_new_hour() {
    let mut world = World::new();
    let record = world.record();
    world.insurer_reaches_its_cap(record);
    world.chain.set_time(GENESIS - DAY);
    world.insurer_is_beyond_its_cap(record);
}

#[test]
fn another_members_counter_is_not_filled() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let mut access = world.access_ix(&world.insurer.acting(), record, Purpose::Payment);
    substitute(&mut access, world.insurer.address(), doctor.address());
    let wallet = world.insurer.wallet.insecure_clone();
    world.chain.refuse(access, &[&wallet], ChartsealError::Stranger);
    // Nor by the patient, whose refusals are its own, whatever member it passes.
    let patient = world.patient.clone();
    let mut acting = doctor.acting();
    acting.wallet = patient.wallet.pubkey();
    let verdict = world.verdict(&patient.wallet, acting, record, Purpose::Personal);
    assert_eq!(verdict, Ok(Basis::Patient));
    assert_eq!(world.chain.read::<Member>(&doctor.address()).refusals.count, 0);
    assert_eq!(world.counts(), (0, 0));
}
