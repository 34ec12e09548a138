//! The patient names its next wallet, or its steward hands it over; nothing changes hands by that alone.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, WalletProposed},
    seeds::address,
    state::{Institution, Patient, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

impl World {
    fn propose_ix(&self, next: Address) -> Instruction {
        ix::propose_wallet(self.patient.wallet.pubkey(), None, &self.patient.id, next)
    }

    fn propose_by_steward(&self, next: Address) -> Instruction {
        let authority = self.hospital.authority.pubkey();
        ix::propose_wallet(authority, Some(&self.hospital.id), &self.patient.id, next)
    }
}

#[test]
fn proposal_is_written_down_and_changes_no_wallet() {
    let mut world = World::new();
    let (patient, next) = (world.patient.clone(), world.chain.wallet().pubkey());
    world.wait(8);
    let before = world.patient_account();
    for proposed in [next, Address::default()] {
        let event = world.chain.must(world.propose_ix(proposed), &[&patient.wallet]);
        let expected = WalletProposed {
            link: *event.link(),
            proposed,
            by: patient.wallet.pubkey(),
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::WalletProposed(expected));
        world.assert_logged(&event, &patient.id, &patient.wallet.pubkey(), NO_OUTCOME);
        let after = world.patient_account();
        assert_eq!(after.proposed_wallet, proposed);
        assert_eq!(
            (after.wallet, after.keys, after.key_epoch),
            (before.wallet, before.keys, before.key_epoch)
        );
    }
}

#[test]
fn later_proposal_takes_the_place_of_the_one_before() {
    let mut world = World::new();
    let (patient, first, second) = (world.patient.clone(), world.chain.wallet(), world.chain.wallet());
    for next in [&first, &second] {
        world.chain.must(world.propose_ix(next.pubkey()), &[&patient.wallet]);
    }
    let accept = |wallet| ix::accept_wallet(wallet, None, &patient.id, keys(7));
    world
        .chain
        .refuse(accept(first.pubkey()), &[&first], ChartsealError::NotProposed);
    world.chain.must(accept(second.pubkey()), &[&second]);
}

#[test]
fn nobody_else_proposes_for_a_patient_who_has_a_wallet() {
    let mut world = World::new();
    let (patient, next) = (world.patient.id, world.chain.wallet().pubkey());
    for by in outsiders(&mut world) {
        for steward in [None, Some(&world.hospital.id)] {
            for proposed in [next, by.pubkey(), Address::default()] {
                let propose = ix::propose_wallet(by.pubkey(), steward, &patient, proposed);
                world.chain.refuse(propose, &[&by], ChartsealError::NotPatient);
            }
        }
    }
}

#[test]
fn steward_hands_a_patient_over_and_has_no_say_afterwards() {
    let mut world = World::new();
    world.steward_patient();
    let (authority, next) = (world.hospital.authority.insecure_clone(), world.chain.wallet());
    let event = world.chain.must(world.propose_by_steward(next.pubkey()), &[&authority]);
    let AnyEvent::WalletProposed(event) = event else {
        panic!()
    };
    assert_eq!((event.proposed, event.by), (next.pubkey(), authority.pubkey()));
    // Until it is accepted the steward can change its mind.
    assert!(!world.patient_account().has_wallet());
    world.chain.must(world.propose_by_steward(next.pubkey()), &[&authority]);
    let accept = ix::accept_wallet(next.pubkey(), Some(&world.hospital.id), &world.patient.id, keys(7));
    world.chain.must(accept, &[&next]);
    for proposed in [next.pubkey(), authority.pubkey(), Address::default()] {
        let propose = world.propose_by_steward(proposed);
        world.chain.refuse(propose, &[&authority], ChartsealError::NotPatient);
    }
}

#[test]
fn foreign_institution_or_the_stewards_member_hands_nobody_over() {
    let mut world = World::new();
    let patient = world.steward_patient();
    let (insurance, hospital, doctor) = (world.insurance.clone(), world.hospital.clone(), world.doctor.clone());
    for by in [&insurance.authority, &doctor.wallet] {
        for steward in [None, Some(&insurance.id), Some(&hospital.id)] {
            let propose = ix::propose_wallet(by.pubkey(), steward, &patient, by.pubkey());
            world.chain.refuse(propose, &[by], ChartsealError::NotPatient);
        }
    }
    let left_out = ix::propose_wallet(hospital.authority.pubkey(), None, &patient, doctor.wallet.pubkey());
    world
        .chain
        .refuse(left_out, &[&hospital.authority], ChartsealError::NotPatient);
}

#[test]
fn suspended_or_expired_steward_only_withdraws() {
    let mut world = World::new();
    world.steward_patient();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet().pubkey());
    let authority = &hospital.authority;
    world.chain.must(world.propose_by_steward(next), &[authority]);
    world.set_institution_standing(&hospital, Standing::Suspended);
    let propose = world.propose_by_steward(next);
    world
        .chain
        .refuse(propose.clone(), &[authority], ChartsealError::InstitutionNotActive);
    world
        .chain
        .must(world.propose_by_steward(Address::default()), &[authority]);
    world.set_institution_standing(&hospital, Standing::Active);
    world.chain.edit(&hospital.address(), |hospital: &mut Institution| {
        hospital.expires = GENESIS
    });
    world
        .chain
        .refuse(propose.clone(), &[authority], ChartsealError::InstitutionNotActive);
    world.chain.edit(&hospital.address(), |hospital: &mut Institution| {
        hospital.expires = GENESIS + 1
    });
    world.chain.must(propose, &[authority]);
}

#[test]
fn steward_hands_nobody_over_to_itself() {
    let mut world = World::new();
    world.steward_patient();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let authority = &hospital.authority;
    let to_itself = world.propose_by_steward(authority.pubkey());
    world
        .chain
        .refuse(to_itself.clone(), &[authority], ChartsealError::OwnHandover);
    // Not in the place of a proposal either, which it still withdraws.
    world.chain.must(world.propose_by_steward(next.pubkey()), &[authority]);
    world.chain.refuse(to_itself, &[authority], ChartsealError::OwnHandover);
    assert_eq!(world.patient_account().proposed_wallet, next.pubkey());
    world
        .chain
        .must(world.propose_by_steward(Address::default()), &[authority]);
    // Nor does a successor as authority, to whom its predecessor is somebody else.
    let propose = ix::propose_authority(authority.pubkey(), &hospital.id, next.pubkey());
    world.chain.must(propose, &[authority]);
    let accept = ix::accept_authority(next.pubkey(), &hospital.id);
    world.chain.must(accept, &[&next]);
    let patient = world.patient.id;
    let by_next = |proposed| ix::propose_wallet(next.pubkey(), Some(&hospital.id), &patient, proposed);
    world
        .chain
        .refuse(by_next(next.pubkey()), &[&next], ChartsealError::OwnHandover);
    world.chain.must(by_next(authority.pubkey()), &[&next]);
}

#[test]
fn proposing_is_paused_and_withdrawing_is_not() {
    let mut world = World::new();
    let (patient, next) = (world.patient.clone(), world.chain.wallet().pubkey());
    world.chain.must(world.propose_ix(next), &[&patient.wallet]);
    world.set_paused(true);
    let propose = world.propose_ix(next);
    world.chain.refuse(propose, &[&patient.wallet], ChartsealError::Paused);
    world
        .chain
        .must(world.propose_ix(Address::default()), &[&patient.wallet]);
    assert_eq!(world.patient_account().proposed_wallet, Address::default());
}

#[test]
fn proposal_is_written_into_the_patients_own_log() {
    let mut world = World::new();
    let (patient, other) = (world.patient.clone(), world.chain.patient(90));
    let mut propose = world.propose_ix(other.wallet.pubkey());
    substitute(
        &mut propose,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(propose, &[&patient.wallet], ChartsealError::ForeignPatient);
    // Nor is another patient proposed for.
    let mut propose = world.propose_ix(patient.wallet.pubkey());
    substitute(
        &mut propose,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    substitute(&mut propose, address::patient(&patient.id), address::patient(&other.id));
    world
        .chain
        .refuse(propose, &[&patient.wallet], ChartsealError::NotPatient);
}

#[test]
fn patient_must_sign() {
    let mut world = World::new();
    let (wallet, payer) = (world.patient.wallet.pubkey(), world.chain.wallet());
    let propose = unsign(world.propose_ix(payer.pubkey()), wallet);
    world
        .chain
        .refuse_at_the_door(propose, &[&payer], InstructionError::MissingRequiredSignature);
}

/// A patient without wallet or steward, as no instruction makes one, is nobody's: zeros are no wallet and no steward.
#[test]
fn zeros_stand_for_no_wallet_and_no_steward() {
    let mut world = World::new();
    world.steward_patient();
    let (at, hospital) = (address::patient(&world.patient.id), world.hospital.clone());
    world.chain.edit(&at, |patient: &mut Patient| patient.steward = [0; 16]);
    world
        .chain
        .edit(&hospital.address(), |hospital: &mut Institution| hospital.id = [0; 16]);
    let propose = world.propose_by_steward(hospital.authority.pubkey());
    world
        .chain
        .refuse(propose, &[&hospital.authority], ChartsealError::NotPatient);
}
