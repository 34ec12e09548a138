//! The verification that goes on while the indexer runs: it finds what is altered, and what was mended.

use std::time::Duration;

use chartseal_indexer::{
    source::Commitment,
    verify::{Continuous, Pace, VerificationState},
};
use chartseal_program::log::ChainKind;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{cluster::Database, forks, indexing::index, node::Node, story};

const OFTEN: Duration = Duration::from_millis(10);
const NEVER: Duration = Duration::from_secs(1_000_000);

struct Scene {
    node: Node,
    database: Database,
    state: watch::Receiver<VerificationState>,
    _stop: DropGuard,
}

impl Scene {
    /// An indexed ledger, and a verification that looks at everything so often.
    async fn set(fully_every: Duration) -> Self {
        let node = Node::start(story::tell()).await;
        let database = Database::new().await;
        index(&node, &database).await;
        Self::over(node, database, fully_every)
    }

    fn over(node: Node, database: Database, fully_every: Duration) -> Self {
        let pace = Pace {
            every: OFTEN,
            fully_every,
        };
        let watching = Continuous::new(&node.url, &database.url, Commitment::default(), pace);
        let state = watching.state();
        assert_eq!(*state.borrow(), VerificationState::Unknown);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        // By itself, as beside an indexer.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(watching.run(&stopped));
        });
        Self {
            node,
            database,
            state,
            _stop: stop.drop_guard(),
        }
    }

    async fn changes(&self, statement: &'static str) {
        let mut connection = self.database.connect().await;
        for statement in ["SET session_replication_role = replica", statement] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }

    async fn is_whole(&mut self) {
        let whole = |state: &VerificationState| matches!(state, VerificationState::Whole { slot: Some(_) });
        self.state.wait_for(whole).await.unwrap();
    }

    /// What a look says that was begun from now on.
    async fn next_look(&mut self) -> VerificationState {
        // The one that was under way, and the next.
        for _ in 0..2 {
            self.state.mark_unchanged();
            self.state.changed().await.unwrap();
        }
        self.state.borrow().clone()
    }

    /// Waits until it is broken: the first finding.
    async fn breaks(&mut self) -> String {
        let broken = |state: &VerificationState| matches!(state, VerificationState::Broken { .. });
        match &*self.state.wait_for(broken).await.unwrap() {
            VerificationState::Broken { findings, first } => {
                assert!(*findings > 0);
                first.clone()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_altered_at_a_chains_end_is_found_at_once_and_what_is_mended_is_whole_again() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    scene
        .changes("UPDATE chains SET head = set_byte(head, 0, 255 - get_byte(head, 0)) WHERE chain = 'registry'")
        .await;
    let first = scene.breaks().await;
    assert!(first.contains("chain registry of"), "{first}");
    scene
        .changes("UPDATE chains SET head = set_byte(head, 0, 255 - get_byte(head, 0)) WHERE chain = 'registry'")
        .await;
    scene.is_whole().await;
}

#[tokio::test]
async fn what_comes_is_followed_from_where_the_chain_stood() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    story::read_once_more(&mut scene.node.knows().ledger);
    index(&scene.node, &scene.database).await;
    scene.state.mark_unchanged();
    scene.state.changed().await.unwrap();
    scene.is_whole().await;
    // The newest event and the chain's end are altered together: the ledger knows better.
    scene
        .changes(
            "WITH last AS (SELECT subject, max(seq) AS seq FROM events WHERE chain = 'log' GROUP BY subject),
                  gone AS (DELETE FROM events e USING last WHERE e.chain = 'log' AND e.subject = last.subject
                           AND e.seq = last.seq RETURNING e.subject)
             UPDATE chains SET seq = seq + 1 FROM gone WHERE chains.chain = 'log' AND chains.subject = gone.subject",
        )
        .await;
    scene.breaks().await;
}

#[tokio::test]
async fn what_no_chains_end_shows_is_found_by_the_look_at_everything() {
    let mut scene = Scene::set(Duration::from_millis(200)).await;
    scene.is_whole().await;
    scene.changes("UPDATE grants SET rights = '{amend}'").await;
    let first = scene.breaks().await;
    assert!(first.contains("grants"), "{first}");
}

#[tokio::test]
async fn a_node_that_is_away_leaves_what_was_found() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    scene.node.stop().await;
    scene
        .changes("UPDATE chains SET seq = seq + 1 WHERE chain = 'registry'")
        .await;
    scene.node.come_back().await;
    scene.breaks().await;
}

#[tokio::test]
async fn blocks_that_came_instead_of_others_break_nothing() {
    let common = forks::common();
    let first = forks::branch(&common, 1, 4);
    let (node, database, mut indexer) = forks::on_a_branch(&common, &first).await;
    let mut scene = Scene::over(node, database, NEVER);
    scene.is_whole().await;
    // As long, longer, and shorter.
    for (name, readings) in [(2, 4), (3, 6), (4, 1)] {
        scene.node.knows().ledger = forks::branch(&common, name, readings);
        forks::go_on(&mut indexer).await;
        let state = scene.next_look().await;
        assert!(matches!(state, VerificationState::Whole { .. }), "{state:?}");
    }
}

#[tokio::test]
async fn a_ledger_that_went_on_without_the_indexer_is_not_called_whole() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    story::read_once_more(&mut scene.node.knows().ledger);
    let behind = VerificationState::Behind { events: 1 };
    scene.state.wait_for(|state| *state == behind).await.unwrap();
    index(&scene.node, &scene.database).await;
    scene.is_whole().await;
}

#[tokio::test]
async fn a_chain_that_is_gone_with_all_its_events_is_not_called_whole() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    let length = scene.node.knows().ledger.heads[&(ChainKind::Refusals, story::PATIENT)].seq;
    scene
        .changes(
            "WITH gone AS (DELETE FROM events WHERE chain = 'refusals' AND subject = decode(repeat('21', 16), 'hex'))
             DELETE FROM chains WHERE chain = 'refusals' AND subject = decode(repeat('21', 16), 'hex')",
        )
        .await;
    let behind = VerificationState::Behind { events: length };
    scene.state.wait_for(|state| *state == behind).await.unwrap();
    assert_eq!(scene.next_look().await, behind);
}

#[tokio::test]
async fn what_cannot_be_looked_at_any_more_is_not_called_whole() {
    let mut scene = Scene::set(NEVER).await;
    scene.is_whole().await;
    scene
        .changes("UPDATE checkpoint SET program = decode(repeat('01', 32), 'hex')")
        .await;
    let unknown = VerificationState::Unknown;
    scene.state.wait_for(|state| *state == unknown).await.unwrap();
}
