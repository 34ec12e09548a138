//! open(seal(x)) = x, property by property, at every size where something changes: a segment, the segments that are hashed
//! together, a frame, a shard, the shards that are signed together, and the steps of padding; and any range that begins or
//! ends beside such a place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Seek as _, Write as _};

use chartseal::keys::StorageKey;
use chartseal::media::FRAME_LEN;
use chartseal::seal::{
    Input, Padding, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN, SealOptions, fetch_manifest, open_stream, seal_stream,
    verify_stream,
};
use chartseal::store::{Code, Stores};
use proptest::prelude::*;
use support::{IDS, MemoryStore, noise, open, plain_options, seal, silent};

/// Where something changes, in bytes. The last but one is where a Padmé step ends, the last one where the next begins.
const BOUNDARIES: &[usize] = &[
    0,
    1_024,
    SEGMENT_PLAIN_LEN,
    4 * SEGMENT_PLAIN_LEN,
    FRAME_LEN,
    2 * FRAME_LEN,
    SHARD_PLAIN_LEN,
    SHARD_PLAIN_LEN + SEGMENT_PLAIN_LEN,
    2 * SHARD_PLAIN_LEN,
    1_088,
    69_632,
];

/// How the same file may be sealed.
fn ways() -> [SealOptions; 4] {
    let named = || SealOptions::named("file");
    [
        plain_options(),
        named(),
        SealOptions {
            compress: false,
            ..named()
        },
        SealOptions {
            padding: Padding::None,
            ..named()
        },
    ]
}

/// Two bytes before a boundary to two bytes after it.
fn around(boundary: usize) -> impl Iterator<Item = usize> {
    boundary.saturating_sub(2)..=boundary + 2
}

/// Bytes that no codec makes smaller, or bytes that every codec does.
fn content(size: usize, dull: bool) -> Vec<u8> {
    if dull {
        b"Blood pressure 120/80. ".iter().copied().cycle().take(size).collect()
    } else {
        noise(size, size as u64)
    }
}

async fn opens_to_itself(size: usize, dull: bool, options: &SealOptions) {
    let (store, bytes) = (MemoryStore::default(), content(size, dull));
    let sealed = seal(&store, IDS, &bytes, options).await;
    let (opened, about) = open(&store, &sealed, None).await.unwrap();
    assert!(opened == bytes, "{size} bytes, dull: {dull}, {options:?}");
    assert_eq!((about.length, sealed.stats.original), (size as u64, size as u64));
    assert!(sealed.stats.encoded <= sealed.stats.original);
    assert_eq!(sealed.stats.padded, options.padding.apply(sealed.stats.encoded));
    let verified = verify_stream(&sealed.manifest, &sealed.on_chain, &Stores::one(&store), &silent).await;
    assert_eq!(verified.unwrap().sealed, sealed.padded_size);
}

#[tokio::test]
async fn every_size_around_every_boundary_opens_to_itself() {
    for size in BOUNDARIES.iter().copied().flat_map(around) {
        for options in ways() {
            opens_to_itself(size, false, &options).await;
        }
        opens_to_itself(size, true, &SealOptions::named("file")).await;
    }
}

#[tokio::test]
async fn eight_shards_and_a_byte_more_or_less_open_to_themselves() {
    for size in around(8 * SHARD_PLAIN_LEN).step_by(2) {
        opens_to_itself(size, false, &plain_options()).await;
    }
}

#[tokio::test]
async fn a_file_on_disk_is_read_like_a_stream() {
    for size in BOUNDARIES
        .iter()
        .copied()
        .flat_map(|boundary| around(boundary).step_by(2))
    {
        let (store, bytes) = (MemoryStore::default(), content(size, false));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        let (key, stores) = (StorageKey::generate().unwrap(), Stores::one(&store));
        let input = Input::File(file);
        let sealed = seal_stream(input, IDS, &SealOptions::named("file"), &key, &stores, &silent)
            .await
            .unwrap();
        assert!(open(&store, &sealed, None).await.unwrap().0 == bytes, "{size} bytes");
    }
}

#[tokio::test]
async fn in_pieces_every_size_opens_to_itself_too() {
    let stores: Vec<MemoryStore> = (0..5).map(|_| MemoryStore::default()).collect();
    let stores = Stores::spread(stores, Code::new(3, 2).unwrap()).unwrap();
    for size in BOUNDARIES
        .iter()
        .copied()
        .flat_map(|boundary| around(boundary).step_by(2))
    {
        let bytes = content(size, false);
        let (key, options) = (StorageKey::generate().unwrap(), plain_options());
        let sealed = seal_stream(Input::stream(&bytes[..]), IDS, &options, &key, &stores, &silent)
            .await
            .unwrap();
        let manifest = fetch_manifest(&stores, sealed.locator, sealed.on_chain.manifest_hash)
            .await
            .unwrap();
        let mut opened = Vec::new();
        open_stream(
            &manifest,
            &sealed.on_chain,
            IDS,
            &sealed.data_key,
            &stores,
            None,
            &mut opened,
            &silent,
        )
        .await
        .unwrap();
        assert!(opened == bytes, "{size} bytes");
    }
}

/// A place beside a boundary, as a size or as an end of a range.
fn beside_a_boundary() -> impl Strategy<Value = usize> {
    let boundary = prop::sample::select(BOUNDARIES);
    (boundary, 0_usize..5).prop_map(|(boundary, by)| (boundary + by).saturating_sub(2))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_range_between_boundaries_is_that_slice_of_the_file(
        size in beside_a_boundary(),
        one in beside_a_boundary(),
        other in beside_a_boundary(),
        way in 0_usize..4,
        dull: bool,
    ) {
        let bytes = content(size, dull);
        let (start, end) = (one.min(other).min(size), one.max(other).min(size));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::default();
            let sealed = seal(&store, IDS, &bytes, &ways()[way]).await;
            let (part, _) = open(&store, &sealed, Some(start as u64..end as u64)).await.unwrap();
            prop_assert!(part == bytes[start..end]);
            Ok(())
        })?;
    }
}
