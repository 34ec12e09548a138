//! Grants without a name in a tree that is as good as full, and proofs of them.

use chartseal_program::{
    builders::{self as ix, By},
    instructions::*,
    membership::{node, record as named, Field, CAPACITY, DEPTH, ZEROS},
    seeds::{address, Id},
    state::{Change, GrantTree, CHANGES, HOUR, ROOTS},
    vocabulary::*,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANY, LEAF, LEAF_OUT, SHOWN};
use crate::anonymous::Unnamed;

// A path of twenty fits a transaction where nobody else pays. A relayer has room for nineteen, which is half of the tree.
#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("open_tree", "", ANY, open),
    ("create_anonymous_grant", "first leaf of the tree", LEAF, |stage| create(stage, false, 0, false)),
    ("create_anonymous_grant", "last leaf of the tree", LEAF, |stage| create(stage, false, CAPACITY - 1, false)),
    ("create_anonymous_grant", "record that has one", LEAF, |stage| create(stage, false, 0, true)),
    ("create_anonymous_grant", "by a delegate", LEAF, |stage| create(stage, true, 0, false)),
    ("revoke_anonymous_grant", "depth 20, ten changes mended", LEAF_OUT, |stage| revoke(stage, false, DEPTH).paid_by_signer()),
    ("revoke_anonymous_grant", "by a delegate, depth 20, ten changes mended", LEAF_OUT, |stage| revoke(stage, true, DEPTH).paid_by_signer()),
    ("revoke_anonymous_grant", "depth 19, ten changes mended", LEAF_OUT, |stage| revoke(stage, false, DEPTH - 1)),
    ("revoke_anonymous_grant", "by a delegate, depth 18, ten changes mended", LEAF_OUT, |stage| revoke(stage, true, DEPTH - 2)),
    ("verify_access_proof", "", SHOWN, verify),
    ("close_nullifier", "", ANY, close),
];

fn open_tree(stage: &mut Stage) -> Id {
    let admin = stage.world.chain.admin.insecure_clone();
    let id = address::draw_tree_id(|| stage.random_id());
    stage
        .world
        .chain
        .must(ix::open_tree(admin.pubkey(), admin.pubkey(), id), &[&admin]);
    id
}

fn open(stage: &mut Stage) -> Case {
    let admin = stage.world.chain.admin.insecure_clone();
    let id = address::draw_tree_id(|| stage.random_id());
    Case::new(ix::open_tree(admin.pubkey(), stage.payer(), id), &[&admin])
}

fn deciding(stage: &mut Stage, delegated: bool) -> (By, Keypair) {
    if delegated {
        let carer = stage.world.delegate(Action::MASK);
        (carer.deciding(), carer.wallet)
    } else {
        let patient = &stage.world.patient;
        (patient.deciding(), patient.wallet.insecure_clone())
    }
}

/// A grant that is the leaf at this place.
fn create(stage: &mut Stage, delegated: bool, index: u32, has_one: bool) -> Case {
    let (by, wallet) = deciding(stage, delegated);
    let (tree, record) = (open_tree(stage), stage.world.record());
    if has_one {
        stage.world.grant_unnamed(tree, record, |_| {});
    } else {
        stage.world.chain.edit(&address::tree(&tree), |tree: &mut GrantTree| {
            tree.leaves = index.into();
            tree.frontier = [[5; 32]; DEPTH];
        });
    }
    let (_, terms) = stage.world.invitation();
    let subject = (&stage.world.patient.id, &record);
    let create = ix::create_anonymous_grant(&by, stage.payer(), subject, &tree, terms);
    Case::new(create, &[&wallet])
}

/// The last leaf of the tree's first so many levels, all of whose siblings are there. Ten of them have changed since its
/// path was read.
fn revoke(stage: &mut Stage, delegated: bool, depth: usize) -> Case {
    let (by, wallet) = deciding(stage, delegated);
    let (tree, record) = (open_tree(stage), stage.world.record());
    let grant = stage.world.grant_unnamed(tree, record, |_| {});
    let path = vec![[5; 32]; depth];
    let index = (1 << depth) - 1;
    let number = grow(stage, &grant, index, &path);
    let args = RevokeAnonymousGrantArgs {
        index,
        number: number - CHANGES as u64,
        terms: grant.terms,
        path,
    };
    let revoke = ix::revoke_anonymous_grant(&by, (&grant.patient, &record), &tree, args);
    Case::new(revoke, &[&wallet])
}

/// Moves a leaf to this place and puts these siblings beside it, as a million grants would; the tree's number.
fn grow(stage: &mut Stage, grant: &Unnamed, index: u32, path: &[Field]) -> u64 {
    let leaf = grant
        .terms
        .leaf(&named(&grant.patient, &grant.record).unwrap())
        .unwrap();
    let below = path.iter().fold(leaf, |hash, sibling| node(sibling, &hash).unwrap());
    let root = (path.len()..DEPTH).fold(below, |hash, level| node(&hash, &ZEROS[level]).unwrap());
    let number = u64::from(index) + 1;
    stage
        .world
        .chain
        .edit(&address::tree(&grant.tree), |tree: &mut GrantTree| {
            (tree.leaves, tree.number) = (number, number);
            tree.roots[number as usize % ROOTS] = root;
            for (level, change) in tree.changes.iter_mut().enumerate() {
                *change = Change {
                    index: u64::from(index) ^ 1 << level,
                    nodes: [[5; 32]; DEPTH],
                };
            }
        });
    number
}

/// A grant without a name, and what its reader shows of it by a relayer.
fn proven(stage: &mut Stage) -> (Unnamed, VerifyAccessProofArgs) {
    let (tree, record, relayer) = (open_tree(stage), stage.world.record(), stage.relayer());
    let grant = stage.world.grant_unnamed(tree, record, |_| {});
    let asking = stage.world.asking(&relayer);
    let args = stage.world.prove(&grant, &asking);
    (grant, args)
}

/// Whoever brings it pays.
fn verify(stage: &mut Stage) -> Case {
    let (grant, args) = proven(stage);
    let relayer = stage.relayer();
    Case::new(
        ix::verify_access_proof(relayer.pubkey(), &grant.tree, args),
        &[&relayer],
    )
    .paid_by_signer()
}

/// Nobody but who pays the fee signs.
fn close(stage: &mut Stage) -> Case {
    let (grant, args) = proven(stage);
    let relayer = stage.relayer();
    stage.world.must_prove(&grant, &relayer, args);
    stage.world.wait(2 * HOUR);
    Case::new(ix::close_nullifier(&grant.tree, &args.nullifier, relayer.pubkey()), &[])
}
