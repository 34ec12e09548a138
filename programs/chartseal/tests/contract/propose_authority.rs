//! An institution's authority names its successor; nothing changes hands by that alone.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, AuthorityProposed},
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

#[test]
fn handover_lifts_no_suspension() {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.chain.must(propose(&world, next.pubkey()), &[&hospital.authority]);
    world
        .chain
        .must(ix::accept_authority(next.pubkey(), &hospital.id), &[&next]);
    assert_eq!(world.body_account(&hospital).standing, Standing::Suspended.byte());
}
