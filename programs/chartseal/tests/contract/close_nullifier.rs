//! Returning a nullifier's rent: to whoever paid it, once nobody can use it again.

use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    membership::{epoch, EPOCH, SKEW},
    seeds::address,
    ChartsealError,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{anonymous::Unnamed, common::*};

/// A use that was counted, by whom it was brought, and when its epoch ends.
fn used() -> (World, Unnamed, Keypair, [u8; 32], i64) {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let grant = world.grant_unnamed(tree, record, |_| {});
    let relayer = world.chain.wallet();
    let asking = world.asking(&relayer);
    let args = world.prove(&grant, &asking);
    world.must_prove(&grant, &relayer, args);
    let end = (epoch(args.now) as i64 + 1) * EPOCH as i64;
    (world, grant, relayer, args.nullifier, end)
}

#[test]
fn rent_goes_back_to_who_paid_it() {
    let (mut world, grant, relayer, nullifier, end) = used();
    let at = address::nullifier(&nullifier);
    let (rent, before) = (
        world.chain.svm.get_balance(&at).unwrap(),
        world.chain.svm.get_balance(&relayer.pubkey()),
    );
    world.chain.set_time(end + 2 * SKEW);
    let anybody = world.chain.wallet();
    let close = ix::close_nullifier(&grant.tree, &nullifier, relayer.pubkey());
    let event = world.chain.must(close, &[&anybody]);
    let AnyEvent::NullifierClosed(closed) = &event else {
        panic!()
    };
    assert_eq!((closed.nullifier, closed.payer), (nullifier, relayer.pubkey()));
    let tree = world.tree(&grant.tree);
    assert_eq!((tree.chain.seq, tree.chain.head), (closed.link.seq, closed.head));
    assert_eq!(
        world.chain.svm.get_balance(&relayer.pubkey()),
        before.map(|before| before + rent)
    );
    assert_eq!(world.chain.svm.get_balance(&at).unwrap_or(0), 0);
}

#[test]
fn nullifier_stands_until_nobody_can_use_it_again() {
    let (mut world, grant, relayer, nullifier, end) = used();
    let anybody = world.chain.wallet();
    let close = ix::close_nullifier(&grant.tree, &nullifier, relayer.pubkey());
    for now in [end - 1, end, end + SKEW, end + 2 * SKEW - 1] {
        world.chain.set_time(now);
        world
            .chain
            .refuse(close.clone(), &[&anybody], ChartsealError::EpochNotOver);
    }
    world.chain.set_time(end + 2 * SKEW);
    world.chain.must(close, &[&anybody]);
}

#[test]
fn closed_nullifier_is_not_used_again() {
    let (mut world, grant, relayer, nullifier, end) = used();
    world.chain.set_time(end + 2 * SKEW);
    let close = ix::close_nullifier(&grant.tree, &nullifier, relayer.pubkey());
    world.chain.must(close.clone(), &[&relayer]);
    // There is nothing left to close, ...
    world.chain.fail(&[close], &[&relayer]);
    // ... and the same reader has another nullifier now.
    let asking = world.asking(&relayer);
    let args = world.prove(&grant, &asking);
    assert_ne!(args.nullifier, nullifier);
    world.must_prove(&grant, &relayer, args);
}

#[test]
fn rent_goes_to_nobody_else() {
    let (mut world, grant, _, nullifier, end) = used();
    world.chain.set_time(end + 2 * SKEW);
    let thief = world.chain.wallet();
    let close = ix::close_nullifier(&grant.tree, &nullifier, thief.pubkey());
    world.chain.refuse(close, &[&thief], ChartsealError::NotThePayer);
}

#[test]
fn use_is_written_down_in_its_own_tree_when_it_is_closed() {
    let (mut world, _, relayer, nullifier, end) = used();
    world.chain.set_time(end + 2 * SKEW);
    let other = world.open_tree();
    let close = ix::close_nullifier(&other, &nullifier, relayer.pubkey());
    world.chain.refuse(close, &[&relayer], ChartsealError::NotInTree);
}
