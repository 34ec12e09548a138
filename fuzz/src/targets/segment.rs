//! Segments of a shard. An input names keys, ids, a length and one thing that somebody does to them. Untouched they open
//! to what was sealed, whole and from any segment on. Touched, they do not match the root that the author wrote; and where
//! a forger writes a root that they do match, they do not decrypt.

use chartseal::fuzzing;
use chartseal::seal::{DataKey, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, ShardEntry};

use super::data_key;
use crate::bytes::Bytes;

/// Where a shard stands, and what opens it.
struct Place {
    key: DataKey,
    ids: RecordIds,
    number: u32,
    salt: [u8; 16],
}

pub(super) fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let place = place(&mut input);
    let (how, one, other) = (input.byte(), input.u32(), input.u32());
    let plaintext = plaintext(&mut input);
    let sealed = place.seal(&plaintext);
    let written = fuzzing::describe_segments(&sealed, place.salt).expect("a shard has a segment");
    let (leaf_list, entry) = &written;
    for first in [0, one % entry.segments] {
        let from = first as usize;
        let (sealed, plaintext) = (&sealed[from * SEGMENT_LEN..], &plaintext[from * SEGMENT_PLAIN_LEN..]);
        assert!(fuzzing::segments_match(entry, leaf_list, first, sealed));
        assert!(
            place
                .open(&written, first, sealed)
                .is_some_and(|opened| opened == plaintext)
        );
    }

    if how % 2 == 0 {
        let touched = touch(&sealed, how / 2, one, other, &place);
        if touched == sealed {
            return;
        }
        // The author's segments but fewer of them are seen before: the manifest has their length.
        if !(sealed.starts_with(&touched) && touched.len().is_multiple_of(SEGMENT_LEN)) {
            assert!(
                !fuzzing::segments_match(entry, leaf_list, 0, &touched),
                "the author's root fits other segments"
            );
            assert!(place.open(&written, 0, &touched).is_none(), "they open, too");
        }
        let Some(forged) = fuzzing::describe_segments(&touched, place.salt) else {
            return;
        };
        assert!(
            fuzzing::segments_match(&forged.1, &forged.0, 0, &touched),
            "a forger's root fits his own"
        );
        assert!(place.open(&forged, 0, &touched).is_none(), "touched segments decrypt");
    } else {
        let elsewhere = place.elsewhere(how / 2);
        // The author's own root and leaves, which the salt is no part of.
        let moved = fuzzing::describe_segments(&sealed, elsewhere.salt).expect("a shard has a segment");
        let opened = elsewhere.open(&moved, 0, &sealed);
        assert!(opened.is_none(), "segments decrypt in another place");
        let mut list = leaf_list.clone();
        let at = other as usize % list.len();
        list[at] ^= 1;
        assert!(
            !fuzzing::segments_match(entry, &list, 0, &sealed),
            "another leaf list fits the root"
        );
        assert!(place.open(&(list, *entry), 0, &sealed).is_none());
    }
}

fn place(input: &mut Bytes<'_>) -> Place {
    Place {
        key: data_key(&input.array()),
        ids: RecordIds {
            patient: input.array(),
            record: input.array(),
            version: input.u32(),
        },
        number: input.u32(),
        salt: input.array(),
    }
}

/// Up to four segments, of what the input ends with, again and again.
fn plaintext(input: &mut Bytes<'_>) -> Vec<u8> {
    let len = match input.byte() % 4 {
        0 => usize::from(input.u16()) % 300,
        // Around the end of a segment.
        count => usize::from(count) * SEGMENT_PLAIN_LEN + usize::from(input.u16() % 5) - 2,
    };
    let pattern = input.rest();
    let pattern = if pattern.is_empty() { &[0] } else { pattern };
    pattern.iter().copied().cycle().take(len).collect()
}

/// Somebody's other order, number or bytes of the same segments.
fn touch(sealed: &[u8], how: u8, one: u32, other: u32, place: &Place) -> Vec<u8> {
    let (one, other) = (one as usize, other as usize);
    let mut parts: Vec<Vec<u8>> = sealed.chunks(SEGMENT_LEN).map(<[u8]>::to_vec).collect();
    let count = parts.len();
    match how % 7 {
        0 => {
            let mut flipped = sealed.to_vec();
            flipped[one % sealed.len()] ^= 1 << (other % 8);
            return flipped;
        }
        1 => return sealed[..one % sealed.len()].to_vec(),
        2 => parts.swap(one % count, other % count),
        3 => parts[one % count] = parts[other % count].clone(),
        4 => {
            let again = parts[one % count].clone();
            parts.insert(other % (count + 1), again);
        }
        5 => {
            parts.remove(one % count);
        }
        // The same bytes as an older version had them: another salt, so another key.
        _ => {
            let older = Place {
                salt: [place.salt[0].wrapping_add(1); 16],
                ..place.again()
            };
            let written = fuzzing::describe_segments(sealed, place.salt).expect("a shard has a segment");
            let plaintext = place.open(&written, 0, sealed).expect("they are ours");
            return older.seal(&plaintext);
        }
    }
    parts.concat()
}

impl Place {
    fn again(&self) -> Self {
        Self {
            key: self.key.clone(),
            ..*self
        }
    }

    fn elsewhere(&self, how: u8) -> Self {
        let mut elsewhere = self.again();
        match how % 6 {
            0 => elsewhere.ids.patient[15] ^= 1,
            1 => elsewhere.ids.record[0] ^= 1,
            2 => elsewhere.ids.version ^= 1,
            3 => elsewhere.number ^= 1,
            4 => elsewhere.salt[3] ^= 1,
            _ => elsewhere.key = DataKey::generate().expect("there is randomness"),
        }
        elsewhere
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        fuzzing::seal_segments(&self.key, &self.ids, self.number, &self.salt, plaintext).expect("it has its size")
    }

    fn open(&self, written: &(Vec<u8>, ShardEntry), first: u32, segments: &[u8]) -> Option<Vec<u8>> {
        fuzzing::open_segments(&self.key, &self.ids, self.number, written, first, segments)
    }
}
