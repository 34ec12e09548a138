#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;

use axum::{Router, extract::State, response::Response, routing::post};

use super::*;

/// What a node answers, one after the other; then it says that it is well.
type Answers = Arc<Mutex<VecDeque<(u16, String)>>>;

async fn answers(State(answers): State<Answers>, question: String) -> Response<String> {
    let question: Value = serde_json::from_str(&question).unwrap();
    let well = (200, json!({ "jsonrpc": "2.0", "id": 1, "result": "ok" }).to_string());
    let (status, body) = match question["method"].as_str() {
        Some("getHealth") => answers.lock().unwrap().pop_front().unwrap_or(well),
        _ => well,
    };
    let answer = Response::builder().status(status).header(header::RETRY_AFTER, "0");
    answer.body(body).unwrap()
}

/// The address of a node that answers this when it is asked whether it is well.
async fn node(first: &[(u16, &str)]) -> String {
    let first = first.iter().map(|(status, body)| (*status, (*body).to_owned()));
    let answers: Answers = Arc::new(Mutex::new(first.collect()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/", post(self::answers)).with_state(answers);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Nobody is at this address.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn is_well(nodes: &Nodes) -> ClientResult<Value> {
    nodes.ask(RpcRequest::GetHealth, json!([])).await
}

#[tokio::test]
async fn a_node_that_asks_for_peace_is_asked_again_though_another_is_down() {
    let urls = [nobody().await, node(&[(429, ""), (429, "")]).await];
    assert_eq!(is_well(&Nodes::new(&urls, None)).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_node_that_is_down_is_told_of_where_it_is_asked_in_vain() {
    let error = is_well(&Nodes::new(&[nobody().await], None)).await.unwrap_err();
    assert!(matches!(*error.kind, ErrorKind::Reqwest(_)), "{error}");
    let error = is_well(&Nodes::new(&[], None)).await.unwrap_err();
    assert!(error.to_string().contains("no address of a node is named"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error() {
    let rubbish = ["\"rubbish\"", "[]", "7", "null", "{}", "<html>", ""].map(|body| (200, body));
    let nodes = Nodes::new(&[node(&rubbish).await], None);
    for (_, body) in rubbish {
        assert!(is_well(&nodes).await.is_err(), "{body}");
    }
    assert_eq!(is_well(&nodes).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_its_end() {
    let nodes = Nodes {
        longest_answer: 100,
        ..Nodes::new(&[node(&[(200, &"x".repeat(101))]).await], None)
    };
    let error = is_well(&nodes).await.unwrap_err();
    assert!(error.to_string().contains("no end"), "{error}");
    assert_eq!(is_well(&nodes).await.unwrap(), "ok");
}

#[test]
fn an_address_is_shown_without_what_may_be_a_key() {
    assert_eq!(shown("http://127.0.0.1:8899"), "http://127.0.0.1:8899");
    assert_eq!(shown("http://127.0.0.1:8899/"), "http://127.0.0.1:8899");
    assert_eq!(
        shown("https://me:secret@node.example/?api-key=1"),
        "https://node.example"
    );
    assert_eq!(shown("https://node.example/v2/secret"), "https://node.example/…");
    assert_eq!(shown("nonsense"), "nonsense");
}
