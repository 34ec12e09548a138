//! Wakes the indexer when something happened on the ledger, instead of at the next poll.
//!
//! A bell is rung by whoever hears of a transaction of the program: here a subscription to its logs over the node's
//! WebSocket ([`socket`](super::socket)). What exists, and in which order, is decided by the listing that follows; so a bell
//! that is never rung, or rung for nothing, costs time and no event. Polling goes on whatever a connection does, and only
//! becomes slower while one is heard of to be well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chartseal_websocket::WebSocket;
use solana_commitment_config::CommitmentConfig;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinHandle},
};

use super::socket;

/// How often to look for new transactions while somebody would tell of them, at least.
const CALM: Duration = Duration::from_secs(2);

/// What is rung. However often it is rung while nobody waits, who waits next is woken once.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Notify,
    /// How many connections would ring it.
    listening: AtomicUsize,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// A connection listens from now on. What came before is to be listed once.
    pub(super) fn listening(self: &Arc<Self>) -> Listening {
        self.listening.fetch_add(1, Ordering::Relaxed);
        self.ring();
        Listening(Arc::clone(self))
    }
}

/// For as long as this is there, a connection listens.
#[derive(Debug)]
pub(super) struct Listening(Arc<Bell>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::Relaxed);
        // Whoever sleeps long because of this connection sleeps no more.
        self.0.ring();
    }
}

/// Says when to look for new transactions.
#[derive(Debug, Default)]
pub struct Wake {
    bell: Arc<Bell>,
    /// What listens, for as long as this is there.
    listeners: Vec<AbortHandle>,
    /// When it was last woken.
    woken: Option<Instant>,
}

impl Wake {
    /// Listens at the WebSocket of the node with this JSON-RPC, if there is one; in a Tokio runtime.
    pub fn start(websocket: &WebSocket, rpc: &str, commitment: CommitmentConfig) -> Self {
        let mut wake = Self::default();
        match websocket.of(rpc) {
            Some(url) => wake.keep(&tokio::spawn(socket::listen(url, commitment, wake.bell()))),
            None => tracing::debug!("no WebSocket: the node is asked for what is new"),
        }
        wake
    }

    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Ends this with itself.
    pub(super) fn keep(&mut self, listener: &JoinHandle<()>) {
        self.listeners.push(listener.abort_handle());
    }

    /// Whether a connection is there that would wake.
    pub fn is_listening(&self) -> bool {
        self.bell.listening.load(Ordering::Relaxed) > 0
    }

    /// Returns once it is time to look for new transactions: when one was told of, and after `poll` at the latest, or some
    /// seconds where somebody listens. Nothing is lost where this is not waited for to its end.
    pub async fn next(&mut self, poll: Duration) {
        // A node may tell of a transaction before it lists it.
        let is_calm = self.woken.is_none_or(|woken| woken.elapsed() > CALM);
        let wait = match is_calm && self.is_listening() {
            true => poll.max(CALM),
            false => poll,
        };
        tokio::select! {
            () = self.bell.rung.notified() => self.woken = Some(Instant::now()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}
