//! The embedded ledger: LiteSVM with a clock that moves, a history that can be asked, and a journal that survives.
//!
//! One thread owns everything ([`chain::Chain`]). Whoever wants something sends it a job and awaits the answer. The thread
//! takes all jobs that wait, runs them in order, writes what they added to the journal with one `fdatasync`, and only then
//! gives the answers. So concurrent senders share the cost of a disk write, and no reader, however quick, sees
//! anything that a crash could take back.

mod chain;
mod clock;
mod frames;
mod genesis;
mod history;
mod journal;
mod outcome;
mod record;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use solana_address::Address;
use solana_hash::Hash;
use tokio::sync::{broadcast, oneshot};

pub(crate) use chain::{Chain, Simulation};
pub(crate) use clock::SLOTS_PER_EPOCH;
pub(crate) use history::Executed;
pub use journal::JournalError;

use crate::config::ProgramSpec;
use genesis::{Genesis, LoadedProgram};
use journal::Journal;

/// The journal's name in the data folder.
const JOURNAL: &str = "ledger.journal";

/// How long a slot is unless the configuration says otherwise.
const SLOT_MS: u64 = 400;

/// How many jobs share one write at most.
const BATCH: usize = 512;

/// How many transactions a slow subscriber may lag behind before its connection is closed.
const EVENTS: usize = 16_384;

/// Why the ledger does not start, or has stopped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The journal cannot be read or written.
    #[error("{0}")]
    Journal(Arc<JournalError>),
    /// A program's file cannot be read, or is no program.
    #[error("the program {path}: {reason}")]
    ProgramFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The ledger was made with another version of a program.
    #[error(
        "the program {address} in {path} (SHA-256 {now}) is not the one that this ledger was made with (SHA-256 {made}); start it with that file, or begin a new ledger in another --data folder"
    )]
    OtherProgram {
        /// The program.
        address: String,
        /// The file that was given.
        path: PathBuf,
        /// That file's hash.
        now: String,
        /// The hash in the genesis.
        made: String,
    },
    /// The ledger was made with other settings.
    #[error(
        "this ledger was made with other settings: {0}. Start it with those, or begin a new ledger in another --data folder"
    )]
    OtherGenesis(String),
    /// The genesis cannot be written, read or executed.
    #[error("the ledger's genesis: {0}")]
    Genesis(String),
    /// A transaction in the journal does not do again what it did.
    #[error(
        "transaction {number} of the journal cannot be replayed: {what}. Use the version of chartseal-sandbox that wrote it, or begin a new ledger in another --data folder"
    )]
    Replay {
        /// Which, from 1.
        number: usize,
        /// What differs.
        what: String,
    },
    /// The system has no random bytes.
    #[error("no random bytes from the system: {0}")]
    Randomness(String),
    /// The thread could not be started, or has ended.
    #[error("the ledger is not running: {0}")]
    Stopped(String),
    /// A job panicked. That is a bug in the SVM or in the sandbox.
    #[error("the ledger failed on this request: {0}")]
    Panicked(String),
}

impl From<JournalError> for LedgerError {
    fn from(error: JournalError) -> Self {
        Self::Journal(Arc::new(error))
    }
}

type Answer = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;
type Job = Box<dyn FnOnce(Result<&mut Chain, LedgerError>) -> Answer + Send>;

/// What the thread is told. Nothing that comes after `Stop` is done.
enum Message {
    Do(Job),
    Stop,
}

/// A handle to the ledger, for as many as want one.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    jobs: mpsc::Sender<Message>,
    events: broadcast::Sender<Arc<Executed>>,
    genesis_hash: Hash,
}

/// The ledger's thread.
#[derive(Debug)]
pub(crate) struct LedgerThread {
    thread: JoinHandle<()>,
    jobs: mpsc::Sender<Message>,
}

impl LedgerThread {
    /// Finishes what was asked before, then ends the thread. Later questions get [`LedgerError::Stopped`].
    pub(crate) fn stop(self) {
        // If the thread is gone already, there is nobody to tell.
        let _ = self.jobs.send(Message::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the ledger's thread panicked");
        }
    }
}

/// What a ledger is started with.
#[derive(Debug, Clone)]
pub(crate) struct LedgerConfig {
    pub(crate) folder: PathBuf,
    pub(crate) programs: Vec<ProgramSpec>,
    pub(crate) upgrade_authority: Option<Address>,
    pub(crate) slot_ms: Option<u64>,
}

impl Ledger {
    /// Opens the ledger in a folder, or makes one there, and replays it. Blocks its thread, not the caller's runtime.
    pub(crate) async fn start(config: LedgerConfig) -> Result<(Self, LedgerThread), LedgerError> {
        let (jobs, inbox) = mpsc::channel();
        let (events, _) = broadcast::channel(EVENTS);
        let (ready, started) = oneshot::channel();
        let publish = events.clone();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || match open(&config) {
                Ok(mut chain) => {
                    // If nobody waits for the ledger any more, the inbox is closed too, and the loop ends by itself.
                    let _ = ready.send(Ok(chain.genesis_hash()));
                    serve(&mut chain, &inbox, &publish);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(|e| LedgerError::Stopped(e.to_string()))?;
        let genesis_hash = started
            .await
            .map_err(|_| LedgerError::Stopped("its thread ended while it started".to_owned()))??;
        let thread = LedgerThread {
            thread,
            jobs: jobs.clone(),
        };
        Ok((
            Self {
                jobs,
                events,
                genesis_hash,
            },
            thread,
        ))
    }

    /// The hash that names this ledger.
    pub(crate) fn genesis_hash(&self) -> Hash {
        self.genesis_hash
    }

    /// Every transaction from now on, once it is durable.
    pub(crate) fn events(&self) -> broadcast::Receiver<Arc<Executed>> {
        self.events.subscribe()
    }

    /// Runs `job` on the ledger's thread, after the clock was moved to the present, and returns its result once all that
    /// it may have seen is durable.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Chain) -> T + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |chain| {
            let result = chain.map(job);
            Box::new(move |durable| {
                // The asker may have hung up; the work is done all the same.
                let _ = answer.send(result.and_then(|value| durable.map(|()| value)));
            })
        });
        self.jobs
            .send(Message::Do(job))
            .map_err(|_| LedgerError::Stopped("it was shut down".to_owned()))?;
        answered
            .await
            .map_err(|_| LedgerError::Panicked("see the sandbox's log".to_owned()))?
    }
}

fn open(config: &LedgerConfig) -> Result<Chain, LedgerError> {
    let programs = config
        .programs
        .iter()
        .map(LoadedProgram::read)
        .collect::<Result<Vec<_>, _>>()?;
    let path = config.folder.join(JOURNAL);
    if !exists(&path)? {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis());
        let now = u64::try_from(now).unwrap_or(0);
        let genesis = Genesis::new(
            &programs,
            config.upgrade_authority,
            now,
            config.slot_ms.unwrap_or(SLOT_MS).max(1),
        )?;
        // The programs are tried before the journal is made: a ledger that cannot start should not come to be.
        let svm = genesis.boot(&programs)?;
        let journal = Journal::create(&path, &genesis.encode()?)?;
        return Chain::replay(&genesis, svm, journal, Vec::new());
    }
    let (journal, genesis, records) = Journal::open(&path)?;
    let genesis = Genesis::decode(&genesis)?;
    genesis.check(&programs, config.upgrade_authority, config.slot_ms)?;
    let svm = genesis.boot(&programs)?;
    let count = records.len();
    let chain = Chain::replay(&genesis, svm, journal, records)?;
    tracing::info!(
        transactions = count,
        slot = chain.clock().slot(),
        "the ledger was replayed from its journal"
    );
    Ok(chain)
}

fn exists(path: &Path) -> Result<bool, LedgerError> {
    path.try_exists().map_err(|source| {
        JournalError::Io {
            path: path.to_owned(),
            source,
        }
        .into()
    })
}

fn serve(chain: &mut Chain, inbox: &mpsc::Receiver<Message>, events: &broadcast::Sender<Arc<Executed>>) {
    let mut going = true;
    while going && let Ok(first) = inbox.recv() {
        let mut answers = Vec::new();
        for message in std::iter::once(first).chain(inbox.try_iter()).take(BATCH) {
            match message {
                Message::Do(job) => answers.extend(do_one(chain, job)),
                Message::Stop => {
                    going = false;
                    break;
                }
            }
        }
        let (durable, included) = match chain.commit() {
            Ok(included) => (Ok(()), included),
            Err(error) => (Err(error), Vec::new()),
        };
        for executed in included {
            // Nobody may be listening.
            let _ = events.send(executed);
        }
        for answer in answers {
            answer(durable.clone());
        }
    }
}

fn do_one(chain: &mut Chain, job: Job) -> Option<Answer> {
    if let Err(error) = chain.tick() {
        chain.fail(error);
    }
    let turn = chain.failure().map_or(Ok(&mut *chain), Err);
    // A panic in the SVM must cost the request that caused it, not everybody's ledger.
    let answer = catch_unwind(AssertUnwindSafe(|| job(turn)));
    if answer.is_err() {
        tracing::error!("a request made the ledger panic; this is a bug");
        chain.panicked();
    }
    answer.ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> LedgerConfig {
        LedgerConfig {
            folder: folder.to_owned(),
            programs: Vec::new(),
            upgrade_authority: None,
            slot_ms: None,
        }
    }

    /// Asks for an airdrop.
    async fn airdrop(ledger: &Ledger) -> Result<u64, LedgerError> {
        let to = Address::new_from_array([3; 32]);
        ledger
            .run(move |chain| {
                let transaction = chain.airdrop(&to, 1_000_000_000, None);
                chain.include(transaction).unwrap();
                chain.balance(&to)
            })
            .await
    }

    #[tokio::test]
    async fn a_ledger_that_cannot_write_answers_nothing_more_and_has_lost_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, thread) = Ledger::start(config(folder.path())).await.unwrap();
        let mut events = ledger.events();
        assert_eq!(airdrop(&ledger).await.unwrap(), 1_000_000_000);
        events.recv().await.unwrap();

        ledger
            .run(|chain| chain.journal_mut().make_read_only().unwrap())
            .await
            .unwrap();
        assert!(matches!(airdrop(&ledger).await, Err(LedgerError::Journal(_))));
        let seen = ledger.run(|chain| chain.history().len()).await;
        assert!(
            matches!(seen, Err(LedgerError::Journal(_))),
            "what is not on disk is not shown either"
        );
        assert!(events.try_recv().is_err());
        thread.stop();

        let (ledger, thread) = Ledger::start(config(folder.path())).await.unwrap();
        assert_eq!(ledger.run(|chain| chain.history().len()).await.unwrap(), 1);
        assert_eq!(airdrop(&ledger).await.unwrap(), 2_000_000_000);
        thread.stop();
    }

    #[tokio::test]
    async fn a_job_that_panics_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, thread) = Ledger::start(config(folder.path())).await.unwrap();
        let panicked = ledger.run(|_| -> u64 { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(LedgerError::Panicked(_))));
        assert_eq!(airdrop(&ledger).await.unwrap(), 1_000_000_000);
        thread.stop();
        assert!(matches!(airdrop(&ledger).await, Err(LedgerError::Stopped(_))));
    }

    #[tokio::test]
    async fn concurrent_senders_are_all_answered_and_replayed() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, thread) = Ledger::start(config(folder.path())).await.unwrap();
        let all = futures_util::future::join_all((0..300).map(|_| airdrop(&ledger))).await;
        let mut balances: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        balances.sort_unstable();
        assert_eq!(balances, (1..=300).map(|n| n * 1_000_000_000).collect::<Vec<u64>>());
        thread.stop();
        let (ledger, thread) = Ledger::start(config(folder.path())).await.unwrap();
        assert_eq!(airdrop(&ledger).await.unwrap(), 301_000_000_000);
        thread.stop();
    }
}
