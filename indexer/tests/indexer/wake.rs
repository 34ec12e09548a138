//! What a node tells of over its WebSocket is looked for at once, and where it tells of nothing the indexer looks all the
//! same.

use std::time::Duration;

use chartseal_indexer::{
    Options,
    source::{Wake, WebSocket},
};
use solana_commitment_config::CommitmentConfig;

use crate::{
    cluster::Database,
    indexing::options,
    node::Node,
    outages::{Running, wait_for},
    speaker::{Manner, Say, Speaker},
    story,
};

/// Longer than any test may take: whoever goes on was woken.
const NEVER: Duration = Duration::from_secs(3_600);
const DEADLINE: Duration = Duration::from_secs(30);

fn wake(websocket: &WebSocket) -> Wake {
    Wake::start(websocket, "http://127.0.0.1:1", CommitmentConfig::confirmed())
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it goes on")
}

#[tokio::test]
async fn it_wakes_once_it_listens_and_for_every_notice() {
    let speaker = Speaker::start(Manner::Tells).await;
    let mut wake = wake(&speaker.address);
    in_time(wake.next(NEVER)).await;
    assert!(wake.is_listening());
    assert_eq!(speaker.commitment(), "confirmed");
    for _ in 0..3 {
        speaker.say(Say::Nonsense);
        speaker.say(Say::Notice);
        in_time(wake.next(NEVER)).await;
    }
    assert_eq!(speaker.asked(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_begun_anew_and_wakes_for_what_was_missed() {
    let speaker = Speaker::start(Manner::Tells).await;
    let mut wake = wake(&speaker.address);
    in_time(wake.next(NEVER)).await;
    for connections in 2..4 {
        speaker.say(Say::Cut);
        in_time(async {
            // It wakes for the break too: whoever waited long because of the connection waits no more.
            while speaker.asked() < connections || !wake.is_listening() {
                wake.next(NEVER).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_socket_that_does_not_tell_leaves_polling_as_it_was() {
    let speaker = Speaker::start(Manner::Silent).await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        WebSocket::At(format!("ws://{}", listener.local_addr().unwrap()))
    };
    let places = [
        (Manner::Refuses, speaker.address.clone()),
        (Manner::Declines, speaker.address.clone()),
        (Manner::Silent, speaker.address.clone()),
        (Manner::Silent, nobody),
        (Manner::Silent, WebSocket::Off),
    ];
    for (manner, place) in places {
        speaker.manner.send_replace(manner);
        let mut wake = wake(&place);
        for _ in 0..20 {
            in_time(wake.next(Duration::from_millis(20))).await;
            assert!(!wake.is_listening(), "{manner:?} at {place:?}");
        }
    }
}

#[tokio::test]
async fn a_socket_that_begins_to_work_is_listened_to() {
    let speaker = Speaker::start(Manner::Refuses).await;
    let mut wake = wake(&speaker.address);
    in_time(wake.next(Duration::from_millis(1))).await;
    speaker.manner.send_replace(Manner::Tells);
    in_time(wake.next(NEVER)).await;
    assert!(wake.is_listening());
}

#[tokio::test]
async fn what_happens_while_it_begins_to_listen_and_what_is_told_is_stored_although_nobody_polls() {
    let mut ledger = story::tell();
    let total = ledger.transactions.len();
    for _ in 0..2 {
        story::read_once_more(&mut ledger);
    }
    let events: Vec<usize> = [total / 2, total, total + 1, total + 2]
        .map(|read| ledger.events_in(read))
        .into();
    let node = Node::start(ledger).await;
    node.knows().confirmed = Some(total / 2);
    let speaker = Speaker::start(Manner::Silent).await;
    let database = Database::new().await;
    let running = Running::start(Options {
        poll: NEVER,
        websocket: speaker.address.clone(),
        ..options(&node, &database)
    });
    let mut connection = database.connect().await;
    wait_for(&mut connection, events[0]).await;

    // It listened to nothing yet, so nobody told it.
    node.knows().confirmed = Some(total);
    speaker.manner.send_replace(Manner::Tells);
    wait_for(&mut connection, events[1]).await;
    for more in 1..=2 {
        node.knows().confirmed = Some(total + more);
        speaker.say(Say::Notice);
        wait_for(&mut connection, events[1 + more]).await;
    }
    running.stop().await;
}
