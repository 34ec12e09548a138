//! Object stores: a folder, and a bucket behind the part of S3's protocol that is used. Both keep whole data items, hand
//! out their data as a gateway does, and name what is wrong with what they find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chartseal::keys::StorageKey;
use chartseal::store::ans104::{HEADER_LEN, ParsedItem};
use chartseal::store::{BlobStore, Code, ItemId, Objects, SignedItem, StoreError, Stores, StoresError};
use support::gateway::{Asked, TestGateway, serve};
use support::noise;
use tempfile::TempDir;

fn item(data: &[u8]) -> SignedItem {
    SignedItem::sign(data, &StorageKey::generate().unwrap())
}

fn folder() -> (TempDir, Objects) {
    let folder = TempDir::new().unwrap();
    let store = Objects::folder(folder.path()).unwrap();
    (folder, store)
}

/// Where a folder keeps an item.
fn file(folder: impl AsRef<Path>, id: ItemId) -> PathBuf {
    let name = id.to_string();
    folder.as_ref().join(&name[..2]).join(name)
}

/// What every object store does.
async fn keeps_items(store: &Objects) {
    for data in [&b""[..], b"x", &noise(300_000, 1)] {
        let (item, len) = (item(data), data.len() as u64);
        let id = item.id();
        assert!(!store.has(id).await.unwrap());
        assert!(matches!(store.get(id, None, len).await, Err(StoreError::NotFound { id: of }) if of == id));
        assert!(matches!(
            store.get(id, Some(0..1), 1).await,
            Err(StoreError::NotFound { .. })
        ));

        store.put(&item).await.unwrap();
        store.put(&item).await.unwrap();
        assert!(store.has(id).await.unwrap());
        assert_eq!(store.get(id, None, len).await.unwrap(), data);
        assert_eq!(store.get(id, None, len + 7).await.unwrap(), data);
        assert!(store.get(id, Some(5..5), 0).await.unwrap().is_empty());
        assert!(matches!(
            store.get(id, Some(0..len + 1), u64::MAX).await,
            Err(StoreError::OutOfRange { end, .. }) if end == len + 1
        ));
        if len > 1 {
            let part: Range<usize> = 1000..299_999;
            let range = Some(part.start as u64..part.end as u64);
            assert_eq!(store.get(id, range, len).await.unwrap(), data[part]);
            assert_eq!(store.get(id, Some(0..len), len).await.unwrap(), data);
            assert!(matches!(
                store.get(id, None, len - 1).await,
                Err(StoreError::TooLong { .. })
            ));
            assert!(matches!(
                store.get(id, Some(0..10), 9).await,
                Err(StoreError::TooLong { .. })
            ));
            for outside in [len..len + 1, len + 500..len + 501, u64::MAX - 1..u64::MAX] {
                let got = store.get(id, Some(outside.clone()), 1).await;
                assert!(
                    matches!(got, Err(StoreError::OutOfRange { .. })),
                    "{outside:?}: {got:?}"
                );
            }
        }
    }
    assert!(store.price(&[100]).await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_keeps_items() {
    let (_folder, store) = folder();
    keeps_items(&store).await;
}

#[tokio::test]
async fn a_file_is_the_whole_data_item_and_can_be_poured_into_a_gateway() {
    let (folder, store) = folder();
    let item = item(b"sealed bytes");
    store.put(&item).await.unwrap();
    let found = std::fs::read(file(&folder, item.id())).unwrap();
    assert_eq!(found, *item.bytes());
    ParsedItem::parse(&found).unwrap().verify().unwrap();
    let files = std::fs::read_dir(file(&folder, item.id()).parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1, "nothing else is left beside it");
}

#[tokio::test]
async fn what_is_there_is_not_written_again_and_what_was_cut_is() {
    let (folder, store) = folder();
    let item = item(&noise(1000, 1));
    store.put(&item).await.unwrap();
    let path = file(&folder, item.id());
    let damaged = vec![0; item.bytes().len()];

    std::fs::write(&path, &damaged).unwrap();
    store.put(&item).await.unwrap();
    assert_eq!(
        std::fs::read(&path).unwrap(),
        damaged,
        "it has the length that it must have"
    );
    store.replace(&item).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), *item.bytes());

    assert!(store.has_item(&item).await.unwrap());

    std::fs::write(&path, &item.bytes()[..500]).unwrap();
    assert!(store.has(item.id()).await.unwrap() && !store.has_item(&item).await.unwrap());
    store.put(&item).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), *item.bytes());
}

#[tokio::test]
async fn what_is_not_the_item_is_told_apart_from_a_failure() {
    let (folder, store) = folder();
    let (item, other) = (item(&noise(1000, 1)), item(&noise(1000, 2)));
    store.put(&item).await.unwrap();
    let path = file(&folder, item.id());
    let mut with_tags = item.bytes().to_vec();
    with_tags[100] = 1;
    for (what, wrong) in [
        ("another item", other.bytes().to_vec()),
        ("no item", vec![9; 1110]),
        ("nothing", Vec::new()),
        ("half a header", item.bytes()[..50].to_vec()),
        ("a header with tags", with_tags),
    ] {
        std::fs::write(&path, wrong).unwrap();
        let error = store.get(item.id(), None, 1000).await.unwrap_err();
        assert!(error.is_another_file(), "{what}: {error}");
        assert!(matches!(error, StoreError::Another { .. }), "{what}: {error}");
    }
    std::fs::write(&path, &item.bytes()[..HEADER_LEN + 99]).unwrap();
    assert!(matches!(
        store.get(item.id(), Some(0..100), 100).await,
        Err(StoreError::OutOfRange { end: 100, .. })
    ));
    assert_eq!(store.get(item.id(), Some(0..99), 100).await.unwrap(), item.data()[..99]);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_out_of_reach_and_is_not_made() {
    let folder = TempDir::new().unwrap();
    let lost = folder.path().join("unmounted");
    let store = Objects::folder(&lost).unwrap();
    let item = item(b"sealed bytes");
    let outcomes = [
        store.put(&item).await.err(),
        store.replace(&item).await.err(),
        store.has(item.id()).await.err(),
        store.get(item.id(), None, 100).await.err(),
        store.get(item.id(), Some(0..1), 100).await.err(),
    ];
    for error in outcomes {
        let error = error.expect("it is not there");
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("unmounted"), "{error}");
    }
    assert!(!lost.exists());
}

#[tokio::test]
async fn a_folder_that_takes_nothing_says_why() {
    let (folder, store) = folder();
    let item = item(b"sealed bytes");
    // A file where the shelf would be: nobody, root included, makes a folder there.
    std::fs::write(file(&folder, item.id()).parent().unwrap(), b"").unwrap();
    let error = store.replace(&item).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
}

/// A bucket over loopback, with names and answers as S3 has them.
async fn bucket(answer: impl Fn(&Asked, usize) -> Option<Response> + Send + Sync + 'static) -> (TestGateway, Objects) {
    let objects: Mutex<HashMap<String, Vec<u8>>> = Mutex::default();
    let server = TestGateway::answering(move |asked, before| {
        if let Some(answer) = answer(asked, before) {
            return answer;
        }
        let mut objects = objects.lock().unwrap();
        let mut response = match (&asked.method, objects.get(&asked.path)) {
            (&Method::PUT, _) => {
                objects.insert(asked.path.clone(), asked.body.to_vec());
                StatusCode::OK.into_response()
            }
            (_, Some(data)) => serve(data, asked.range()),
            (_, None) => StatusCode::NOT_FOUND.into_response(),
        };
        response.headers_mut().insert(header::ETAG, "\"tag\"".parse().unwrap());
        let then = "Sun, 22 Nov 2026 12:00:00 GMT".parse().unwrap();
        response.headers_mut().insert(header::LAST_MODIFIED, then);
        response
    })
    .await;
    let options = [
        ("aws_endpoint_url", server.url.as_str()),
        ("aws_allow_http", "true"),
        ("aws_region", "eu-central-1"),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
    ];
    let store = Objects::at_with("s3://bucket/records", &options).unwrap();
    (server, store)
}

#[tokio::test]
async fn a_bucket_keeps_items() {
    let (server, store) = bucket(|_, _| None).await;
    keeps_items(&store).await;
    let item = item(b"sealed bytes");
    store.put(&item).await.unwrap();
    let asked = server.asked();
    let put = asked.iter().rfind(|asked| asked.method == Method::PUT).unwrap();
    let id = item.id().to_string();
    assert_eq!(put.path, format!("/bucket/records/{}/{id}", &id[..2]));
    assert_eq!(put.body, *item.bytes());
}

#[tokio::test]
async fn a_bucket_that_fails_for_a_moment_is_asked_again() {
    let (server, store) =
        bucket(|_, before| (before % 2 == 0).then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())).await;
    let item = item(b"sealed bytes");
    store.put(&item).await.unwrap();
    assert_eq!(store.get(item.id(), None, 100).await.unwrap(), b"sealed bytes");
    assert!(server.asked().len() >= 6);
}

#[tokio::test]
async fn a_bucket_that_does_not_let_us_in_is_not_asked_again() {
    let (server, store) = bucket(|_, _| Some(StatusCode::FORBIDDEN.into_response())).await;
    let error = store.get(item(b"").id(), None, 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_bucket_that_ignores_ranges_or_sends_more_is_refused() {
    let whole = |asked: &Asked| {
        let dated = [
            (header::LAST_MODIFIED, "Sun, 22 Nov 2026 12:00:00 GMT"),
            (header::ETAG, "\"tag\""),
        ];
        (asked.method == Method::GET).then(|| (dated, vec![7_u8; 5000]).into_response())
    };
    let (_server, store) = bucket(move |asked, _| whole(asked)).await;
    let item = item(&[7; 4000]);
    let ranged = store.get(item.id(), Some(0..10), 10).await.unwrap_err();
    assert!(matches!(ranged, StoreError::Failed { .. }), "{ranged}");
    let whole = store.get(item.id(), None, 4000).await.unwrap_err();
    assert!(matches!(whole, StoreError::TooLong { limit: 4000, .. }), "{whole}");
}

#[tokio::test]
async fn a_bucket_that_nobody_serves_is_out_of_reach() {
    let (server, store) = bucket(|_, _| None).await;
    drop(server);
    let error = store.has(item(b"").id()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[test]
fn a_code_goes_with_as_many_stores_as_it_has_pieces() {
    let folders = |count: usize| vec![Objects::folder("/nowhere").unwrap(); count];
    let code = Code::new(4, 2).unwrap();
    assert_eq!(Stores::spread(folders(6), code).unwrap().members().len(), 6);
    for given in [1, 5, 7] {
        let error = Stores::spread(folders(given), code).unwrap_err();
        let needed = 6;
        assert_eq!(error, StoresError::AnotherNumber { code, needed, given });
    }
    assert_eq!(Stores::spread(folders(0), code).unwrap_err(), StoresError::None);
    assert_eq!(Stores::copies(folders(0)).unwrap_err(), StoresError::None);
    assert_eq!(Stores::copies(folders(3)).unwrap().code(), Code { data: 1, parity: 2 });
    assert!(matches!(Stores::copies(folders(65)), Err(StoresError::Code(_))));
    assert!(matches!(Stores::copies(folders(300)), Err(StoresError::Code(_))));
}
