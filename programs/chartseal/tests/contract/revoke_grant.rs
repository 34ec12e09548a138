//! Ending a grant before its time: by whoever may give one, always.

use chartseal_program::{
    builders::{self as ix, By},
    events::AnyEvent,
    instructions::CreateGrantArgs,
    seeds::address,
    state::Patient,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn revocation_is_written_down() {
    let mut world = World::new();
    let (grant, patient) = (world.enrol(), world.patient.clone());
    world.wait(100);
    let revoke = ix::revoke_grant(&patient.deciding(), &patient.id, &grant);
    let AnyEvent::GrantRevoked(event) = world.chain.must(revoke, &[&patient.wallet]) else {
        panic!()
    };
    assert_eq!((event.grant, event.by), (grant, patient.wallet.pubkey()));
    let account = world.granted(&grant);
    assert_eq!((account.revoked, account.revoked_at), (1, GENESIS + 100));
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
}

#[test]
fn grant_is_revoked_once() {
    let mut world = World::new();
    let (grant, patient) = (world.enrol(), world.patient.clone());
    world.revoke(grant);
    let again = ix::revoke_grant(&patient.deciding(), &patient.id, &grant);
    world
        .chain
        .refuse(again, &[&patient.wallet], ChartsealError::AlreadyRevoked);
}

#[test]
fn expired_or_exhausted_grant_can_still_be_revoked() {
    let mut world = World::new();
    let grant = world.enrol();
    world.wait(366 * DAY);
    world.revoke(grant);
    assert_eq!(world.granted(&grant).revoked, 1);
}

#[test]
fn nobody_else_revokes() {
    let mut world = World::new();
    let (grant, patient) = (world.enrol(), world.patient.id);
    let (stranger, admin) = (world.chain.wallet(), world.chain.admin.insecure_clone());
    let (doctor, hospital) = (world.doctor.clone(), world.hospital.clone());
    for by in [&stranger, &admin, &doctor.wallet, &hospital.authority] {
        for steward in [None, Some(hospital.id)] {
            let deciding = By {
                steward,
                ..By::wallet(by.pubkey())
            };
            let revoke = ix::revoke_grant(&deciding, &patient, &grant);
            world.chain.refuse(revoke, &[by], ChartsealError::NotPatient);
        }
    }
}

#[test]
fn patient_must_sign() {
    let mut world = World::new();
    let (grant, patient, stranger) = (world.enrol(), world.patient.clone(), world.chain.wallet());
    let wallet = patient.wallet.pubkey();
    let revoke = unsign(ix::revoke_grant(&patient.deciding(), &patient.id, &grant), wallet);
    world
        .chain
        .refuse_at_the_door(revoke, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn patient_revokes_no_other_patients_grant() {
    let mut world = World::new();
    let (grant, theirs, other) = (world.enrol(), world.patient.clone(), world.chain.patient(90));
    let mut revoke = ix::revoke_grant(&other.deciding(), &other.id, &grant);
    substitute(
        &mut revoke,
        address::grant(&other.id, &grant),
        address::grant(&theirs.id, &grant),
    );
    world
        .chain
        .refuse(revoke, &[&other.wallet], ChartsealError::ForeignPatient);
    // Nor is it hidden in another's log.
    let mut revoke = ix::revoke_grant(&theirs.deciding(), &theirs.id, &grant);
    substitute(
        &mut revoke,
        address::access_log(&theirs.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(revoke, &[&theirs.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn steward_revokes_while_there_is_no_wallet_and_the_patient_afterwards() {
    let mut world = World::new();
    let (id, hospital) = (world.steward_patient(), world.hospital.clone());
    let authority = hospital.authority.pubkey();
    let terms = world.terms(GranteeKind::Member, world.insurer.address());
    let (first, second) = (world.grant_id(), world.grant_id());
    for grant in [first, second] {
        let args = CreateGrantArgs { id: grant, terms };
        let create = ix::create_grant(&hospital.stewards(), authority, &id, args);
        world.chain.must(create, &[&hospital.authority]);
    }
    let by_steward = |grant| ix::revoke_grant(&hospital.stewards(), &id, grant);
    world.chain.must(by_steward(&first), &[&hospital.authority]);

    let wallet = world.patient.wallet.insecure_clone();
    world.chain.edit(&address::patient(&id), |patient: &mut Patient| {
        patient.wallet = wallet.pubkey()
    });
    world
        .chain
        .refuse(by_steward(&second), &[&hospital.authority], ChartsealError::NotPatient);
    world
        .chain
        .must(ix::revoke_grant(&By::wallet(wallet.pubkey()), &id, &second), &[&wallet]);
}

#[test]
fn suspended_steward_still_takes_rights_away() {
    let mut world = World::new();
    let (id, hospital) = (world.steward_patient(), world.hospital.clone());
    let authority = hospital.authority.pubkey();
    let terms = world.terms(GranteeKind::Member, world.insurer.address());
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    let create = ix::create_grant(&hospital.stewards(), authority, &id, args);
    world.chain.must(create, &[&hospital.authority]);
    world.set_institution_standing(&hospital, Standing::Suspended);
    let revoke = ix::revoke_grant(&hospital.stewards(), &id, &args.id);
    world.chain.must(revoke, &[&hospital.authority]);
}

#[test]
fn account_that_is_no_grant_is_not_revoked() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let mut revoke = ix::revoke_grant(&patient.deciding(), &patient.id, &id(1));
    substitute(
        &mut revoke,
        address::grant(&patient.id, &id(1)),
        address::record(&patient.id, &record),
    );
    world
        .chain
        .refuse_at_the_door(revoke, &[&patient.wallet], InstructionError::InvalidAccountData);
}
