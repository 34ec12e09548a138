//! What becomes of transactions under way. One task asks for all that a ledger has in flight, 256 in a question, for as
//! long as anybody waits. A transaction is called expired only on the word of a node that has seen its blockhash's life
//! end and has searched its whole history: it can never be applied any more, and another may be signed in its place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::TransactionStatus;
use tokio::{sync::watch, task::JoinHandle};

use super::POLL;

/// Signatures that a node takes in one question, at most.
const AT_ONCE: usize = 256;

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    followed: HashMap<Signature, Entry>,
    task: Option<JoinHandle<()>>,
}

struct Entry {
    /// The last block height at which it can be applied; `None` where that is not known.
    last_valid: Option<u64>,
    news: watch::Sender<News>,
}

/// Where the chain was when it was asked.
#[derive(Clone, Copy)]
struct Seen {
    slot: u64,
    height: u64,
}

impl Fates {
    pub(super) fn new(rpc: Arc<RpcClient>) -> Arc<Self> {
        Arc::new(Self {
            rpc,
            state: Mutex::default(),
        })
    }

    /// Begins to ask for a transaction. It is asked for until its fate is known, or until what is returned is dropped.
    pub(super) fn follow(self: &Arc<Self>, signature: Signature, last_valid: Option<u64>) -> Followed {
        let mut state = self.lock();
        let news = match state.followed.get(&signature) {
            Some(entry) if entry.news.borrow().fate == Fate::Open => entry.news.subscribe(),
            _ => {
                let (news, heard) = watch::channel(News {
                    fate: Fate::Open,
                    answered: Instant::now(),
                });
                state.followed.insert(signature, Entry { last_valid, news });
                heard
            }
        };
        drop(state);
        Followed {
            fates: Arc::clone(self),
            news,
        }
    }

    /// Starts the task where none runs: none was needed, or the runtime that it ran in has ended.
    fn ensure_task(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.task.as_ref().is_none_or(JoinHandle::is_finished) {
            state.task = Some(tokio::spawn(Arc::clone(self).ask_until_all_is_known()));
        }
    }

    async fn ask_until_all_is_known(self: Arc<Self>) {
        let mut asked = Instant::now();
        while let Some(open) = self.open() {
            let mut seen = None;
            if asked.elapsed() > HEIGHT {
                asked = Instant::now();
                seen = self.rpc.get_epoch_info().await.ok().map(|epoch| Seen {
                    slot: epoch.absolute_slot,
                    height: epoch.block_height,
                });
            }
            self.ask(open, seen).await;
            tokio::time::sleep(POLL).await;
        }
    }

    /// The transactions whose fate somebody still waits for. `None`, and the task is over, where there are none.
    fn open(&self) -> Option<Vec<(Signature, Option<u64>)>> {
        let mut state = self.lock();
        state.followed.retain(|_, entry| entry.news.receiver_count() > 0);
        let open = state.followed.iter();
        let open = open.filter(|(_, entry)| entry.news.borrow().fate == Fate::Open);
        let open: Vec<_> = open.map(|(signature, entry)| (*signature, entry.last_valid)).collect();
        if open.is_empty() {
            // Under the lock: whoever comes next starts another.
            state.task = None;
            return None;
        }
        Some(open)
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
        let state = self.lock();
        for (signature, status) in asked.iter().zip(statuses) {
            let fate = match status {
                None => absent.clone(),
                Some(status) if !status.satisfies_commitment(self.rpc.commitment()) => Fate::Open,
                Some(status) => status.err.map_or(Fate::Confirmed, Fate::Failed),
            };
            if let Some(entry) = state.followed.get(signature) {
                let answered = Instant::now();
                entry.news.send_replace(News { fate, answered });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.fates.ensure_task();
        let known = self.news.wait_for(|news| news.fate != Fate::Open);
        let _ = tokio::time::timeout(time, known).await;
        self.news.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::future::join_all;
    use serde_json::{Value, json};
    use solana_commitment_config::CommitmentConfig;
    use solana_rpc_client_api::request::RpcRequest;

    use super::{super::mock_node::node, *};

    const LIFE_ENDS_AT: u64 = 150;

    /// Of a node that is at block 151 in slot 1,000, and tells these statuses.
    fn fates(statuses: impl Fn(&[Value], bool) -> Value + Send + Sync + 'static) -> Arc<Fates> {
        fates_at(CommitmentConfig::confirmed(), statuses)
    }

    fn fates_at(
        commitment: CommitmentConfig,
        statuses: impl Fn(&[Value], bool) -> Value + Send + Sync + 'static,
    ) -> Arc<Fates> {
        let node = node(commitment, move |request, params| match request {
            RpcRequest::GetEpochInfo => json!({
                "epoch": 0, "slotIndex": 1_000, "slotsInEpoch": 432_000, "absoluteSlot": 1_000,
                "blockHeight": LIFE_ENDS_AT + 1, "transactionCount": 1,
            }),
            _ => statuses(
                params[0].as_array().unwrap(),
                params[1]["searchTransactionHistory"] == json!(true),
            ),
        });
        Fates::new(Arc::new(node))
    }

    fn signature(number: u16) -> Signature {
        let mut bytes = [0; 64];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        bytes.into()
    }

    fn nothing(slot: u64, asked: &[Value]) -> Value {
        json!({ "context": { "slot": slot }, "value": vec![Value::Null; asked.len()] })
    }

    fn applied(asked: &[Value]) -> Value {
        let status = json!({
            "slot": 7, "confirmations": 5, "status": { "Ok": null }, "err": null, "confirmationStatus": "confirmed",
        });
        json!({ "context": { "slot": 1_000 }, "value": vec![status; asked.len()] })
    }

    #[tokio::test]
    async fn all_that_is_in_flight_is_asked_for_together() {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&questions);
        let fates = fates(move |asked, _| {
            heard.lock().unwrap().push(asked.len());
            applied(asked)
        });
        let mut followed: Vec<_> = (0..600)
            .map(|number| fates.follow(signature(number), Some(LIFE_ENDS_AT)))
            .collect();
        let news = join_all(followed.iter_mut().map(|one| one.within(Duration::from_secs(60)))).await;
        assert!(news.iter().all(|news| news.fate == Fate::Confirmed));
        assert_eq!(*questions.lock().unwrap(), [256, 256, 88]);
    }

    #[tokio::test]
    async fn a_node_that_has_not_come_as_far_is_not_believed_that_a_transaction_expired() {
        let questions = Arc::new(Mutex::new(0));
        let heard = Arc::clone(&questions);
        let fates = fates(move |asked, with_history| {
            let mut questions = heard.lock().unwrap();
            *questions += u64::from(with_history);
            nothing(997 + *questions, asked)
        });
        let mut followed = fates.follow(signature(1), Some(LIFE_ENDS_AT));
        assert_eq!(followed.within(Duration::from_secs(60)).await.fate, Fate::Expired);
        assert_eq!(*questions.lock().unwrap(), 3, "the third answer is of slot 1,000");
    }

    #[tokio::test]
    async fn a_transaction_that_only_the_whole_history_knows_did_not_expire() {
        let fates = fates(|asked, with_history| {
            if with_history {
                applied(asked)
            } else {
                nothing(1_000, asked)
            }
        });
        let mut followed = fates.follow(signature(1), Some(LIFE_ENDS_AT));
        assert_eq!(followed.within(Duration::from_secs(60)).await.fate, Fate::Confirmed);
    }

    #[tokio::test]
    async fn what_can_still_be_undone_is_not_believed_by_who_wants_it_final() {
        let fates = fates_at(CommitmentConfig::finalized(), |asked, _| applied(asked));
        let mut followed = fates.follow(signature(1), None);
        assert_eq!(followed.within(HEIGHT).await.fate, Fate::Open);
    }

    #[tokio::test]
    async fn a_transaction_that_may_still_be_applied_stays_open() {
        let fates = fates(|asked, _| nothing(1_000, asked));
        let mut followed = fates.follow(signature(1), Some(LIFE_ENDS_AT + 1));
        assert_eq!(followed.within(HEIGHT * 2).await.fate, Fate::Open);
    }
}
