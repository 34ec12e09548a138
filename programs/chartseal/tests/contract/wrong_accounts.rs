//! Whoever acts about a record by another's account, or by one that is no such thing: an error, and nothing changes.
//! Shown by `access_record`; creating and amending check the very same accounts.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As},
    events::*,
    instructions::AccessRecordArgs,
    seeds::{address, NO_ID},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn stranger_gets_an_error_and_leaves_nothing() {
    let mut world = World::new();
    let (record, stranger) = (world.record(), world.chain.wallet());
    let access = world.access_ix(&As::wallet(stranger.pubkey()), record, Purpose::Personal);
    world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn stranger_who_claims_a_grant_is_a_stranger_still() {
    let mut world = World::new();
    let (record, stranger) = (world.record(), world.chain.wallet());
    let (member, institution) = (world.insure(|_| {}), world.enrol());
    let (_, person) = world.relative(|_| {});
    for grant in [member, institution, person.claimed(), id(1)] {
        let access = world.access_ix(
            &As::wallet(stranger.pubkey()).claiming(grant),
            record,
            Purpose::Personal,
        );
        world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
    }
}

#[test]
fn person_of_another_patient_is_a_stranger_here() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    world.patient = world.chain.patient(90);
    let theirs = world.patient.id;
    let (wallet, acting) = world.relative(|_| {});
    world.patient = patient;
    let mut access = world.access_ix(&acting, record, Purpose::Personal);
    let grant = acting.claimed();
    substitute(
        &mut access,
        address::grant_slot(&world.patient.id, &grant),
        address::grant(&theirs, &grant),
    );
    world.chain.refuse(access, &[&wallet], ChartsealError::Stranger);
}

#[test]
fn other_patient_is_a_stranger_here() {
    let mut world = World::new();
    let (record, other) = (world.record(), world.chain.patient(90));
    let access = world.access_ix(&other.acting(), record, Purpose::Personal);
    world.chain.refuse(access, &[&other.wallet], ChartsealError::Stranger);
}

#[test]
fn another_members_credential_is_of_no_use() {
    let mut world = World::new();
    let (record, stranger, doctor) = (world.record(), world.chain.wallet(), world.doctor.clone());
    for by in [&stranger, &world.insurer.wallet.insecure_clone()] {
        let acting = As::member(by.pubkey(), doctor.institution, doctor.id);
        let access = world.access_ix(&acting, record, Purpose::Treatment);
        world.chain.refuse(access, &[by], ChartsealError::Stranger);
    }
}

#[test]
fn reader_must_sign() {
    let mut world = World::new();
    let (record, doctor, framer) = (world.record(), world.doctor.clone(), world.chain.wallet());
    let access = unsign(
        world.access_ix(&doctor.acting(), record, Purpose::Treatment),
        doctor.wallet.pubkey(),
    );
    world
        .chain
        .refuse_at_the_door(access, &[&framer], InstructionError::MissingRequiredSignature);
}

#[test]
fn another_may_pay_the_fee() {
    let mut world = World::new();
    let (record, doctor, relayer) = (world.record(), world.doctor.clone(), world.chain.wallet());
    let access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
    let AnyEvent::AccessAllowed(event) = world.chain.must(access, &[&relayer, &doctor.wallet]) else {
        panic!()
    };
    assert_eq!(event.actor.wallet, doctor.wallet.pubkey());
}

#[test]
fn suspended_institution_is_not_hidden_behind_another() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    let insurance = world.insurance.clone();
    world.set_institution_standing(&insurance, Standing::Suspended);
    let mut access = world.access_ix(&insurer.acting().claiming(grant), record, Purpose::Payment);
    substitute(&mut access, insurance.address(), world.hospital.address());
    world
        .chain
        .refuse(access, &[&insurer.wallet], ChartsealError::ForeignMember);
}

#[test]
fn member_and_institution_come_together() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    for left_out in [insurer.address(), world.insurance.address()] {
        let mut access = world.access_ix(&insurer.acting().claiming(grant), record, Purpose::Payment);
        substitute(&mut access, left_out, chartseal_program::ID);
        world
            .chain
            .refuse(access, &[&insurer.wallet], ChartsealError::InstitutionMissing);
    }
}

#[test]
fn member_who_leaves_its_credential_out_is_a_stranger() {
    let mut world = World::new();
    let (record, grant, insurer) = (world.record(), world.insure(|_| {}), world.insurer.clone());
    let access = world.access_ix(
        &As::wallet(insurer.wallet.pubkey()).claiming(grant),
        record,
        Purpose::Payment,
    );
    world.chain.refuse(access, &[&insurer.wallet], ChartsealError::Stranger);
}

#[test]
fn other_patients_record_log_and_refusals_are_refused() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let other = world.chain.patient(90);
    world.patient = other.clone();
    let theirs = world.record();
    world.patient = patient.clone();
    for (own, foreign) in [
        (
            address::record(&patient.id, &record),
            address::record(&other.id, &theirs),
        ),
        (address::access_log(&patient.id), address::access_log(&other.id)),
        (address::refusal_log(&patient.id), address::refusal_log(&other.id)),
        (address::patient(&patient.id), address::patient(&other.id)),
    ] {
        let mut access = world.access_ix(&patient.acting(), record, Purpose::Personal);
        substitute(&mut access, own, foreign);
        world
            .chain
            .refuse(access, &[&patient.wallet], ChartsealError::ForeignPatient);
    }
}

#[test]
fn account_of_another_type_stands_for_none() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let patient = world.patient.id;
    let right = [
        address::registry(),
        address::patient(&patient),
        address::access_log(&patient),
        address::refusal_log(&patient),
        doctor.address(),
        world.hospital.address(),
        address::record(&patient, &record),
    ];
    for own in right {
        // The insurer's member stands for every type but its own, for which the other institution does.
        let other = if own == doctor.address() {
            world.insurance.address()
        } else {
            world.insurer.address()
        };
        let mut access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
        substitute(&mut access, own, other);
        // Which error comes first is up to the sizes of the two.
        let failure = world.chain.fail(&[access], &[&doctor.wallet]);
        let by_type = [
            InstructionError::InvalidAccountData,
            InstructionError::AccountDataTooSmall,
        ];
        assert!(by_type.map(Failure::Runtime).contains(&failure), "{failure:?}");
    }
}

#[test]
fn look_alike_of_another_program_stands_for_none() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let patient = world.patient.id;
    for own in [
        address::registry(),
        address::patient(&patient),
        address::access_log(&patient),
        address::refusal_log(&patient),
        doctor.address(),
        world.hospital.address(),
        address::record(&patient, &record),
    ] {
        let mut account = world.chain.svm.get_account(&own).unwrap();
        account.owner = Address::new_from_array([8; 32]);
        let fake = Address::new_from_array([9; 32]);
        world.chain.svm.set_account(fake, account).unwrap();
        let mut access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
        substitute(&mut access, own, fake);
        world
            .chain
            .refuse_at_the_door(access, &[&doctor.wallet], InstructionError::IllegalOwner);
    }
}

#[test]
fn logs_passed_as_read_only_are_refused() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let patient = world.patient.id;
    for written in [
        address::access_log(&patient),
        address::refusal_log(&patient),
        doctor.address(),
    ] {
        let mut access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
        access
            .accounts
            .iter_mut()
            .find(|meta| meta.pubkey == written)
            .unwrap()
            .is_writable = false;
        world.chain.refuse_at_the_door(access, &[&doctor.wallet], READ_ONLY);
    }
}

#[test]
fn request_of_zeros_is_refused() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let args = AccessRecordArgs {
        request: NO_ID,
        version: 1,
        purpose: Purpose::Personal,
        grant: NO_ID,
    };
    let access = ix::access_record(&patient.acting(), &patient.id, &record, args);
    world.chain.fail(&[access], &[&patient.wallet]);
}

#[test]
fn accounts_that_are_missing_are_an_error() {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let mut access = world.access_ix(&patient.acting(), record, Purpose::Personal);
    access.accounts.pop();
    world.chain.fail(&[access], &[&patient.wallet]);
}
