//! GraphQL queries that are wrong, too much, or about the schema itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::items::{NODE, ask, found, get, post_query, put, refused};
use common::{folder, sandbox};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_wrong_is_told_so_and_harms_nobody() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let id = put(gateway, 1, &[], b"still there").await;

    let kinds = format!(
        "{{ __schema {{ types {{ fields {{ type {} }} }} }} }}",
        "{ ofType ".repeat(14) + "{ name" + &"}".repeat(15)
    );
    let costly = format!("transactions(first: 100) {{ edges {{ node {{ {NODE} }} }} }}");
    let costly: String = (0..9).map(|number| format!("a{number}: {costly} ")).collect();
    let doubling: String = (0..30)
        .map(|level| format!("fragment F{level} on Query {{ ...F{0} ...F{0} }} ", level + 1))
        .collect();
    for (query, message) in [
        (String::new(), "expected"),
        ("{ transactions".to_owned(), "expected"),
        ("{ nothing }".to_owned(), "Unknown field"),
        (
            "{ transactions(first: \"a\") { edges { cursor } } }".to_owned(),
            "first",
        ),
        (
            "{ transactions(sort: SIDEWAYS) { edges { cursor } } }".to_owned(),
            "SIDEWAYS",
        ),
        ("mutation { transaction(id: \"a\") { id } }".to_owned(), "mutation"),
        (kinds, "nested too deep"),
        ("{ a ".repeat(15_000), "nested too deep"),
        (
            format!("{{ transaction(id: {} }}", "[".repeat(60_000)),
            "nested too deep",
        ),
        (format!("{{ {costly} }}"), "too complex"),
        (format!("{{ ...F0 }} {doubling}"), "too complex"),
        ("{ ...F } fragment F on Query { ...F }".to_owned(), "too complex"),
    ] {
        let (status, text) = refused(gateway, &query).await;
        let query: String = query.chars().take(80).collect();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(text.contains(message), "{query}: {text}");
    }
    for (arguments, message) in [
        ("after: \"nonsense\"", "`after` is no cursor"),
        ("first: -1", "`first` is how many"),
    ] {
        let query = format!("{{ transactions({arguments}) {{ edges {{ cursor }} }} }}");
        let (status, text) = refused(gateway, &query).await;
        assert_eq!(status, StatusCode::OK, "the query was run");
        assert!(text.contains(message), "{text}");
    }
    for (body, expected) in [
        ("nonsense".to_owned(), StatusCode::BAD_REQUEST),
        ("[".repeat(100_000), StatusCode::BAD_REQUEST),
        (
            json!({ "query": " ".repeat(200_000) }).to_string(),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ] {
        let (status, answer) = post_query(gateway, body).await;
        assert_eq!(status, expected);
        assert!(answer["errors"][0]["message"].is_string(), "{answer}");
    }
    let without = get(gateway, "graphql", None).await;
    assert_eq!(without.status(), StatusCode::BAD_REQUEST);
    assert!(without.text().await.unwrap().contains("query"));
    assert_eq!(found(gateway, "block: {min: 0}").await, [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_ask_for_the_schema_get_it() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let query =
        "{ __type(name: \"Transaction\") { fields(includeDeprecated: true) { name type { kind ofType { name } } } } }";
    let answer = ask(gateway, query, Value::Null).await;
    let fields = answer["__type"]["fields"].as_array().unwrap().iter();
    let nullable: Vec<(&str, bool)> = fields
        .map(|field| (field["name"].as_str().unwrap(), field["type"]["kind"] != "NON_NULL"))
        .collect();
    let expected = [
        ("id", false),
        ("anchor", false),
        ("signature", false),
        ("recipient", false),
        ("owner", false),
        ("fee", false),
        ("quantity", false),
        ("data", false),
        ("tags", false),
        ("block", true),
        ("parent", true),
        ("bundledIn", true),
    ];
    assert_eq!(nullable, expected);
    // What graphql-js asks, which all of them use.
    let whole = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name }
        types { ...FullType } directives { name description locations args { ...InputValue } } } }
        fragment FullType on __Type { kind name description
            fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated
                deprecationReason }
            inputFields { ...InputValue } interfaces { ...TypeRef }
            enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
            possibleTypes { ...TypeRef } }
        fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
            ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";
    let answer = ask(gateway, whole, Value::Null).await;
    assert!(answer["__schema"]["types"].as_array().unwrap().len() > 15);
}
