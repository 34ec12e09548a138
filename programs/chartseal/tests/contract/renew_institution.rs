//! The admin sets another end to an institution's approval.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, InstitutionRenewed},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

fn renew(world: &World, expires: i64) -> Instruction {
    ix::renew_institution(world.chain.admin.pubkey(), &world.hospital.id, expires)
}

#[track_caller]
fn renews(world: &mut World, expires: i64) -> AnyEvent {
    let (renew, admin) = (renew(world, expires), world.chain.admin.insecure_clone());
    world.chain.must(renew, &[&admin])
}

#[track_caller]
fn fails(world: &mut World, expires: i64, error: ChartsealError) {
    let (renew, admin) = (renew(world, expires), world.chain.admin.insecure_clone());
    world.chain.refuse(renew, &[&admin], error);
}

#[test]
fn approval_is_shortened_and_lengthened_and_both_are_written_down() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    for expires in [GENESIS + 10, GENESIS + DAY, i64::MAX] {
        world.wait(1);
        let event = renews(&mut world, expires);
        let expected = InstitutionRenewed {
            link: *event.link(),
            expires,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::InstitutionRenewed(expected));
        world.assert_linked(&event, &hospital);
        assert_eq!(world.body_account(&hospital).expires, expires);
    }
}

#[test]
fn institution_and_its_members_have_no_right_from_its_end_on() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    renews(&mut world, GENESIS + 10);
    for (at, verdict) in [
        (GENESIS + 9, Ok(Basis::Author)),
        (GENESIS + 10, Err(Reason::InstitutionNotActive)),
        (GENESIS + 11, Err(Reason::InstitutionNotActive)),
    ] {
        world.chain.set_time(at);
        assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), verdict);
    }
    renews(&mut world, GENESIS + DAY);
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
}

#[test]
fn end_lies_in_the_future_and_is_another_one() {
    let mut world = World::new();
    for expires in [GENESIS, GENESIS - 1, i64::MIN] {
        fails(&mut world, expires, ChartsealError::ExpiryInPast);
    }
    fails(&mut world, i64::MAX, ChartsealError::BadStanding);
    renews(&mut world, GENESIS + 1);
    fails(&mut world, GENESIS + 1, ChartsealError::BadStanding);
}

#[test]
fn renewal_lifts_no_suspension() {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_institution_standing(&hospital, Standing::Suspended);
    renews(&mut world, GENESIS + DAY);
    assert_eq!(world.body_account(&hospital).standing, Standing::Suspended.byte());
}

#[test]
fn shortening_is_never_paused_and_lengthening_is() {
    let mut world = World::new();
    renews(&mut world, GENESIS + DAY);
    world.set_paused(true);
    fails(&mut world, GENESIS + DAY + 1, ChartsealError::Paused);
    renews(&mut world, GENESIS + DAY - 1);
    // Whoever shortened it does not lengthen it again.
    fails(&mut world, GENESIS + DAY, ChartsealError::Paused);
}

#[test]
fn nobody_but_the_admin_renews() {
    let mut world = World::new();
    let admin = world.chain.admin.pubkey();
    for by in outsiders(&mut world).iter().filter(|by| by.pubkey() != admin) {
        for expires in [GENESIS + 1, GENESIS + DAY] {
            let renew = ix::renew_institution(by.pubkey(), &world.hospital.id, expires);
            world.chain.refuse(renew, &[by], ChartsealError::NotAdmin);
        }
    }
    let stranger = world.chain.wallet();
    let unsigned = unsign(renew(&world, GENESIS + DAY), admin);
    world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn registry_is_the_programs_own() {
    let mut world = World::new();
    let (admin, doctor) = (world.chain.admin.insecure_clone(), world.doctor.address());
    let mut renew = renew(&world, GENESIS + DAY);
    substitute(&mut renew, chartseal_program::seeds::address::registry(), doctor);
    let failure = world.chain.fail(&[renew], &[&admin]);
    assert!(matches!(failure, Failure::Runtime(_)), "{failure:?}");
}
