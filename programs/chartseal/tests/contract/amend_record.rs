//! A record's next version.

use chartseal_program::{
    builders::{self as ix, As},
    events::{AnyEvent, Terms},
    instructions::AmendRecordArgs,
    seeds::{address, Id, NO_ID},
    state::Record,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

fn args(expected_version: u32, n: u8) -> AmendRecordArgs {
    AmendRecordArgs {
        request: id(n.into()),
        expected_version,
        purpose: Purpose::Treatment,
        grant: NO_ID,
        content: content(n),
    }
}

impl World {
    fn amend_ix(&self, acting: As, record: &Id, args: AmendRecordArgs) -> Instruction {
        let args = AmendRecordArgs {
            grant: acting.claimed(),
            ..args
        };
        ix::amend_record(&acting, None, &self.patient.id, record, args)
    }

    fn amends(&mut self, by: &Keypair, acting: As, record: &Id, args: AmendRecordArgs) -> Result<Basis, Reason> {
        let amend = self.amend_ix(acting, record, args);
        match self.chain.must(amend, &[by]) {
            AnyEvent::RecordAmended(event) => Ok(event.basis),
            AnyEvent::ActionRefused(event) => {
                assert_eq!((event.action, event.record), (Action::Amend, *record));
                Err(event.reason)
            }
            other => panic!("{other:?}"),
        }
    }

    fn stands(&self, record: &Id) -> Record {
        self.chain.read(&address::record(&self.patient.id, record))
    }
}

#[test]
fn versions_form_a_chain() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let mut before = world.stands(&record);
    for version in 1..=3 {
        world.wait(60);
        let args = args(version, 10 + version as u8);
        let amend = world.amend_ix(doctor.acting().claiming(grant), &record, args);
        let AnyEvent::RecordAmended(event) = world.chain.must(amend, &[&doctor.wallet]) else {
            panic!()
        };
        let after = world.stands(&record);
        assert_eq!(
            (after.version, after.content(), after.class),
            (version + 1, args.content, before.class)
        );
        assert_eq!(
            (after.created_at, after.updated_at),
            (GENESIS, GENESIS + 60 * i64::from(version))
        );
        assert_eq!(after.previous, before.version_hash());
        assert_eq!(
            (event.version, event.previous, event.content),
            (version + 1, after.previous, args.content)
        );
        assert_eq!(
            (event.request, event.basis, event.under),
            (args.request, Basis::Grant, grant)
        );
        before = after;
    }
}

#[test]
fn version_hash_covers_every_field_of_a_version() {
    let mut world = World::new();
    let record = world.record();
    let stands = world.stands(&record);
    let changes: [fn(&mut Record); 9] = [
        |record| record.id[0] ^= 1,
        |record| record.patient[0] ^= 1,
        |record| record.version += 1,
        |record| record.author = Default::default(),
        |record| record.manifest_hash[0] ^= 1,
        |record| record.content_root[0] ^= 1,
        |record| record.locator[0] ^= 1,
        |record| record.padded_size += 1,
        |record| record.previous[0] ^= 1,
    ];
    for change in changes {
        let mut other = stands;
        change(&mut other);
        assert_ne!(other.version_hash(), stands.version_hash());
    }
}

#[test]
fn stale_version_changes_nothing() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let terms = world.terms(GranteeKind::Member, doctor.address());
    let grant = world.grant(Terms { uses: 5, ..terms });
    let acting = doctor.acting().claiming(grant);
    assert_eq!(
        world.amends(&doctor.wallet, acting, &record, args(1, 20)),
        Ok(Basis::Grant)
    );
    for expected in [0, 1, 3, u32::MAX] {
        let amend = world.amend_ix(acting, &record, args(expected, 21));
        world
            .chain
            .refuse(amend, &[&doctor.wallet], ChartsealError::StaleVersion);
    }
    assert_eq!(world.granted(&grant).uses_left, 4, "a stale attempt takes no use");
    assert_eq!(
        world.amends(&doctor.wallet, acting, &record, args(2, 22)),
        Ok(Basis::Grant)
    );
}

#[test]
fn of_two_that_amend_the_same_version_one_wins() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let acting = doctor.acting().claiming(grant);
    let (first, second) = (
        world.amend_ix(acting, &record, args(1, 30)),
        world.amend_ix(acting, &record, args(1, 31)),
    );
    world.chain.must(second, &[&doctor.wallet]);
    world
        .chain
        .refuse(first, &[&doctor.wallet], ChartsealError::StaleVersion);
    assert_eq!(world.stands(&record).content(), content(31));
}

#[test]
fn last_version_cannot_overflow() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let address = address::record(&world.patient.id, &record);
    world
        .chain
        .edit(&address, |record: &mut Record| record.version = u32::MAX);
    let amend = world.amend_ix(doctor.acting().claiming(grant), &record, args(u32::MAX, 40));
    world.chain.refuse(amend, &[&doctor.wallet], ChartsealError::Overflow);
}

#[test]
fn author_needs_a_right_to_amend_what_it_wrote() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    assert_eq!(
        world.amends(&doctor.wallet, doctor.acting(), &record, args(1, 50)),
        Err(Reason::NoGrant)
    );
    assert_eq!(world.stands(&record).version, 1);
}

#[test]
fn steward_adds_but_does_not_amend() {
    let mut world = World::new();
    world.steward_patient();
    let (record, done) = world.create(0, None);
    assert!(matches!(done.event, AnyEvent::RecordCreated(_)));
    let doctor = world.doctor.clone();
    assert_eq!(
        world.amends(&doctor.wallet, doctor.acting(), &record, args(1, 51)),
        Err(Reason::NoGrant)
    );
}

#[test]
fn patient_amends_its_own_and_nobody_elses() {
    let mut world = World::new();
    let (theirs, patient) = (world.record(), world.patient.clone());
    let acting = patient.acting();
    assert_eq!(
        world.amends(&patient.wallet, acting, &theirs, args(1, 60)),
        Err(Reason::NotTheAuthor)
    );
    assert_eq!(world.stands(&theirs).version, 1);
    let own = world.record_args(0);
    let create = ix::create_record(&acting, patient.wallet.pubkey(), None, &patient.id, own);
    world.chain.must(create, &[&patient.wallet]);
    assert_eq!(
        world.amends(&patient.wallet, acting, &own.record, args(1, 61)),
        Ok(Basis::Patient)
    );
    assert_eq!(world.stands(&own.record).author, address::patient(&patient.id));
}

#[test]
fn patient_puts_its_own_right_whoever_amended_it_since() {
    let mut world = World::new();
    let (patient, doctor) = (world.patient.clone(), world.doctor.clone());
    let own = world.record_args(0);
    let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, own);
    world.chain.must(create, &[&patient.wallet]);
    let enrolment = world.enrol();
    let acting = doctor.acting().claiming(enrolment);
    let by_doctor = AmendRecordArgs {
        grant: enrolment,
        ..args(1, 62)
    };
    assert_eq!(
        world.amends(&doctor.wallet, acting, &own.record, by_doctor),
        Ok(Basis::Grant)
    );
    assert_eq!(world.stands(&own.record).author, doctor.address());
    assert_eq!(
        world.amends(&patient.wallet, patient.acting(), &own.record, args(2, 63)),
        Ok(Basis::Patient)
    );
    assert_eq!(world.stands(&own.record).version, 3);
}

#[test]
fn consent_lets_a_doctor_amend_and_become_the_author() {
    let mut world = World::new();
    let (patient, hospital) = (world.patient.clone(), world.hospital.clone());
    let (record, doctor) = (world.record(), world.chain.member(&hospital, 80, Role::Doctor));
    let wallet = Some(patient.wallet.pubkey());
    let amend = ix::amend_record(&doctor.acting(), wallet, &patient.id, &record, args(1, 70));
    let AnyEvent::RecordAmended(event) = world.chain.must(amend, &[&doctor.wallet, &patient.wallet]) else {
        panic!()
    };
    assert_eq!((event.basis, event.under), (Basis::Consent, NO_ID));
    assert_eq!(
        (event.author.credential, world.stands(&record).author),
        (doctor.address(), doctor.address())
    );
}

#[test]
fn consent_makes_no_author_of_an_insurer() {
    let mut world = World::new();
    let (patient, insurer, record) = (world.patient.clone(), world.insurer.clone(), world.record());
    let wallet = Some(patient.wallet.pubkey());
    let amend = ix::amend_record(&insurer.acting(), wallet, &patient.id, &record, args(1, 71));
    let AnyEvent::ActionRefused(event) = world.chain.must(amend, &[&insurer.wallet, &patient.wallet]) else {
        panic!()
    };
    assert_eq!(event.reason, Reason::RoleForbidsAction);
}

#[test]
fn consent_is_the_patients_and_signed() {
    let mut world = World::new();
    let (doctor, other, record) = (world.doctor.clone(), world.chain.patient(90), world.record());
    let amend = |wallet| ix::amend_record(&doctor.acting(), Some(wallet), &world.patient.id, &record, args(1, 72));
    let (by_another, unsigned) = (amend(other.wallet.pubkey()), amend(world.patient.wallet.pubkey()));
    world
        .chain
        .refuse(by_another, &[&doctor.wallet, &other.wallet], ChartsealError::NotPatient);
    let unsigned = unsign(unsigned, world.patient.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&doctor.wallet], InstructionError::MissingRequiredSignature);
}

#[test]
fn erased_record_has_no_next_version() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let address = address::record(&world.patient.id, &record);
    world.chain.edit(&address, |record: &mut Record| {
        record.status = RecordStatus::Erased.byte()
    });
    let acting = doctor.acting().claiming(grant);
    assert_eq!(
        world.amends(&doctor.wallet, acting, &record, args(1, 80)),
        Err(Reason::RecordErased)
    );
}

#[test]
fn another_patients_record_is_not_amended_by_this_ones_grant() {
    let mut world = World::new();
    let (record, theirs) = (world.record(), world.patient.clone());
    world.patient = world.chain.patient(91);
    let (grant, doctor) = (world.enrol(), world.doctor.clone());
    let mut amend = world.amend_ix(doctor.acting().claiming(grant), &record, args(1, 81));
    let (named, meant) = (
        address::record(&world.patient.id, &record),
        address::record(&theirs.id, &record),
    );
    substitute(&mut amend, named, meant);
    world
        .chain
        .refuse(amend, &[&doctor.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn record_passed_as_read_only_is_refused() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let mut amend = world.amend_ix(doctor.acting().claiming(grant), &record, args(1, 82));
    let address = address::record(&world.patient.id, &record);
    amend
        .accounts
        .iter_mut()
        .find(|meta| meta.pubkey == address)
        .unwrap()
        .is_writable = false;
    world.chain.refuse_at_the_door(amend, &[&doctor.wallet], READ_ONLY);
}

#[test]
fn request_of_zeros_is_refused() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let args = AmendRecordArgs {
        request: NO_ID,
        ..args(1, 83)
    };
    let amend = world.amend_ix(doctor.acting().claiming(grant), &record, args);
    world.chain.refuse(amend, &[&doctor.wallet], ChartsealError::ZeroId);
}
