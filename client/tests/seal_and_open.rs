//! What is sealed opens to the same bytes, whole and in any part, at every size where something changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use chartseal::keys::StorageKey;
use chartseal::media::FRAME_LEN;
use chartseal::seal::{
    Input, Manifest, OpenError, Padding, SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN, SHARD_SEGMENTS, SealError,
    SealOptions, fetch_manifest, padding, seal_stream, verify_stream,
};
use chartseal::store::Stores;
use proptest::prelude::*;
use support::{IDS, MemoryStore, noise, open, plain_options, seal, shard_ids, silent};

const SIZES: &[usize] = &[
    0,
    1,
    15,
    SEGMENT_PLAIN_LEN - 1,
    SEGMENT_PLAIN_LEN,
    SEGMENT_PLAIN_LEN + 1,
    2 * SEGMENT_PLAIN_LEN,
    FRAME_LEN - 1,
    FRAME_LEN,
    FRAME_LEN + 1,
    3 * FRAME_LEN,
    SHARD_PLAIN_LEN - 1,
    SHARD_PLAIN_LEN,
    SHARD_PLAIN_LEN + 1,
    2 * SHARD_PLAIN_LEN,
    2 * SHARD_PLAIN_LEN + SEGMENT_PLAIN_LEN + 1,
];

#[tokio::test]
async fn every_size_around_a_boundary_opens_to_itself() {
    for &size in SIZES {
        let bytes = noise(size, 1);
        for options in [plain_options(), SealOptions::named("file")] {
            let store = MemoryStore::default();
            let sealed = seal(&store, IDS, &bytes, &options).await;
            let (opened, about) = open(&store, &sealed, None).await.unwrap();
            assert!(opened == bytes, "{size} bytes, {options:?}");
            assert_eq!(about.length, size as u64);

            let verified = verify_stream(&sealed.manifest, &sealed.on_chain, &Stores::one(&store), &silent)
                .await
                .unwrap();
            assert_eq!(
                (verified.sealed, verified.shards),
                (sealed.padded_size, sealed.stats.shards)
            );
        }
    }
}

#[tokio::test]
async fn sizes_in_the_store_are_those_of_the_format() {
    for (size, shards, segments, sealed_len) in [
        (0, 1, 1, 16),
        (1, 1, 1, 17),
        (SEGMENT_PLAIN_LEN, 1, 1, SEGMENT_LEN),
        (SEGMENT_PLAIN_LEN + 1, 1, 2, SEGMENT_LEN + 17),
        (SHARD_PLAIN_LEN, 1, SHARD_SEGMENTS, SHARD_SEGMENTS * SEGMENT_LEN),
        (
            SHARD_PLAIN_LEN + 1,
            2,
            SHARD_SEGMENTS + 1,
            SHARD_SEGMENTS * SEGMENT_LEN + 17,
        ),
    ] {
        let store = MemoryStore::default();
        let sealed = seal(&store, IDS, &noise(size, 1), &plain_options()).await;
        assert_eq!(sealed.stats.shards, shards);
        assert_eq!(sealed.padded_size, (sealed_len + 32 * segments) as u64);
        let stored: usize = shard_ids(&sealed).into_iter().map(|id| store.data(id).len()).sum();
        assert_eq!(stored as u64, sealed.padded_size);
        assert_eq!(
            Manifest::parse(&sealed.manifest).unwrap().padded_size(),
            sealed.padded_size
        );
    }
}

#[tokio::test]
async fn any_range_is_that_slice_of_the_file() {
    let store = MemoryStore::default();
    let size = 2 * SHARD_PLAIN_LEN + FRAME_LEN + 7;
    let bytes = noise(size, 2);
    let sealed = seal(&store, IDS, &bytes, &SealOptions::named("file")).await;
    let edges = [
        0,
        1,
        SEGMENT_PLAIN_LEN,
        FRAME_LEN,
        SHARD_PLAIN_LEN,
        2 * SHARD_PLAIN_LEN,
        size - 1,
        size,
    ];
    for start in edges {
        for len in [0, 1, SEGMENT_PLAIN_LEN, FRAME_LEN + 1] {
            let end = (start + len).min(size);
            let (opened, _) = open(&store, &sealed, Some(start as u64..end as u64)).await.unwrap();
            assert!(opened == bytes[start..end], "{start}..{end}");
        }
    }
}

#[tokio::test]
async fn a_range_fetches_only_the_segments_it_needs_and_the_leaves() {
    let store = MemoryStore::default();
    let bytes = noise(2 * SHARD_PLAIN_LEN, 3);
    let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
    store.take_served();
    open(
        &store,
        &sealed,
        Some(SHARD_PLAIN_LEN as u64 + 5..SHARD_PLAIN_LEN as u64 + 6),
    )
    .await
    .unwrap();
    // A byte lies in one frame of 1 MiB, that is in at most 18 segments.
    assert!(store.take_served() <= (18 * SEGMENT_LEN + 128 * 32) as u64);
}

#[tokio::test]
async fn a_range_outside_the_file_is_refused() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"ten bytes.", &plain_options()).await;
    #[allow(clippy::reversed_empty_ranges, reason = "those too come from outside")]
    for range in [0..11, 10..12, 11..11, u64::MAX - 1..u64::MAX, 7..3, u64::MAX..0] {
        let error = open(&store, &sealed, Some(range)).await.unwrap_err();
        assert!(matches!(error, OpenError::RangeOutside { length: 10, .. }), "{error}");
    }
    assert_eq!(open(&store, &sealed, Some(10..10)).await.unwrap().0, b"");
}

#[tokio::test]
async fn what_compresses_is_stored_smaller_and_what_is_coded_already_is_left_alone() {
    let store = MemoryStore::default();
    let text = "Blood pressure 120/80. ".repeat(100_000).into_bytes();
    let sealed = seal(&store, IDS, &text, &SealOptions::named("note")).await;
    assert!(sealed.stats.encoded < sealed.stats.original / 20);
    assert_eq!(sealed.media_type, "text/plain");
    assert!(open(&store, &sealed, None).await.unwrap().0 == text);
    assert!(open(&store, &sealed, Some(1_048_570..1_048_590)).await.unwrap().0 == text[1_048_570..1_048_590]);

    let jpeg = [&b"\xff\xd8\xff\xe0"[..], &[0; 3_000_000]].concat();
    let sealed = seal(&store, IDS, &jpeg, &SealOptions::named("photo")).await;
    assert_eq!(sealed.stats.encoded, sealed.stats.original);
    assert_eq!(sealed.media_type, "image/jpeg");
}

#[tokio::test]
async fn name_and_type_come_back_and_are_nowhere_in_the_clear() {
    let store = MemoryStore::default();
    let options = SealOptions {
        media_type: Some("application/x-secret".to_owned()),
        ..SealOptions::named("Mustermann.txt")
    };
    let sealed = seal(&store, IDS, b"a very short note", &options).await;
    let (_, opened) = open(&store, &sealed, None).await.unwrap();
    assert_eq!(
        (opened.name.as_str(), opened.media_type.as_str()),
        ("Mustermann.txt", "application/x-secret")
    );

    let stored = [sealed.manifest.clone(), store.data(shard_ids(&sealed)[0])].concat();
    for secret in [
        &b"Mustermann"[..],
        b"x-secret",
        b"short note",
        &IDS.patient,
        &IDS.record,
    ] {
        assert!(!stored.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn sizes_do_not_tell_lengths_of_notes_and_names() {
    let store = MemoryStore::default();
    let yes = seal(&store, IDS, b"yes", &SealOptions::named("a")).await;
    let no = seal(
        &store,
        IDS,
        &noise(900, 1),
        &SealOptions::named("a much longer name of a file.txt"),
    )
    .await;
    assert_eq!(
        (yes.padded_size, yes.manifest.len()),
        (no.padded_size, no.manifest.len())
    );
    assert_eq!(yes.stats.padded, padding::FLOOR);

    let exact = SealOptions {
        padding: Padding::None,
        ..SealOptions::named("a")
    };
    assert_eq!(seal(&store, IDS, b"yes", &exact).await.stats.padded, 3);
}

#[tokio::test]
async fn the_same_file_sealed_twice_shares_nothing() {
    let store = MemoryStore::default();
    let bytes = noise(200_000, 4);
    let (one, two) = (
        seal(&store, IDS, &bytes, &plain_options()).await,
        seal(&store, IDS, &bytes, &plain_options()).await,
    );
    assert_ne!(one.on_chain.content_root, two.on_chain.content_root);
    let (one, two) = (store.data(shard_ids(&one)[0]), store.data(shard_ids(&two)[0]));
    assert!(one.chunks(32).zip(two.chunks(32)).all(|(one, two)| one != two));
}

#[tokio::test]
async fn the_manifest_is_found_at_its_locator() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"text", &plain_options()).await;
    let fetched = fetch_manifest(&Stores::one(&store), sealed.locator, sealed.on_chain.manifest_hash)
        .await
        .unwrap();
    assert_eq!(fetched, sealed.manifest);
    let error = fetch_manifest(&Stores::one(&store), sealed.locator, [0; 32])
        .await
        .unwrap_err();
    assert!(error.is_tampered());
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_before_anything_is_stored() {
    let store = MemoryStore::default();
    let key = StorageKey::generate().unwrap();
    let options = SealOptions::named("n".repeat(1025));
    let sealed = seal_stream(
        Input::stream(&b"text"[..]),
        IDS,
        &options,
        &key,
        &Stores::one(&store),
        &silent,
    )
    .await;
    assert!(sealed.is_err());
}

#[tokio::test]
async fn streams_can_be_spawned() {
    let store = std::sync::Arc::new(MemoryStore::default());
    let task = tokio::spawn(async move {
        let sealed = seal(&*store, IDS, b"text", &SealOptions::named("n")).await;
        verify_stream(&sealed.manifest, &sealed.on_chain, &Stores::one(&*store), &silent)
            .await
            .unwrap();
        open(&*store, &sealed, None).await.unwrap().0
    });
    assert_eq!(task.await.unwrap(), b"text");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_open_to_themselves_and_any_range_to_its_slice(
        size in prop_oneof![0_usize..2000, 0_usize..3 * FRAME_LEN],
        seed: u64,
        dull: bool,
        pad: bool,
        cut in (0.0_f64..=1.0, 0.0_f64..=1.0),
    ) {
        let bytes = if dull { vec![7; size] } else { noise(size, seed) };
        let padding = if pad { Padding::Padme } else { Padding::None };
        let options = SealOptions { padding, ..SealOptions::named("file") };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let (a, b) = ((cut.0 * size as f64) as usize, (cut.1 * size as f64) as usize);
        let (start, end) = (a.min(b), a.max(b));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::default();
            let sealed = seal(&store, IDS, &bytes, &options).await;
            prop_assert!(open(&store, &sealed, None).await.unwrap().0 == bytes);
            let (part, _) = open(&store, &sealed, Some(start as u64..end as u64)).await.unwrap();
            prop_assert!(part == bytes[start..end]);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_not_taken_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan");
    std::fs::write(&path, noise(2 * SHARD_PLAIN_LEN, 9)).unwrap();
    let (key, store) = (StorageKey::generate().unwrap(), MemoryStore::default());
    let stores = Stores::one(&store);
    let grow = |_| {
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"more").unwrap();
    };
    let input = Input::File(std::fs::File::open(&path).unwrap());
    let error = seal_stream(input, IDS, &plain_options(), &key, &stores, &grow)
        .await
        .unwrap_err();
    assert!(matches!(error, SealError::ChangedWhileRead), "{error}");
    let input = Input::File(std::fs::File::open(&path).unwrap());
    seal_stream(input, IDS, &plain_options(), &key, &stores, &silent)
        .await
        .unwrap();
}
