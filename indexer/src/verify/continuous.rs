//! Verifies while the indexer runs, by a connection of its own that only reads.
//!
//! Every so often the chains that changed since the last look are followed from where they stood then, and their ends are
//! compared with their heads on the ledger: that costs as much as there is new. Where nothing is new here, all heads are
//! asked for: the ledger may have gone on without the indexer. Rarely all rows are proved by their chains
//! ([`verify`](super::verify)). What was found is told to whoever listens, to the metrics and, where something is
//! broken, to the log. Nothing that it does waits for the indexer, or lets that wait.

use std::{collections::BTreeMap, time::Duration};

use anchor_lang::prelude::Address;
use chartseal_audit::ExportedChain;
use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::Id,
};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Scope, Verdict, require_readable, verify_at};
use crate::{
    Error, metrics,
    sink::{Position, SinkError, connect},
    source::{Checkpoint, Commitment, Limits, RpcSource, head_in},
};

/// Looks in a row at which the ledger may have less of a chain than we do, or another end of it, before that is believed:
/// nodes behind one address are not equally far, and what is dropped is taken back a moment later.
const GRACE: u32 = 5;

/// Chains that are asked for one by one; of more, all heads are read.
const FEW: usize = 1_000;

/// While something is broken, everything is looked at again after so many looks, to see whether it was mended.
const LOOKS_WHILE_BROKEN: u32 = 10;

/// What the last verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum VerificationState {
    /// Nothing was verified yet.
    #[default]
    Unknown,
    /// Everything that was looked at is as on the ledger.
    Whole {
        /// Slot up to which the ledger was indexed.
        slot: Option<u64>,
    },
    /// The ledger has events beyond the checkpoint.
    Behind { events: u64 },
    /// Rows are missing, altered or added.
    Broken {
        findings: u64,
        /// The first of them.
        first: String,
    },
}

impl VerificationState {
    fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Unknown => None,
            Self::Whole { .. } => Some(Verdict::Whole),
            Self::Behind { .. } => Some(Verdict::Behind),
            Self::Broken { .. } => Some(Verdict::Broken),
        }
    }
}

/// How often to look.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At the chains that changed.
    pub every: Duration,
    /// At everything.
    pub fully_every: Duration,
}

type Key = (ChainKind, Id);

/// A verification that goes on.
#[derive(Debug)]
pub struct Continuous {
    source: RpcSource,
    rpc: String,
    database: String,
    pace: Pace,
    state: watch::Sender<VerificationState>,
    /// Where chains stood when they were found to be as on the ledger.
    known: BTreeMap<Key, Chain>,
    /// Chains of which the ledger has less than we do, or another end, and for how many looks already.
    astray: BTreeMap<Key, u32>,
    /// How far the database was at the last look.
    seen: Option<Checkpoint>,
}

impl Continuous {
    /// A verification of this database against this ledger. Nothing happens before [`run`](Self::run).
    pub fn new(rpc: &str, database: &str, commitment: Commitment, pace: Pace) -> Self {
        Self {
            source: RpcSource::new(rpc, Limits::default(), commitment),
            rpc: rpc.to_owned(),
            database: database.to_owned(),
            pace,
            state: watch::Sender::default(),
            known: BTreeMap::new(),
            astray: BTreeMap::new(),
            seen: None,
        }
    }

    /// What it found last, and whatever it will find.
    pub fn state(&self) -> watch::Receiver<VerificationState> {
        self.state.subscribe()
    }

    /// Verifies until it is stopped. A node or a database that is away is waited for.
    pub async fn run(mut self, stop: &CancellationToken) {
        let mut fully_at = Instant::now() + self.pace.fully_every;
        let mut looks_while_broken = 0;
        loop {
            let pause = tokio::time::sleep(self.pace.every);
            tokio::select! {
                () = stop.cancelled() => return,
                () = pause => {}
            }
            let is_broken = matches!(*self.state.borrow(), VerificationState::Broken { .. });
            looks_while_broken = if is_broken { looks_while_broken + 1 } else { 0 };
            let fully = Instant::now() >= fully_at || looks_while_broken > LOOKS_WHILE_BROKEN;
            let look = async {
                match fully {
                    true => self.look_fully().await,
                    false => self.look().await,
                }
            };
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = look => outcome,
            };
            match outcome {
                Ok(Some(state)) => {
                    if fully {
                        fully_at = Instant::now() + self.pace.fully_every;
                        looks_while_broken = 0;
                    }
                    // What a look at everything found is not forgotten because a short look does not see it.
                    if fully || !is_broken {
                        self.tell(state);
                    }
                }
                Ok(None) => {}
                Err(error) if error.is_passing() => tracing::debug!(%error, "cannot verify at the moment"),
                Err(error) => {
                    tracing::warn!(%error, "cannot verify");
                    // What was whole once need not be so any more.
                    if !is_broken {
                        self.tell(VerificationState::Unknown);
                    }
                }
            }
        }
    }

    fn tell(&self, state: VerificationState) {
        if let Some(verdict) = state.verdict() {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            metrics::verified(verdict, since.unwrap_or_default().as_secs_f64());
        }
        if let VerificationState::Broken { findings, first } = &state {
            tracing::error!(
                findings,
                first,
                "the database does not hold what the ledger does: run `chartseal-indexer verify`"
            );
        }
        self.state.send_replace(state);
    }

    /// Proves all rows by their chains.
    async fn look_fully(&mut self) -> Result<Option<VerificationState>, Error> {
        let report = verify_at(&self.rpc, &self.database, Scope::Rows, self.source.commitment()).await?;
        Ok(Some(match (report.verdict(), report.findings.first()) {
            (Verdict::Broken, Some(first)) => VerificationState::Broken {
                findings: report.findings.len() as u64 + report.omitted,
                first: first.to_string(),
            },
            (Verdict::Behind, _) => VerificationState::Behind {
                events: report.behind.events,
            },
            _ => VerificationState::Whole { slot: report.slot },
        }))
    }

    /// Looks at the chains that changed. Nothing where there is nothing yet to look at.
    async fn look(&mut self) -> Result<Option<VerificationState>, Error> {
        let mut connection = connect(&self.database).await?;
        match require_readable(&mut connection).await {
            Err(Error::Sink(SinkError::NoSchema)) => return Ok(None),
            readable => readable?,
        }
        let mut snapshot = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let Some(checkpoint) = Position::read(&mut snapshot).await?.frontier() else {
            return Ok(None);
        };
        let mut findings = Vec::new();
        let changed = self.changed(&mut snapshot, &mut findings).await?;
        snapshot.rollback().await?;
        connection.close().await?;
        // The database first and the ledger after it: then a head can be ahead of us, but not behind.
        let stands_still = self.seen.is_none_or(|seen| seen == checkpoint);
        let heads = self.heads(&changed, stands_still).await?;
        let behind = self.behind(&changed, &heads);
        for (key, ours) in changed {
            self.judge(key, ours, heads.get(&key).copied(), &mut findings);
        }
        self.seen = Some(checkpoint);
        Ok(Some(match findings.first() {
            Some(first) => VerificationState::Broken {
                findings: findings.len() as u64,
                first: first.clone(),
            },
            None if behind > 0 => VerificationState::Behind { events: behind },
            None => VerificationState::Whole {
                slot: Some(checkpoint.slot),
            },
        }))
    }

    /// How many events the ledger has beyond ours, as far as it was asked.
    fn behind(&self, changed: &BTreeMap<Key, Chain>, heads: &BTreeMap<Key, Chain>) -> u64 {
        let ours = |key: &Key| {
            changed
                .get(key)
                .or_else(|| self.known.get(key))
                .map_or(0, |ours| ours.seq)
        };
        heads.iter().map(|(key, head)| head.seq.saturating_sub(ours(key))).sum()
    }

    /// The chains that do not stand where they stood, followed from there.
    async fn changed(
        &self,
        snapshot: &mut PgConnection,
        findings: &mut Vec<String>,
    ) -> Result<BTreeMap<Key, Chain>, SinkError> {
        let mut changed = standing(snapshot).await?;
        for key in self.known.keys() {
            // Taken back with all that it had: the ledger says whether it has any.
            changed.entry(*key).or_insert_with(|| Chain::begin(key.0, &key.1));
        }
        changed.retain(|key, ours| self.known.get(key) != Some(ours));
        for (key, ours) in &changed {
            let Some(before) = self.known.get(key).copied() else {
                continue;
            };
            // What was known of it may have been dropped with its block, and something else come instead.
            let begin = Chain::begin(key.0, &key.1);
            if !follows(snapshot, *key, before, ours).await? && !follows(snapshot, *key, begin, ours).await? {
                findings.push(format!(
                    "the events of {} do not lead to the end that is kept of it",
                    name(*key)
                ));
            }
        }
        Ok(changed)
    }

    /// Where the ledger has these chains, or all.
    async fn heads(&self, changed: &BTreeMap<Key, Chain>, all: bool) -> Result<BTreeMap<Key, Chain>, Error> {
        if all || changed.len() > FEW {
            let heads = self.source.heads(0).await?;
            return Ok(heads
                .into_iter()
                .map(|head| ((head.kind, head.subject), head.chain))
                .collect());
        }
        let addresses: Vec<Address> = changed
            .keys()
            .map(|(kind, subject)| Address::new_from_array(ExportedChain::account_of(*kind, subject)))
            .collect();
        let accounts = self
            .source
            .accounts(&addresses, self.source.commitment().config())
            .await?;
        let head = |(key, data): (&Key, Option<Vec<u8>>)| Some((*key, head_in(&data?)?.chain));
        Ok(changed
            .keys()
            .zip(accounts.into_iter().map(|account| account.data))
            .filter_map(head)
            .collect())
    }

    /// Compares a chain's end with its head.
    fn judge(&mut self, key: Key, ours: Chain, head: Option<Chain>, findings: &mut Vec<String>) {
        let head = head.unwrap_or_else(|| Chain::begin(key.0, &key.1));
        if ours == head {
            self.astray.remove(&key);
            if ours.seq == 0 {
                self.known.remove(&key);
            } else {
                self.known.insert(key, ours);
            }
        } else if ours.seq < head.seq {
            // It is the indexer's turn.
            self.astray.remove(&key);
        } else {
            let looks = self.astray.entry(key).or_default();
            *looks += 1;
            if *looks >= GRACE {
                findings.push(match ours.seq == head.seq {
                    true => format!("{} ends with another hash than on the ledger", name(key)),
                    false => format!("{} has {} events, the ledger's {} only", name(key), ours.seq, head.seq),
                });
            }
        }
    }
}

fn name((kind, subject): Key) -> String {
    format!("chain {} of {}", kind.word(), hex::encode(subject))
}

/// Where the database says that its chains stand.
async fn standing(snapshot: &mut PgConnection) -> Result<BTreeMap<Key, Chain>, SinkError> {
    let rows: Vec<(String, Vec<u8>, i64, Vec<u8>)> =
        sqlx::query_as("SELECT chain::text, subject::bytea, seq, head::bytea FROM chartseal.chains")
            .fetch_all(snapshot)
            .await?;
    rows.into_iter()
        .map(|(chain, subject, seq, head)| {
            let kind = ChainKind::from_word(&chain).ok_or(SinkError::Damaged("chains.chain"))?;
            let subject = subject.try_into().map_err(|_| SinkError::Damaged("chains.subject"))?;
            let seq = u64::try_from(seq).map_err(|_| SinkError::Damaged("chains.seq"))?;
            let head = head.try_into().map_err(|_| SinkError::Damaged("chains.head"))?;
            Ok(((kind, subject), Chain { seq, head }))
        })
        .collect()
}

/// Whether the events after one place of a chain lead to another.
async fn follows(snapshot: &mut PgConnection, key: Key, mut chain: Chain, to: &Chain) -> Result<bool, SinkError> {
    let (kind, subject) = key;
    let after = i64::try_from(chain.seq).unwrap_or(i64::MAX);
    let events: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT seq, body FROM chartseal.events WHERE chain = $1::text AND subject = $2::bytea AND seq > $3 ORDER BY seq",
    )
    .bind(kind.word())
    .bind(&subject[..])
    .bind(after)
    .fetch_all(snapshot)
    .await?;
    for (seq, body) in events {
        let seq = u64::try_from(seq).map_err(|_| SinkError::Damaged("events.seq"))?;
        match chain.follow(kind, &subject, seq, &body) {
            Some(next) => chain = next,
            None => return Ok(false),
        }
    }
    Ok(chain == *to)
}
