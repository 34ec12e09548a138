//! Postgres for tests: one cluster that all tests of the moment share, and a database of its own for each.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use chartseal_sandbox::{Postgres, PostgresConfig};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::oneshot;

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A cluster that stops with its last user. Its server belongs to a thread that outlives every test's runtime.
struct Cluster {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Cluster {
    fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = PostgresConfig {
            folder: folder.path().join("postgres"),
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, url) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let postgres = Postgres::start(config).await.unwrap();
                ready.send(postgres.url().to_owned()).unwrap();
                let _ = stopped.await;
                postgres.stop().await.unwrap();
            });
        });
        Self {
            url: url.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
            _folder: folder,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An empty database.
pub(crate) struct Database {
    pub(crate) url: String,
    _cluster: Arc<Cluster>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        // Starting a cluster blocks for seconds, which a test's own runtime can bear.
        let cluster = Cluster::shared();
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&cluster.url).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .unwrap();
        Self {
            url: cluster.url.replace("/chartseal?", &format!("/{name}?")),
            _cluster: cluster,
        }
    }

    /// A connection whose names mean the indexer's tables.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query("SET search_path TO chartseal")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// The one number that a query answers.
pub(crate) async fn number(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

/// What a query answers, as text, row by row.
pub(crate) async fn lines(connection: &mut PgConnection, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(connection).await.unwrap()
}
