//! An institution sets another end to a membership.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, MemberRenewed},
    state::Institution,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

/// A year: how long members are registered for.
const END: i64 = GENESIS + 365 * DAY;

fn renew(world: &World, expires: i64) -> Instruction {
    let hospital = &world.hospital;
    ix::renew_member(hospital.authority.pubkey(), &hospital.id, &world.doctor.id, expires)
}

#[track_caller]
fn renews(world: &mut World, expires: i64) -> AnyEvent {
    let (renew, authority) = (renew(world, expires), world.hospital.authority.insecure_clone());
    world.chain.must(renew, &[&authority])
}

#[track_caller]
fn fails(world: &mut World, expires: i64, error: ChartsealError) {
    let (renew, authority) = (renew(world, expires), world.hospital.authority.insecure_clone());
    world.chain.refuse(renew, &[&authority], error);
}

#[test]
fn membership_is_shortened_and_lengthened_and_both_are_written_down() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    for expires in [GENESIS + 10, END, i64::MAX] {
        world.wait(1);
        let event = renews(&mut world, expires);
        let expected = MemberRenewed {
            link: *event.link(),
            member: doctor.address(),
            expires,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::MemberRenewed(expected));
        world.assert_linked(&event, &hospital);
        assert_eq!(world.member_account(&doctor).expires, expires);
    }
}

#[test]
fn member_has_no_right_from_its_end_on() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    renews(&mut world, GENESIS + 10);
    for (at, verdict) in [
        (GENESIS + 9, Ok(Basis::Author)),
        (GENESIS + 10, Err(Reason::MemberExpired)),
        (GENESIS + 11, Err(Reason::MemberExpired)),
    ] {
        world.chain.set_time(at);
        assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), verdict);
    }
    renews(&mut world, END);
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
}

#[test]
fn end_lies_in_the_future_and_is_another_one() {
    let mut world = World::new();
    for expires in [GENESIS, GENESIS - 1, i64::MIN] {
        fails(&mut world, expires, ChartsealError::ExpiryInPast);
    }
    fails(&mut world, END, ChartsealError::BadStanding);
    renews(&mut world, GENESIS + 1);
}

#[test]
fn renewal_lifts_no_suspension() {
    let mut world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.clone());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    renews(&mut world, END + 1);
    assert_eq!(world.member_account(&doctor).standing(), Standing::Suspended);
}

#[test]
fn shortening_is_never_paused_and_lengthening_is() {
    let mut world = World::new();
    world.set_paused(true);
    fails(&mut world, END + 1, ChartsealError::Paused);
    renews(&mut world, END - 1);
    fails(&mut world, END, ChartsealError::Paused);
}

#[test]
fn suspended_or_expired_institution_shortens_and_lengthens_nothing() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_institution_standing(&hospital, Standing::Suspended);
    fails(&mut world, END + 1, ChartsealError::InstitutionNotActive);
    renews(&mut world, END - 1);
    world.set_institution_standing(&hospital, Standing::Active);
    world.chain.edit(&hospital.address(), |hospital: &mut Institution| {
        hospital.expires = GENESIS + 1
    });
    world.wait(1);
    fails(&mut world, END, ChartsealError::InstitutionNotActive);
    renews(&mut world, END - 2);
    world.wait(-1);
    renews(&mut world, END);
}

#[test]
fn nobody_but_the_members_own_institution_renews() {
    let mut world = World::new();
    let (hospital, insurance, doctor) = (world.hospital.clone(), world.insurance.clone(), world.doctor.clone());
    let (admin, stranger) = (world.chain.admin.insecure_clone(), world.chain.wallet());
    for expires in [END - 1, END + 1] {
        for by in [&doctor.wallet, &admin, &insurance.authority, &stranger] {
            let renew = ix::renew_member(by.pubkey(), &hospital.id, &doctor.id, expires);
            world
                .chain
                .refuse(renew, &[by], ChartsealError::NotInstitutionAuthority);
        }
        let mut by_its_own = ix::renew_member(insurance.authority.pubkey(), &hospital.id, &doctor.id, expires);
        substitute(&mut by_its_own, hospital.address(), insurance.address());
        world
            .chain
            .refuse(by_its_own, &[&insurance.authority], ChartsealError::ForeignMember);
    }
    let unsigned = unsign(renew(&world, END + 1), hospital.authority.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
}
