//! Making a record a tombstone: by the patient, for good.

use anchor_lang::{prelude::Address, Discriminator};
use bytemuck::Zeroable;
use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, Terms},
    instructions::{AmendRecordArgs, CreateGrantArgs, CreateRecordArgs},
    seeds::{address, Id},
    state::{Delegate, Institution, Patient, Record},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

impl World {
    pub(crate) fn erase(&mut self, record: Id) {
        let patient = self.patient.clone();
        let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
        self.chain.must(erase, &[&patient.wallet]);
    }

    fn account_of(&self, record: &Id) -> Record {
        self.chain.read(&address::record(&self.patient.id, record))
    }

    /// A delegate who accepted and has every right, whom no instruction made.
    fn plant_delegate(&mut self) -> (Id, Keypair) {
        let (id, wallet) = (self.id(), self.chain.wallet());
        let delegate = Delegate {
            id,
            patient: self.patient.id,
            wallet: wallet.pubkey(),
            keys: keys(6),
            expires: self.chain.now() + DAY,
            key_epoch: 1,
            rights: Action::MASK,
            ..Delegate::zeroed()
        };
        let data = [Delegate::DISCRIMINATOR, bytemuck::bytes_of(&delegate)].concat();
        let account = solana_account::Account {
            lamports: self.chain.svm.minimum_balance_for_rent_exemption(data.len()),
            data,
            owner: ID,
            executable: false,
            rent_epoch: u64::MAX,
        };
        let place = address::delegate(&self.patient.id, &id);
        self.chain.svm.set_account(place, account).unwrap();
        (id, wallet)
    }
}

#[test]
fn erasure_leaves_a_tombstone() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let before = world.account_of(&record);
    world.wait(100);
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    let AnyEvent::RecordErased(event) = world.chain.must(erase, &[&patient.wallet]) else {
        panic!()
    };
    assert_eq!(
        (event.record, event.version, event.by),
        (record, 1, patient.wallet.pubkey())
    );
    let after = world.account_of(&record);
    assert!(after.is_erased());
    assert_eq!(
        (
            after.manifest_hash,
            after.content_root,
            after.locator,
            after.padded_size
        ),
        ([0; 32], [0; 32], [0; 32], 0)
    );
    assert_eq!(after.previous, before.version_hash(), "the chain of versions goes on");
    assert_eq!((after.created_at, after.updated_at), (GENESIS, GENESIS + 100));
    assert_eq!(
        (after.id, after.patient, after.author, after.version, after.class),
        (before.id, before.patient, before.author, 1, before.class)
    );
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
}

#[test]
fn last_version_is_named() {
    let mut world = World::new();
    let (record, doctor, patient) = (world.record(), world.doctor.clone(), world.patient.clone());
    let grant = world.enrol();
    let acting = doctor.acting().claiming(grant);
    let args = AmendRecordArgs {
        request: world.id(),
        expected_version: 1,
        purpose: Purpose::Treatment,
        grant,
        content: content(9),
    };
    let amend = ix::amend_record(&acting, None, &patient.id, &record, args);
    world.chain.must(amend, &[&doctor.wallet]);
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    let event = world.chain.must(erase, &[&patient.wallet]);
    assert!(matches!(event, AnyEvent::RecordErased(event) if event.version == 2));
}

#[test]
fn record_is_erased_once() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    world.erase(record);
    let again = ix::erase_record(&patient.deciding(), &patient.id, &record);
    world
        .chain
        .refuse(again, &[&patient.wallet], ChartsealError::RecordErased);
}

#[test]
fn erased_record_is_read_by_nobody_amended_by_nobody_and_granted_to_nobody() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.enrol());
    let (patient, doctor) = (world.patient.clone(), world.doctor.clone());
    world.erase(record);
    let read = |world: &mut World, wallet: &Keypair, acting, purpose| world.verdict(wallet, acting, record, purpose);
    assert_eq!(
        read(&mut world, &patient.wallet, patient.acting(), Purpose::Personal),
        Err(Reason::RecordErased)
    );
    assert_eq!(
        read(
            &mut world,
            &doctor.wallet,
            doctor.acting().claiming(grant),
            Purpose::Treatment
        ),
        Err(Reason::RecordErased)
    );
    let args = AmendRecordArgs {
        request: world.id(),
        expected_version: 1,
        purpose: Purpose::Treatment,
        grant,
        content: content(9),
    };
    let amend = ix::amend_record(&doctor.acting().claiming(grant), None, &patient.id, &record, args);
    let event = world.chain.must(amend, &[&doctor.wallet]);
    assert!(matches!(event, AnyEvent::ActionRefused(event) if event.reason == Reason::RecordErased));
    let terms = Terms {
        record,
        classes: 0,
        ..world.terms(GranteeKind::Member, doctor.address())
    };
    let id = world.grant_id();
    let create = ix::create_grant(
        &patient.deciding(),
        patient.wallet.pubkey(),
        &patient.id,
        CreateGrantArgs { id, terms },
    );
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::RecordErased);
}

#[test]
fn erased_record_is_not_made_again() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), world.record_args(0));
    let create = |args| ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    world.chain.must(create(args), &[&patient.wallet]);
    world.erase(args.record);
    let args = CreateRecordArgs {
        request: world.id(),
        ..args
    };
    world.chain.refuse_at_the_door(create(args), &[&patient.wallet], EXISTS);
}

#[test]
fn nobody_else_erases() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.id);
    let (stranger, admin) = (world.chain.wallet(), world.chain.admin.insecure_clone());
    let (doctor, hospital) = (world.doctor.clone(), world.hospital.clone());
    let other = world.chain.patient(90);
    for by in [&stranger, &admin, &doctor.wallet, &hospital.authority, &other.wallet] {
        for steward in [None, Some(hospital.id)] {
            let deciding = By {
                steward,
                ..By::wallet(by.pubkey())
            };
            let erase = ix::erase_record(&deciding, &patient, &record);
            world.chain.refuse(erase, &[by], ChartsealError::NotPatient);
        }
    }
}

#[test]
fn patient_must_sign() {
    let mut world = World::new();
    let (record, patient, stranger) = (world.record(), world.patient.clone(), world.chain.wallet());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    let erase = unsign(erase, patient.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(erase, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn delegate_erases_nothing() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let (delegate, wallet) = world.plant_delegate();
    let revocable = world.enrol();
    let by = By::delegate(wallet.pubkey(), delegate);
    let erase = ix::erase_record(&by, &patient.id, &record);
    world.chain.refuse(erase, &[&wallet], ChartsealError::NotPatient);
    // Although it is a delegate who decides: it takes a right away.
    let revoke = ix::revoke_grant(&by, &patient.id, &revocable);
    world.chain.must(revoke, &[&wallet]);
}

#[test]
fn stewards_authority_erases_while_there_is_no_wallet() {
    let mut world = World::new();
    let patient = world.steward_patient();
    let (record, _) = world.create(0, None);
    let hospital = world.hospital.clone();
    let wallet = world.patient.wallet.pubkey();
    let erase = ix::erase_record(&hospital.stewards(), &patient, &record);
    let place = address::patient(&patient);
    world
        .chain
        .edit(&place, |patient: &mut Patient| patient.wallet = wallet);
    world
        .chain
        .refuse(erase.clone(), &[&hospital.authority], ChartsealError::NotPatient);
    world
        .chain
        .edit(&place, |patient: &mut Patient| patient.wallet = Address::default());
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.chain.refuse(
        erase.clone(),
        &[&hospital.authority],
        ChartsealError::InstitutionNotActive,
    );
    world.set_institution_standing(&hospital, Standing::Active);
    let event = world.chain.must(erase, &[&hospital.authority]);
    assert!(matches!(event, AnyEvent::RecordErased(event) if event.by == hospital.authority.pubkey()));
}

#[test]
fn expired_steward_erases_nothing() {
    let mut world = World::new();
    let patient = world.steward_patient();
    let (record, _) = world.create(0, None);
    let hospital = world.hospital.clone();
    let now = world.chain.now();
    world.chain.edit(&hospital.address(), |institution: &mut Institution| {
        institution.expires = now
    });
    let erase = ix::erase_record(&hospital.stewards(), &patient, &record);
    world
        .chain
        .refuse(erase, &[&hospital.authority], ChartsealError::InstitutionNotActive);
}

#[test]
fn pause_does_not_stop_erasure() {
    let mut world = World::new();
    let record = world.record();
    world.set_paused(true);
    world.erase(record);
    assert!(world.account_of(&record).is_erased());
}

#[test]
fn patient_erases_no_record_of_another() {
    let mut world = World::new();
    let record = world.record();
    let victim = world.patient.clone();
    let thief = world.chain.patient(90);
    let mut erase = ix::erase_record(&thief.deciding(), &thief.id, &record);
    substitute(
        &mut erase,
        address::record(&thief.id, &record),
        address::record(&victim.id, &record),
    );
    world
        .chain
        .refuse(erase.clone(), &[&thief.wallet], ChartsealError::ForeignPatient);
    substitute(
        &mut erase,
        address::access_log(&thief.id),
        address::access_log(&victim.id),
    );
    world
        .chain
        .refuse(erase, &[&thief.wallet], ChartsealError::ForeignPatient);
}
