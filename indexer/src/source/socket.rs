//! The node's WebSocket: a subscription to what the program logs, which rings the bell at every notice. A connection that is
//! refused, cut, silent or dead is begun anew, after pauses that grow.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chartseal_websocket::{Gone, begin, client};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Client, Upgraded, Url};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message},
};

use super::wake::{Bell, Listening};
use crate::metrics::{self, Herald};

/// The longest message of a node, in bytes. A notice carries what one transaction logged.
const LONGEST_MESSAGE: usize = 1 << 20;

/// How long a node may take for a message, and for its answer to the subscription.
const WORD: Duration = Duration::from_secs(10);

/// How long it may be silent until it is asked for a sign of life, and until it is taken for dead.
const QUIET: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(30);

/// The only question that is asked.
const QUESTION: u64 = 1;

/// Listens until it is aborted.
pub(super) async fn listen(url: Url, commitment: CommitmentConfig, bell: Arc<Bell>) {
    let Some(client) = client() else { return };
    let mut pauses = Pauses::default();
    loop {
        let begun = Instant::now();
        // However it ended, the next begins like the first.
        let _ = connection(&client, url.clone(), commitment, &bell).await;
        tokio::time::sleep(pauses.next(begun.elapsed())).await;
        metrics::reconnects(Herald::Socket);
    }
}

async fn connection(client: &Client, url: Url, commitment: CommitmentConfig, bell: &Arc<Bell>) -> Result<(), Gone> {
    let mut socket = Socket(begin(client, url, LONGEST_MESSAGE).await?);
    socket.subscribe(commitment).await?;
    let mut listening: Option<Listening> = None;
    let (since, mut heard) = (Instant::now(), Instant::now());
    loop {
        if listening.is_none() && since.elapsed() > WORD {
            return Err(Gone);
        }
        let said = match timeout(QUIET, socket.hear()).await {
            Ok(said) => said?,
            Err(_) if heard.elapsed() < DEAD => {
                socket.send(Message::Ping(Bytes::new())).await?;
                continue;
            }
            Err(_) => return Err(Gone),
        };
        heard = Instant::now();
        match said {
            // Listening comes first, and what came before it is listed then: nothing falls between.
            Said::Subscribed => listening = Some(bell.listening()),
            Said::Notice => {
                metrics::told(Herald::Socket);
                bell.ring();
            }
            Said::Refused => return Err(Gone),
            Said::Else => {}
        }
    }
}

/// What a node said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It will tell.
    Subscribed,
    /// It will not.
    Refused,
    /// There was a transaction.
    Notice,
    /// Something else.
    Else,
}

struct Socket(WebSocketStream<Upgraded>);

impl Socket {
    async fn subscribe(&mut self, commitment: CommitmentConfig) -> Result<(), Gone> {
        let question = json!({
            "jsonrpc": "2.0", "id": QUESTION, "method": "logsSubscribe",
            "params": [
                { "mentions": [chartseal_program::ID.to_string()] },
                { "commitment": commitment.commitment.to_string() },
            ],
        });
        self.send(Message::text(question.to_string())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(WORD, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    /// The next that the node says. Nothing is lost where this is not waited for to its end.
    async fn hear(&mut self) -> Result<Said, Gone> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(understand(&text)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
            // A ping is answered by the library.
            Some(Ok(_)) => Ok(Said::Else),
        }
    }
}

fn understand(text: &str) -> Said {
    let Ok(said) = serde_json::from_str::<Value>(text) else {
        return Said::Else;
    };
    match said["id"].as_u64() {
        Some(QUESTION) if said["result"].is_u64() => Said::Subscribed,
        Some(QUESTION) => Said::Refused,
        _ if said["method"] == "logsNotification" => Said::Notice,
        _ => Said::Else,
    }
}

/// Pauses between connections: longer each time, of a length that differs from one indexer to the next, and short again
/// after one that worked for a while.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);
    /// How long a connection must have been there to have worked.
    const WORKED: Duration = Duration::from_secs(10);

    /// The pause after a connection that was there for so long.
    pub(super) fn next(&mut self, lived: Duration) -> Duration {
        if lived >= Self::WORKED {
            self.failures = 0;
        }
        let bound = Self::FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_and_notices_are_understood_and_nothing_else_is_taken_for_one() {
        for (text, said) in [
            (r#"{"jsonrpc":"2.0","result":7,"id":1}"#, Said::Subscribed),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":1}"#,
                Said::Refused,
            ),
            (r#"{"jsonrpc":"2.0","result":true,"id":1}"#, Said::Refused),
            (
                r#"{"jsonrpc":"2.0","method":"logsNotification","params":{}}"#,
                Said::Notice,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"slotNotification","params":{}}"#,
                Said::Else,
            ),
            (r#"{"jsonrpc":"2.0","result":7,"id":2}"#, Said::Else),
            ("[", Said::Else),
            ("null", Said::Else),
        ] {
            assert_eq!(understand(text), said, "{text}");
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_short_again_after_a_connection_that_worked() {
        let mut pauses = Pauses::default();
        let bounds: Vec<Duration> = (0..40).map(|_| pauses.next(Duration::ZERO)).collect();
        assert!(bounds[0] <= Pauses::FIRST && bounds[0] >= Pauses::FIRST / 2);
        assert!(bounds[39] >= Pauses::LONGEST / 2 && bounds.iter().all(|pause| *pause <= Pauses::LONGEST));
        assert!(pauses.next(Pauses::WORKED) <= Pauses::FIRST);
    }
}
