//! Making a tree for grants without a name: by the admin, once for each id.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    log::{Chain as Links, ChainKind},
    membership::{DEPTH, ZEROS},
    seeds::{address, Id, BUMP, NO_ID, TREE},
    ChartsealError, ID,
};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn tree_begins_without_leaves() {
    let mut world = World::new();
    let id = world.open_tree();
    let tree = world.tree(&id);
    assert_eq!((tree.id, tree.bump), (id, BUMP));
    assert_eq!((tree.number, tree.leaves, tree.floor), (0, 0, 0));
    assert_eq!(tree.root(), &ZEROS[DEPTH]);
    let AnyEvent::TreeOpened(event) = AnyEvent::decode(world.chain.emitted.last().unwrap()).unwrap() else {
        panic!()
    };
    assert_eq!(event.by, world.chain.admin.pubkey());
    assert_eq!((event.link.subject, event.link.seq), (id, 1));
    let bytes = world.chain.emitted.last().unwrap();
    let followed = Links::begin(ChainKind::Tree, &id).follow(ChainKind::Tree, &id, 1, bytes);
    assert_eq!(followed, Some(tree.chain));
}

#[test]
fn nobody_but_the_admin_opens_a_tree() {
    let mut world = World::new();
    let id = address::draw_tree_id(|| world.id());
    for by in [
        world.patient.wallet.insecure_clone(),
        world.hospital.authority.insecure_clone(),
    ] {
        let open = ix::open_tree(by.pubkey(), by.pubkey(), id);
        world.chain.refuse(open, &[&by], ChartsealError::NotAdmin);
    }
}

#[test]
fn no_tree_is_opened_twice_or_while_paused() {
    let mut world = World::new();
    let (id, admin) = (world.open_tree(), world.chain.admin.insecure_clone());
    let again = ix::open_tree(admin.pubkey(), admin.pubkey(), id);
    world.chain.refuse_at_the_door(again, &[&admin], EXISTS);
    world.set_paused(true);
    let another = address::draw_tree_id(|| world.id());
    let open = ix::open_tree(admin.pubkey(), admin.pubkey(), another);
    world.chain.refuse(open, &[&admin], ChartsealError::Paused);
}

#[test]
fn tree_has_an_id_of_its_own_that_fits() {
    let mut world = World::new();
    let admin = world.chain.admin.insecure_clone();
    let zeros = ix::open_tree(admin.pubkey(), admin.pubkey(), NO_ID);
    world.chain.fail(&[zeros], &[&admin]);
    let bump = |id: &Id| Address::find_program_address(&[TREE, id], &ID).1;
    let misfit = std::iter::repeat_with(|| world.id())
        .find(|id| bump(id) != BUMP)
        .unwrap();
    let open = ix::open_tree(admin.pubkey(), admin.pubkey(), misfit);
    world.chain.refuse(open, &[&admin], ChartsealError::BumpNot255);
}
