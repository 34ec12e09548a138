//! The admin suspends an institution, and with it all its members, or lifts that.

use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterInstitutionArgs, seeds::address, state::Institution,
    vocabulary::*, ChartsealError,
};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn suspension_takes_every_members_rights_and_lifting_gives_them_back() {
    let mut world = World::new();
    let (record, doctor, hospital) = (world.record(), world.doctor.clone(), world.hospital.clone());
    world.set_institution_standing(&hospital, Standing::Suspended);
    assert_eq!(
        world.asks(&doctor, None, record, Purpose::Treatment),
        Err(Reason::InstitutionNotActive)
    );
    world.set_institution_standing(&hospital, Standing::Active);
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
}

#[test]
fn change_is_linked_to_the_institutions_chain() {
    let mut world = World::new();
    let (admin, hospital) = (world.chain.admin.insecure_clone(), world.hospital.address());
    let before: Institution = world.chain.read(&hospital);
    let suspend = ix::set_institution_standing(admin.pubkey(), &world.hospital.id, Standing::Suspended);
    let AnyEvent::InstitutionStandingSet(event) = world.chain.must(suspend, &[&admin]) else {
        panic!()
    };
    let after: Institution = world.chain.read(&hospital);
    assert_eq!(event.standing, Standing::Suspended);
    assert_eq!((after.chain.seq, after.chain.head), (before.chain.seq + 1, event.head));
}

#[test]
fn only_the_admin_sets_it() {
    let mut world = World::new();
    let authority = world.hospital.authority.insecure_clone();
    let suspend = ix::set_institution_standing(authority.pubkey(), &world.insurance.id, Standing::Suspended);
    world.chain.refuse(suspend, &[&authority], ChartsealError::NotAdmin);
}

#[test]
fn nothing_is_set_to_what_it_is_nor_back_to_invited() {
    let mut world = World::new();
    let (admin, hospital) = (world.chain.admin.insecure_clone(), world.hospital.id);
    for standing in [Standing::Active, Standing::Invited] {
        let set = ix::set_institution_standing(admin.pubkey(), &hospital, standing);
        world.chain.refuse(set, &[&admin], ChartsealError::BadStanding);
    }
}

#[test]
fn admin_cannot_activate_what_never_accepted() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let args = RegisterInstitutionArgs {
        id: id(9),
        kind: InstitutionKind::Hospital,
        authority,
        expires: i64::MAX,
    };
    chain.must(
        ix::register_institution(admin.pubkey(), admin.pubkey(), args),
        &[&admin],
    );
    let set = |standing| ix::set_institution_standing(admin.pubkey(), &id(9), standing);
    chain.refuse(set(Standing::Active), &[&admin], ChartsealError::BadStanding);
    chain.must(set(Standing::Suspended), &[&admin]);
    chain.refuse(set(Standing::Active), &[&admin], ChartsealError::BadStanding);
    assert!(!chain
        .read::<Institution>(&address::institution(&id(9)))
        .is_active(GENESIS));
}
