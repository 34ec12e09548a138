//! An institution names a member.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterMemberArgs, seeds::address, seeds::NO_ID,
    state::Institution, state::Member, vocabulary::*, ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

fn args(world: &World, role: Role) -> RegisterMemberArgs {
    RegisterMemberArgs {
        id: id(70),
        wallet: world.doctor.wallet.pubkey(),
        role,
        expires: world.chain.now() + 1,
    }
}

fn register(body: &Body, args: RegisterMemberArgs) -> Instruction {
    ix::register_member(body.authority.pubkey(), body.authority.pubkey(), &body.id, args)
}

#[test]
fn registered_member_is_invited() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    let (args, before) = (
        args(&world, Role::Nurse),
        world.chain.read::<Institution>(&hospital.address()),
    );
    let event = world.chain.must(register(&hospital, args), &[&hospital.authority]);
    let AnyEvent::MemberRegistered(event) = event else {
        panic!()
    };
    let member: Member = world.chain.read(&address::member(&hospital.id, &args.id));
    assert_eq!(
        (event.member, event.member_id),
        (address::member(&hospital.id, &args.id), args.id)
    );
    assert_eq!(
        (event.wallet, event.role, event.expires),
        (args.wallet, Role::Nurse, args.expires)
    );
    assert_eq!(
        (member.id, member.institution, member.wallet),
        (args.id, hospital.id, args.wallet)
    );
    assert_eq!(
        (member.role(), member.standing(), member.key_epoch),
        (Some(Role::Nurse), Standing::Invited, 0)
    );
    let after: Institution = world.chain.read(&hospital.address());
    assert_eq!(after.members, before.members + 1);
    assert_eq!((after.chain.seq, after.chain.head), (before.chain.seq + 1, event.head));
}

#[test]
fn only_the_institutions_own_authority_registers() {
    let mut world = World::new();
    let (args, admin) = (args(&world, Role::Doctor), world.chain.admin.insecure_clone());
    for by in [&world.insurance.authority.insecure_clone(), &admin] {
        let register = ix::register_member(by.pubkey(), by.pubkey(), &world.hospital.id, args);
        world
            .chain
            .refuse(register, &[by], ChartsealError::NotInstitutionAuthority);
    }
}

#[test]
fn insurer_names_no_doctor() {
    let mut world = World::new();
    let insurance = world.insurance.clone();
    for role in [Role::Doctor, Role::Nurse, Role::Technician, Role::Researcher] {
        let register = register(&insurance, args(&world, role));
        world
            .chain
            .refuse(register, &[&insurance.authority], ChartsealError::RoleNotOfKind);
    }
    let auditor = register(&insurance, args(&world, Role::Auditor));
    world.chain.must(auditor, &[&insurance.authority]);
}

#[test]
fn suspended_institution_names_nobody() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_institution_standing(&hospital, Standing::Suspended);
    let register = register(&hospital, args(&world, Role::Doctor));
    world
        .chain
        .refuse(register, &[&hospital.authority], ChartsealError::InstitutionNotActive);
}

#[test]
fn expiry_lies_ahead() {
    let mut world = World::new();
    let (hospital, now) = (world.hospital.clone(), world.chain.now());
    for expires in [i64::MIN, 0, now] {
        let args = RegisterMemberArgs {
            expires,
            ..args(&world, Role::Doctor)
        };
        world.chain.refuse(
            register(&hospital, args),
            &[&hospital.authority],
            ChartsealError::ExpiryInPast,
        );
    }
    world
        .chain
        .must(register(&hospital, args(&world, Role::Doctor)), &[&hospital.authority]);
}

#[test]
fn zeros_are_neither_an_id_nor_a_wallet() {
    let mut world = World::new();
    let (hospital, args) = (world.hospital.clone(), args(&world, Role::Doctor));
    for args in [
        RegisterMemberArgs { id: NO_ID, ..args },
        RegisterMemberArgs {
            wallet: Address::default(),
            ..args
        },
    ] {
        world.chain.refuse(
            register(&hospital, args),
            &[&hospital.authority],
            ChartsealError::ZeroId,
        );
    }
}

#[test]
fn id_is_taken_once_within_an_institution_only() {
    let mut world = World::new();
    let (hospital, insurance) = (world.hospital.clone(), world.insurance.clone());
    let (doctor, insurer) = (args(&world, Role::Doctor), args(&world, Role::Insurer));
    world.chain.must(register(&hospital, doctor), &[&hospital.authority]);
    world
        .chain
        .refuse_at_the_door(register(&hospital, doctor), &[&hospital.authority], EXISTS);
    world.chain.must(register(&insurance, insurer), &[&insurance.authority]);
}

#[test]
fn member_stands_under_its_own_institution() {
    let mut world = World::new();
    let (hospital, args) = (world.hospital.clone(), args(&world, Role::Doctor));
    let mut register = register(&hospital, args);
    let elsewhere = address::member(&world.insurance.id, &args.id);
    substitute(&mut register, address::member(&hospital.id, &args.id), elsewhere);
    world
        .chain
        .refuse_at_the_door(register, &[&hospital.authority], InstructionError::InvalidSeeds);
}
