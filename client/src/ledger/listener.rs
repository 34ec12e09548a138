//! Hears over a WebSocket what becomes of the transactions that are asked for, thousands of them over one connection. It
//! only ever makes known sooner what asking would find out: without a connection, and where a node does not keep its word,
//! asking goes on as if there were none, and the connection is begun anew after a pause that grows.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use solana_commitment_config::CommitmentConfig;
use solana_signature::Signature;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    fates::{Fate, Fates},
    socket::{Gone, Place, Said, Socket, client},
};
use crate::backoff::Backoff;

/// The most transactions that are listened to. Those beyond it are asked for.
const MOST: usize = 8_192;

/// Questions that a node has not answered, at most: neither side ever waits for the other to read.
const AT_ONCE: usize = 256;

/// How long a node may take for an answer, or for a notice once asking found out the same.
const WORD: Duration = Duration::from_secs(5);

/// How often it is looked whether the node keeps its word.
const LOOK: Duration = Duration::from_secs(1);

/// How long a connection is kept that nothing is listened to on.
const IDLE: Duration = Duration::from_secs(30);

/// How long it may be silent until the node is asked for a sign of life, and until it is taken for dead.
const QUIET: Duration = Duration::from_secs(15);
const DEAD: Duration = Duration::from_secs(45);

/// Pauses between connections that did not work, and the shortest.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
const SHORTEST: Duration = Duration::from_millis(250);

/// What is to be done about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Listen to it.
    Listen(Signature),
    /// Asking found out what became of it: the node's notice is due.
    Due(Signature),
    /// Nobody waits for it any more, or nothing will come.
    Forget(Signature),
}

/// How a connection ended.
enum End {
    /// The ledger was dropped.
    Over,
    /// There was nothing to listen to.
    Idle,
    /// The connection broke, or the node did not keep its word.
    Lost,
}

/// Listens for as long as the ledger is there. A connection is begun once there is something to listen to.
pub(super) async fn listen(
    place: Arc<Place>,
    commitment: CommitmentConfig,
    fates: Weak<Fates>,
    mut orders: UnboundedReceiver<Order>,
) {
    let Some(client) = client() else { return };
    let mut failures = 0;
    loop {
        // What came meanwhile stands in the list of all that is open.
        while orders.try_recv().is_ok() {}
        let Some(wanted) = fates.upgrade().map(|fates| fates.wanted()) else {
            return;
        };
        if wanted.is_empty() {
            match orders.recv().await {
                Some(_) => continue,
                None => return,
            }
        }
        let Some(url) = place.url() else { return };
        if let Ok(socket) = Socket::begin(&client, url).await {
            let mut connection = Connection::new(socket, commitment, fates.clone());
            let end = connection.run(&mut orders).await;
            if let Some(fates) = fates.upgrade() {
                fates.hears_nothing();
            }
            if connection.is_proven {
                failures = 0;
            }
            match end {
                End::Over => return connection.socket.end().await,
                End::Idle => {
                    connection.socket.end().await;
                    continue;
                }
                End::Lost => {}
            }
        }
        let pause = tokio::time::sleep(PAUSES.pause(failures).max(SHORTEST));
        failures = failures.saturating_add(1);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                order = orders.recv() => if order.is_none() { return },
            }
        }
    }
}

/// What a question was about.
#[derive(Clone, Copy)]
enum Question {
    Subscribe(Signature),
    Unsubscribe,
}

/// A transaction that is listened to, or will be.
#[derive(Default)]
struct Listened {
    /// The number that the node gave.
    subscription: Option<u64>,
    /// Until when its notice must have come.
    due: Option<Instant>,
}

struct Connection {
    socket: Socket,
    commitment: CommitmentConfig,
    fates: Weak<Fates>,
    listened: HashMap<Signature, Listened>,
    /// Those that the node was not asked for yet.
    waiting: VecDeque<Signature>,
    /// What the node did not answer yet, and since when.
    asked: HashMap<u64, (Question, Instant)>,
    subscriptions: HashMap<u64, Signature>,
    /// Notices that came before the answer that names their subscription.
    early: HashMap<u64, Fate>,
    /// When the node last said something, and when there was last something to listen to.
    heard: Instant,
    busy: Instant,
    /// Whether a notice has come.
    is_proven: bool,
}

impl Connection {
    fn new(socket: Socket, commitment: CommitmentConfig, fates: Weak<Fates>) -> Self {
        let now = Instant::now();
        Self {
            socket,
            commitment,
            fates,
            listened: HashMap::new(),
            waiting: VecDeque::new(),
            asked: HashMap::new(),
            subscriptions: HashMap::new(),
            early: HashMap::new(),
            heard: now,
            busy: now,
            is_proven: false,
        }
    }

    async fn run(&mut self, orders: &mut UnboundedReceiver<Order>) -> End {
        let wanted = self.fates.upgrade().map(|fates| fates.wanted());
        for signature in wanted.unwrap_or_default() {
            self.listen_to(signature);
        }
        let mut look = tokio::time::interval(LOOK);
        let ended = async {
            loop {
                self.ask_for_those_that_wait().await?;
                tokio::select! {
                    said = self.socket.hear() => {
                        self.heard = Instant::now();
                        match said? {
                            Said::Answer { question, number } => self.answered(question, number).await?,
                            Said::Notice { subscription, fate } => self.told(subscription, fate),
                            Said::Else => {}
                        }
                    }
                    order = orders.recv() => match order {
                        Some(Order::Listen(signature)) => self.listen_to(signature),
                        Some(Order::Due(signature)) => self.is_due(&signature),
                        Some(Order::Forget(signature)) => self.forget(&signature).await?,
                        None => return Ok::<_, Gone>(End::Over),
                    },
                    _ = look.tick() => {
                        if self.is_idle().await? {
                            return Ok(End::Idle);
                        }
                    }
                }
            }
        };
        ended.await.unwrap_or(End::Lost)
    }

    fn listen_to(&mut self, signature: Signature) {
        if self.listened.contains_key(&signature) {
            return;
        }
        if self.listened.len() >= MOST {
            return self.promised(&signature, false);
        }
        self.listened.insert(signature, Listened::default());
        self.waiting.push_back(signature);
    }

    fn promised(&self, signature: &Signature, will_tell: bool) {
        if let Some(fates) = self.fates.upgrade() {
            fates.is_promised(signature, will_tell);
        }
    }

    fn is_due(&mut self, signature: &Signature) {
        if let Some(listened) = self.listened.get_mut(signature) {
            listened.due = Some(Instant::now() + WORD);
        }
    }

    async fn forget(&mut self, signature: &Signature) -> Result<(), Gone> {
        // Where the node has not answered yet, its answer finds it gone.
        let forgotten = self.listened.remove(signature);
        match forgotten.and_then(|listened| listened.subscription) {
            Some(subscription) => {
                self.subscriptions.remove(&subscription);
                self.unsubscribe(subscription).await
            }
            None => Ok(()),
        }
    }

    async fn unsubscribe(&mut self, subscription: u64) -> Result<(), Gone> {
        let question = self.socket.unsubscribe(subscription).await?;
        self.asked.insert(question, (Question::Unsubscribe, Instant::now()));
        Ok(())
    }

    async fn ask_for_those_that_wait(&mut self) -> Result<(), Gone> {
        while self.asked.len() < AT_ONCE
            && let Some(signature) = self.waiting.pop_front()
        {
            match self.listened.get(&signature) {
                // What became of it is known already.
                Some(Listened { due: Some(_), .. }) => {
                    self.listened.remove(&signature);
                }
                Some(_) => {
                    let question = self.socket.subscribe(&signature, self.commitment).await?;
                    let asked = (Question::Subscribe(signature), Instant::now());
                    self.asked.insert(question, asked);
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn answered(&mut self, question: u64, number: Option<u64>) -> Result<(), Gone> {
        let Some((Question::Subscribe(signature), _)) = self.asked.remove(&question) else {
            return Ok(());
        };
        let Some(subscription) = number else {
            // It tells of no more of them: this one is asked for.
            self.listened.remove(&signature);
            self.promised(&signature, false);
            return Ok(());
        };
        let Some(listened) = self
            .listened
            .get_mut(&signature)
            .filter(|one| one.subscription.is_none())
        else {
            return self.unsubscribe(subscription).await;
        };
        listened.subscription = Some(subscription);
        self.subscriptions.insert(subscription, signature);
        self.promised(&signature, true);
        if let Some(fate) = self.early.remove(&subscription) {
            self.told(subscription, fate);
        }
        Ok(())
    }

    fn told(&mut self, subscription: u64, fate: Fate) {
        let Some(signature) = self.subscriptions.remove(&subscription) else {
            if self.early.len() < self.asked.len() {
                self.early.insert(subscription, fate);
            }
            return;
        };
        self.listened.remove(&signature);
        self.is_proven = true;
        if let Some(fates) = self.fates.upgrade() {
            fates.heard(&signature, fate);
        }
    }

    /// Whether there was nothing to listen to for long.
    ///
    /// # Errors
    /// Where the node does not keep its word, or is dead.
    async fn is_idle(&mut self) -> Result<bool, Gone> {
        let now = Instant::now();
        let is_late = |listened: &Listened| listened.due.is_some_and(|due| due < now);
        let is_unanswered = |(_, since): &(Question, Instant)| now.duration_since(*since) > WORD;
        let silence = now.duration_since(self.heard);
        if self.listened.values().any(is_late) || self.asked.values().any(is_unanswered) || silence > DEAD {
            return Err(Gone);
        }
        if silence > QUIET {
            self.socket.ping().await?;
        }
        if self.asked.is_empty() {
            self.early.clear();
        }
        if !self.listened.is_empty() {
            self.busy = now;
        }
        Ok(now.duration_since(self.busy) > IDLE)
    }
}

#[cfg(test)]
mod tests;
