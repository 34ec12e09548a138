//! Looking items up over GraphQL, as clients of the network do: real HTTP on the real gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use common::items::{NODE, ask, found, get, ids, item, item_with, put, upload};
use common::transactions::{Draft, text};
use common::{Process, folder, sandbox};
use ed25519_dalek::SigningKey;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn key_of(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

fn address_of(seed: u8) -> String {
    text(Sha256::digest(key_of(seed)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_found_by_its_tags_and_its_owner() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let mine = put(gateway, 1, &[("App", "chartseal"), ("Kind", "shard")], b"a").await;
    let theirs = put(gateway, 2, &[("App", "chartseal"), ("Kind", "manifest")], b"b").await;
    let other = put(gateway, 1, &[("App", "other")], b"c").await;
    let plain = put(gateway, 3, &[], b"d").await;

    let (one, two) = (address_of(1), address_of(2));
    let app = r#"tags: [{name: "App", values: ["chartseal"]}]"#;
    for (filter, expected) in [
        ("sort: HEIGHT_DESC".to_owned(), vec![&plain, &other, &theirs, &mine]),
        ("sort: HEIGHT_ASC".to_owned(), vec![&mine, &theirs, &other, &plain]),
        (
            "tags: [], owners: [], ids: []".to_owned(),
            vec![&plain, &other, &theirs, &mine],
        ),
        (app.to_owned(), vec![&theirs, &mine]),
        (r#"tags: {name: "App", values: "other"}"#.to_owned(), vec![&other]),
        (
            r#"tags: [{name: "App", values: ["other", "chartseal"]}]"#.to_owned(),
            vec![&other, &theirs, &mine],
        ),
        (
            r#"tags: [{name: "App", values: ["chartseal"]}, {name: "Kind", values: ["shard"]}]"#.to_owned(),
            vec![&mine],
        ),
        (
            r#"tags: [{name: "App", values: ["other"], op: NEQ}]"#.to_owned(),
            vec![&theirs, &mine],
        ),
        (
            r#"tags: [{name: "App", values: ["chartseal"]}, {name: "Kind", values: ["shard"], op: NEQ}]"#.to_owned(),
            vec![&theirs],
        ),
        (r#"tags: [{name: "app", values: ["chartseal"]}]"#.to_owned(), vec![]),
        (r#"tags: [{name: "App", values: ["CHARTSEAL"]}]"#.to_owned(), vec![]),
        (format!(r#"owners: ["{one}"]"#), vec![&other, &mine]),
        (format!(r#"owners: ["{two}", "{one}"]"#), vec![&other, &theirs, &mine]),
        (format!(r#"owners: ["{}"]"#, text(key_of(2))), vec![&theirs]),
        (format!(r#"owners: ["{one}"], {app}"#), vec![&mine]),
        (format!(r#"owners: ["{}"], {app}"#, address_of(3)), vec![]),
        (format!(r#"owners: ["{}"]"#, address_of(4)), vec![]),
        (
            format!(r#"ids: ["{plain}", "{mine}", "{}"]"#, "A".repeat(43)),
            vec![&plain, &mine],
        ),
        (format!(r#"ids: ["{plain}", "{mine}"], owners: ["{one}"]"#), vec![&mine]),
        ("block: {min: 1}".to_owned(), vec![&plain, &other, &theirs, &mine]),
        (
            "block: {min: 1, max: 1000000000}".to_owned(),
            vec![&plain, &other, &theirs, &mine],
        ),
        ("block: {max: 1000}".to_owned(), vec![]),
        (r#"recipients: ["nobody"]"#.to_owned(), vec![]),
        (r#"bundledIn: ["none"]"#.to_owned(), vec![]),
    ] {
        assert!(found(gateway, &filter).await.iter().eq(expected), "{filter}");
    }
    let by_address = Client::new()
        .get(format!("{gateway}/graphql"))
        .query(&[
            (
                "query",
                "query A($owners: [String!]) { transactions(owners: $owners) { edges { node { id } } } }",
            ),
            ("operationName", "A"),
            ("variables", &json!({ "owners": [two] }).to_string()),
        ])
        .send()
        .await
        .unwrap();
    let answer: Value = by_address.json().await.unwrap();
    assert_eq!(ids(&answer["data"]["transactions"]["edges"]), [theirs]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_shown_with_all_that_is_known_of_it() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let tags = [("content-type", "image/png"), ("Größe", "drei")];
    let (id, bytes) = item_with(5, &tags, Some([[7; 32], [8; 32]]), b"twelve bytes");
    assert_eq!(upload(gateway, bytes.clone()).await.status(), StatusCode::OK);

    let query = format!("query($id: ID!) {{ transaction(id: $id) {{ {NODE} }} }}");
    let node = ask(gateway, &query, json!({ "id": id })).await["transaction"].take();
    let status: Value = get(gateway, &format!("tx/{id}/status"), None)
        .await
        .json()
        .await
        .unwrap();
    let block = node["block"].clone();
    assert_eq!(block["height"], status["block_height"]);
    assert_eq!(block["id"], status["block_indep_hash"]);
    assert!(block["previous"].is_string() && block["timestamp"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        node,
        json!({
            "id": id,
            "anchor": text([8; 32]),
            "signature": text(&bytes[2..66]),
            "recipient": text([7; 32]),
            "owner": { "address": address_of(5), "key": text(key_of(5)) },
            "fee": { "winston": "0", "ar": "0.000000000000" },
            "quantity": { "winston": "0", "ar": "0.000000000000" },
            "data": { "size": "12", "type": "image/png" },
            "tags": [{ "name": "content-type", "value": "image/png" }, { "name": "Größe", "value": "drei" }],
            "block": block,
            "bundledIn": null,
            "parent": null,
        })
    );
    assert_eq!(
        found(gateway, &format!(r#"recipients: ["{}"]"#, text([7; 32]))).await,
        std::slice::from_ref(&id)
    );
    for unknown in ["A".repeat(43), "../lock".to_owned(), String::new()] {
        let answer = ask(gateway, &query, json!({ "id": unknown })).await;
        assert_eq!(answer, json!({ "transaction": null }), "{unknown}");
    }
    std::fs::remove_file(folder.path().join("gateway").join(&id)).unwrap();
    let answer = ask(gateway, &query, json!({ "id": id })).await;
    assert_eq!(answer, json!({ "transaction": null }), "what was deleted is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_neither_gaps_nor_repeats_while_items_are_added() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let tags = [("App", "pages")];
    let mut all = Vec::new();
    for number in 0..25_u8 {
        all.push(put(gateway, 1, &tags, &[number]).await);
        put(gateway, 1, &[("App", "between")], &[number]).await;
    }
    let query = "query($after: String, $sort: SortOrder, $first: Int) {
        transactions(tags: [{name: \"App\", values: [\"pages\"]}], first: $first, after: $after, sort: $sort) {
            pageInfo { hasNextPage } edges { cursor node { id } }
        }
    }";
    for (sort, adds) in [
        ("HEIGHT_ASC", false),
        ("HEIGHT_DESC", false),
        ("HEIGHT_DESC", true),
        ("HEIGHT_ASC", true),
    ] {
        let mut expected = all.clone();
        if sort == "HEIGHT_DESC" {
            expected.reverse();
        }
        let (mut after, mut paged, mut sizes) = (json!(""), Vec::new(), Vec::new());
        loop {
            let answer = ask(gateway, query, json!({ "after": after, "sort": sort, "first": 10 })).await;
            let page = &answer["transactions"];
            let edges = page["edges"].as_array().unwrap();
            sizes.push(edges.len());
            paged.extend(ids(&page["edges"]));
            after = edges.last().unwrap()["cursor"].clone();
            if adds && sizes.len() < 3 {
                let added = put(gateway, 2, &tags, format!("{sort} {}", sizes.len()).as_bytes()).await;
                if sort == "HEIGHT_ASC" {
                    expected.push(added.clone());
                }
                all.push(added);
            }
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(paged, expected, "{sort}, adding: {adds}");
        assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == 10), "{sizes:?}");
    }
    assert_eq!(all.len(), 29, "four were added");
    for (first, size) in [
        (json!(null), 10),
        (json!(0), 10),
        (json!(3), 3),
        (json!(100), 29),
        (json!(1_000), 29),
    ] {
        let answer = ask(gateway, query, json!({ "first": first })).await;
        assert_eq!(
            answer["transactions"]["edges"].as_array().unwrap().len(),
            size,
            "{first}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_as_before_after_a_restart_and_after_a_kill() {
    let folder = folder();
    let process = Process::start(folder.path(), &["--no-postgres"]);
    let gateway = process.endpoints.gateway.clone();
    let mut all = Vec::new();
    for number in 0..5_u8 {
        all.push(put(&gateway, number % 2, &[("App", "restart")], &[number]).await);
    }
    let query = format!("{{ transactions(sort: HEIGHT_ASC) {{ edges {{ cursor node {{ {NODE} }} }} }} }}");
    let before = ask(&gateway, &query, Value::Null).await;
    let cursor = before["transactions"]["edges"][2]["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    process.kill();

    let process = Process::start(folder.path(), &["--no-postgres"]);
    let gateway = process.endpoints.gateway.clone();
    assert_eq!(ask(&gateway, &query, Value::Null).await, before);
    all.push(put(&gateway, 1, &[("App", "restart")], b"later").await);
    let behind = format!(r#"sort: HEIGHT_ASC, after: "{cursor}", tags: [{{name: "App", values: ["restart"]}}]"#);
    assert_eq!(found(&gateway, &behind).await, all[3..], "cursors outlive a restart");
    assert!(process.terminate());

    // A folder in which nobody has written the order yet.
    std::fs::remove_file(folder.path().join("gateway-index/order.jsonl")).unwrap();
    std::fs::write(folder.path().join("gateway/no-item"), b"not ours").unwrap();
    let process = Process::start(folder.path(), &["--no-postgres"]);
    let mut listed = found(&process.endpoints.gateway, "sort: HEIGHT_ASC").await;
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
    assert!(process.terminate());
}

/// The items as the data of a transaction.
fn bundle(items: &[&(String, Vec<u8>)]) -> Vec<u8> {
    let word = |number: usize| [&(number as u64).to_le_bytes()[..], &[0; 24]].concat();
    let mut bytes = word(items.len());
    for (id, item) in items {
        bytes.extend(word(item.len()));
        bytes.extend(BASE64_URL_SAFE_NO_PAD.decode(id).unwrap());
    }
    bytes.extend(items.iter().flat_map(|(_, item)| item));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_layer_one_is_found_and_so_is_what_came_in_it() {
    let folder = folder();
    let process = Process::start(folder.path(), &["--no-postgres"]);
    let gateway = process.endpoints.gateway.clone();
    let (alone, bundled) = (item(7, b"came alone first"), item(6, b"bundled"));
    assert_eq!(upload(&gateway, alone.1.clone()).await.status(), StatusCode::OK);
    let data = bundle(&[&bundled, &alone]);
    let draft = Draft {
        tags: vec![
            ("Bundle-Format", "binary"),
            ("Bundle-Version", "2.0.0"),
            ("App", "layer one"),
        ],
        ..Draft::new(&gateway, &data, &[data.len()]).await
    };
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let transaction = draft.sign(&key);
    let id = transaction["id"].as_str().unwrap().to_owned();
    let posted = Client::new()
        .post(format!("{gateway}/tx"))
        .json(&transaction)
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), StatusCode::OK);
    let app = r#"tags: [{name: "App", values: ["layer one"]}]"#;
    assert!(found(&gateway, app).await.is_empty(), "its data is not there yet");
    let chunk = &draft.chunks()[0];
    let posted = Client::new()
        .post(format!("{gateway}/chunk"))
        .json(chunk)
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), StatusCode::OK);

    let query = format!("{{ transactions(sort: HEIGHT_ASC) {{ edges {{ node {{ {NODE} }} }} }} }}");
    let answer = ask(&gateway, &query, Value::Null).await;
    let edges = &answer["transactions"]["edges"];
    assert_eq!(ids(edges), [alone.0.clone(), bundled.0.clone(), id.clone()]);
    for (edge, expected) in [(0, Value::Null), (1, json!({ "id": id })), (2, Value::Null)] {
        for field in ["bundledIn", "parent"] {
            assert_eq!(edges[edge]["node"][field], expected, "{field} of {edge}");
        }
    }
    let node = &edges[2]["node"];
    let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let address = text(Sha256::digest(&modulus));
    assert_eq!(node["owner"], json!({ "address": address, "key": text(&modulus) }));
    for (field, named) in [
        ("anchor", "last_tx"),
        ("signature", "signature"),
        ("recipient", "target"),
    ] {
        assert_eq!(node[field], transaction[named], "{field}");
    }
    assert_eq!(node["fee"]["winston"], transaction["reward"]);
    assert_eq!(node["quantity"]["winston"], "0");
    assert_eq!(node["data"], json!({ "size": data.len().to_string(), "type": null }));
    assert_eq!(node["tags"][2], json!({ "name": "App", "value": "layer one" }));

    for filter in [
        app.to_owned(),
        format!(r#"owners: ["{address}"]"#),
        format!(r#"owners: ["{}"]"#, text(&modulus)),
    ] {
        assert_eq!(found(&gateway, &filter).await, std::slice::from_ref(&id), "{filter}");
    }
    assert_eq!(found(&gateway, &format!(r#"bundledIn: ["{id}"]"#)).await, [bundled.0]);
    assert!(process.terminate());
    let process = Process::start(folder.path(), &["--no-postgres"]);
    assert_eq!(ask(&process.endpoints.gateway, &query, Value::Null).await, answer);
    assert!(process.terminate());
}
