//! Segments of a shard. An input names keys, ids, a length and one thing that somebody does to them. Untouched they open
//! to what was sealed, whole and from any segment on. Touched, they do not match the root that the author wrote; and where
//! a forger writes a root that they do match, they do not decrypt.

use chartseal::fuzzing;
use chartseal::seal::{DataKey, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN};

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
    let (leaf_list, entry) = fuzzing::describe_segments(&sealed, place.salt).expect("a shard has a segment");
    assert!(fuzzing::segments_match(&entry, &leaf_list, 0, &sealed));
    let count = entry.segments;
    let first = one % count;
    let from = first as usize;
    let opened = fuzzing::open_segments(
        &place.key,
        &place.ids,
        place.number,
        &entry,
        first,
        &sealed[from * SEGMENT_LEN..],
    );
    assert!(opened.is_some_and(|opened| opened == plaintext[from * SEGMENT_PLAIN_LEN..]));
    assert!(fuzzing::segments_match(
        &entry,
        &leaf_list,
        first,
        &sealed[from * SEGMENT_LEN..]
    ));

    if how % 2 == 0 {
        let touched = touch(&sealed, how / 2, one, other, &place);
        if touched != sealed {
            // As many bytes as the manifest says, or they are not even compared.
            let whole = touched.len() as u64 == entry.sealed_len();
            assert!(
                !(whole && fuzzing::segments_match(&entry, &leaf_list, 0, &touched)),
                "the author's root fits other segments"
            );
            let Some((leaf_list, forged)) = fuzzing::describe_segments(&touched, place.salt) else {
                return;
            };
            assert!(
                fuzzing::segments_match(&forged, &leaf_list, 0, &touched),
                "a forger's root fits his own"
            );
            let opened = fuzzing::open_segments(&place.key, &place.ids, place.number, &forged, 0, &touched);
            assert!(opened.is_none(), "touched segments decrypt");
        }
    } else {
        let elsewhere = place.elsewhere(how / 2);
        let opened = elsewhere.open(&sealed);
        assert!(opened.is_none(), "segments decrypt in another place");
        let mut list = leaf_list.clone();
        let at = other as usize % list.len();
        list[at] ^= 1;
        assert!(
            !fuzzing::segments_match(&entry, &list, 0, &sealed),
            "another leaf list fits the root"
        );
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
            let plaintext = place.open(sealed).expect("they are ours");
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

    fn open(&self, segments: &[u8]) -> Option<Vec<u8>> {
        let (_, entry) = fuzzing::describe_segments(segments, self.salt)?;
        fuzzing::open_segments(&self.key, &self.ids, self.number, &entry, 0, segments)
    }
}
