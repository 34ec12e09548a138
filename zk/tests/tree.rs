//! The tree off chain against the program's own, and against hashing everything.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use bytemuck::Zeroable as _;
use chartseal_program::{
    membership::{NO_LEAF, ZEROS, node, small},
    state::{Change, GrantTree, ROOTS},
};
use chartseal_zk::{
    DEPTH, Field,
    tree::{Path, Tree, TreeError},
};
use proptest::prelude::*;

/// The root of leaves, by hashing all of them, in a tree as small as holds them, and then zeros to the right.
fn by_brute_force(leaves: &[Field]) -> Field {
    let mut nodes = leaves.to_vec();
    for zero in &ZEROS[..DEPTH] {
        if nodes.len() % 2 == 1 || nodes.is_empty() {
            nodes.push(*zero);
        }
        if nodes.len() == 1 {
            nodes.push(*zero);
        }
        nodes = nodes
            .chunks(2)
            .map(|pair| node(&pair[0], pair.get(1).unwrap_or(zero)).unwrap())
            .collect();
    }
    nodes[0]
}

#[test]
fn an_empty_tree_has_the_programs_root() {
    let tree = Tree::new();
    assert_eq!((tree.root(), tree.number(), tree.leaves()), (ZEROS[DEPTH], 0, 0));
    assert_eq!(by_brute_force(&[]), ZEROS[DEPTH]);
}

/// What is done to a tree: a leaf appended, or one revoked, counted from the first modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Revoke(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![3 => (1..u64::MAX).prop_map(Step::Append), 1 => (0..20_u32).prop_map(Step::Revoke)],
        1..24,
    )
}

/// Takes the steps that can be taken, and gives each to `with` with the change that it made.
fn take(steps: &[Step], mut with: impl FnMut(&Tree, &Step, Change)) -> Tree {
    let mut tree = Tree::new();
    for step in steps {
        let changed = match step {
            Step::Append(leaf) => tree.append(&small(*leaf)),
            Step::Revoke(index) => tree.revoke(*index),
        };
        if let Ok(change) = changed {
            with(&tree, step, change);
        }
    }
    tree
}

fn leaves(tree: &Tree) -> Vec<Field> {
    (0..tree.leaves()).map(|index| *tree.leaf(index).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_root_is_that_of_hashing_everything(steps in steps()) {
        let tree = take(&steps, |_, _, _| {});
        prop_assert_eq!(tree.root(), by_brute_force(&leaves(&tree)));
        let at_once = Tree::from_leaves(leaves(&tree), tree.number()).unwrap();
        prop_assert_eq!(at_once.root(), tree.root());
        for index in 0..tree.leaves() {
            prop_assert_eq!(at_once.path(index), tree.path(index));
        }
    }

    #[test]
    fn every_path_leads_to_the_root_also_when_mended(steps in steps()) {
        let mut old: Vec<Path> = Vec::new();
        let mut wrong = None;
        let tree = take(&steps, |tree, step, change| {
            old.retain_mut(|path| match path.mend(tree.number(), &change) {
                Ok(()) => true,
                Err(error) => {
                    // Only the revocation of this very leaf ends a path.
                    let expected = matches!(step, Step::Revoke(index) if *index == path.index);
                    if !expected || error != TreeError::Revoked(path.index) {
                        wrong = Some(error);
                    }
                    false
                }
            });
            if let Step::Append(_) = step {
                old.push(tree.path(tree.leaves() - 1).unwrap());
            }
        });
        prop_assert_eq!(wrong, None);
        let living = leaves(&tree).iter().filter(|leaf| **leaf != NO_LEAF).count();
        prop_assert_eq!(old.len(), living);
        for path in old {
            prop_assert_eq!(&path, &tree.path(path.index).unwrap());
            prop_assert_eq!(path.root(tree.leaf(path.index).unwrap()).unwrap(), tree.root());
        }
    }

    #[test]
    fn the_programs_tree_agrees_after_every_step(steps in steps()) {
        let mut on_chain = GrantTree::zeroed();
        on_chain.begin(&[1; 16], 255);
        let mut before = Tree::new();
        let mut wrong = None;
        take(&steps, |tree, step, change| {
            match step {
                Step::Append(leaf) => {
                    on_chain.append(&small(*leaf)).unwrap();
                }
                Step::Revoke(index) => {
                    let path = before.path(*index).unwrap();
                    on_chain.remove(before.leaf(*index).unwrap(), *index, path.trimmed(), path.number, 0).unwrap();
                }
            }
            let kept = on_chain.changes[tree.number() as usize % on_chain.changes.len()];
            if *on_chain.root() != tree.root() || on_chain.number != tree.number() || kept != change {
                wrong.get_or_insert(tree.number());
            }
            before = tree.clone();
        });
        prop_assert_eq!(wrong, None);
        prop_assert!(on_chain.number < ROOTS as u64);
    }
}

#[test]
fn a_change_out_of_order_does_not_mend() {
    let mut tree = Tree::new();
    tree.append(&small(1)).unwrap();
    let mut path = tree.path(0).unwrap();
    let second = tree.append(&small(2)).unwrap();
    let third = tree.append(&small(3)).unwrap();
    assert_eq!(path.mend(3, &third), Err(TreeError::Gap { have: 1, got: 3 }));
    path.mend(2, &second).unwrap();
    assert_eq!(path.mend(2, &second), Err(TreeError::Gap { have: 2, got: 2 }));
    path.mend(3, &third).unwrap();
    assert_eq!(path, tree.path(0).unwrap());
}

#[test]
fn what_was_never_made_or_is_revoked_has_no_path() {
    let mut tree = Tree::new();
    assert_eq!(tree.path(0), Err(TreeError::NoSuchLeaf(0)));
    assert_eq!(tree.revoke(0), Err(TreeError::NoSuchLeaf(0)));
    tree.append(&small(1)).unwrap();
    tree.revoke(0).unwrap();
    assert_eq!(tree.path(0), Err(TreeError::Revoked(0)));
    assert_eq!(tree.revoke(0), Err(TreeError::Revoked(0)));
    assert_eq!(tree.leaves(), 1);
    assert_eq!(tree.root(), ZEROS[DEPTH]);
}

#[test]
fn a_leaf_that_is_no_field_element_changes_nothing() {
    let mut tree = Tree::new();
    tree.append(&small(1)).unwrap();
    let root = tree.root();
    assert!(matches!(tree.append(&[255; 32]), Err(TreeError::NotCanonical(_))));
    assert_eq!((tree.root(), tree.number(), tree.leaves()), (root, 1, 1));
    assert!(Tree::from_leaves(vec![[255; 32]], 1).is_err());
}
