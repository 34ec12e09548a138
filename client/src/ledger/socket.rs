//! A WebSocket to a node: where it is, and the few messages of Solana's subscriptions to a signature. What a node says that
//! is not understood is as if it had said nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chartseal_websocket::begin;
pub(super) use chartseal_websocket::{Gone, client};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Client, Upgraded, Url};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message},
};

use super::{WebSocket, fates::Fate};

/// How long a node may take no message.
const SEND: Duration = Duration::from_secs(10);

/// The longest message of a node, in bytes. A notice of a signature has some hundred.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Where the WebSocket is.
pub(super) struct Place {
    urls: Vec<String>,
    /// Which of them answered last.
    current: Arc<AtomicUsize>,
    chosen: WebSocket,
}

impl Place {
    pub(super) fn new(urls: Vec<String>, current: Arc<AtomicUsize>, chosen: WebSocket) -> Self {
        Self { urls, current, chosen }
    }

    /// The address to connect to now; `None` where there is none.
    pub(super) fn url(&self) -> Option<Url> {
        let rpc = self.urls.get(self.current.load(Ordering::Relaxed));
        self.chosen.of(rpc.map_or("", String::as_str))
    }
}

/// What a node said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The answer to a question; `None` where it refuses, or gave no number.
    Answer { question: u64, number: Option<u64> },
    /// What became of a transaction.
    Notice { subscription: u64, fate: Fate },
    /// Something else.
    Else,
}

/// A connection.
pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
    questions: u64,
}

impl Socket {
    pub(super) async fn begin(client: &Client, url: Url) -> Result<Self, Gone> {
        let stream = begin(client, url, LONGEST_MESSAGE).await?;
        Ok(Self { stream, questions: 0 })
    }

    /// Asks to hear what becomes of a transaction. Returns the question's number.
    pub(super) async fn subscribe(&mut self, signature: &Signature, at: CommitmentConfig) -> Result<u64, Gone> {
        let config = json!({ "commitment": at.commitment.to_string() });
        self.ask("signatureSubscribe", json!([signature.to_string(), config]))
            .await
    }

    /// Asks to hear no more. Returns the question's number.
    pub(super) async fn unsubscribe(&mut self, subscription: u64) -> Result<u64, Gone> {
        self.ask("signatureUnsubscribe", json!([subscription])).await
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<u64, Gone> {
        self.questions += 1;
        let question = json!({ "jsonrpc": "2.0", "id": self.questions, "method": method, "params": params });
        self.send(Message::text(question.to_string())).await?;
        Ok(self.questions)
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&mut self) -> Result<(), Gone> {
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(SEND, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    /// The next that the node says. Nothing is lost where this is not waited for to its end.
    pub(super) async fn hear(&mut self) -> Result<Said, Gone> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(understand(&text)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
            // A ping is answered by the library.
            Some(Ok(_)) => Ok(Said::Else),
        }
    }

    /// Says that nothing more will come.
    pub(super) async fn end(mut self) {
        // The other side may be gone already.
        let _ = timeout(SEND, self.stream.close(None)).await;
    }
}

fn understand(text: &str) -> Said {
    let Ok(said) = serde_json::from_str::<Value>(text) else {
        return Said::Else;
    };
    if let Some(question) = said["id"].as_u64() {
        let number = said["result"].as_u64();
        return Said::Answer { question, number };
    }
    let notice = || {
        let params = said
            .get("params")
            .filter(|_| said["method"] == "signatureNotification")?;
        let subscription = params["subscription"].as_u64()?;
        let error = params["result"]["value"].get("err")?;
        let error: Option<TransactionError> = serde_json::from_value(error.clone()).ok()?;
        let fate = error.map_or(Fate::Confirmed, Fate::Failed);
        Some(Said::Notice { subscription, fate })
    };
    notice().unwrap_or(Said::Else)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use solana_instruction::error::InstructionError;

    use super::*;

    #[test]
    fn the_node_in_use_says_where_unless_another_address_is_given() {
        let urls = ["http://one:1", "http://two:3"].map(str::to_owned).to_vec();
        let current = Arc::new(AtomicUsize::new(0));
        let place = |chosen| Place::new(urls.clone(), Arc::clone(&current), chosen);
        let at = |place: &Place| place.url().map(String::from);
        let usual = place(WebSocket::Conventional);
        assert_eq!(at(&usual).as_deref(), Some("http://one:2/"));
        current.store(1, Ordering::Relaxed);
        assert_eq!(at(&usual).as_deref(), Some("http://two:4/"));
        assert_eq!(at(&place(WebSocket::Off)), None);
    }

    #[test]
    fn answers_and_notices_are_understood_and_nothing_else_is_taken_for_one() {
        let said = |text: &str| understand(text);
        let question = 3;
        let (number, none) = (Some(24), None);
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","result":24,"id":3}"#),
            Said::Answer { question, number }
        );
        let refused = r#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"limit"},"id":3}"#;
        assert_eq!(said(refused), Said::Answer { question, number: none });
        let notice = |value: &str| {
            said(&format!(
                r#"{{"jsonrpc":"2.0","method":"signatureNotification","params":
                   {{"result":{{"context":{{"slot":5}},"value":{value}}},"subscription":24}}}}"#
            ))
        };
        let subscription = 24;
        let fate = Fate::Confirmed;
        assert_eq!(notice(r#"{"err":null}"#), Said::Notice { subscription, fate });
        let fate = Fate::Failed(TransactionError::InstructionError(1, InstructionError::Custom(6_000)));
        let failed = r#"{"err":{"InstructionError":[1,{"Custom":6000}]}}"#;
        assert_eq!(notice(failed), Said::Notice { subscription, fate });
        // The second is what a node tells that only received it.
        for value in ["{}", r#""receivedSignature""#, "null", r#"{"err":"nonsense"}"#, "7"] {
            assert_eq!(notice(value), Said::Else, "{value}");
        }
        for text in [
            "",
            "{",
            "[]",
            "null",
            r#"{"id":"x"}"#,
            r#"{"method":"signatureNotification"}"#,
        ] {
            assert_eq!(said(text), Said::Else, "{text}");
        }
    }
}
