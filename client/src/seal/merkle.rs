//! A binary Merkle tree over 32-byte hashes, shaped and separated as in RFC 6962 (leaves are hashed with 0x00 before
//! them, nodes with 0x01), with a final hash that binds a label and the number of leaves. So no inner node passes for a
//! leaf, no list for a longer one, and no root of one purpose for a root of another. The shape is the one that batches
//! have on chain.

use chartseal_program::merkle::levels;

use crate::crypto::sha256;

/// The label of content roots: the tree over the roots of a record's shards.
pub const CONTENT_LABEL: &[u8] = b"chartseal/content/root/v1";

/// The root over some hashes: SHA-256(label || number of leaves (u64, little-endian) || RFC 6962 tree hash).
#[must_use]
pub fn root(label: &[u8], leaves: &[[u8; 32]]) -> [u8; 32] {
    sha256(&[label, &(leaves.len() as u64).to_le_bytes(), &tree_hash(leaves)])
}

/// `MTH` of RFC 6962, section 2.1.
fn tree_hash(leaves: &[[u8; 32]]) -> [u8; 32] {
    let hashed = leaves.iter().map(|leaf| sha256(&[&[0], leaf])).collect();
    let levels = levels(hashed, |left, right| sha256(&[&[1], left, right]));
    let top = levels.last().and_then(|level| level.first());
    top.copied().unwrap_or_else(|| sha256(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_that_of_rfc_6962() {
        assert_eq!(
            hex::encode(tree_hash(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        let leaf = |hash: &[u8; 32]| sha256(&[&[0], hash]);
        let node = |left: &[u8; 32], right: &[u8; 32]| sha256(&[&[1], left, right]);
        assert_eq!(tree_hash(&[a, b]), node(&leaf(&a), &leaf(&b)));
        assert_eq!(tree_hash(&[a, b, c]), node(&node(&leaf(&a), &leaf(&b)), &leaf(&c)));
        let five = [a, b, c, a, b];
        assert_eq!(tree_hash(&five), node(&tree_hash(&five[..4]), &leaf(&b)));
    }

    #[test]
    fn order_number_and_label_change_the_root() {
        let [a, b] = [[1; 32], [2; 32]];
        let all = [
            root(b"x", &[a, b]),
            root(b"x", &[b, a]),
            root(b"x", &[a, b, b]),
            root(b"y", &[a, b]),
            root(b"x", &[a]),
        ];
        for (position, one) in all.iter().enumerate() {
            assert!(!all[position + 1..].contains(one));
        }
    }
}
