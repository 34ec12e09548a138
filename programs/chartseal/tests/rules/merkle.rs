//! The tree behind a batch: every leaf is proven, and nothing else is.

use chartseal_program::{
    events::Content,
    merkle::{levels, verify, Hash, Leaf, Tree},
    seeds::Id,
    ID,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn sha256(parts: &[&[u8]]) -> Hash {
    parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
}

fn leaves(count: u32) -> Vec<Hash> {
    (0..count).map(|n| sha256(&[&n.to_le_bytes()])).collect()
}

fn tree(count: u32) -> Tree {
    Tree::new(leaves(count)).unwrap()
}

/// The definition of RFC 9162, section 2.1.1, with our labels: written from its prose, and not how the tree is built.
fn tree_hash(leaves: &[Hash]) -> Hash {
    let [leaf] = leaves else {
        let k = (0..)
            .map(|n| 1usize << n)
            .take_while(|k| *k < leaves.len())
            .last()
            .unwrap();
        let (left, right) = leaves.split_at(k);
        return sha256(&[b"chartseal/batch-node/v1", &tree_hash(left), &tree_hash(right)]);
    };
    *leaf
}

fn root(leaves: &[Hash]) -> Hash {
    let count = leaves.len() as u32;
    sha256(&[b"chartseal/batch-root/v1", &count.to_le_bytes(), &tree_hash(leaves)])
}

#[test]
fn tree_is_that_of_the_rfc() {
    for count in 1..=70 {
        assert_eq!(tree(count).root(), root(&leaves(count)), "of {count}");
    }
    assert_eq!(tree(1000).root(), root(&leaves(1000)));
    assert_eq!(tree(1000).count(), 1000);
}

#[test]
fn no_leaves_make_no_tree() {
    assert!(Tree::new(Vec::new()).is_none());
    assert!(!verify(&[1; 32], 0, 0, &[], &[2; 32]));
    assert_eq!(levels(Vec::new(), |left, _| *left), vec![Vec::<Hash>::new()]);
}

#[test]
fn leaf_is_bound_to_all_that_it_says() {
    let (one, other): (Id, Id) = ([1; 16], [2; 16]);
    let content = Content {
        manifest_hash: [3; 32],
        root: [4; 32],
        locator: [5; 32],
        padded_size: 6,
    };
    let leaf = Leaf {
        institution: &one,
        batch: &one,
        index: 7,
        patient: &one,
        record: &one,
        class: 8,
        content: &content,
    };
    let by_hand = sha256(&[
        b"chartseal/batch-leaf/v1",
        ID.as_ref(),
        &one,
        &one,
        &7u32.to_le_bytes(),
        &one,
        &one,
        &[8],
        &[3; 32],
        &[4; 32],
        &[5; 32],
        &6u64.to_le_bytes(),
    ]);
    assert_eq!(leaf.hash(), by_hand);
    let with = |change: fn(&mut Content)| {
        let mut content = content;
        change(&mut content);
        Leaf {
            content: &content,
            ..leaf
        }
        .hash()
    };
    let mut hashes = vec![
        leaf.hash(),
        Leaf {
            institution: &other,
            ..leaf
        }
        .hash(),
        Leaf { batch: &other, ..leaf }.hash(),
        Leaf { index: 8, ..leaf }.hash(),
        Leaf {
            patient: &other,
            ..leaf
        }
        .hash(),
        Leaf { record: &other, ..leaf }.hash(),
        Leaf { class: 9, ..leaf }.hash(),
        with(|content| content.manifest_hash[31] ^= 1),
        with(|content| content.root[31] ^= 1),
        with(|content| content.locator[31] ^= 1),
        with(|content| content.padded_size ^= 1 << 63),
    ];
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

/// Every small tree, every leaf of it, and everything that could be altered about its proof.
#[test]
fn small_trees_prove_their_leaves_and_nothing_else() {
    const MOST: u32 = 20;
    for count in 1..=MOST {
        let (tree, leaves) = (tree(count), leaves(count));
        let root = tree.root();
        assert!(tree.path(count).is_none());
        for (index, leaf) in (0..count).zip(&leaves) {
            let path = tree.path(index).unwrap();
            assert!(verify(leaf, index, count, &path, &root), "{index} of {count}");
            for other in leaves.iter().filter(|other| *other != leaf) {
                assert!(!verify(other, index, count, &path, &root));
            }
            for place in 0..=MOST * 2 {
                for number in 0..=MOST * 2 {
                    let same = (place, number) == (index, count);
                    assert_eq!(verify(leaf, place, number, &path, &root), same);
                }
            }
            for altered in alterations(&path) {
                assert!(!verify(leaf, index, count, &altered, &root), "{index} of {count}");
            }
            let mut other_root = root;
            other_root[0] ^= 1;
            assert!(!verify(leaf, index, count, &path, &other_root));
        }
    }
}

/// Paths that are not this one: a sibling altered, left out, doubled, added at either end, or changed with its neighbour.
fn alterations(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut altered = Vec::new();
    for place in 0..path.len() {
        for byte in [0, 31] {
            let mut flipped = path.to_vec();
            flipped[place][byte] ^= 0x80;
            altered.push(flipped);
        }
        let mut shorter = path.to_vec();
        shorter.remove(place);
        altered.push(shorter);
        let mut doubled = path.to_vec();
        doubled.insert(place, path[place]);
        altered.push(doubled);
    }
    for place in 1..path.len() {
        let mut swapped = path.to_vec();
        swapped.swap(place - 1, place);
        altered.push(swapped);
    }
    for end in [0, path.len()] {
        let mut longer = path.to_vec();
        longer.insert(end, [0; 32]);
        altered.push(longer);
    }
    altered
}

/// An inner node is hashed under another label than a leaf, so it cannot stand for a record: a batch of two is none of one.
#[test]
fn node_passes_for_no_leaf_and_no_root() {
    let leaves = leaves(4);
    let top = tree_hash(&leaves);
    let tree = Tree::new(leaves.clone()).unwrap();
    assert!(!verify(&top, 0, 1, &[], &tree.root()));
    assert!(!verify(&top, 0, 4, &[], &tree.root()));
    let right = tree_hash(&leaves[2..]);
    assert!(!verify(&tree_hash(&leaves[..2]), 0, 2, &[right], &tree.root()));
    assert_ne!(top, tree.root());
}

#[test]
fn order_and_number_change_the_root() {
    let leaves = leaves(3);
    let [a, b, c] = [leaves[0], leaves[1], leaves[2]];
    let lists = [
        vec![a],
        vec![a, a],
        vec![a, b],
        vec![b, a],
        vec![a, b, b],
        vec![a, b, c],
        vec![a, c, b],
        vec![a, b, c, c],
    ];
    let mut roots: Vec<_> = lists.into_iter().map(|list| Tree::new(list).unwrap().root()).collect();
    let count = roots.len();
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), count);
}

/// Numbers at the edge of their type neither overflow nor pass.
#[test]
fn numbers_at_their_bounds_are_walked_to_the_end() {
    let path = vec![[9; 32]; 40];
    for count in [1, 2, 1 << 31, u32::MAX - 1, u32::MAX] {
        for index in [0, 1, count / 2, count - 1, count, u32::MAX] {
            for length in [0, 1, 31, 32, 33, 40] {
                assert!(!verify(&[1; 32], index, count, &path[..length], &[2; 32]));
            }
        }
    }
    // The walk of the largest tree's first leaf, by hand.
    let climb = |siblings: usize| {
        let top = (0..siblings).fold([1; 32], |hash, _| {
            sha256(&[b"chartseal/batch-node/v1", &hash, &[9; 32]])
        });
        sha256(&[b"chartseal/batch-root/v1", &u32::MAX.to_le_bytes(), &top])
    };
    assert!(verify(&[1; 32], 0, u32::MAX, &path[..32], &climb(32)));
    assert!(!verify(&[1; 32], 0, u32::MAX, &path[..31], &climb(31)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn large_trees_prove_their_leaves_and_nothing_else(
        count in 1u32..3000,
        place in any::<proptest::sample::Index>(),
        other in any::<proptest::sample::Index>(),
        byte in 0usize..32,
        bit in 0u32..8,
    ) {
        let (tree, leaves) = (tree(count), leaves(count));
        let index = place.index(leaves.len()) as u32;
        let (leaf, path, root) = (leaves[index as usize], tree.path(index).unwrap(), tree.root());
        prop_assert!(verify(&leaf, index, count, &path, &root));
        let elsewhere = other.index(leaves.len()) as u32;
        prop_assert_eq!(verify(&leaf, elsewhere, count, &path, &root), elsewhere == index);
        for number in [count - 1, count + 1, count ^ (1 << bit), count * 2] {
            prop_assert!(!verify(&leaf, index, number, &path, &root));
        }
        let mut altered = leaf;
        altered[byte] ^= 1 << bit;
        prop_assert!(!verify(&altered, index, count, &path, &root));
        for altered in alterations(&path) {
            prop_assert!(!verify(&leaf, index, count, &altered, &root));
        }
    }

    /// Whatever is sent, verification ends and says no.
    #[test]
    fn no_garbage_passes(
        leaf: Hash,
        index: u32,
        count: u32,
        path in proptest::collection::vec(any::<Hash>(), 0..40),
        root: Hash,
    ) {
        prop_assert!(!verify(&leaf, index, count, &path, &root));
    }
}
