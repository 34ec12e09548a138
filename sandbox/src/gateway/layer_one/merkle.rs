//! Arweave's Merkle trees over the chunks of a transaction's data: how data is cut, what the root over the pieces is, and
//! whether a path leads from a root to a chunk. A leaf is bound to where its chunk ends, a branch to where its left half
//! ends, so a path proves a place as well as a content.
//!
//! Paths are checked as `ar_merkle:validate_path` does under the rules that hold for new data, without rebased subtrees;
//! where the node clamps what lies outside of its bounds, this refuses.

use sha2::{Digest, Sha256};

/// The longest chunk, in bytes; also where chunks begin, except for the last of several.
pub(super) const MAX_CHUNK: u64 = 256 << 10;

/// Pieces shorter than this are evened out with the one before.
const MIN_CHUNK: u64 = 32 << 10;

const HASH: usize = 32;
const NOTE: usize = 32;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The SHA-256 of the chunk.
    pub(super) data_hash: [u8; HASH],
    /// Where the chunk begins in the data.
    pub(super) start: u64,
    /// Where it ends.
    pub(super) end: u64,
}

/// Follows a path from `root` to the chunk that holds byte `offset` of `size` bytes. `None`: it is no such path.
pub(super) fn validate_path(root: [u8; HASH], offset: u64, size: u64, path: &[u8]) -> Option<Leaf> {
    if offset >= size {
        return None;
    }
    let (mut id, mut left, mut right) = (root, 0, size);
    // Whether only right turns were taken; nothing is known before the first turn.
    let mut rightmost = None;
    let mut rest = path;
    while rest.len() > HASH + NOTE {
        let (left_id, after) = rest.split_first_chunk::<HASH>()?;
        let (right_id, after) = after.split_first_chunk::<HASH>()?;
        let (note, after) = after.split_first_chunk::<NOTE>()?;
        if branch(left_id, right_id, note) != id {
            return None;
        }
        let border = number(note)?;
        if offset < border {
            (id, right, rightmost) = (*left_id, right.min(border), Some(false));
        } else {
            (id, left, rightmost) = (*right_id, left.max(border), rightmost.or(Some(true)));
        }
        rest = after;
    }
    let (data_hash, note) = rest.split_first_chunk::<HASH>()?;
    let note: &[u8; NOTE] = note.try_into().ok()?;
    let end = number(note)?;
    let placed = left < end && end == right && end - left <= MAX_CHUNK;
    (leaf(data_hash, note) == id && placed && is_split_well(left, end, rightmost == Some(true))).then_some(Leaf {
        data_hash: *data_hash,
        start: left,
        end,
    })
}

/// A chunk begins where a chunk of full length would; the last of several may begin later, if it goes on beyond there.
fn is_split_well(start: u64, end: u64, last: bool) -> bool {
    let within = start / MAX_CHUNK;
    start.is_multiple_of(MAX_CHUNK) || (last && within + 1 == end / MAX_CHUNK && !end.is_multiple_of(MAX_CHUNK))
}

/// Where the chunks of so many bytes end, as all of Arweave's libraries cut them.
pub(super) fn cut(size: u64) -> Vec<u64> {
    let mut ends = Vec::new();
    let mut start = 0;
    while size - start >= MAX_CHUNK {
        let rest = size - start;
        let spare = rest - MAX_CHUNK;
        let length = if spare > 0 && spare < MIN_CHUNK {
            rest.div_ceil(2)
        } else {
            MAX_CHUNK
        };
        start += length;
        ends.push(start);
    }
    // There is a last one even where nothing is left: that is how the first library did it, and the root depends on it.
    if size > start || size.is_multiple_of(MAX_CHUNK) {
        ends.push(size);
    }
    ends
}

/// The root over data that is cut as [`cut`] says.
pub(super) fn root(data: &[u8]) -> [u8; HASH] {
    let mut start = 0;
    let mut row = Vec::new();
    for end in cut(data.len() as u64) {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let to = usize::try_from(end).unwrap_or(usize::MAX);
        let chunk = data.get(from..to).unwrap_or_default();
        row.push((leaf(&Sha256::digest(chunk).into(), &note(end)), end));
        start = end;
    }
    while row.len() > 1 {
        row = row
            .chunks(2)
            .filter_map(|pair| match pair {
                [(left, border), (right, end)] => Some((branch(left, right, &note(*border)), *end)),
                [odd, ..] => Some(*odd),
                [] => None,
            })
            .collect();
    }
    row.first().map(|(root, _)| *root).unwrap_or_default()
}

fn leaf(data_hash: &[u8; HASH], note: &[u8; NOTE]) -> [u8; HASH] {
    Sha256::new()
        .chain_update(Sha256::digest(data_hash))
        .chain_update(Sha256::digest(note))
        .finalize()
        .into()
}

fn branch(left: &[u8; HASH], right: &[u8; HASH], note: &[u8; NOTE]) -> [u8; HASH] {
    Sha256::new()
        .chain_update(Sha256::digest(left))
        .chain_update(Sha256::digest(right))
        .chain_update(Sha256::digest(note))
        .finalize()
        .into()
}

/// A number of 256 bits, big-endian, if it is one that data can have.
fn number(note: &[u8; NOTE]) -> Option<u64> {
    let (high, low) = note.split_last_chunk::<8>()?;
    high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low))
}

fn note(number: u64) -> [u8; NOTE] {
    let mut note = [0; NOTE];
    if let Some(low) = note.last_chunk_mut::<8>() {
        *low = number.to_be_bytes();
    }
    note
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    const CHUNK: usize = 256 << 10;

    #[test]
    fn data_is_cut_as_the_libraries_cut_it() {
        let full = MAX_CHUNK;
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(full), [full, full]);
        assert_eq!(cut(full + 1), [131_073, full + 1]);
        assert_eq!(cut(full + MIN_CHUNK), [full, full + MIN_CHUNK]);
        assert_eq!(cut(2 * full + 10), [full, full + 131_077, 2 * full + 10]);
    }

    #[test]
    fn a_root_is_the_one_that_arweave_js_computes() {
        let root = root(&vec![0; CHUNK + 1]);
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(root),
            "br1Vtl3TS_NGWdHmYqBh3-MxrlckoluHCZGmUZk-dJc"
        );
    }

    /// Three chunks: their ids, and the paths to them.
    fn tree(data: &[u8], ends: [u64; 3]) -> ([u8; 32], [Vec<u8>; 3]) {
        let mut start = 0;
        let leaves: Vec<([u8; 32], Vec<u8>)> = ends
            .iter()
            .map(|end| {
                let hash: [u8; 32] =
                    Sha256::digest(&data[usize::try_from(start).unwrap()..usize::try_from(*end).unwrap()]).into();
                start = *end;
                (leaf(&hash, &note(*end)), [hash, note(*end)].concat())
            })
            .collect();
        let inner = branch(&leaves[0].0, &leaves[1].0, &note(ends[0]));
        let root = branch(&inner, &leaves[2].0, &note(ends[1]));
        let top = [inner, leaves[2].0, note(ends[1])].concat();
        let mid = [leaves[0].0, leaves[1].0, note(ends[0])].concat();
        let paths = [
            [&top[..], &mid, &leaves[0].1].concat(),
            [&top[..], &mid, &leaves[1].1].concat(),
            [&top[..], &leaves[2].1].concat(),
        ];
        (root, paths)
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 % 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn a_path_leads_to_its_chunk_and_to_no_other() {
        let data = noise(2 * CHUNK + 50_000);
        let size = data.len() as u64;
        let ends = [MAX_CHUNK, 2 * MAX_CHUNK, size];
        let (top, paths) = tree(&data, ends);
        assert_eq!(top, root(&data));
        for (index, path) in paths.iter().enumerate() {
            let (start, end) = (if index == 0 { 0 } else { ends[index - 1] }, ends[index]);
            for offset in [start, end - 1] {
                let leaf = validate_path(top, offset, size, path).unwrap();
                assert_eq!((leaf.start, leaf.end), (start, end));
                assert!(validate_path(top, offset, size, &path[..path.len() - 1]).is_none());
                for at in 0..path.len() {
                    let mut altered = path.clone();
                    altered[at] ^= 1;
                    assert!(validate_path(top, offset, size, &altered).is_none(), "byte {at}");
                }
            }
            for other in [0, ends[0], ends[1]].into_iter().filter(|other| *other != start) {
                assert!(
                    validate_path(top, other, size, path).is_none(),
                    "{other} by path {index}"
                );
            }
        }
        assert!(validate_path(top, size, size, &paths[2]).is_none(), "beyond the end");
        assert!(
            validate_path(top, 2 * MAX_CHUNK, size - 1, &paths[2]).is_none(),
            "another size"
        );
        assert!(
            validate_path(top, 2 * MAX_CHUNK, size + 1, &paths[2]).is_none(),
            "another size"
        );
        assert!(validate_path(top, 0, size, &[]).is_none());
    }

    #[test]
    fn chunks_that_are_cut_at_will_are_refused() {
        let data = noise(3 * CHUNK + 1);
        for (ends, index) in [
            ([100_000, 300_000, 500_000], 1),
            ([MAX_CHUNK, MAX_CHUNK + 1, MAX_CHUNK + 2], 2),
            ([MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK], 2),
        ] {
            let (top, paths) = tree(&data, ends);
            assert!(
                validate_path(top, ends[index - 1], ends[2], &paths[index]).is_none(),
                "{ends:?}"
            );
        }
        let (top, paths) = tree(&data, [MAX_CHUNK, MAX_CHUNK * 2, MAX_CHUNK * 3 + 1]);
        assert!(
            validate_path(top, 2 * MAX_CHUNK, MAX_CHUNK * 3 + 1, &paths[2]).is_none(),
            "too long"
        );
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_no_place() {
        let mut huge = note(5);
        assert_eq!(number(&huge), Some(5));
        huge[23] = 1;
        assert_eq!(number(&huge), None);
    }
}
