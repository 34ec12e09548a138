//! The manifest. Any bytes: parsing takes no more memory than they are long, and what parses has sums that do not
//! overflow. Bytes that describe a manifest: what is sealed opens to itself under its own key and ids, and no byte of it
//! can be altered.

use borsh::BorshDeserialize as _;
use chartseal::fuzzing;
use chartseal::seal::{Manifest, ManifestBody, Place, Placing, RecordIds, SEGMENT_LEN, ShardEntry};

use super::data_key;
use crate::bytes::Bytes;

pub(super) fn run(input: &[u8]) {
    parse(input);
    round_trip(&mut Bytes(input));
}

fn parse(input: &[u8]) {
    let Ok(manifest) = Manifest::parse(input) else { return };
    let shards = manifest.shards();
    assert!(!shards.is_empty());
    let payloads: u64 = shards.iter().map(ShardEntry::payload_len).sum();
    assert_eq!(manifest.padded_size(), payloads);
    let longest = shards.len() as u64 * (64 * (SEGMENT_LEN as u64 + 32));
    assert!(payloads <= longest, "{payloads} bytes in {} shards", shards.len());
    assert_eq!(
        manifest.content_root(),
        Manifest::parse(input).expect("it parsed before").content_root()
    );
    for (number, listed) in shards.iter().enumerate() {
        let (entry, place) = manifest.shard(number).expect("every shard has a place");
        assert_eq!(entry, listed);
        if let Place::Spread(code, pieces) = place {
            assert_eq!(pieces.len(), code.pieces());
            assert!(code.data >= 2 && usize::from(code.data) <= pieces.len());
        }
    }
    assert!(manifest.shard(shards.len()).is_none());
    // A key that the input cannot know.
    let ids = RecordIds {
        patient: [0; 16],
        record: [0; 16],
        version: 0,
    };
    assert!(manifest.open(&data_key(&[0x5a; 32]), &ids).is_err());
}

/// A key, one byte to alter, then shards, their places and the body, in the format's own encoding.
fn round_trip(input: &mut Bytes<'_>) {
    let key = data_key(&input.array());
    let (place, bit) = (usize::from(input.u16()), 1 << (input.byte() % 8));
    let count = usize::from(input.byte());
    let mut rest = input.rest();
    let shards: Result<Vec<ShardEntry>, _> = (0..count).map(|_| ShardEntry::deserialize(&mut rest)).collect();
    let (Ok(shards), Ok(placing)) = (shards, Placing::deserialize(&mut rest)) else {
        return;
    };
    let Ok(body) = ManifestBody::deserialize(&mut rest) else {
        return;
    };
    let Ok(sealed) = fuzzing::seal_manifest(&key, [bit; 32], &shards, &placing, &body) else {
        return;
    };
    let manifest = Manifest::parse(&sealed).expect("what we seal parses");
    assert_eq!(
        (manifest.shards(), manifest.placing(), manifest.owner()),
        (&*shards, &placing, [bit; 32])
    );
    match manifest.open(&key, &body.ids) {
        Ok(opened) => assert_eq!(opened, body),
        // More frames than the shards hold: that is seen when it is opened.
        Err(error) => assert!(error.to_string().contains("they hold less than the frames"), "{error}"),
    }
    let other = RecordIds {
        version: body.ids.version ^ 1,
        ..body.ids
    };
    assert!(manifest.open(&key, &other).is_err(), "it opens as another version");
    let mut altered = sealed.clone();
    let place = place % altered.len();
    altered[place] ^= bit;
    let opened = Manifest::parse(&altered).and_then(|manifest| manifest.open(&key, &body.ids));
    assert!(opened.is_err(), "byte {place} was altered, and nobody noticed");
}

/// So many full shards and one that is not, and the items that they are in.
pub(crate) fn shards(full: usize, last_segment: u32) -> (Vec<ShardEntry>, Placing) {
    let shard = |segments, last_segment| ShardEntry {
        salt: [2; 16],
        root: [3; 32],
        segments,
        last_segment,
    };
    let mut shards = vec![shard(64, 65_536); full];
    shards.push(shard(1, last_segment));
    let placing = Placing::Whole(vec![[1; 64]; shards.len()]);
    (shards, placing)
}
