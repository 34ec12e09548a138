//! A hospital gives a doctor or a nurse the credential to open emergencies, or takes it back.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, EmergencyCredentialSet},
    state::Institution,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

fn set(body: &Body, member: &Person, holds: bool) -> Instruction {
    ix::set_emergency_credential(body.authority.pubkey(), &body.id, &member.id, holds)
}

#[test]
fn credential_is_given_and_taken_and_both_are_written_down() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    for holds in [true, false, true] {
        world.wait(2);
        let event = world.chain.must(set(&hospital, &doctor, holds), &[&hospital.authority]);
        let expected = EmergencyCredentialSet {
            link: *event.link(),
            member: doctor.address(),
            holds,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::EmergencyCredentialSet(expected));
        world.assert_linked(&event, &hospital);
        assert_eq!(world.member_account(&doctor).emergency_credential, u8::from(holds));
    }
}

#[test]
fn nothing_is_set_to_what_it_is() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    let authority = &hospital.authority;
    world.chain.refuse(
        set(&hospital, &doctor, false),
        &[authority],
        ChartsealError::BadStanding,
    );
    world.set_credential(&hospital, &doctor, true);
    world
        .chain
        .refuse(set(&hospital, &doctor, true), &[authority], ChartsealError::BadStanding);
}

#[test]
fn only_doctors_and_nurses_of_a_hospital_hold_it() {
    let mut world = World::new();
    let (hospital, insurance, insurer) = (world.hospital.clone(), world.insurance.clone(), world.insurer.clone());
    let laboratory = world.chain.institution(70, InstitutionKind::Laboratory);
    let nurse = world.chain.member(&hospital, 71, Role::Nurse);
    world.set_credential(&hospital, &nurse, true);
    for (n, role) in [(72, Role::Technician), (73, Role::Researcher), (74, Role::Auditor)] {
        let member = world.chain.member(&hospital, n, role);
        world.chain.refuse(
            set(&hospital, &member, true),
            &[&hospital.authority],
            ChartsealError::RoleWithoutEmergencies,
        );
    }
    world.chain.refuse(
        set(&insurance, &insurer, true),
        &[&insurance.authority],
        ChartsealError::RoleWithoutEmergencies,
    );
    let doctor = world.chain.member(&laboratory, 75, Role::Doctor);
    world.chain.refuse(
        set(&laboratory, &doctor, true),
        &[&laboratory.authority],
        ChartsealError::RoleWithoutEmergencies,
    );
}

#[test]
fn only_the_members_own_hospital_gives_and_takes_it() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    let clinic = world.chain.institution(61, InstitutionKind::Hospital);
    let (admin, patient) = (
        world.chain.admin.insecure_clone(),
        world.patient.wallet.insecure_clone(),
    );
    for holds in [true, false] {
        for by in [&clinic.authority, &doctor.wallet, &admin, &patient] {
            let set = ix::set_emergency_credential(by.pubkey(), &hospital.id, &doctor.id, holds);
            world.chain.refuse(set, &[by], ChartsealError::NotInstitutionAuthority);
        }
        let mut by_its_own = ix::set_emergency_credential(clinic.authority.pubkey(), &hospital.id, &doctor.id, holds);
        substitute(&mut by_its_own, hospital.address(), clinic.address());
        world
            .chain
            .refuse(by_its_own, &[&clinic.authority], ChartsealError::ForeignMember);
        world.set_credential(&hospital, &doctor, holds);
    }
}

#[test]
fn authority_must_sign() {
    let mut world = World::new();
    let (hospital, doctor, payer) = (world.hospital.clone(), world.doctor.clone(), world.chain.wallet());
    let unsigned = unsign(set(&hospital, &doctor, true), hospital.authority.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&payer], InstructionError::MissingRequiredSignature);
}

#[test]
fn giving_is_paused_and_taking_is_not() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_credential(&hospital, &doctor, true);
    world.set_paused(true);
    world.set_credential(&hospital, &doctor, false);
    world.chain.refuse(
        set(&hospital, &doctor, true),
        &[&hospital.authority],
        ChartsealError::Paused,
    );
}

#[test]
fn suspended_or_expired_hospital_takes_it_and_gives_it_not() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_credential(&hospital, &doctor, true);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.set_credential(&hospital, &doctor, false);
    let give = set(&hospital, &doctor, true);
    world.chain.refuse(
        give.clone(),
        &[&hospital.authority],
        ChartsealError::InstitutionNotActive,
    );
    world.set_institution_standing(&hospital, Standing::Active);
    world.chain.edit(&hospital.address(), |hospital: &mut Institution| {
        hospital.expires = GENESIS + 1
    });
    world.wait(1);
    world.chain.refuse(
        give.clone(),
        &[&hospital.authority],
        ChartsealError::InstitutionNotActive,
    );
    world.wait(-1);
    world.chain.must(give, &[&hospital.authority]);
}

#[test]
fn taking_it_opens_no_other_emergency() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.emergency_doctor());
    world.open_emergency(&doctor);
    // Taking the credential and giving it again is no review.
    world.set_credential(&hospital, &doctor, false);
    world.set_credential(&hospital, &doctor, true);
    assert_eq!(world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
}
