//! Opening a patient: by its own wallet, or by a steward institution for one who has none.

use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    instructions::OpenPatientArgs,
    log::{Chain as HashChain, ChainKind},
    seeds::{address, Id, NO_ID},
    state::{AccessLog, Patient, RefusalLog},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

const NEW: Id = [0x33; 16];

fn args() -> OpenPatientArgs {
    OpenPatientArgs { id: NEW, keys: keys(6) }
}

#[test]
fn patient_opens_itself() {
    let mut chain = Chain::new();
    let wallet = chain.wallet();
    let event = chain.must(
        ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, args()),
        &[&wallet],
    );
    let AnyEvent::PatientOpened(event) = event else {
        panic!()
    };
    let patient: Patient = chain.read(&address::patient(&NEW));
    assert_eq!(
        (patient.id, patient.wallet, patient.steward),
        (NEW, wallet.pubkey(), NO_ID)
    );
    assert_eq!(
        (patient.keys, patient.key_epoch, patient.created_at),
        (keys(6), 1, GENESIS)
    );
    assert_eq!(
        (event.wallet, event.steward, event.encryption_key),
        (wallet.pubkey(), NO_ID, [6; 32])
    );
    let log: AccessLog = chain.read(&address::access_log(&NEW));
    assert_eq!((log.patient, log.chain.seq, log.chain.head), (NEW, 1, event.head));
    let refusals: RefusalLog = chain.read(&address::refusal_log(&NEW));
    assert_eq!(
        (refusals.patient, refusals.chain),
        (NEW, HashChain::begin(ChainKind::Refusals, &NEW))
    );
}

#[test]
fn another_may_pay() {
    let mut chain = Chain::new();
    let (wallet, payer) = (solana_keypair::Keypair::new(), chain.wallet());
    chain.must(
        ix::open_patient(wallet.pubkey(), payer.pubkey(), None, args()),
        &[&payer, &wallet],
    );
    assert!(chain
        .read::<Patient>(&address::patient(&NEW))
        .is_wallet(&wallet.pubkey()));
}

#[test]
fn steward_opens_a_patient_without_a_wallet() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    let authority = hospital.authority.pubkey();
    let open = ix::open_patient(authority, authority, Some(&hospital.id), args());
    let AnyEvent::PatientOpened(event) = world.chain.must(open, &[&hospital.authority]) else {
        panic!()
    };
    let patient: Patient = world.chain.read(&address::patient(&NEW));
    assert!(!patient.has_wallet() && patient.is_steward(&hospital.id));
    assert!(
        !patient.is_wallet(&authority),
        "a steward's authority is not the patient"
    );
    assert_eq!((event.wallet.to_bytes(), event.steward), ([0; 32], hospital.id));
}

#[test]
fn only_its_authority_opens_for_an_institution() {
    let mut world = World::new();
    let (insurance, doctor) = (world.insurance.clone(), world.doctor.clone());
    for by in [&insurance.authority, &doctor.wallet] {
        let open = ix::open_patient(by.pubkey(), by.pubkey(), Some(&world.hospital.id), args());
        world.chain.refuse(open, &[by], ChartsealError::NotInstitutionAuthority);
    }
}

#[test]
fn only_who_cares_for_people_is_a_steward() {
    let mut world = World::new();
    let (insurance, authority) = (world.insurance.clone(), world.insurance.authority.pubkey());
    let open = ix::open_patient(authority, authority, Some(&insurance.id), args());
    world
        .chain
        .refuse(open, &[&insurance.authority], ChartsealError::NoSteward);
}

#[test]
fn suspended_institution_opens_nobody() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_institution_standing(&hospital, Standing::Suspended);
    let authority = hospital.authority.pubkey();
    let open = ix::open_patient(authority, authority, Some(&hospital.id), args());
    world
        .chain
        .refuse(open, &[&hospital.authority], ChartsealError::InstitutionNotActive);
}

#[test]
fn patient_is_opened_once() {
    let mut world = World::new();
    let wallet = world.chain.wallet();
    let taken = OpenPatientArgs {
        id: world.patient.id,
        keys: keys(6),
    };
    let open = ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, taken);
    world.chain.refuse_at_the_door(open, &[&wallet], EXISTS);
    let hospital = world.hospital.clone();
    let authority = hospital.authority.pubkey();
    let open = ix::open_patient(authority, authority, Some(&hospital.id), taken);
    world.chain.refuse_at_the_door(open, &[&hospital.authority], EXISTS);
}

#[test]
fn opener_must_sign() {
    let mut chain = Chain::new();
    let (wallet, payer) = (chain.wallet(), chain.wallet());
    let open = unsign(
        ix::open_patient(wallet.pubkey(), payer.pubkey(), None, args()),
        wallet.pubkey(),
    );
    chain.refuse_at_the_door(open, &[&payer], InstructionError::MissingRequiredSignature);
}

#[test]
fn zeros_are_neither_an_id_nor_a_key() {
    let mut chain = Chain::new();
    let wallet = chain.wallet();
    for args in [
        OpenPatientArgs { id: NO_ID, ..args() },
        OpenPatientArgs {
            keys: keys(0),
            ..args()
        },
    ] {
        let open = ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, args);
        chain.refuse(open, &[&wallet], ChartsealError::ZeroId);
    }
}

#[test]
fn logs_are_the_patients_own() {
    let mut chain = Chain::new();
    let wallet = chain.wallet();
    for (own, other) in [
        (address::access_log(&NEW), address::access_log(&id(1))),
        (address::refusal_log(&NEW), address::refusal_log(&id(1))),
        (address::patient(&NEW), address::patient(&id(1))),
    ] {
        let mut open = ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, args());
        substitute(&mut open, own, other);
        chain.refuse_at_the_door(open, &[&wallet], InstructionError::InvalidSeeds);
    }
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut chain = Chain::new();
    for address in [
        address::patient(&NEW),
        address::access_log(&NEW),
        address::refusal_log(&NEW),
    ] {
        chain.svm.airdrop(&address, 1_000_000).unwrap();
    }
    let wallet = chain.wallet();
    chain.must(
        ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, args()),
        &[&wallet],
    );
    for address in [
        address::patient(&NEW),
        address::access_log(&NEW),
        address::refusal_log(&NEW),
    ] {
        let account = chain.svm.get_account(&address).unwrap();
        assert_eq!(
            account.lamports,
            chain.svm.minimum_balance_for_rent_exemption(account.data.len())
        );
    }
}
