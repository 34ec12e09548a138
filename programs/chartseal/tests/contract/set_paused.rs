//! What a pause stops, and what it must not: taking rights away.

use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::*, seeds::address, state::Registry, vocabulary::*, ChartsealError,
};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn admin_pauses_and_lets_go_on() {
    let mut chain = Chain::new();
    let admin = chain.admin.insecure_clone();
    for paused in [true, false, true] {
        let AnyEvent::PauseSet(event) = chain.must(ix::set_paused(admin.pubkey(), paused), &[&admin]) else {
            panic!()
        };
        assert_eq!(event.paused, paused);
        assert_eq!(chain.read::<Registry>(&address::registry()).is_paused(), paused);
    }
}

#[test]
fn only_the_admin_pauses() {
    let mut chain = Chain::new();
    let (stranger, upgrade) = (chain.wallet(), chain.upgrade_authority.insecure_clone());
    for by in [&stranger, &upgrade] {
        chain.refuse(ix::set_paused(by.pubkey(), true), &[by], ChartsealError::NotAdmin);
    }
}

#[test]
fn pause_stops_what_gives_a_right_or_uses_one() {
    let mut world = World::new();
    let (grant, record) = (world.enrol(), world.record());
    let (admin, doctor, patient) = (
        world.chain.admin.insecure_clone(),
        world.doctor.clone(),
        world.patient.clone(),
    );
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());

    let invited = id(50);
    let register = RegisterInstitutionArgs {
        id: invited,
        kind: InstitutionKind::Hospital,
        authority: wallet.pubkey(),
        expires: i64::MAX,
    };
    world.chain.must(
        ix::register_institution(admin.pubkey(), admin.pubkey(), register),
        &[&admin],
    );
    let member = RegisterMemberArgs {
        id: id(51),
        wallet: wallet.pubkey(),
        role: Role::Nurse,
        expires: world.chain.now() + DAY,
    };
    let authority = hospital.authority.pubkey();
    world.chain.must(
        ix::register_member(authority, authority, &hospital.id, member),
        &[&hospital.authority],
    );
    world.set_institution_standing(&world.insurance.clone(), Standing::Suspended);
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    world.set_paused(true);

    let paused = |world: &mut World, instruction, signer| {
        world.chain.refuse(instruction, &[signer], ChartsealError::Paused);
    };
    let register = RegisterInstitutionArgs { id: id(52), ..register };
    paused(
        &mut world,
        ix::register_institution(admin.pubkey(), admin.pubkey(), register),
        &admin,
    );
    paused(
        &mut world,
        ix::accept_institution(wallet.pubkey(), &invited, keys(1)),
        &wallet,
    );
    let lift = ix::set_institution_standing(admin.pubkey(), &world.insurance.id, Standing::Active);
    paused(&mut world, lift, &admin);
    let another = RegisterMemberArgs { id: id(53), ..member };
    let register = ix::register_member(authority, authority, &hospital.id, another);
    paused(&mut world, register, &hospital.authority);
    paused(
        &mut world,
        ix::accept_membership(wallet.pubkey(), &hospital.id, &member.id, keys(1)),
        &wallet,
    );
    let lift = ix::set_member_standing(authority, &hospital.id, &doctor.id, Standing::Active);
    paused(&mut world, lift, &hospital.authority);
    let open = OpenPatientArgs {
        id: id(54),
        keys: keys(1),
    };
    paused(
        &mut world,
        ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, open),
        &wallet,
    );

    let owner = patient.wallet.pubkey();
    let args = world.record_args(0);
    let create = ix::create_record(&patient.acting(), owner, None, &patient.id, args);
    paused(&mut world, create, &patient.wallet);
    let amend = AmendRecordArgs {
        request: id(55),
        expected_version: 1,
        purpose: Purpose::Treatment,
        grant,
        content: content(5),
    };
    let amend = ix::amend_record(&doctor.acting().claiming(grant), None, &patient.id, &record, amend);
    paused(&mut world, amend, &doctor.wallet);
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms: world.terms(GranteeKind::Person, wallet.pubkey()),
    };
    paused(
        &mut world,
        ix::create_grant(&patient.deciding(), owner, &patient.id, args),
        &patient.wallet,
    );
    let access = world.access_ix(&patient.acting(), record, Purpose::Personal);
    paused(&mut world, access, &patient.wallet);
}

#[test]
fn pause_never_stops_what_takes_rights_away() {
    let mut world = World::new();
    let grant = world.enrol();
    world.set_paused(true);
    world.revoke(grant);
    assert_eq!(world.granted(&grant).revoked, 1);
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    world.set_institution_standing(&hospital, Standing::Suspended);
}

#[test]
fn refusal_is_not_logged_while_paused() {
    let mut world = World::new();
    let record = world.record();
    world.set_paused(true);
    let insurer = world.insurer.clone();
    let access = world.access_ix(&insurer.acting(), record, Purpose::Payment);
    world.chain.refuse(access, &[&insurer.wallet], ChartsealError::Paused);
    world.set_paused(false);
    assert_eq!(
        world.asks(&insurer, None, record, Purpose::Payment),
        Err(Reason::NoGrant)
    );
}
