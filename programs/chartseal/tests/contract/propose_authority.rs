//! An institution's authority names its successor, and the admin that of a suspended one; nothing changes hands by that
//! alone.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, AuthorityProposed},
    state::Institution,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

fn propose(world: &World, proposed: Address) -> Instruction {
    ix::propose_authority(world.hospital.authority.pubkey(), &world.hospital.id, proposed)
}

#[test]
fn proposal_is_written_down_and_changes_no_authority() {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet().pubkey());
    for proposed in [next, Address::default()] {
        world.wait(1);
        let event = world.chain.must(propose(&world, proposed), &[&hospital.authority]);
        let expected = AuthorityProposed {
            link: *event.link(),
            proposed,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::AuthorityProposed(expected));
        world.assert_linked(&event, &hospital);
        let account = world.body_account(&hospital);
        assert_eq!(
            (account.proposed_authority, account.authority),
            (proposed, hospital.authority.pubkey())
        );
    }
}

#[test]
fn nobody_but_the_authority_proposes() {
    let mut world = World::new();
    let authority = world.hospital.authority.pubkey();
    let mut others = outsiders(&mut world);
    others.push(world.insurance.authority.insecure_clone());
    for by in others.iter().filter(|by| by.pubkey() != authority) {
        for proposed in [by.pubkey(), Address::default()] {
            let propose = ix::propose_authority(by.pubkey(), &world.hospital.id, proposed);
            world
                .chain
                .refuse(propose, &[by], ChartsealError::NotInstitutionAuthority);
        }
    }
    let unsigned = unsign(propose(&world, others[0].pubkey()), authority);
    world
        .chain
        .refuse_at_the_door(unsigned, &[&others[0]], InstructionError::MissingRequiredSignature);
}

#[test]
fn proposing_is_paused_and_withdrawing_is_not() {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet().pubkey());
    world.chain.must(propose(&world, next), &[&hospital.authority]);
    world.set_paused(true);
    let again = propose(&world, next);
    world
        .chain
        .refuse(again, &[&hospital.authority], ChartsealError::Paused);
    world
        .chain
        .must(propose(&world, Address::default()), &[&hospital.authority]);
    assert_eq!(world.body_account(&hospital).proposed_authority, Address::default());
}

impl World {
    /// The admin names the next authority of the hospital.
    fn propose_by_admin(&self, proposed: Address) -> Instruction {
        ix::propose_authority(self.chain.admin.pubkey(), &self.hospital.id, proposed)
    }
}

#[test]
fn authority_of_a_suspended_institution_names_no_successor() {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet().pubkey());
    world.set_institution_standing(&hospital, Standing::Suspended);
    for proposed in [next, hospital.authority.pubkey(), Address::default()] {
        let propose = propose(&world, proposed);
        world
            .chain
            .refuse(propose, &[&hospital.authority], ChartsealError::NotAdmin);
    }
    world.set_institution_standing(&hospital, Standing::Active);
    world.chain.must(propose(&world, next), &[&hospital.authority]);
}

#[test]
fn admin_names_the_successor_of_a_suspended_institution_who_lifts_no_suspension() {
    let mut world = World::new();
    let (hospital, next, admin) = (
        world.hospital.clone(),
        world.chain.wallet(),
        world.chain.admin.insecure_clone(),
    );
    world.set_institution_standing(&hospital, Standing::Suspended);
    let event = world.chain.must(world.propose_by_admin(next.pubkey()), &[&admin]);
    let expected = AuthorityProposed {
        link: *event.link(),
        proposed: next.pubkey(),
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::AuthorityProposed(expected));
    world.assert_linked(&event, &hospital);
    // Nothing changes hands by that alone.
    assert_eq!(world.body_account(&hospital).authority, hospital.authority.pubkey());
    let accept = ix::accept_authority(next.pubkey(), &hospital.id);
    world.chain.must(accept, &[&next]);
    let account = world.body_account(&hospital);
    assert_eq!(
        (account.authority, account.standing),
        (next.pubkey(), Standing::Suspended.byte())
    );
    // The successor is as suspended as its predecessor was, until the admin lifts that.
    let lift = ix::set_institution_standing(next.pubkey(), &hospital.id, Standing::Active);
    world.chain.refuse(lift, &[&next], ChartsealError::NotAdmin);
    let again = ix::propose_authority(next.pubkey(), &hospital.id, hospital.authority.pubkey());
    world.chain.refuse(again.clone(), &[&next], ChartsealError::NotAdmin);
    world.set_institution_standing(&hospital, Standing::Active);
    let by_old = propose(&world, hospital.authority.pubkey());
    world
        .chain
        .refuse(by_old, &[&hospital.authority], ChartsealError::NotInstitutionAuthority);
    world.chain.must(again, &[&next]);
}

#[test]
fn admin_withdraws_what_a_stolen_key_proposed_before_the_suspension() {
    let mut world = World::new();
    let (hospital, thief, admin) = (
        world.hospital.clone(),
        world.chain.wallet(),
        world.chain.admin.insecure_clone(),
    );
    world
        .chain
        .must(propose(&world, thief.pubkey()), &[&hospital.authority]);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.set_paused(true);
    let name = world.propose_by_admin(hospital.authority.pubkey());
    world.chain.refuse(name, &[&admin], ChartsealError::Paused);
    world.chain.must(world.propose_by_admin(Address::default()), &[&admin]);
    world.set_paused(false);
    let accept = ix::accept_authority(thief.pubkey(), &hospital.id);
    world.chain.refuse(accept, &[&thief], ChartsealError::NotProposed);
}

#[test]
fn admin_names_no_successor_of_an_institution_that_is_not_suspended() {
    let mut world = World::new();
    let (hospital, admin) = (world.hospital.clone(), world.chain.admin.insecure_clone());
    let changes: [fn(&mut Institution); 3] = [
        |_| {},
        |hospital| hospital.expires = GENESIS,
        |hospital| hospital.standing = Standing::Invited.byte(),
    ];
    for change in changes {
        world.chain.edit(&hospital.address(), change);
        for proposed in [admin.pubkey(), Address::default()] {
            let propose = world.propose_by_admin(proposed);
            world
                .chain
                .refuse(propose, &[&admin], ChartsealError::NotInstitutionAuthority);
        }
        // Its own authority does.
        world
            .chain
            .must(propose(&world, admin.pubkey()), &[&hospital.authority]);
    }
}
