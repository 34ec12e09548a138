//! What becomes of transactions under way. One task asks for all that a ledger has in flight, 256 in a question, for as
//! long as anybody waits. Another hears of them over a WebSocket where there is one; while it has proved to tell, what it
//! listens to is hardly asked for. A transaction is called expired only on the word of a node that has seen its blockhash's
//! life end and has searched its whole history: it can never be applied any more, and another may be signed in its place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::TransactionStatus;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    POLL,
    listener::{Order, listen},
    socket::Place,
};

/// Signatures that a node takes in one question, at most.
const AT_ONCE: usize = 256;

/// How often a transaction is asked for that is listened to on a connection that has proved itself.
const SPARSE: Duration = Duration::from_secs(2);

/// How long it is not asked for while such a connection is about to listen to it.
const SOON: Duration = Duration::from_millis(500);

/// How often the chain's height is asked for. It only serves to notice that a blockhash's life, of about a minute, ended.
const HEIGHT: Duration = Duration::from_secs(1);

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing is known, or nothing that is confirmed.
    Open,
    /// It stands on chain.
    Confirmed,
    /// It was taken and failed: nothing changed but the fee.
    Failed(TransactionError),
    /// It was not applied and cannot be any more.
    Expired,
}

/// What was heard of a transaction, and when.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) fate: Fate,
    /// When a node last answered the question, whatever it said.
    pub(super) answered: Instant,
}

/// All transactions of a ledger that somebody waits for.
pub(super) struct Fates {
    rpc: Arc<RpcClient>,
    /// Where they are heard of; `None` where they are only asked for.
    place: Option<Arc<Place>>,
    sparse: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    followed: HashMap<Signature, Entry>,
    task: Option<JoinHandle<()>>,
    listener: Option<Listener>,
    /// Whether the connection that listens has told of one, and asking was not first since with what it promised to tell.
    is_trusted: bool,
}

struct Listener {
    task: JoinHandle<()>,
    orders: mpsc::UnboundedSender<Order>,
}

struct Entry {
    /// The last block height at which it can be applied; `None` where that is not known.
    last_valid: Option<u64>,
    news: watch::Sender<News>,
    /// When it was last asked for, or else when it came.
    asked: Instant,
    told: Told,
}

/// Whether a node will tell what becomes of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    /// It is being asked for that.
    #[default]
    Soon,
    /// It said so.
    Promised,
    /// It will not.
    Never,
}

/// Where the chain was when it was asked.
#[derive(Clone, Copy)]
struct Seen {
    slot: u64,
    height: u64,
}

impl Fates {
    /// Those whose fate is asked for, and heard of over a WebSocket where there is a place for it. Nobody is left without an
    /// answer to a question for as long as `patience`.
    pub(super) fn new(rpc: Arc<RpcClient>, place: Option<Place>, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            rpc,
            place: place.map(Arc::new),
            sparse: SPARSE.min(patience / 4),
            state: Mutex::default(),
        })
    }

    /// Begins to ask for a transaction. It is asked for until its fate is known, or until what is returned is dropped.
    pub(super) fn follow(self: &Arc<Self>, signature: Signature, last_valid: Option<u64>) -> Followed {
        let mut state = self.lock();
        let news = match state.followed.get(&signature) {
            Some(entry) if entry.news.borrow().fate == Fate::Open => entry.news.subscribe(),
            _ => {
                let now = Instant::now();
                let (news, heard) = watch::channel(News {
                    fate: Fate::Open,
                    answered: now,
                });
                let entry = Entry {
                    last_valid,
                    news,
                    asked: now,
                    told: Told::default(),
                };
                state.followed.insert(signature, entry);
                state.order(Order::Listen(signature));
                heard
            }
        };
        drop(state);
        Followed {
            fates: Arc::clone(self),
            news,
        }
    }

    /// Starts the tasks where they do not run: they were not needed, or the runtime that they ran in has ended.
    fn ensure_tasks(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.task.as_ref().is_none_or(JoinHandle::is_finished) {
            state.task = Some(tokio::spawn(Arc::clone(self).ask_until_all_is_known()));
        }
        let listens = state.listener.as_ref().is_some_and(|one| !one.task.is_finished());
        if let Some(place) = &self.place
            && !listens
            && place.url().is_some()
        {
            state.hears_nothing();
            let (orders, ordered) = mpsc::unbounded_channel();
            let listening = listen(Arc::clone(place), self.rpc.commitment(), Arc::downgrade(self), ordered);
            let task = tokio::spawn(listening);
            state.listener = Some(Listener { task, orders });
        }
    }

    async fn ask_until_all_is_known(self: Arc<Self>) {
        let mut asked = Instant::now();
        // Good for as long as the task is there: what has ended stays so, and who tells of it must have come as far.
        let mut seen = None;
        while let Some(due) = self.due() {
            if !due.is_empty() {
                if asked.elapsed() > HEIGHT {
                    asked = Instant::now();
                    if let Ok(epoch) = self.rpc.get_epoch_info().await {
                        let (slot, height) = (epoch.absolute_slot, epoch.block_height);
                        seen = Some(Seen { slot, height });
                    }
                }
                self.ask(due, seen).await;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The transactions that are to be asked for now. `None`, and the task is over, where nobody waits for any.
    fn due(&self) -> Option<Vec<(Signature, Option<u64>)>> {
        let mut state = self.lock();
        let State { followed, .. } = &mut *state;
        let is_wanted = |entry: &Entry| entry.news.receiver_count() > 0;
        let given_up = followed
            .iter()
            .filter(|(_, entry)| !is_wanted(entry) && entry.is_open());
        let given_up: Vec<_> = given_up.map(|(signature, _)| *signature).collect();
        followed.retain(|_, entry| is_wanted(entry));
        for signature in given_up {
            state.order(Order::Forget(signature));
        }
        if !state.followed.values().any(Entry::is_open) {
            // Under the lock: whoever comes next starts another.
            state.task = None;
            return None;
        }
        let is_trusted = state.is_trusted;
        let open = state.followed.iter_mut().filter(|(_, entry)| entry.is_open());
        let due = open.filter(|(_, entry)| match entry.told {
            Told::Promised if is_trusted => entry.asked.elapsed() >= self.sparse,
            Told::Soon if is_trusted => entry.asked.elapsed() >= SOON.min(self.sparse),
            _ => true,
        });
        let due = due.map(|(signature, entry)| {
            entry.asked = Instant::now();
            (*signature, entry.last_valid)
        });
        Some(due.collect())
    }

    /// The transactions that somebody waits for.
    pub(super) fn wanted(&self) -> Vec<Signature> {
        let state = self.lock();
        let open = state.followed.iter().filter(|(_, entry)| entry.is_open());
        open.map(|(signature, _)| *signature).collect()
    }

    /// A node said whether it will tell of a transaction.
    pub(super) fn is_promised(&self, signature: &Signature, will_tell: bool) {
        if let Some(entry) = self.lock().followed.get_mut(signature) {
            entry.told = if will_tell { Told::Promised } else { Told::Never };
        }
    }

    /// A node told what became of a transaction.
    pub(super) fn heard(&self, signature: &Signature, fate: Fate) {
        let mut state = self.lock();
        state.is_trusted = true;
        if let Some(entry) = state.followed.get(signature).filter(|entry| entry.is_open()) {
            let answered = Instant::now();
            entry.news.send_replace(News { fate, answered });
        }
    }

    /// Nothing will be told any more.
    pub(super) fn hears_nothing(&self) {
        self.lock().hears_nothing();
    }

    async fn ask(&self, open: Vec<(Signature, Option<u64>)>, seen: Option<Seen>) {
        let is_over = |last_valid: Option<u64>| seen.zip(last_valid).is_some_and(|(seen, last)| seen.height > last);
        let (over, young): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, last_valid)| is_over(*last_valid));
        for chunk in signatures(&young).chunks(AT_ONCE) {
            if let Ok(answer) = self.rpc.get_signature_statuses(chunk).await {
                self.tell(chunk, answer.value, &Fate::Open);
            }
        }
        // What a node has at hand goes back a few minutes only, and the line may have been cut for longer.
        for chunk in signatures(&over).chunks(AT_ONCE) {
            if let Ok(answer) = self.rpc.get_signature_statuses_with_history(chunk).await {
                // Of several nodes behind one address, another may answer that has not come as far.
                let has_seen_it_end = seen.is_some_and(|seen| answer.context.slot >= seen.slot);
                let absent = if has_seen_it_end { Fate::Expired } else { Fate::Open };
                self.tell(chunk, answer.value, &absent);
            }
        }
    }

    /// Tells those who wait. `absent` is the fate of what the node does not know.
    fn tell(&self, asked: &[Signature], statuses: Vec<Option<TransactionStatus>>, absent: &Fate) {
        let mut state = self.lock();
        for (signature, status) in asked.iter().zip(statuses) {
            let fate = match status {
                None => absent.clone(),
                Some(status) if !status.satisfies_commitment(self.rpc.commitment()) => Fate::Open,
                Some(status) => status.err.map_or(Fate::Confirmed, Fate::Failed),
            };
            // It may have been heard of since it was asked for.
            let Some(entry) = state.followed.get(signature).filter(|entry| entry.is_open()) else {
                continue;
            };
            let answered = Instant::now();
            entry.news.send_replace(News {
                fate: fate.clone(),
                answered,
            });
            match fate {
                Fate::Open => {}
                Fate::Expired => state.order(Order::Forget(*signature)),
                Fate::Confirmed | Fate::Failed(_) => {
                    if entry.told == Told::Promised {
                        // The node should have told before.
                        state.is_trusted = false;
                    }
                    state.order(Order::Due(*signature));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn order(&self, order: Order) {
        if let Some(listener) = &self.listener {
            // Where the task has ended, its runtime has.
            let _ = listener.orders.send(order);
        }
    }

    fn hears_nothing(&mut self) {
        self.is_trusted = false;
        for entry in self.followed.values_mut() {
            entry.told = Told::Soon;
        }
    }
}

impl Entry {
    fn is_open(&self) -> bool {
        self.news.borrow().fate == Fate::Open
    }
}

fn signatures(of: &[(Signature, Option<u64>)]) -> Vec<Signature> {
    of.iter().map(|(signature, _)| *signature).collect()
}

/// A transaction that is asked for.
pub(super) struct Followed {
    fates: Arc<Fates>,
    news: watch::Receiver<News>,
}

impl Followed {
    /// The news once its fate is known, or whatever they are after this long.
    pub(super) async fn within(&mut self, time: Duration) -> News {
        self.fates.ensure_tasks();
        let known = self.news.wait_for(|news| news.fate != Fate::Open);
        let _ = tokio::time::timeout(time, known).await;
        self.news.borrow().clone()
    }
}

#[cfg(test)]
mod tests;
