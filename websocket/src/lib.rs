//! Where the WebSocket of a Solana node is, and how one is begun: by the same HTTP client as everything else, so that TLS,
//! roots and proxies are the same. What is said over it is for those who begin one.

mod argument;

use std::{fmt, time::Duration};

use reqwest::{Client, ClientBuilder, StatusCode, Upgraded, Url, header, redirect::Policy};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

/// How long beginning one may take.
const BEGIN: Duration = Duration::from_secs(10);

/// Where a node's WebSocket is. It only ever makes known sooner what asking would find out: where it does not work, the node
/// is asked instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WebSocket {
    /// Where Solana's clients look for it: on the port after that of the JSON-RPC of the node in use, or at the same address
    /// where that names no port.
    #[default]
    Conventional,
    /// At this address, `ws://` or `wss://`.
    At(String),
    /// None is used.
    Off,
}

impl WebSocket {
    /// At this address.
    ///
    /// # Errors
    /// What is wrong with the address; it is not repeated, for there may be a key in it.
    pub fn at(address: &str) -> Result<Self, String> {
        match over_http(address) {
            Some(_) => Ok(Self::At(address.to_owned())),
            None => Err("it is no address of a WebSocket; give one like wss://host:port".into()),
        }
    }

    /// As it stands on a command line: an address, or `off`.
    ///
    /// # Errors
    /// As [`WebSocket::at`].
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            address => Self::at(address).map_err(|error| format!("{error}, or off")),
        }
    }

    /// The address to connect to for the node with this JSON-RPC, with the scheme of HTTP, over which it begins; `None` where
    /// there is none.
    pub fn of(&self, rpc: &str) -> Option<Url> {
        match self {
            Self::Conventional => conventional(rpc),
            Self::At(url) => over_http(url),
            Self::Off => None,
        }
    }
}

/// On the port after that of its JSON-RPC, where one is named.
fn conventional(rpc: &str) -> Option<Url> {
    let mut url = Url::parse(rpc).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    if let Some(port) = url.port() {
        url.set_port(Some(port.checked_add(1)?)).ok()?;
    }
    Some(url)
}

/// An address of a WebSocket (`ws://`, `wss://`), with the scheme of HTTP.
pub fn over_http(websocket: &str) -> Option<Url> {
    let url = Url::parse(websocket).ok()?;
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return None,
    };
    // A scheme of this kind is not changed by the library.
    Url::parse(&format!("{scheme}{}", url.as_str().strip_prefix(url.scheme())?)).ok()
}

/// A client that begins WebSockets.
pub fn client() -> Option<Client> {
    builder().build().ok()
}

/// What such a client is made by.
pub fn builder() -> ClientBuilder {
    Client::builder().http1_only().redirect(Policy::none())
}

/// The connection does not work, or does no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket does not work")
    }
}

impl std::error::Error for Gone {}

/// Begins a WebSocket there, for messages of so many bytes at most.
///
/// # Errors
/// Where nobody answers, or not in time, or what answers begins none.
pub async fn begin(client: &Client, url: Url, longest_message: usize) -> Result<WebSocketStream<Upgraded>, Gone> {
    timeout(BEGIN, upgrade(client, url, longest_message))
        .await
        .unwrap_or(Err(Gone))
}

async fn upgrade(client: &Client, url: Url, longest_message: usize) -> Result<WebSocketStream<Upgraded>, Gone> {
    let key = generate_key();
    let request = client
        .get(url)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    let answer = request.send().await.map_err(|_| Gone)?;
    let accepted = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    let is_right = accepted.is_some_and(|accepted| accepted.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS || !is_right {
        return Err(Gone);
    }
    let line = answer.upgrade().await.map_err(|_| Gone)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(longest_message))
        .max_frame_size(Some(longest_message));
    Ok(WebSocketStream::from_raw_socket(line, Role::Client, Some(config)).await)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_websocket_is_on_the_port_after_that_of_the_node_and_where_none_is_named_at_the_same_address() {
        let found = |rpc: &str| WebSocket::Conventional.of(rpc).map(String::from);
        for (rpc, expected) in [
            ("http://127.0.0.1:8899", "http://127.0.0.1:8900/"),
            ("http://[::1]:8899", "http://[::1]:8900/"),
            ("https://node.example", "https://node.example/"),
            (
                "https://me:it@node.example/v2/key?api-key=1",
                "https://me:it@node.example/v2/key?api-key=1",
            ),
            ("https://node.example:9000/v2", "https://node.example:9001/v2"),
        ] {
            assert_eq!(found(rpc).as_deref(), Some(expected));
        }
        for rpc in ["http://127.0.0.1:65535", "nonsense", "", "ftp://node.example:21"] {
            assert_eq!(found(rpc), None, "{rpc}");
        }
    }

    #[test]
    fn another_address_is_taken_as_it_is_and_a_wrong_one_is_not_repeated() {
        let given = |url: &str| WebSocket::At(url.to_owned()).of("http://one:1").map(String::from);
        assert_eq!(
            given("wss://w.example:9/a?b=c").as_deref(),
            Some("https://w.example:9/a?b=c")
        );
        assert_eq!(given("ws://w.example").as_deref(), Some("http://w.example/"));
        assert_eq!(given("http://w.example"), None);
        assert_eq!(WebSocket::Off.of("http://one:1"), None);
        assert_eq!(WebSocket::parse("off"), Ok(WebSocket::Off));
        assert!(WebSocket::parse("wss://w.example").is_ok());
        for wrong in ["https://w.example?hush", "w.example?hush", "wss:", ""] {
            assert!(!WebSocket::parse(wrong).unwrap_err().contains("hush"), "{wrong}");
        }
    }
}
