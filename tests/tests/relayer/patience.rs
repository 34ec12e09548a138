//! Whoever holds a connection to a relayer and does not say what it wants is let go.

use std::time::Duration;

use chartseal_tests::memory::one_patient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::Relayer;

/// Long after it should have been let go.
const NEVER: Duration = Duration::from_secs(120);

/// What a relayer says to this, until it ends the connection.
async fn told(address: &str, said: &[u8]) -> String {
    let mut line = TcpStream::connect(address).await.unwrap();
    line.write_all(said).await.unwrap();
    let mut told = Vec::new();
    let ended = tokio::time::timeout(NEVER, line.read_to_end(&mut told)).await;
    ended.expect("the connection is held").unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_or_never_come_to_an_end_are_not_held() {
    let (stack, payer, _) = one_patient().unwrap();
    let relayer = Relayer::of(&stack, &payer, &[]);
    let address = relayer.url.trim_start_matches("http://");
    let headers = "GET /liveness HTTP/1.1\r\nHost: relayer\r\n";
    let whole = format!("{headers}\r\n");
    let body = "POST / HTTP/1.1\r\nHost: relayer\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    let (silent, beginning, between, unfinished) = tokio::join!(
        told(address, b""),
        told(address, headers.as_bytes()),
        told(address, whole.as_bytes()),
        told(address, body.as_bytes()),
    );
    assert_eq!(silent, "");
    assert!(!beginning.contains("200 OK"), "{beginning}");
    assert!(between.starts_with("HTTP/1.1 200 OK"), "{between}");
    assert!(unfinished.starts_with("HTTP/1.1 408"), "{unfinished}");
    drop(relayer);
    stack.stop().unwrap();
}
