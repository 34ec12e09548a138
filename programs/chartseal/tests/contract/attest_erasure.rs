//! Saying that the keys of an erased record were destroyed.

use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    instructions::AttestErasureArgs,
    seeds::{address, Id, NO_ID},
    state::{Member, Record, MEMBER_REQUESTS_PER_HOUR},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

const RECEIPT: AttestErasureArgs = AttestErasureArgs { receipt: [6; 32] };

impl World {
    fn erased(&mut self) -> Id {
        let record = self.record();
        self.erase(record);
        record
    }

    /// What this member says about a record of the patient.
    fn attest_ix(&self, member: &Person, record: &Id) -> Instruction {
        let wallet = member.wallet.pubkey();
        ix::attest_erasure(
            wallet,
            Some(&member.institution),
            Some(&member.id),
            &self.patient.id,
            record,
            RECEIPT,
        )
    }

    fn patient_attests(&self, record: &Id) -> Instruction {
        let patient = &self.patient;
        ix::attest_erasure(patient.wallet.pubkey(), None, None, &patient.id, record, RECEIPT)
    }
}

#[test]
fn attestation_is_written_down() {
    let mut world = World::new();
    let (record, doctor, patient) = (world.erased(), world.doctor.clone(), world.patient.clone());
    let before: Record = world.chain.read(&address::record(&patient.id, &record));
    for (by, attest) in [
        (&doctor.wallet, world.attest_ix(&doctor, &record)),
        (&patient.wallet, world.patient_attests(&record)),
    ] {
        let AnyEvent::ErasureAttested(event) = world.chain.must(attest, &[by]) else {
            panic!()
        };
        assert_eq!((event.record, event.receipt), (record, RECEIPT.receipt));
        let expected = if by.pubkey() == doctor.wallet.pubkey() {
            (ActorKind::Member, doctor.address(), world.hospital.id)
        } else {
            (ActorKind::Patient, Default::default(), NO_ID)
        };
        let actor = event.actor;
        assert_eq!((actor.kind, actor.credential, actor.institution), expected);
        assert_eq!(actor.wallet, by.pubkey());
        let log = world.log();
        assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
    }
    let after: Record = world.chain.read(&address::record(&patient.id, &record));
    assert_eq!(bytemuck::bytes_of(&before), bytemuck::bytes_of(&after));
}

#[test]
fn only_an_erased_record_is_attested() {
    let mut world = World::new();
    let (record, doctor, patient) = (world.record(), world.doctor.clone(), world.patient.clone());
    let attest = world.attest_ix(&doctor, &record);
    world.chain.refuse(attest, &[&doctor.wallet], ChartsealError::NotErased);
    let attest = world.patient_attests(&record);
    world
        .chain
        .refuse(attest, &[&patient.wallet], ChartsealError::NotErased);
}

#[test]
fn receipt_of_zeros_is_none() {
    let mut world = World::new();
    let (record, patient) = (world.erased(), world.patient.clone());
    let args = AttestErasureArgs { receipt: [0; 32] };
    let attest = ix::attest_erasure(patient.wallet.pubkey(), None, None, &patient.id, &record, args);
    world.chain.refuse(attest, &[&patient.wallet], ChartsealError::ZeroId);
}

#[test]
fn nobody_else_attests() {
    let mut world = World::new();
    let (record, patient, hospital) = (world.erased(), world.patient.id, world.hospital.clone());
    let (stranger, admin) = (world.chain.wallet(), world.chain.admin.insecure_clone());
    let other = world.chain.patient(90);
    for by in [&stranger, &admin, &other.wallet, &hospital.authority] {
        for institution in [None, Some(&hospital.id)] {
            let attest = ix::attest_erasure(by.pubkey(), institution, None, &patient, &record, RECEIPT);
            world.chain.refuse(attest, &[by], ChartsealError::NotPatient);
        }
    }
    let insurer = world.insurer.clone();
    let attest = world.attest_ix(&insurer, &record);
    world
        .chain
        .refuse(attest, &[&insurer.wallet], ChartsealError::ForeignMember);
}

#[test]
fn member_signs_itself_and_shows_its_institution() {
    let mut world = World::new();
    let (record, doctor, stranger) = (world.erased(), world.doctor.clone(), world.chain.wallet());
    let patient = world.patient.id;
    let framed = ix::attest_erasure(
        stranger.pubkey(),
        Some(&doctor.institution),
        Some(&doctor.id),
        &patient,
        &record,
        RECEIPT,
    );
    world.chain.refuse(framed, &[&stranger], ChartsealError::Stranger);
    let unsigned = unsign(world.attest_ix(&doctor, &record), doctor.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
    let mut alone = world.attest_ix(&doctor, &record);
    substitute(&mut alone, world.hospital.address(), chartseal_program::ID);
    world
        .chain
        .refuse(alone, &[&doctor.wallet], ChartsealError::InstitutionMissing);
    let mut elsewhere = world.attest_ix(&doctor, &record);
    substitute(&mut elsewhere, world.hospital.address(), world.insurance.address());
    world
        .chain
        .refuse(elsewhere, &[&doctor.wallet], ChartsealError::ForeignMember);
}

#[test]
fn suspended_and_expired_do_not_attest() {
    let mut world = World::new();
    let (record, doctor, hospital) = (world.erased(), world.doctor.clone(), world.hospital.clone());
    let attest = world.attest_ix(&doctor, &record);
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    world
        .chain
        .refuse(attest.clone(), &[&doctor.wallet], ChartsealError::MemberNotActive);
    world.set_member_standing(&hospital, &doctor, Standing::Active);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world
        .chain
        .refuse(attest.clone(), &[&doctor.wallet], ChartsealError::InstitutionNotActive);
    world.set_institution_standing(&hospital, Standing::Active);
    let member: Member = world.chain.read(&doctor.address());
    world.chain.set_time(member.expires);
    world
        .chain
        .refuse(attest.clone(), &[&doctor.wallet], ChartsealError::MemberNotActive);
    world.chain.set_time(member.expires - 1);
    world.chain.must(attest, &[&doctor.wallet]);
}

#[test]
fn who_wrote_the_first_version_attests_from_another_institution_than_the_last() {
    let mut world = World::new();
    let (record, first, hospital) = (world.record(), world.doctor.clone(), world.hospital.clone());
    let last = world.amended_elsewhere(record, 71);
    world.erase(record);
    for by in [&first, &last] {
        let attest = world.attest_ix(by, &record);
        let AnyEvent::ErasureAttested(event) = world.chain.must(attest, &[&by.wallet]) else {
            panic!()
        };
        assert_eq!(
            (event.actor.credential, event.actor.institution),
            (by.address(), by.institution)
        );
    }
    // Not its colleague, and itself only as long as it is a member.
    let colleague = world.chain.member(&hospital, 80, Role::Doctor);
    let attest = world.attest_ix(&colleague, &record);
    world
        .chain
        .refuse(attest, &[&colleague.wallet], ChartsealError::ForeignMember);
    world.set_member_standing(&hospital, &first, Standing::Suspended);
    let attest = world.attest_ix(&first, &record);
    world
        .chain
        .refuse(attest, &[&first.wallet], ChartsealError::MemberNotActive);
    // Nor by another institution than its own.
    let mut elsewhere = world.attest_ix(&last, &record);
    substitute(
        &mut elsewhere,
        address::institution(&last.institution),
        hospital.address(),
    );
    world
        .chain
        .refuse(elsewhere, &[&last.wallet], ChartsealError::ForeignMember);
}

#[test]
fn steward_attests_while_there_is_no_wallet() {
    let mut world = World::new();
    let patient = world.steward_patient();
    let (record, _) = world.create(0, None);
    let hospital = world.hospital.clone();
    let erase = ix::erase_record(&hospital.stewards(), &patient, &record);
    world.chain.must(erase, &[&hospital.authority]);
    let attest = ix::attest_erasure(
        hospital.authority.pubkey(),
        Some(&hospital.id),
        None,
        &patient,
        &record,
        RECEIPT,
    );
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.chain.refuse(
        attest.clone(),
        &[&hospital.authority],
        ChartsealError::InstitutionNotActive,
    );
    world.set_institution_standing(&hospital, Standing::Active);
    let AnyEvent::ErasureAttested(event) = world.chain.must(attest, &[&hospital.authority]) else {
        panic!()
    };
    let actor = event.actor;
    assert_eq!(
        (actor.kind, actor.wallet, actor.credential, actor.institution),
        (
            ActorKind::Patient,
            hospital.authority.pubkey(),
            Default::default(),
            hospital.id
        )
    );
}

#[test]
fn members_attestations_are_capped_and_the_patients_are_not() {
    let mut world = World::new();
    let (record, doctor, patient) = (world.erased(), world.doctor.clone(), world.patient.clone());
    let attest = world.attest_ix(&doctor, &record);
    for _ in 0..MEMBER_REQUESTS_PER_HOUR {
        world.chain.must(attest.clone(), &[&doctor.wallet]);
    }
    world.wait(3_599);
    world
        .chain
        .refuse(attest.clone(), &[&doctor.wallet], ChartsealError::RequestCap);
    let own = world.patient_attests(&record);
    world.chain.must(own, &[&patient.wallet]);
    world.wait(1);
    world.chain.must(attest, &[&doctor.wallet]);
}

#[test]
fn pause_does_not_stop_it() {
    let mut world = World::new();
    let (record, doctor) = (world.erased(), world.doctor.clone());
    world.set_paused(true);
    let attest = world.attest_ix(&doctor, &record);
    world.chain.must(attest, &[&doctor.wallet]);
}

#[test]
fn accounts_of_one_patient_go_together() {
    let mut world = World::new();
    let (record, victim) = (world.erased(), world.patient.clone());
    let other = world.chain.patient(90);
    let build = || ix::attest_erasure(other.wallet.pubkey(), None, None, &other.id, &record, RECEIPT);
    let foreign = (
        address::record(&other.id, &record),
        address::record(&victim.id, &record),
    );
    let mut with_record = build();
    substitute(&mut with_record, foreign.0, foreign.1);
    world
        .chain
        .refuse(with_record.clone(), &[&other.wallet], ChartsealError::ForeignPatient);
    substitute(
        &mut with_record,
        address::access_log(&other.id),
        address::access_log(&victim.id),
    );
    world
        .chain
        .refuse(with_record, &[&other.wallet], ChartsealError::ForeignPatient);
}
