//! Gateways that fail, in every way a gateway fails, over real HTTP: each failure has its own clear error, what passes
//! by itself is tried again, and nothing of a wrong answer reaches the reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chartseal::keys::StorageKey;
use chartseal::seal::{Input, OpenError, SEGMENT_LEN, SHARD_PLAIN_LEN, SealError, Sealed, seal_stream, verify_stream};
use chartseal::store::ans104::ParsedItem;
use chartseal::store::{BlobStore, Gateway, GatewayOptions, ItemId, SignedItem, StoreError, Stores};
use futures_util::stream;
use support::gateway::{Asked, TestGateway, half_of, patient, receipt, serve};
use support::{IDS, MemoryStore, noise, open, plain_options, seal, shard_ids, silent};

const ID: ItemId = ItemId([5; 32]);

fn item() -> SignedItem {
    SignedItem::sign(b"sealed bytes", &StorageKey::generate().unwrap())
}

/// Gets 100 bytes from a gateway that answers like this; says also how often it was asked.
async fn get(
    answer: impl Fn(&Asked, usize) -> Response + Send + Sync + 'static,
) -> (Result<Vec<u8>, StoreError>, usize) {
    let gateway = TestGateway::answering(answer).await;
    (gateway.client().get(ID, None, 100).await, gateway.asked().len())
}

async fn get_range(answer: impl Fn(&Asked, usize) -> Response + Send + Sync + 'static) -> Result<Vec<u8>, StoreError> {
    TestGateway::answering(answer)
        .await
        .client()
        .get(ID, Some(10..20), 100)
        .await
}

async fn put(answer: impl Fn(&Asked, usize) -> Response + Send + Sync + 'static) -> (Result<(), StoreError>, usize) {
    let gateway = TestGateway::answering(answer).await;
    (gateway.client().put(&item()).await, gateway.asked().len())
}

#[tokio::test]
async fn a_record_goes_to_a_gateway_and_comes_back() {
    let gateway = TestGateway::honest().await;
    let bytes = noise(SHARD_PLAIN_LEN + 100_000, 1);
    let sealed = seal(&gateway.client(), IDS, &bytes, &plain_options()).await;
    assert!(open(&gateway.client(), &sealed, None).await.unwrap().0 == bytes);
    verify_stream(
        &sealed.manifest,
        &sealed.on_chain,
        &Stores::one(gateway.client()),
        &silent,
    )
    .await
    .unwrap();

    let part = open(&gateway.client(), &sealed, Some(4_200_000..4_200_100))
        .await
        .unwrap()
        .0;
    assert!(part == bytes[4_200_000..4_200_100]);
    let ranged: Vec<Asked> = gateway
        .asked()
        .into_iter()
        .filter(|asked| asked.range().is_some())
        .collect();
    assert_eq!(ranged.len(), 2, "one request for segments, one for leaves");

    let uploads: Vec<Asked> = gateway
        .asked()
        .into_iter()
        .filter(|asked| asked.method == Method::POST)
        .collect();
    assert_eq!(uploads.len(), 3, "two shards and a manifest");
    for upload in uploads {
        assert_eq!(upload.path, "/v1/tx/solana");
        assert_eq!(upload.headers[header::CONTENT_TYPE], "application/octet-stream");
    }
}

#[tokio::test]
async fn a_404_is_not_found_and_not_asked_again() {
    let (got, asked) = get(|_, _| StatusCode::NOT_FOUND.into_response()).await;
    assert!(matches!(got, Err(StoreError::NotFound { id: ID })));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_500_is_tried_again_and_then_says_what_the_server_said() {
    let (got, asked) = get(|_, _| (StatusCode::INTERNAL_SERVER_ERROR, "disk\non fire").into_response()).await;
    assert!(
        matches!(&got, Err(StoreError::ServerError { status: 500, detail }) if detail == "diskon fire"),
        "{got:?}"
    );
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn what_passes_by_itself_is_not_noticed() {
    for status in [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let (got, asked) = get(move |_, before| match before {
            0 | 1 => (status, [(header::RETRY_AFTER, "3600")]).into_response(),
            _ => "text".into_response(),
        })
        .await;
        assert_eq!(got.unwrap(), b"text", "the pause that a server asks for is bounded");
        assert_eq!(asked, 3);
    }
    let (stored, asked) = put(|asked, before| match before {
        0 => StatusCode::TOO_MANY_REQUESTS.into_response(),
        _ => receipt(&ParsedItem::parse(&asked.body).unwrap().id().to_string()),
    })
    .await;
    stored.unwrap();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_429_that_goes_on_is_said_to_be_one() {
    let (got, asked) = get(|_, _| StatusCode::TOO_MANY_REQUESTS.into_response()).await;
    assert!(matches!(got, Err(StoreError::RateLimited)));
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn half_a_body_is_truncated_and_tried_again() {
    let (got, asked) = get(|_, _| half_of(&[7; 100], 100)).await;
    assert!(
        matches!(got, Err(StoreError::Truncated { expected: 100, .. })),
        "{got:?}"
    );
    assert_eq!(asked, 3);
    let (got, _) = get(|_, before| {
        if before == 0 {
            half_of(&[7; 100], 100)
        } else {
            vec![7; 100].into_response()
        }
    })
    .await;
    assert_eq!(got.unwrap(), [7; 100]);
}

#[tokio::test]
async fn a_body_longer_than_it_may_be_is_not_read() {
    let (got, asked) = get(|_, _| vec![0; 101].into_response()).await;
    assert!(matches!(got, Err(StoreError::TooLong { limit: 100, .. })));
    assert_eq!(asked, 1);
    // Without a length, and without an end.
    let (got, _) = get(|_, _| {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 64]));
        Response::new(Body::from_stream(endless))
    })
    .await;
    assert!(matches!(got, Err(StoreError::TooLong { .. })));
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_found_out() {
    let whole = get_range(|_, _| vec![0; 100].into_response()).await;
    assert!(matches!(whole, Err(StoreError::RangeIgnored { .. })), "{whole:?}");
    let other = get_range(|_, _| serve(&[0; 100], Some("bytes=0-9"))).await;
    assert!(matches!(other, Err(StoreError::RangeIgnored { .. })), "{other:?}");
    let unsaid = get_range(|_, _| (StatusCode::PARTIAL_CONTENT, vec![0; 10]).into_response()).await;
    assert!(matches!(unsaid, Err(StoreError::RangeIgnored { .. })), "{unsaid:?}");
}

#[tokio::test]
async fn a_range_of_another_length_than_its_header_says_is_found_out() {
    let lying = |len: usize| {
        move |_: &Asked, _: usize| {
            (
                StatusCode::PARTIAL_CONTENT,
                [(header::CONTENT_RANGE, "bytes 10-19/100")],
                vec![0; len],
            )
                .into_response()
        }
    };
    assert!(matches!(
        get_range(lying(5)).await,
        Err(StoreError::Truncated {
            expected: 10,
            got: 5,
            ..
        })
    ));
    assert!(matches!(
        get_range(lying(11)).await,
        Err(StoreError::TooLong { limit: 10, .. })
    ));
    assert_eq!(get_range(lying(10)).await.unwrap(), [0; 10]);
}

#[tokio::test]
async fn an_item_shorter_than_the_range_is_another_file() {
    // It ends before the range or within it.
    for len in [5, 10, 15, 19] {
        let error = get_range(move |asked, _| serve(&vec![0; len], asked.range()))
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::OutOfRange { id: ID, end: 20 }) && error.is_another_file(),
            "{len}: {error}"
        );
    }
    assert_eq!(
        get_range(|asked, _| serve(&[0; 20], asked.range())).await.unwrap(),
        [0; 10]
    );
}

#[tokio::test]
async fn a_part_of_a_range_that_exists_is_the_servers_fault() {
    for range in [
        "bytes 10-14/100",
        "bytes 10-14/*",
        "bytes 11-19/100",
        "bytes 9-19/100",
        "bytes 10-14/20",
    ] {
        let answer = move |_: &Asked, _: usize| {
            (
                StatusCode::PARTIAL_CONTENT,
                [(header::CONTENT_RANGE, range)],
                vec![0; 5],
            )
                .into_response()
        };
        let error = get_range(answer).await.unwrap_err();
        assert!(
            matches!(error, StoreError::RangeIgnored { .. }) && !error.is_another_file(),
            "{range}: {error}"
        );
    }
}

#[tokio::test]
async fn another_file_is_never_opened() {
    let memory = MemoryStore::default();
    let bytes = noise(300_000, 1);
    let sealed = seal(&memory, IDS, &bytes, &plain_options()).await;
    let len = memory.data(shard_ids(&sealed)[0]).len();
    for other in [
        noise(len, 9),
        noise(len - 1, 9),
        noise(len + 1, 9),
        b"<html>welcome</html>".to_vec(),
    ] {
        let gateway = TestGateway::answering(move |asked, _| serve(&other, asked.range())).await;
        for range in [None, Some(0..100)] {
            let error = open(&gateway.client(), &sealed, range).await.unwrap_err();
            assert!(matches!(error, OpenError::Tampered { .. }), "{error}");
        }
        let error = verify_stream(
            &sealed.manifest,
            &sealed.on_chain,
            &Stores::one(gateway.client()),
            &silent,
        )
        .await
        .unwrap_err();
        assert!(error.is_tampered());
    }
}

#[tokio::test]
async fn a_network_failure_is_not_called_tampering() {
    let memory = MemoryStore::default();
    let sealed = seal(&memory, IDS, &noise(3 * SEGMENT_LEN, 1), &plain_options()).await;
    let data = memory.data(shard_ids(&sealed)[0]);
    let gateway = TestGateway::answering(move |_, _| half_of(&data, data.len())).await;
    let error = open(&gateway.client(), &sealed, None).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Store(StoreError::Truncated { .. })) && !error.is_tampered(),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gateway = Gateway::new(&url, patient()).unwrap();
    assert!(matches!(
        gateway.get(ID, None, 1).await,
        Err(StoreError::Unreachable { .. })
    ));
    assert!(matches!(
        gateway.put(&item()).await,
        Err(StoreError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = GatewayOptions {
        attempts: 1,
        silence_timeout: Duration::from_millis(50),
        ..patient()
    };
    let gateway = Gateway::new(&url, options).unwrap();
    assert!(matches!(
        gateway.get(ID, None, 1).await,
        Err(StoreError::Unreachable { .. })
    ));
    assert!(matches!(
        gateway.put(&item()).await,
        Err(StoreError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn a_server_that_makes_a_short_answer_last_is_not_waited_for() {
    // A byte at a time, so that it is never silent for long, and no end of them.
    let drip = || async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>("x"), ()))
    };
    let app = axum::Router::new().fallback(move |request: axum::extract::Request| async move {
        let ranged = request.headers().get(header::RANGE).is_some();
        let body = Body::from_stream(stream::unfold((), move |()| drip()));
        let mut response = body.into_response();
        if ranged {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = axum::http::HeaderValue::from_static("bytes 0-9999/10000");
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
        response
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let options = GatewayOptions {
        attempts: 1,
        silence_timeout: Duration::from_millis(200),
        ..patient()
    };
    let gateway = Gateway::new(&url, options).unwrap();
    for range in [None, Some(0..10_000)] {
        let error = gateway.get(ID, range, 10_000).await.unwrap_err();
        assert!(matches!(error, StoreError::Truncated { .. }), "{error}");
    }
    server.abort();
}

#[tokio::test]
async fn a_slow_upload_has_the_time_it_needs() {
    let app = axum::Router::new().fallback(|request: axum::extract::Request| async move {
        // Longer than a server may be silent; meanwhile the item does not fit into what the system buffers.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let body = axum::body::to_bytes(request.into_body(), 16 << 20).await.unwrap();
        receipt(&ParsedItem::parse(&body).unwrap().id().to_string())
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let options = GatewayOptions {
        attempts: 1,
        silence_timeout: Duration::from_millis(100),
        ..patient()
    };
    let item = SignedItem::sign(&noise(7 << 20, 1), &StorageKey::generate().unwrap());
    Gateway::new(&url, options).unwrap().put(&item).await.unwrap();
    server.abort();
}

#[tokio::test]
async fn refused_uploads_say_why_and_are_not_repeated() {
    for status in [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYMENT_REQUIRED,
        StatusCode::PAYLOAD_TOO_LARGE,
    ] {
        let (stored, asked) = put(move |_, _| (status, "reasons").into_response()).await;
        let error = stored.unwrap_err();
        assert!(
            match (&error, status.as_u16()) {
                (StoreError::Malformed { detail, .. }, 400)
                | (StoreError::PaymentRequired { detail, .. }, 402)
                | (StoreError::TooLarge { detail, .. }, 413) => detail == "reasons",
                _ => false,
            },
            "{error}"
        );
        assert_eq!(asked, 1);
    }
    let (stored, _) = put(|_, _| StatusCode::IM_A_TEAPOT.into_response()).await;
    assert!(matches!(stored, Err(StoreError::UnexpectedStatus { status: 418, .. })));
}

#[tokio::test]
async fn an_item_that_is_there_already_counts_as_stored_once_it_is_seen() {
    for status in [StatusCode::CONFLICT, StatusCode::ACCEPTED] {
        let (stored, _) = put(move |asked, _| match asked.method {
            Method::HEAD => StatusCode::OK.into_response(),
            _ => status.into_response(),
        })
        .await;
        stored.unwrap();
        let (stored, _) = put(move |asked, _| match asked.method {
            Method::HEAD => StatusCode::NOT_FOUND.into_response(),
            _ => status.into_response(),
        })
        .await;
        assert!(matches!(stored, Err(StoreError::Conflict { .. })));
    }
}

#[tokio::test]
async fn a_receipt_for_something_else_is_not_believed() {
    for body in ["{}", "not json", "", r#"{"id": 5}"#] {
        let (stored, _) = put(move |_, _| body.into_response()).await;
        assert!(
            matches!(stored, Err(StoreError::BadReceipt { .. })),
            "{body}: {stored:?}"
        );
    }
    let (stored, _) = put(|_, _| receipt(&ID.to_string())).await;
    assert!(matches!(stored, Err(StoreError::BadReceipt { .. })));
    let (stored, _) = put(|_, _| vec![b' '; 100_000].into_response()).await;
    assert!(matches!(stored, Err(StoreError::BadReceipt { .. })));
}

#[tokio::test]
async fn a_seal_fails_when_one_shard_is_not_taken() {
    let gateway = TestGateway::answering(|asked, before| match before {
        0 => receipt(&ParsedItem::parse(&asked.body).unwrap().id().to_string()),
        _ => (StatusCode::PAYMENT_REQUIRED, "no credit").into_response(),
    })
    .await;
    let bytes = noise(3 * SHARD_PLAIN_LEN, 1);
    let key = StorageKey::generate().unwrap();
    let sealed = seal_stream(
        Input::stream(bytes.as_slice()),
        IDS,
        &plain_options(),
        &key,
        &Stores::one(gateway.client()),
        &silent,
    )
    .await;
    let error = sealed.map(|Sealed { locator, .. }| locator).unwrap_err();
    assert!(
        matches!(error, SealError::Store(StoreError::PaymentRequired { .. })),
        "{error}"
    );
    assert!(gateway.asked().len() < 5, "no manifest follows");
}
