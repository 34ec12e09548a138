//! A whole tree, of which only what differs from the empty one takes memory.

use std::collections::HashMap;

use chartseal_program::membership::{DEPTH, Field, ZEROS, node};

/// A tree of depth 20: nodes by level, the leaves' being 0, and place.
#[derive(Default)]
pub(super) struct Whole(HashMap<(usize, u32), Field>);

/// A leaf, or what stands above it, is no element of the field.
#[derive(Debug)]
pub(super) struct NotAField;

impl Whole {
    /// Writes a leaf at a place below 2^20, and returns the root after it.
    pub(super) fn set(&mut self, place: u32, leaf: &Field) -> Result<Field, NotAField> {
        let mut hash = *leaf;
        for (level, zero) in ZEROS.iter().enumerate().take(DEPTH) {
            let at = place >> level;
            self.0.insert((level, at), hash);
            let sibling = self.0.get(&(level, at ^ 1)).unwrap_or(zero);
            let joined = match at & 1 {
                0 => node(&hash, sibling),
                _ => node(sibling, &hash),
            };
            hash = joined.map_err(|_| NotAField)?;
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chartseal_program::{
        membership::{NO_LEAF, small},
        state::GrantTree,
    };

    use super::*;

    #[test]
    fn it_has_the_roots_that_the_contract_makes() {
        let mut whole = Whole::default();
        let mut contract: GrantTree = bytemuck::Zeroable::zeroed();
        contract.begin(&[1; 16], 255);
        for place in 0..7 {
            let leaf = small(100 + u64::from(place));
            assert_eq!(contract.append(&leaf).unwrap(), place);
            assert_eq!(whole.set(place, &leaf).unwrap(), *contract.root(), "leaf {place}");
        }
        // Its neighbour is taken out, then itself: what stands above both is empty again.
        let sibling = node(&small(106), &NO_LEAF).unwrap();
        let far = {
            let [a, b, c, d] = [0, 1, 2, 3].map(|n| small(100 + n));
            node(&node(&a, &b).unwrap(), &node(&c, &d).unwrap()).unwrap()
        };
        contract
            .remove(&small(105), 5, &[small(104), sibling, far], 7, 0)
            .unwrap();
        assert_eq!(whole.set(5, &NO_LEAF).unwrap(), *contract.root());
    }

    #[test]
    fn a_leaf_that_is_no_field_element_is_refused() {
        assert!(Whole::default().set(0, &[0xff; 32]).is_err());
    }

    #[test]
    fn a_tree_without_leaves_has_the_empty_root() {
        let mut whole = Whole::default();
        whole.set(3, &small(1)).unwrap();
        assert_eq!(whole.set(3, &NO_LEAF).unwrap(), ZEROS[DEPTH]);
    }
}
