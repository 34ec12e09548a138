//! Whatever is done to stored bytes, opening says that they were tampered with, names what, and hands out nothing of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use chartseal::media::FRAME_LEN;
use chartseal::seal::{
    DataKey, Manifest, ManifestError, OnChain, OpenError, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN,
    SHARD_SEGMENTS, SealOptions, Sealed, manifest_hash, open_stream, verify_stream,
};
use chartseal::store::{AtomicFile, Existing, ItemId, StoreError, Stores};
use proptest::prelude::*;
use support::{IDS, MemoryStore, noise, open, open_as, plain_options, seal, shard_ids, silent};

/// Opening and verifying both fail as tampered with; the text names what.
async fn assert_tampered(store: &MemoryStore, sealed: &Sealed, what: &str) {
    let opened = open(store, sealed, None).await.unwrap_err();
    let verified = verify_stream(&sealed.manifest, &sealed.on_chain, &Stores::one(store), &silent)
        .await
        .unwrap_err();
    for error in [opened, verified] {
        assert!(
            matches!(error, OpenError::Tampered { .. }) && error.is_tampered(),
            "{what}: {error}"
        );
        assert!(
            error
                .to_string()
                .contains("does not match its hash: it may have been tampered with or damaged")
        );
    }
}

#[tokio::test]
async fn cut_reordered_swapped_and_repeated_segments_are_found() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, &noise(4 * SEGMENT_PLAIN_LEN, 1), &plain_options()).await;
    let id = shard_ids(&sealed)[0];
    let good = store.data(id);
    let (segments, leaves) = good.split_at(4 * SEGMENT_LEN);
    let part = |number: usize| segments[number * SEGMENT_LEN..(number + 1) * SEGMENT_LEN].to_vec();
    let leaf = |number: usize| leaves[number * 32..(number + 1) * 32].to_vec();
    for (what, wrong) in [
        ("cut", good[..good.len() - 1].to_vec()),
        ("empty", Vec::new()),
        (
            "one segment less",
            [part(0), part(1), part(2), leaves.to_vec()].concat(),
        ),
        ("longer", [good.clone(), vec![0]].concat()),
        (
            "reordered",
            [part(1), part(0), part(2), part(3), leaves.to_vec()].concat(),
        ),
        ("reordered with its leaves", {
            let leaves = [leaf(1), leaf(0), leaf(2), leaf(3)].concat();
            [part(1), part(0), part(2), part(3), leaves].concat()
        }),
        (
            "repeated",
            [part(0), part(0), part(2), part(3), leaves.to_vec()].concat(),
        ),
        ("repeated with its leaf", {
            let leaves = [leaf(0), leaf(0), leaf(2), leaf(3)].concat();
            [part(0), part(0), part(2), part(3), leaves].concat()
        }),
    ] {
        store.replace(id, wrong);
        assert_tampered(&store, &sealed, what).await;
    }
}

#[tokio::test]
async fn one_flipped_bit_anywhere_is_found() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, &noise(SEGMENT_PLAIN_LEN + 100, 1), &plain_options()).await;
    let id = shard_ids(&sealed)[0];
    let good = store.data(id);
    for position in [
        0,
        1,
        SEGMENT_LEN - 1,
        SEGMENT_LEN,
        SEGMENT_LEN + 115,
        good.len() - 64,
        good.len() - 1,
    ] {
        let mut flipped = good.clone();
        flipped[position] ^= 0x10;
        store.replace(id, flipped);
        assert_tampered(&store, &sealed, &format!("byte {position}")).await;
    }
}

#[tokio::test]
async fn a_range_is_checked_like_the_whole() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, &noise(SHARD_PLAIN_LEN, 1), &plain_options()).await;
    let id = shard_ids(&sealed)[0];
    let good = store.data(id);
    let in_last_frame = SHARD_PLAIN_LEN as u64 - 10..SHARD_PLAIN_LEN as u64;
    for position in [
        (SHARD_SEGMENTS - 1) * SEGMENT_LEN + 5,
        SHARD_SEGMENTS * SEGMENT_LEN + 1,
        good.len() - 1,
    ] {
        let mut flipped = good.clone();
        flipped[position] ^= 1;
        store.replace(id, flipped);
        let error = open(&store, &sealed, Some(in_last_frame.clone())).await.unwrap_err();
        assert!(matches!(error, OpenError::Tampered { .. }), "{error}");
    }
    let mut elsewhere = good.clone();
    elsewhere[0] ^= 1;
    store.replace(id, elsewhere);
    assert!(
        open(&store, &sealed, Some(in_last_frame)).await.is_ok(),
        "what is not fetched is not judged"
    );
    store.replace(id, good[..1000].to_vec());
    assert!(
        open(&store, &sealed, Some(0..10)).await.unwrap_err().is_tampered(),
        "shorter than the range"
    );
}

#[tokio::test]
async fn a_shard_of_another_record_or_an_older_version_is_found() {
    let store = MemoryStore::default();
    let bytes = noise(SHARD_PLAIN_LEN + 10, 1);
    let ours = seal(&store, IDS, &bytes, &plain_options()).await;
    let [first, second] = shard_ids(&ours).try_into().unwrap();
    let other_record = RecordIds { record: [9; 16], ..IDS };
    let older = seal(&store, IDS, &bytes, &plain_options()).await;
    let other = seal(&store, other_record, &bytes, &plain_options()).await;
    let good = store.data(first);
    for wrong in [
        store.data(shard_ids(&other)[0]),
        store.data(shard_ids(&older)[0]),
        store.data(second),
    ] {
        store.replace(first, wrong);
        assert_tampered(&store, &ours, "a shard from elsewhere").await;
    }
    store.replace(first, good);
    assert!(open(&store, &ours, None).await.is_ok());
}

#[tokio::test]
async fn whatever_is_done_to_a_shard_is_named_and_the_others_stay_readable() {
    let store = MemoryStore::default();
    let bytes = noise(2 * SHARD_PLAIN_LEN + 10, 1);
    let newer = RecordIds { version: 1, ..IDS };
    let foreign = RecordIds {
        record: [9; 16],
        ..newer
    };
    let older = shard_ids(&seal(&store, IDS, &bytes, &plain_options()).await);
    let again = shard_ids(&seal(&store, newer, &bytes, &plain_options()).await);
    let other = shard_ids(&seal(&store, foreign, &bytes, &plain_options()).await);
    let ours = seal(&store, newer, &bytes, &plain_options()).await;
    let ids = shard_ids(&ours);
    for (number, id) in ids.iter().copied().enumerate() {
        let good = store.data(id);
        let flipped = |position: usize| {
            let mut flipped = good.clone();
            flipped[position] ^= 1;
            flipped
        };
        let start = (number * SHARD_PLAIN_LEN) as u64;
        for (what, wrong) in [
            ("altered", flipped(3)),
            ("its leaves altered", flipped(good.len() - 1)),
            ("cut", good[..good.len() - 1].to_vec()),
            ("emptied", Vec::new()),
            ("its neighbour in its place", store.data(ids[(number + 1) % ids.len()])),
            ("another record's", store.data(other[number])),
            ("an older version's", store.data(older[number])),
            ("that of another sealing", store.data(again[number])),
            ("twice", [&good[..], &good].concat()),
        ] {
            store.replace(id, wrong);
            let whole = open_as(&store, &ours, newer, None).await.unwrap_err();
            let verified = verify_stream(&ours.manifest, &ours.on_chain, &Stores::one(&store), &silent).await;
            let mut errors = vec![whole, verified.unwrap_err()];
            // What stands after the shard is not fetched for a range of it, so it is not judged.
            if what != "twice" {
                errors.push(open_as(&store, &ours, newer, Some(start..start + 1)).await.unwrap_err());
            }
            for error in errors {
                let named = error
                    .to_string()
                    .contains(&format!("shard {number} (item {})", ItemId(id)));
                assert!(named && error.is_tampered(), "shard {number}, {what}: {error}");
            }
            for beside in (0..ids.len()).filter(|beside| *beside != number) {
                // In frames that no byte of the other shard is in.
                let within = (beside * SHARD_PLAIN_LEN)
                    .next_multiple_of(FRAME_LEN)
                    .min(bytes.len() - 1);
                let range = Some(within as u64..within as u64 + 1);
                let (byte, _) = open_as(&store, &ours, newer, range).await.unwrap();
                assert_eq!(
                    byte,
                    bytes[within..=within],
                    "shard {beside} beside shard {number}, {what}"
                );
            }
        }
        store.replace(id, good);
    }
    assert!(open_as(&store, &ours, newer, None).await.unwrap().0 == bytes);
}

#[tokio::test]
async fn two_shards_that_changed_places_are_found_even_if_the_chain_vouched_for_them() {
    let store = MemoryStore::default();
    let mut ours = seal(&store, IDS, &noise(2 * SHARD_PLAIN_LEN, 1), &plain_options()).await;
    let shards = 11 + 32 + 32 + 4;
    let (one, other) = (shards..shards + 56, shards + 56..shards + 112);
    let first = ours.manifest[one.clone()].to_vec();
    ours.manifest.copy_within(other.clone(), one.start);
    ours.manifest[other].copy_from_slice(&first);
    ours.on_chain = OnChain {
        manifest_hash: manifest_hash(&ours.manifest),
        content_root: Manifest::parse(&ours.manifest).unwrap().content_root(),
    };
    let error = open(&store, &ours, None).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Manifest(ManifestError::Altered)) && error.is_tampered(),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_shard_is_a_missing_item_and_nothing_worse() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, &noise(SHARD_PLAIN_LEN + 10, 1), &plain_options()).await;
    store.remove(shard_ids(&sealed)[1]);
    let error = open(&store, &sealed, None).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Store(StoreError::NotFound { .. })) && !error.is_tampered(),
        "{error}"
    );
    let error = verify_stream(&sealed.manifest, &sealed.on_chain, &Stores::one(&store), &silent)
        .await
        .unwrap_err();
    assert!(
        matches!(error, OpenError::Store(StoreError::NotFound { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_fails_half_way_does_not_appear() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, &noise(SHARD_PLAIN_LEN + 10, 1), &plain_options()).await;
    let second = shard_ids(&sealed)[1];
    let mut flipped = store.data(second);
    flipped[0] ^= 1;
    store.replace(second, flipped);

    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let mut file = AtomicFile::create(&target, Existing::Refuse).unwrap();
    let Sealed {
        manifest,
        on_chain,
        data_key,
        ..
    } = &sealed;
    let opened = open_stream(
        manifest,
        on_chain,
        IDS,
        data_key,
        &Stores::one(&store),
        None,
        &mut file,
        &silent,
    )
    .await;
    assert!(opened.unwrap_err().is_tampered());
    drop(file);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_fetched() {
    let store = MemoryStore::default();
    let mut sealed = seal(&store, IDS, &noise(1000, 1), &plain_options()).await;
    sealed.data_key = DataKey::generate().unwrap();
    store.take_served();
    let error = open(&store, &sealed, None).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Manifest(ManifestError::WrongKey)) && !error.is_tampered(),
        "{error}"
    );
    assert_eq!(store.take_served(), 0);
}

#[tokio::test]
async fn the_right_key_opens_nothing_as_another_record_or_version() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"text", &plain_options()).await;
    for ids in [
        RecordIds { record: [9; 16], ..IDS },
        RecordIds { version: 1, ..IDS },
        RecordIds {
            patient: [9; 16],
            ..IDS
        },
    ] {
        let error = open_as(&store, &sealed, ids, None).await.unwrap_err();
        assert!(matches!(error, OpenError::Manifest(_)), "{error}");
    }
}

#[tokio::test]
async fn a_manifest_or_content_root_that_is_not_on_chain_is_found() {
    let store = MemoryStore::default();
    let mut sealed = seal(&store, IDS, b"text", &plain_options()).await;
    let other = seal(&store, IDS, b"text", &plain_options()).await;
    let good = sealed.on_chain;
    for on_chain in [
        OnChain {
            manifest_hash: other.on_chain.manifest_hash,
            ..good
        },
        OnChain {
            content_root: other.on_chain.content_root,
            ..good
        },
    ] {
        sealed.on_chain = on_chain;
        assert_tampered(&store, &sealed, "another commitment").await;
    }
}

#[tokio::test]
async fn a_manifest_altered_in_any_byte_is_an_error_even_if_the_chain_vouched_for_it() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"text", &SealOptions::named("note.txt")).await;
    for position in 0..sealed.manifest.len() {
        for bit in [0x01, 0x80] {
            let mut altered = sealed.clone();
            altered.manifest[position] ^= bit;
            altered.on_chain.manifest_hash = manifest_hash(&altered.manifest);
            if let Ok(manifest) = Manifest::parse(&altered.manifest) {
                altered.on_chain.content_root = manifest.content_root();
            }
            let error = open(&store, &altered, None).await.unwrap_err();
            assert!(matches!(error, OpenError::Manifest(_)), "byte {position}: {error}");
        }
    }
}

#[tokio::test]
async fn a_manifest_cut_anywhere_is_said_to_be_cut() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"text", &SealOptions::named("note.txt")).await;
    assert!(matches!(Manifest::parse(&[]), Err(ManifestError::NotAManifest)));
    for end in 1..sealed.manifest.len() {
        let cut = Manifest::parse(&sealed.manifest[..end]);
        assert!(matches!(cut, Err(ManifestError::Truncated)), "cut at {end}");
    }
    let long = [sealed.manifest.as_slice(), &[0]].concat();
    assert!(matches!(Manifest::parse(&long), Err(ManifestError::TrailingBytes(1))));
}

#[tokio::test]
async fn unknown_manifests_say_what_they_are() {
    let store = MemoryStore::default();
    let sealed = seal(&store, IDS, b"text", &SealOptions::named("note.txt")).await;
    let with = |position: usize, byte: u8| {
        let mut bytes = sealed.manifest.clone();
        bytes[position] = byte;
        Manifest::parse(&bytes).unwrap_err()
    };
    assert!(matches!(with(0, b'X'), ManifestError::NotAManifest));
    assert!(matches!(with(8, 2), ManifestError::UnknownVersion(2)));
    assert!(matches!(with(10, 9), ManifestError::UnknownSuite(9)));
    // The list of shards, after commitment and owner: more than there are bytes for, impossible ones, and none.
    assert!(matches!(with(78, 0xff), ManifestError::Truncated));
    assert!(matches!(with(79 + 48, 65), ManifestError::BadShards(_)));
    assert!(matches!(with(79 + 48, 0), ManifestError::BadShards(_)));
    assert!(Manifest::parse(&vec![0; (32 << 20) + 1]).is_err());
    assert!(matches!(
        with(75, 0),
        ManifestError::BadShards(_) | ManifestError::Truncated | ManifestError::TrailingBytes(_)
    ));
}

#[tokio::test]
async fn a_shard_list_from_another_record_with_the_same_key_holder_does_not_open() {
    // The forger replaces the whole clear part but keeps the commitment: the encrypted part vouches for its clear part.
    let store = MemoryStore::default();
    let mut ours = seal(&store, IDS, b"text", &plain_options()).await;
    let other = seal(&store, IDS, b"evil", &plain_options()).await;
    let shards = 11 + 32..11 + 32 + 4 + 88;
    ours.manifest[shards.clone()].copy_from_slice(&other.manifest[shards]);
    ours.on_chain = OnChain {
        manifest_hash: manifest_hash(&ours.manifest),
        content_root: other.on_chain.content_root,
    };
    let error = open(&store, &ours, None).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Manifest(ManifestError::Altered)) && error.is_tampered(),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_manifest_parser_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        shards in 0_u32..4,
        ours: bool,
    ) {
        if ours && bytes.len() > 47 {
            bytes[..11].copy_from_slice(b"CHSEALMF\x01\x00\x01");
            bytes[43..47].copy_from_slice(&shards.to_le_bytes());
        }
        prop_assert!(Manifest::parse(&bytes).is_err());
    }
}
