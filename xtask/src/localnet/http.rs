//! Asking servers on this machine whether they are well. Requests are HTTP/1.0, whose answers end with the connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer that we ask for is longer.
const LONGEST: u64 = 1 << 20;

/// Asks for a path and gives the body of the answer.
///
/// # Errors
/// When nobody answers in time, or with another status than 200.
pub(super) fn get(url: &str, path: &str) -> Result<String> {
    exchange(url, &format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"))
}

/// Calls a method of JSON-RPC and gives its result.
///
/// # Errors
/// When nobody answers in time, or the answer is an error.
pub(super) fn call(url: &str, method: &str, params: &Value) -> Result<Value> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let length = body.len();
    let answer = exchange(
        url,
        &format!(
            "POST / HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )?;
    let mut answer: Value = serde_json::from_str(&answer).with_context(|| format!("{url} answered no JSON"))?;
    match answer.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => bail!("{url} refuses {method}: {}", answer["error"]["message"]),
    }
}

/// The port that an address of ours ends with.
pub(super) fn port(url: &str) -> Option<u16> {
    url.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}

/// The `127.0.0.1:8903` of `http://127.0.0.1:8903`.
pub(super) fn host(url: &str) -> Option<&str> {
    Some(url.split_once("://")?.1.trim_end_matches('/'))
}

fn exchange(url: &str, request: &str) -> Result<String> {
    let port = port(url).with_context(|| format!("{url} has no port"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = converse(address, request).with_context(|| format!("{url} does not answer"))?;
    body_of(&answer).with_context(|| format!("{url} is not well"))
}

fn converse(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn body_of(answer: &str) -> Result<String> {
    let (head, body) = answer.split_once("\r\n\r\n").context("its answer was cut off")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("it answered: {status}");
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers one request, and gives its address.
    fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[test]
    fn the_result_of_a_call_is_what_the_server_answers() {
        let url = server("HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":\"ok\",\"id\":1}");
        assert_eq!(call(&url, "getHealth", &json!([])).unwrap(), "ok");
    }

    #[test]
    fn a_refusal_and_a_server_that_is_not_well_are_errors_that_say_so() {
        let refusal = server("HTTP/1.1 200 OK\r\n\r\n{\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}");
        let error = call(&refusal, "nonsense", &json!([])).unwrap_err();
        assert!(format!("{error:#}").contains("Method not found"), "{error:#}");
        let error = get(&server("HTTP/1.1 503 Busy\r\n\r\n"), "/info").unwrap_err();
        assert!(format!("{error:#}").contains("503 Busy"), "{error:#}");
        assert!(get(&server("HTTP/1.1 200"), "/info").is_err());
        assert!(get("http://127.0.0.1", "/info").is_err());
    }

    #[test]
    fn the_port_of_an_address_is_its_last_number() {
        assert_eq!(port("http://127.0.0.1:8899"), Some(8899));
        assert_eq!(port("ws://127.0.0.1:8900/"), Some(8900));
        assert_eq!(port("http://127.0.0.1"), None);
        assert_eq!(host("http://127.0.0.1:8903/"), Some("127.0.0.1:8903"));
        assert_eq!(host("127.0.0.1"), None);
    }
}
