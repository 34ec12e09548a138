//! Stories of grants without a name.

use chartseal_program::{
    builders as ix,
    instructions::VerifyAccessProofArgs,
    membership::CAPACITY,
    seeds::{address, Id},
    state::{AnonymousSet, GrantTree, HOUR},
    ChartsealError,
};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    anonymous::Unnamed,
    catalogue::{deciding, Decider},
    common::*,
    story::Story,
};

pub(crate) fn open_tree() -> Story {
    let mut world = World::new();
    let (admin, payer) = (world.chain.admin.insecure_clone(), world.chain.wallet());
    let id = address::draw_tree_id(|| world.id());
    let open = ix::open_tree(admin.pubkey(), payer.pubkey(), id);
    Story::of(world, open, &[&admin, &payer])
}

/// A record of the patient's; of one without a wallet, by the steward's doctor alone.
fn record(world: &mut World, decider: Decider) -> Id {
    match decider {
        Decider::Steward => world.create(0, None).0,
        _ => world.record(),
    }
}

/// Whoever decides grants to read a record, which `has_one` or has none.
pub(crate) fn create(decider: Decider, has_one: bool) -> Story {
    let (mut world, by, wallet) = deciding(decider);
    let (tree, record, payer) = (world.open_tree(), record(&mut world, decider), world.chain.wallet());
    if has_one {
        world.grant_unnamed(tree, record, |_| {});
    }
    let (_, terms) = world.invitation();
    let subject = (&world.patient.id, &record);
    let create = ix::create_anonymous_grant(&by, payer.pubkey(), subject, &tree, terms);
    Story::of(world, create, &[&wallet, &payer])
}

/// Whoever decides revokes what it gave, by a path that was read before another was made.
pub(crate) fn revoke(decider: Decider) -> Story {
    let (mut world, by, wallet) = deciding(decider);
    let (tree, record, payer) = (world.open_tree(), record(&mut world, decider), world.chain.wallet());
    let mut given = Vec::new();
    for _ in 0..2 {
        let (secret, terms) = world.invitation();
        let subject = (&world.patient.id, &record);
        let create = ix::create_anonymous_grant(&by, payer.pubkey(), subject, &tree, terms);
        world.chain.must(create, &[&wallet, &payer]);
        let unnamed = Unnamed {
            tree,
            patient: world.patient.id,
            record,
            index: given.len() as u32,
            terms,
            secret,
        };
        given.push((world.revocation(&unnamed), unnamed));
    }
    let (args, _) = given.remove(0);
    let revoke = ix::revoke_anonymous_grant(&by, (&world.patient.id, &record), &tree, args);
    Story::of(world, revoke, &[&wallet])
}

/// A grant without a name, and a proof of it that this wallet brings.
fn proven() -> (World, Keypair, VerifyAccessProofArgs, Unnamed) {
    let mut world = World::new();
    let (tree, record, relayer) = (world.open_tree(), world.record(), world.chain.wallet());
    let grant = world.grant_unnamed(tree, record, |_| {});
    let asking = world.asking(&relayer);
    let args = world.prove(&grant, &asking);
    (world, relayer, args, grant)
}

pub(crate) fn verify() -> Story {
    let (world, relayer, args, grant) = proven();
    let verify = ix::verify_access_proof(relayer.pubkey(), &grant.tree, args);
    Story::of(world, verify, &[&relayer])
}

/// Nobody in particular signs.
pub(crate) fn close() -> Story {
    let (mut world, relayer, args, grant) = proven();
    world.must_prove(&grant, &relayer, args);
    world.wait(2 * HOUR);
    let close = ix::close_nullifier(&grant.tree, &args.nullifier, relayer.pubkey());
    Story::of(world, close, &[&relayer])
}

/// In one transaction the nullifier's account is closed and the same use shown again, which would count it twice.
#[test]
fn nullifier_is_not_closed_and_used_again_in_one_transaction() {
    let (mut world, relayer, args, grant) = proven();
    let verify = ix::verify_access_proof(relayer.pubkey(), &grant.tree, args);
    let close = ix::close_nullifier(&grant.tree, &args.nullifier, relayer.pubkey());
    world.must_prove(&grant, &relayer, args);
    for wait in [0, 60, HOUR, 2 * HOUR] {
        world.wait(wait);
        let before = world.chain.state();
        let again = [close.clone(), verify.clone()];
        assert!(world.chain.transact(&again, &[&relayer]).is_err(), "after {wait} s");
        assert!(world.chain.state() == before);
    }
    world.chain.must(close, &[&relayer]);
}

/// Room in a tree and the roots that it remembers are everybody's. Whoever fills it pays as for an account.
#[test]
fn tree_is_not_filled_for_a_fee() {
    let mut world = World::new();
    let (tree, record, patient) = (world.open_tree(), world.record(), world.patient.clone());
    let at = address::tree(&tree);
    let price = world.chain.svm.minimum_balance_for_rent_exemption(0);
    world.grant_unnamed(tree, record, |_| {});
    let (_, terms) = world.invitation();
    let before = world.chain.svm.get_balance(&at).unwrap();
    let poor = Keypair::new();
    let subject = (&patient.id, &record);
    let grant = ix::create_anonymous_grant(&patient.deciding(), poor.pubkey(), subject, &tree, terms);
    for lamports in [0, price - 1] {
        let account = Account {
            lamports,
            ..Account::default()
        };
        world.chain.svm.set_account(poor.pubkey(), account).unwrap();
        world
            .chain
            .fail(std::slice::from_ref(&grant), &[&patient.wallet, &poor]);
        assert_eq!(world.chain.svm.get_balance(&at), Some(before));
    }
    let account = Account {
        lamports: price,
        ..Account::default()
    };
    world.chain.svm.set_account(poor.pubkey(), account).unwrap();
    world.chain.must(grant, &[&patient.wallet, &poor]);
    assert_eq!(world.chain.svm.get_balance(&at), Some(before + price));
    assert_eq!(world.chain.svm.get_balance(&poor.pubkey()).unwrap_or(0), 0);
}

/// The leaf behind the last one would have the place of the first.
#[test]
fn full_tree_takes_no_leaf_in_anothers_place() {
    let mut world = World::new();
    let (tree, record, patient) = (world.open_tree(), world.record(), world.patient.clone());
    let grant = |world: &mut World| {
        let (_, terms) = world.invitation();
        let wallet = patient.wallet.pubkey();
        ix::create_anonymous_grant(&patient.deciding(), wallet, (&patient.id, &record), &tree, terms)
    };
    let fill = |leaves| move |tree: &mut GrantTree| tree.leaves = leaves;
    for leaves in [CAPACITY.into(), u64::from(CAPACITY) + 1, 1 << 32, u64::MAX] {
        world.chain.edit(&address::tree(&tree), fill(leaves));
        let one = grant(&mut world);
        world.chain.refuse(one, &[&patient.wallet], ChartsealError::TreeFull);
    }
    world.chain.edit(&address::tree(&tree), fill(u64::from(CAPACITY) - 1));
    let last = grant(&mut world);
    world.chain.must(last, &[&patient.wallet]);
}

/// Counters of a set that is as full as no tree can make it.
#[test]
fn overflow_of_a_sets_counters() {
    let mut world = World::new();
    let (tree, record, patient) = (world.open_tree(), world.record(), world.patient.clone());
    let one = world.grant_unnamed(tree, record, |_| {});
    let set = address::anonymous_set(&tree, &address::record(&patient.id, &record));
    world.chain.edit(&set, |set: &mut AnonymousSet| {
        (set.made, set.revoked) = (u32::MAX, u32::MAX);
    });
    let (_, terms) = world.invitation();
    let subject = (&patient.id, &record);
    let create = ix::create_anonymous_grant(&patient.deciding(), patient.wallet.pubkey(), subject, &tree, terms);
    world.chain.refuse(create, &[&patient.wallet], ChartsealError::Overflow);
    let args = world.revocation(&one);
    let revoke = ix::revoke_anonymous_grant(&patient.deciding(), subject, &tree, args);
    world.chain.refuse(revoke, &[&patient.wallet], ChartsealError::Overflow);
}
