//! The tree off chain: made of all its leaves, as a client does that was away for long; a path taken from it, and mended.

use anyhow::{Context as _, Result};
use chartseal_program::membership::{DEPTH, small};
use chartseal_zk::Field;
use chartseal_zk::tree::Tree;
use sha2::{Digest as _, Sha256};

use super::stopwatch::Stopwatch;
use super::{Line, Part};

/// What is too short for a clock is done so many times.
const TIMES: u32 = 1_000;

pub(super) fn measure(stopwatch: &Stopwatch, sizes: &[u32]) -> Result<Vec<Line>> {
    let one = |case: String, runs| Line::ms(Part::Tree, &case, 1, runs);
    let mut lines = Vec::new();
    for &size in sizes {
        let leaves: Vec<Field> = (1..=size).map(|leaf| small(leaf.into())).collect();
        let rebuild = || Ok(Tree::from_leaves(leaves.clone(), size.into())?);
        lines.push(one(format!("rebuild of {size} leaves"), stopwatch.one(rebuild)?));
        let sha256 = || sha256_root(leaves.clone());
        lines.push(one(format!("rebuild of {size} leaves by SHA-256"), stopwatch.one(sha256)?).of_peer());

        let mut tree = stopwatch.on_all(rebuild)?;
        let middle = size / 2;
        let take = || {
            std::hint::black_box(tree.path(middle)?);
            Ok(())
        };
        lines.push(one(
            format!("take a path, {size} leaves"),
            stopwatch.one_of(TIMES, take)?,
        ));
        let path = tree.path(middle)?;
        let change = tree.append(&small(7))?;
        let mend = || Ok(path.clone().mend(u64::from(size) + 1, &change)?);
        lines.push(one(
            format!("mend a path, {size} leaves"),
            stopwatch.one_of(TIMES, mend)?,
        ));
    }
    Ok(lines)
}

/// The root by a hash that no proof could open at such a price.
fn sha256_root(mut nodes: Vec<Field>) -> Result<Field> {
    let mut zero = [0; 32];
    for _ in 0..DEPTH {
        let join = |pair: &[Field]| -> Field {
            let right = pair.get(1).unwrap_or(&zero);
            Sha256::new()
                .chain_update(pair[0])
                .chain_update(right)
                .finalize()
                .into()
        };
        nodes = nodes.chunks(2).map(join).collect();
        zero = join(&[zero, zero]);
    }
    nodes.first().copied().context("a tree without leaves has no root here")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn both(left: &Field, right: &Field) -> Field {
        Sha256::digest([*left, *right].concat()).into()
    }

    #[test]
    fn the_other_tree_is_as_deep_and_hashes_every_leaf() {
        let leaves = [[1; 32], [2; 32], [3; 32]];
        let (mut root, mut zero) = (both(&leaves[0], &leaves[1]), [0; 32]);
        let beside = both(&leaves[2], &zero);
        zero = both(&zero, &zero);
        root = both(&root, &beside);
        zero = both(&zero, &zero);
        for _ in 2..DEPTH {
            root = both(&root, &zero);
            zero = both(&zero, &zero);
        }
        assert_eq!(sha256_root(leaves.to_vec()).unwrap(), root);
    }

    #[test]
    fn every_size_has_its_lines() {
        let lines = measure(&Stopwatch::new(3).unwrap(), &[5, 9]).unwrap();
        assert_eq!(lines.len(), 8);
        assert_eq!(lines.iter().filter(|line| line.peer).count(), 2);
    }
}
