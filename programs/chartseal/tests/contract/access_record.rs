//! Reading: who may, who is refused, and what either leaves behind.

use crate::common::*;
use chartseal_program::{events::*, seeds::address, state::*, vocabulary::*, ChartsealError};
use solana_signer::Signer;

#[test]
fn patient_reads_what_the_doctor_wrote() {
    let mut world = World::new();
    let grant = world.enrol();
    let (record, done) = world.create(0, Some(grant));
    println!("create_record: {} CU", done.cu);
    assert!(matches!(done.event, AnyEvent::RecordCreated(_)));
    let (wallet, acting) = (world.patient.wallet.insecure_clone(), world.patient.acting());
    let done = world.access(&wallet, acting, record, Purpose::Personal).unwrap();
    println!("access_record: {} CU", done.cu);
    assert!(matches!(
        done.event,
        AnyEvent::AccessAllowed(AccessAllowed {
            basis: Basis::Patient,
            ..
        })
    ));
}

#[test]
fn author_reads_what_it_wrote() {
    let mut world = World::new();
    let grant = world.enrol();
    let (record, _) = world.create(0, Some(grant));
    let (wallet, acting) = (world.doctor.wallet.insecure_clone(), world.doctor.acting());
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Treatment),
        Ok(Basis::Author)
    );
}

#[test]
fn insurer_without_a_grant_is_refused_and_logged() {
    let mut world = World::new();
    let grant = world.enrol();
    let (record, _) = world.create(0, Some(grant));
    let (wallet, acting) = (world.insurer.wallet.insecure_clone(), world.insurer.acting());
    let done = world.access(&wallet, acting, record, Purpose::Payment).unwrap();
    println!("access_record refused: {} CU", done.cu);
    let AnyEvent::ActionRefused(event) = done.event else {
        panic!("not refused")
    };
    assert_eq!(event.reason, Reason::NoGrant);
    assert_eq!(event.actor.member, world.insurer.address());
    let refusals: RefusalLog = world.chain.read(&address::refusal_log(&world.patient.id));
    assert_eq!((refusals.chain.seq, refusals.chain.head), (1, event.head));
    assert_eq!(refusals.ring.entries[1].outcome, Reason::NoGrant.byte());
}

#[test]
fn revoked_grant_reads_nothing() {
    let mut world = World::new();
    let enrolment = world.enrol();
    let (record, _) = world.create(0, Some(enrolment));
    let terms = world.terms(GranteeKind::Member, world.insurer.address());
    let grant = world.grant(Terms {
        record,
        classes: 0,
        purposes: Purpose::Payment.bit(),
        ..terms
    });
    let (wallet, acting) = (
        world.insurer.wallet.insecure_clone(),
        world.insurer.acting().claiming(grant),
    );
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Payment),
        Ok(Basis::Grant)
    );
    let done = world.access(&wallet, acting, record, Purpose::Payment).unwrap();
    println!("access_record by grant: {} CU", done.cu);
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Treatment),
        Err(Reason::RoleForbidsPurpose)
    );
    world.revoke(grant);
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Payment),
        Err(Reason::GrantRevoked)
    );
}

#[test]
fn stranger_gets_an_error_and_leaves_nothing() {
    let mut world = World::new();
    let enrolment = world.enrol();
    let (record, _) = world.create(0, Some(enrolment));
    let stranger = world.chain.wallet();
    let args = chartseal_program::instructions::AccessRecordArgs {
        request: world.id(),
        purpose: Purpose::Personal,
        grant: [0; 16],
    };
    let acting = chartseal_program::builders::As::wallet(stranger.pubkey());
    let access = chartseal_program::builders::access_record(&acting, &world.patient.id, &record, args);
    world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn claiming_a_grant_that_does_not_exist_is_a_logged_refusal() {
    let mut world = World::new();
    let enrolment = world.enrol();
    let (record, _) = world.create(0, Some(enrolment));
    let missing = world.id();
    let (wallet, acting) = (
        world.insurer.wallet.insecure_clone(),
        world.insurer.acting().claiming(missing),
    );
    let done = world.access(&wallet, acting, record, Purpose::Payment).unwrap();
    println!("access_record, missing grant: {} CU", done.cu);
    assert_eq!(
        world.verdict(&wallet, acting, record, Purpose::Payment),
        Err(Reason::NoGrant)
    );
}
