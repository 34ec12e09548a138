//! The wallet that an institution named accepts, and publishes its keys.

use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterMemberArgs, seeds::address, state::Member, vocabulary::*,
    ChartsealError,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// Somebody whom the hospital registered and who did not accept yet.
fn invited(world: &mut World) -> Keypair {
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());
    let args = RegisterMemberArgs {
        id: id(70),
        wallet: wallet.pubkey(),
        role: Role::Nurse,
        expires: world.chain.now() + DAY,
    };
    let authority = hospital.authority.pubkey();
    world.chain.must(
        ix::register_member(authority, authority, &hospital.id, args),
        &[&hospital.authority],
    );
    wallet
}

#[test]
fn acceptance_begins_the_membership() {
    let mut world = World::new();
    let (wallet, hospital) = (invited(&mut world), world.hospital.id);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital, &id(70), keys(9));
    let AnyEvent::MembershipAccepted(event) = world.chain.must(accept, &[&wallet]) else {
        panic!()
    };
    let member: Member = world.chain.read(&address::member(&hospital, &id(70)));
    assert_eq!(
        (member.standing(), member.keys, member.key_epoch),
        (Standing::Active, keys(9), 1)
    );
    assert_eq!(
        (event.member, event.encryption_key),
        (address::member(&hospital, &id(70)), [9; 32])
    );
}

#[test]
fn nobody_is_made_a_member_by_another() {
    let mut world = World::new();
    invited(&mut world);
    let (hospital, stranger) = (world.hospital.clone(), world.chain.wallet());
    for by in [&hospital.authority, &stranger] {
        let accept = ix::accept_membership(by.pubkey(), &hospital.id, &id(70), keys(9));
        world.chain.refuse(accept, &[by], ChartsealError::NotInvited);
    }
}

#[test]
fn acceptance_counts_once_and_lifts_no_suspension() {
    let mut world = World::new();
    let (doctor, hospital) = (world.doctor.clone(), world.hospital.clone());
    let again = ix::accept_membership(doctor.wallet.pubkey(), &hospital.id, &doctor.id, keys(9));
    world
        .chain
        .refuse(again.clone(), &[&doctor.wallet], ChartsealError::AlreadyAccepted);
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    world
        .chain
        .refuse(again, &[&doctor.wallet], ChartsealError::AlreadyAccepted);
}

#[test]
fn suspended_institution_gains_no_member() {
    let mut world = World::new();
    let (wallet, hospital) = (invited(&mut world), world.hospital.clone());
    world.set_institution_standing(&hospital, Standing::Suspended);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital.id, &id(70), keys(9));
    world
        .chain
        .refuse(accept, &[&wallet], ChartsealError::InstitutionNotActive);
}

#[test]
fn acceptance_is_linked_to_the_members_own_institution() {
    let mut world = World::new();
    let (wallet, hospital) = (invited(&mut world), world.hospital.clone());
    let mut accept = ix::accept_membership(wallet.pubkey(), &hospital.id, &id(70), keys(9));
    substitute(&mut accept, hospital.address(), world.insurance.address());
    world.chain.refuse(accept, &[&wallet], ChartsealError::ForeignMember);
}

#[test]
fn key_of_zeros_is_none() {
    let mut world = World::new();
    let (wallet, hospital) = (invited(&mut world), world.hospital.id);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital, &id(70), keys(0));
    world.chain.refuse(accept, &[&wallet], ChartsealError::ZeroId);
}
