//! Every event once, in its tables, with a checkpoint that says no more than the rows.

use chartseal_indexer::{
    Error, Health, Indexer, Options, Scope,
    sink::{Lock, Sink, SinkError},
    source::{Commitment, Limits, SourceError},
    verify, verify_at,
};
use chartseal_program::{events::AdminProposed, seeds::NO_ID};
use tokio_util::sync::CancellationToken;

use crate::{
    chain_end,
    cluster::{Database, connect, lines, number},
    ledger::{Ledger, STRANGER, emission, instruction},
    node::Node,
    story,
};

/// Small pages and batches, so that their seams are tested.
pub(crate) fn options(node: &Node, database: &Database) -> Options {
    Options {
        batch: 4,
        limits: Limits {
            page: 5,
            parallel: 3,
            ..Limits::default()
        },
        lock: Lock::Refuse,
        poll: std::time::Duration::from_millis(20),
        ..Options::new(&node.url, &database.url)
    }
}

/// Indexes what the node has.
pub(crate) async fn index(node: &Node, database: &Database) -> Indexer {
    let mut indexer = Indexer::new(options(node, database));
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
    indexer
}

const EVENTS: &str = "SELECT count(*) FROM events";

#[tokio::test]
async fn every_event_is_stored_once_however_often_it_comes() {
    let ledger = story::tell();
    let events = ledger.events();
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    assert_eq!(indexer.stats().events, events as u64);
    drop(indexer);

    // Nothing new, then everything again with more behind it.
    assert_eq!(index(&node, &database).await.stats().events, 0);
    story::read_once_more(&mut node.knows().ledger);
    let mut again = Indexer::new(Options {
        from_start: true,
        ..options(&node, &database)
    });
    again.catch_up(&CancellationToken::new()).await.unwrap();
    assert_eq!((again.stats().events, again.stats().known), (1, events as u64));
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, EVENTS).await, events as i64 + 1);
}

#[tokio::test]
async fn two_events_of_one_transaction_are_two_rows() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let mut connection = database.connect().await;
    let shared =
        "SELECT string_agg(name || ' ' || outer_index || ' ' || inner_index, ', ' ORDER BY outer_index, inner_index)
                  FROM events GROUP BY signature HAVING count(*) > 1 ORDER BY min(slot), 1";
    assert_eq!(
        lines(&mut connection, shared).await,
        [
            "PauseSet 0 0, PauseSet 1 0",
            "MemberRegistered 0 0, MembershipAccepted 0 1",
            "MemberRegistered 0 0, MembershipAccepted 0 1"
        ]
    );
}

#[tokio::test]
async fn current_state_follows_the_events() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let mut connection = database.connect().await;
    let c = &mut connection;
    assert_eq!(
        lines(c, "SELECT encode(substring(admin, 1, 1), 'hex') || ' ' || encode(substring(proposed_admin, 1, 1), 'hex') || ' ' || paused FROM registry").await,
        ["02 03 false"]
    );
    assert_eq!(
        lines(c, "SELECT change FROM registry_changes ORDER BY seq").await,
        [
            "created",
            "admin-proposed",
            "admin-accepted",
            "paused",
            "resumed",
            "admin-proposed"
        ]
    );
    assert_eq!(
        lines(
            c,
            "SELECT kind || ' ' || standing || ' ' || made_seq || ' ' || changed_seq FROM institutions ORDER BY id"
        )
        .await,
        ["hospital active 1 10", "insurer active 1 2"]
    );
    assert_eq!(
        lines(
            c,
            "SELECT role || ' ' || standing || ' ' || made_seq || ' ' || changed_seq FROM members ORDER BY address"
        )
        .await,
        ["doctor active 3 14", "insurer active 3 6"]
    );
    assert_eq!(
        lines(c, "SELECT coalesce(encode(substring(wallet, 1, 1), 'hex'), 'steward ' || encode(substring(steward, 1, 1), 'hex')) FROM patients ORDER BY id").await,
        ["a2", "steward 11", "a4"]
    );
    assert_eq!(
        lines(
            c,
            "SELECT class || ' ' || status || ' ' || version || ' ' || changed_seq FROM records
             WHERE id = decode(repeat('31', 16), 'hex') ORDER BY patient"
        )
        .await,
        ["3 active 3 4", "3 active 1 2"]
    );
    assert_eq!(
        lines(c, "SELECT version || ' ' || padded_size || ' ' || (previous IS NULL) FROM record_versions WHERE patient = decode(repeat('21', 16), 'hex') ORDER BY seq").await,
        ["1 65536 true", "2 1310720 false", "3 1966080 false"]
    );
    assert_eq!(
        lines(c, "SELECT grantee_kind || ' ' || rights::text || ' ' || purposes::text || ' ' || coalesce(classes::text, 'record') || ' ' || coalesce(uses || '/' || uses_left, 'unlimited') || ' ' || expires_at || ' ' || (revoked_at IS NULL) || ' ' || made_seq || ' ' || changed_seq FROM grants WHERE patient = decode(repeat('21', 16), 'hex') ORDER BY id").await,
        [
            "member {read} {treatment,payment} record 5/3 infinity false 5 11",
            "institution {read} {treatment,payment} {0,3} unlimited infinity true 6 6"
        ]
    );
    assert_eq!(
        lines(
            c,
            "SELECT basis || ' ' || actor_kind || ' ' || (grant_id IS NULL) FROM accesses
             WHERE patient = decode(repeat('21', 16), 'hex') ORDER BY seq"
        )
        .await,
        [
            "patient patient true",
            "grant member false",
            "grant member false",
            "grant member false"
        ]
    );
    assert_eq!(
        lines(
            c,
            "SELECT reason || ' ' || action || ' ' || purpose FROM refusals
             WHERE patient = decode(repeat('21', 16), 'hex') ORDER BY seq"
        )
        .await,
        ["no-grant read payment", "grant-revoked read payment"]
    );
    assert_eq!(
        lines(c, "SELECT action || ' ' || outcome || ' ' || why || ' ' || coalesce(role, '-') FROM decisions WHERE record = repeat('31', 16) ORDER BY at, seq").await.len(),
        12
    );
    let signatures = lines(c, "SELECT base58(signature) FROM events ORDER BY slot").await;
    assert!(signatures.iter().all(|text| text.len() > 80));
}

#[tokio::test]
async fn a_failed_transaction_is_skipped_and_passed() {
    let mut ledger = story::tell();
    ledger.add_failed();
    let (events, last) = (ledger.events(), ledger.transactions.len() - 1);
    let signature = ledger.transactions[last].signature;
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    assert_eq!((indexer.stats().events, indexer.stats().failed), (events as u64, 1));
    assert_eq!(indexer.checkpoint().unwrap().signature, signature);
}

#[tokio::test]
async fn a_forged_event_is_ignored_and_counted() {
    let mut ledger = story::tell();
    let events = ledger.events();
    let mut fork = ledger.clone();
    let bytes = fork.event(&NO_ID, |link| AdminProposed {
        link,
        proposed: STRANGER,
        head: [0; 32],
    });
    let mut another_program = emission(0, 0, &bytes);
    another_program.program = STRANGER;
    let mut another_authority = emission(0, 1, &bytes);
    another_authority.accounts = vec![STRANGER];
    ledger.push(vec![instruction(0), another_program, another_authority]);
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    assert_eq!(
        (indexer.stats().events, indexer.stats().look_alikes),
        (events as u64, 2)
    );
}

#[tokio::test]
async fn a_malformed_event_stops_the_indexer_and_what_came_before_is_stored() {
    let mut ledger = story::tell();
    let (events, before) = (ledger.events(), ledger.transactions.len());
    ledger.push(vec![instruction(0), emission(0, 0, &[0xee; 50])]);
    story::read_once_more(&mut ledger);
    let checkpoint = ledger.transactions[before - 1].signature;
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    let mut indexer = Indexer::new(options(&node, &database));
    let error = indexer.run(&CancellationToken::new()).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Decode(_)), "{said}");
    assert!(
        said.contains("cannot read") && said.contains("eeeeeeeeeeeeeeee"),
        "{said}"
    );
    assert_eq!(indexer.stats().events, events as u64);
    assert_eq!(indexer.checkpoint().unwrap().signature, checkpoint);
}

#[tokio::test]
async fn a_gap_in_a_chain_stops_the_indexer() {
    let mut ledger = story::tell();
    let checkpoint = ledger.transactions.len();
    ledger.event(&story::PATIENT, |link| chartseal_program::events::GrantRevoked {
        link,
        grant: story::CLASS_GRANT,
        by: STRANGER,
        head: [0; 32],
    });
    story::read_once_more(&mut ledger);
    let signature = ledger.transactions[checkpoint - 1].signature;
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    let mut indexer = Indexer::new(options(&node, &database));
    let error = indexer.run(&CancellationToken::new()).await.unwrap_err();
    let Error::Sink(SinkError::Gap {
        chain: "log",
        seq: 13,
        held: 11,
        subject,
    }) = &error
    else {
        panic!("{error}")
    };
    assert_eq!(subject, &"21".repeat(16));
    // The batch that has the gap was not stored, nor its checkpoint.
    let mut connection = database.connect().await;
    let stored = number(&mut connection, EVENTS).await;
    let place = number(&mut connection, "SELECT slot FROM checkpoint").await;
    assert!(stored > 0 && place > 0);
    let known = node
        .knows()
        .ledger
        .transactions
        .iter()
        .position(|transaction| transaction.signature == signature);
    assert!(known.is_some());
}

#[tokio::test]
async fn nothing_is_read_that_is_not_confirmed_or_where_asked_for_not_final() {
    for commitment in [Commitment::Confirmed, Commitment::Finalized] {
        let node = Node::start(story::tell()).await;
        let database = Database::new().await;
        let mut indexer = Indexer::new(Options {
            commitment,
            ..options(&node, &database)
        });
        indexer.reach_slot(1, &CancellationToken::new()).await.unwrap();
        for scope in [Scope::Ledger, Scope::Rows] {
            verify_at(&node.url, &database.url, scope, commitment).await.unwrap();
        }
        let knowledge = node.knows();
        match commitment {
            Commitment::Confirmed => assert_eq!(knowledge.unsettled, Vec::<String>::new()),
            Commitment::Finalized => assert_eq!(knowledge.unfinal, Vec::<String>::new()),
        }
    }
}

#[tokio::test]
async fn what_a_node_lists_before_it_is_confirmed_waits_until_it_is() {
    let ledger = story::tell();
    let total = ledger.transactions.len();
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    node.knows().early = total;
    let mut indexer = index(&node, &database).await;
    assert_eq!(indexer.stats().transactions, 0);
    // Pages of which nothing is confirmed do not hide those that are.
    node.knows().early = total / 2;
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
    let some = indexer.stats().transactions;
    assert!(0 < some && some < total as u64, "{some} of {total}");
    node.knows().early = 0;
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
    assert_eq!(indexer.stats().transactions, total as u64);
    verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
}

#[tokio::test]
async fn rows_that_were_deleted_below_the_checkpoint_come_back_from_the_start() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    story::read_once_more(&mut node.knows().ledger);
    index(&node, &database).await;
    chain_end::forget_last_access(&mut database.connect().await).await;
    story::read_once_more(&mut node.knows().ledger);
    let mut stuck = Indexer::new(options(&node, &database));
    let error = stuck.run(&CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("--from-start"), "{error}");
    drop(stuck);
    let mut healing = Indexer::new(Options {
        from_start: true,
        ..options(&node, &database)
    });
    healing.catch_up(&CancellationToken::new()).await.unwrap();
    let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
    assert!(report.whole, "{report}");
}

#[tokio::test]
async fn another_ledger_is_refused() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let mut another = Ledger::new();
    // As far as the one that it is taken for, or the node would have to be waited for.
    for _ in 0..=node.knows().ledger.transactions.len() {
        another.add_failed();
    }
    another
        .transactions
        .iter_mut()
        .for_each(|transaction| transaction.signature[63] = 1);
    node.knows().ledger = another;
    let mut indexer = Indexer::new(options(&node, &database));
    let error = indexer.run(&CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(error, Error::Source(SourceError::CheckpointLost { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn one_indexer_writes_at_a_time() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    let first = index(&node, &database).await;
    let mut second = Indexer::new(options(&node, &database));
    let error = second.catch_up(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Sink(SinkError::Locked)), "{error}");

    // One that waits takes over when the first ends.
    story::read_once_more(&mut node.knows().ledger);
    let mut third = Indexer::new(Options {
        lock: Lock::Wait,
        ..options(&node, &database)
    });
    let mut progress = third.progress();
    let waiting = tokio::spawn(async move {
        third.catch_up(&CancellationToken::new()).await.unwrap();
        third.stats().events
    });
    let stands_by = progress.wait_for(|progress| progress.health == Health::StandingBy);
    stands_by.await.unwrap();
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap(), 1);
    assert_eq!(progress.borrow().health, Health::Well);
}

#[tokio::test]
async fn whoever_holds_the_lock_and_may_not_write_is_named_and_not_stood_by_for() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    drop(index(&node, &database).await);
    let mut owner = database.connect().await;
    for statement in [
        "CREATE ROLE idler LOGIN",
        "GRANT USAGE ON SCHEMA chartseal TO idler",
        "GRANT SELECT ON ALL TABLES IN SCHEMA chartseal TO idler",
    ] {
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
    let mut idler = connect(&database.url.replace("//chartseal@", "//idler@")).await;
    sqlx::query("SELECT pg_advisory_lock(x'6368617274736561'::bigint)")
        .execute(&mut idler)
        .await
        .unwrap();
    for lock in [Lock::Wait, Lock::Refuse] {
        let error = Sink::open(&database.url, lock).await.unwrap_err();
        let named = matches!(&error, SinkError::LockedOut { role, .. } if role == "idler");
        assert!(named && error.is_passing(), "{error}");
    }
    sqlx::query("SELECT pg_advisory_unlock_all()")
        .execute(&mut idler)
        .await
        .unwrap();
    Sink::open(&database.url, Lock::Wait).await.unwrap();
}

#[tokio::test]
async fn reach_waits_for_a_transaction_and_stores_everything_up_to_it() {
    let mut ledger = story::tell();
    story::read_once_more(&mut ledger);
    let signature = ledger.transactions.last().unwrap().signature;
    let events = ledger.events();
    let node = Node::start(ledger).await;
    let total = node.knows().ledger.transactions.len();
    node.knows().confirmed = Some(total - 1);
    let database = Database::new().await;
    let mut indexer = Indexer::new(options(&node, &database));
    let reached = tokio::spawn(async move {
        indexer.reach(&signature, &CancellationToken::new()).await.unwrap();
        *indexer.stats()
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!reached.is_finished());
    node.knows().confirmed = None;
    assert_eq!(reached.await.unwrap().events, events as u64);
}
