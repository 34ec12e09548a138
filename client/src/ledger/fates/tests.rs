#![allow(clippy::unwrap_used)]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    fates_of(commitment, move |request, params| match request {
        RpcRequest::GetEpochInfo => height(),
        _ => statuses(
            params[0].as_array().unwrap(),
            params[1]["searchTransactionHistory"] == json!(true),
        ),
    })
}

fn fates_of(
    commitment: CommitmentConfig,
    answers: impl Fn(RpcRequest, &Value) -> Value + Send + Sync + 'static,
) -> Arc<Fates> {
    Fates::new(Arc::new(node(commitment, answers)), None, Duration::from_secs(60))
}

fn height() -> Value {
    json!({
        "epoch": 0, "slotIndex": 1_000, "slotsInEpoch": 432_000, "absoluteSlot": 1_000,
        "blockHeight": LIFE_ENDS_AT + 1, "transactionCount": 1,
    })
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
    let (tell, mut heard) = mpsc::unbounded_channel();
    let fates = fates_at(CommitmentConfig::finalized(), move |asked, _| {
        let _ = tell.send(());
        applied(asked)
    });
    let mut followed = fates.follow(signature(1), None);
    followed.within(Duration::ZERO).await;
    // The answer to the first question has been heard when the other is asked.
    for _ in 0..2 {
        heard.recv().await.unwrap();
    }
    assert_eq!(followed.within(Duration::ZERO).await.fate, Fate::Open);
}

#[test]
fn what_a_connection_that_proved_itself_will_tell_of_is_not_asked_for_until_it_breaks() {
    let mut fates = fates(|asked, _| nothing(1_000, asked));
    Arc::get_mut(&mut fates).unwrap().sparse = Duration::from_secs(3_600);
    let _followed = [1, 2, 3].map(|number| fates.follow(signature(number), None));
    let asked_for = || {
        let mut due: Vec<_> = fates.due().unwrap().into_iter().map(|(due, _)| due).collect();
        due.sort_unstable();
        due
    };
    let [first, second, third] = [1, 2, 3].map(signature);
    assert_eq!(asked_for(), [first, second, third]);
    fates.is_promised(&first, true);
    fates.is_promised(&second, true);
    fates.is_promised(&third, false);
    assert_eq!(asked_for(), [first, second, third], "it has told of nothing yet");
    fates.heard(&first, Fate::Confirmed);
    assert_eq!(asked_for(), [third]);
    fates.hears_nothing();
    assert_eq!(asked_for(), [second, third]);
}

#[tokio::test]
async fn a_transaction_that_may_still_be_applied_stays_open() {
    let is_seen = Arc::new(AtomicBool::new(false));
    let (tell, mut asked) = mpsc::unbounded_channel();
    let knows = Arc::clone(&is_seen);
    let fates = fates_of(CommitmentConfig::confirmed(), move |request, params| match request {
        RpcRequest::GetEpochInfo => {
            knows.store(true, Ordering::Relaxed);
            height()
        }
        _ => {
            let _ = tell.send(knows.load(Ordering::Relaxed));
            nothing(1_000, params[0].as_array().unwrap())
        }
    });
    let mut followed = fates.follow(signature(1), Some(LIFE_ENDS_AT + 1));
    followed.within(Duration::ZERO).await;
    // The answer to the first of the two has been heard when the other is asked.
    for _ in 0..2 {
        while !asked.recv().await.unwrap() {}
    }
    assert_eq!(followed.within(Duration::ZERO).await.fate, Fate::Open);
}

#[tokio::test]
async fn a_height_that_was_seen_once_is_enough() {
    let heights = AtomicU64::new(0);
    let fates = fates_of(CommitmentConfig::confirmed(), move |request, params| match request {
        RpcRequest::GetEpochInfo if heights.fetch_add(1, Ordering::Relaxed) == 0 => height(),
        RpcRequest::GetEpochInfo => Value::Null,
        // It is behind at first, as in the round in which the height was asked for.
        _ => nothing(
            999 + heights.load(Ordering::Relaxed).min(2) / 2,
            params[0].as_array().unwrap(),
        ),
    });
    let mut followed = fates.follow(signature(1), Some(LIFE_ENDS_AT));
    assert_eq!(followed.within(Duration::from_secs(60)).await.fate, Fate::Expired);
}
