//! An institution suspends a member, or lifts that.

use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterMemberArgs, seeds::address, state::Member, vocabulary::*,
    ChartsealError,
};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn suspension_takes_the_members_rights_and_lifting_gives_them_back() {
    let mut world = World::new();
    let (record, doctor, hospital) = (world.record(), world.doctor.clone(), world.hospital.clone());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    assert_eq!(
        world.asks(&doctor, None, record, Purpose::Treatment),
        Err(Reason::MemberSuspended)
    );
    world.set_member_standing(&hospital, &doctor, Standing::Active);
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
}

#[test]
fn suspension_reaches_no_other_member() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    let (grant, record) = (world.enrol(), world.record());
    let nurse = world.chain.member(&hospital, 71, Role::Nurse);
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    assert_eq!(
        world.asks(&nurse, Some(grant), record, Purpose::Treatment),
        Ok(Basis::Grant)
    );
}

#[test]
fn event_names_the_member() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    let suspend = ix::set_member_standing(
        hospital.authority.pubkey(),
        &hospital.id,
        &doctor.id,
        Standing::Suspended,
    );
    let AnyEvent::MemberStandingSet(event) = world.chain.must(suspend, &[&hospital.authority]) else {
        panic!()
    };
    assert_eq!((event.member, event.standing), (doctor.address(), Standing::Suspended));
    assert_eq!(event.link.subject, hospital.id);
}

#[test]
fn only_the_members_own_institution_sets_it() {
    let mut world = World::new();
    let (insurance, doctor) = (world.insurance.clone(), world.doctor.clone());
    let authority = insurance.authority.pubkey();
    let suspend = ix::set_member_standing(authority, &world.hospital.id, &doctor.id, Standing::Suspended);
    world.chain.refuse(
        suspend.clone(),
        &[&insurance.authority],
        ChartsealError::NotInstitutionAuthority,
    );
    let mut by_its_own = suspend;
    substitute(&mut by_its_own, world.hospital.address(), insurance.address());
    world
        .chain
        .refuse(by_its_own, &[&insurance.authority], ChartsealError::ForeignMember);
}

#[test]
fn member_does_not_lift_its_own_suspension() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    let lift = ix::set_member_standing(doctor.wallet.pubkey(), &hospital.id, &doctor.id, Standing::Active);
    world
        .chain
        .refuse(lift, &[&doctor.wallet], ChartsealError::NotInstitutionAuthority);
}

#[test]
fn nothing_is_set_to_what_it_is_nor_back_to_invited() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    for standing in [Standing::Active, Standing::Invited] {
        let set = ix::set_member_standing(hospital.authority.pubkey(), &hospital.id, &doctor.id, standing);
        world
            .chain
            .refuse(set, &[&hospital.authority], ChartsealError::BadStanding);
    }
}

#[test]
fn institution_cannot_activate_who_never_accepted() {
    let mut world = World::new();
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());
    let (authority, expires) = (hospital.authority.pubkey(), world.chain.now() + DAY);
    let args = RegisterMemberArgs {
        id: id(70),
        wallet: wallet.pubkey(),
        role: Role::Doctor,
        expires,
    };
    world.chain.must(
        ix::register_member(authority, authority, &hospital.id, args),
        &[&hospital.authority],
    );
    let set = |standing| ix::set_member_standing(authority, &hospital.id, &args.id, standing);
    world.chain.refuse(
        set(Standing::Active),
        &[&hospital.authority],
        ChartsealError::BadStanding,
    );
    world.chain.must(set(Standing::Suspended), &[&hospital.authority]);
    world.chain.refuse(
        set(Standing::Active),
        &[&hospital.authority],
        ChartsealError::BadStanding,
    );
    let member: Member = world.chain.read(&address::member(&hospital.id, &args.id));
    assert_eq!(member.standing(), Standing::Suspended);
}

#[test]
fn suspended_institution_still_withdraws_its_people() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
}
