//! Shows that a database holds what the ledger holds, or names what it does not.
//!
//! Three things are compared, all against one snapshot of the database. Each chain is recomputed from the rows of
//! `events`. Each chain's end is compared with its head on the ledger; a head that is further on is looked for in the
//! transactions after the checkpoint, so an indexer that is behind is told apart from a row that is gone, and what it has
//! not read is named: a database that was set back as a whole looks like that too. A local validator shows heads, and lists
//! transactions, that are not confirmed yet; what is missing because of that is said to be. Last, the events are written
//! into scratch tables by the very code that indexes, and every table is compared with its double:
//! any row that was deleted, added or altered, in any column, is found and named by chain, subject and place. Views,
//! functions and row security are compared with those of the migrations, and rules and triggers are found. The trees of
//! grants without a name are made anew from their rows, and have to have the roots that the ledger has.

mod batches;
mod chains;
mod compare;
mod continuous;
mod heads;
mod replay;
mod report;
mod rows;
mod schema;
mod trees;

pub use batches::BatchCount;
pub use continuous::{Continuous, Pace, VerificationState};
pub use report::{Behind, ChainCount, Finding, Problem, Report, Scope, TableCount, Unread, Verdict};
pub use trees::TreeCount;

use sqlx::{Connection, PgConnection};

use crate::{
    Error,
    sink::{Position, SinkError, connect},
    source::{Checkpoint, Commitment, Limits, Listed, Listing, RpcSource, SourceError, show},
};
use chains::Recomputed;
use report::Findings;

/// What is wrong with a checkpoint that the ledger does not know.
const NO_SUCH_TRANSACTION: &str = "the ledger has no such transaction in that slot";

/// Verifies a database against what is confirmed on a ledger. The database is not changed.
///
/// # Errors
/// Where node or database fail, so that nothing can be said. What does not fit is no error but in the report.
pub async fn verify(rpc: &str, database: &str, scope: Scope) -> Result<Report, Error> {
    verify_at(rpc, database, scope, Commitment::Confirmed).await
}

/// As [`verify`], against a ledger as settled as the database was indexed at.
///
/// # Errors
/// As [`verify`].
pub async fn verify_at(rpc: &str, database: &str, scope: Scope, commitment: Commitment) -> Result<Report, Error> {
    let source = RpcSource::new(rpc, Limits::default(), commitment);
    let mut connection = connect(database).await?;
    require_readable(&mut connection).await?;
    let mut attempt = 1;
    loop {
        let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let report = Verification {
            source: &source,
            snapshot: &mut snapshot,
            findings: Findings::default(),
            is_patient: attempt < heads::ATTEMPTS,
        }
        .run(scope)
        .await?;
        snapshot.rollback().await?;
        if let Some(report) = report {
            return Ok(report);
        }
        attempt += 1;
        tokio::time::sleep(heads::PATIENCE).await;
    }
}

pub(super) async fn require_schema(connection: &mut PgConnection) -> Result<(), Error> {
    let there = sqlx::query_scalar!(r#"SELECT to_regclass('chartseal.checkpoint') IS NOT NULL AS "there!""#)
        .fetch_one(connection)
        .await?;
    match there {
        true => Ok(()),
        false => Err(SinkError::NoSchema.into()),
    }
}

/// Refuses a database without our schema, and a role that does not see all of it.
pub(crate) async fn require_readable(connection: &mut PgConnection) -> Result<(), Error> {
    require_schema(connection).await?;
    Ok(schema::require_all_rows(connection).await?)
}

/// One verification under way.
struct Verification<'a> {
    source: &'a RpcSource,
    snapshot: &'a mut PgConnection,
    findings: Findings,
    /// Whether to say nothing yet where the ledger may have dropped what is not final.
    is_patient: bool,
}

impl Verification<'_> {
    /// Nothing where it is to be begun anew.
    async fn run(mut self, scope: Scope) -> Result<Option<Report>, Error> {
        // The database first and the ledger after it: then a head can be ahead of us, but not behind.
        let (checkpoint, position) = Position::read_as_it_is(self.snapshot).await?;
        let chains = chains::recompute(self.snapshot, &mut self.findings).await?;
        let chains_are_whole = self.findings.is_empty();
        if position.frontier() != checkpoint {
            let detail = "its final end and the tail do not lead to where it says that the ledger was read";
            self.findings.about_checkpoint(detail);
        }
        let found = self.findings.len();
        let at_least = checkpoint.map_or(0, |checkpoint| checkpoint.slot);
        let heads = self.source.heads(at_least).await?;
        let ahead = heads::compare(&chains.standing, &heads, &mut self.findings);
        let trees = trees::prove(self.snapshot, self.source, at_least, &chains.trees, &mut self.findings).await?;

        self.check(checkpoint.as_ref(), &chains, scope).await?;
        let listed = self.list(scope, checkpoint.as_ref(), !ahead.is_empty()).await?;
        // What is not final may have been dropped, and the indexer takes it back in a moment.
        if self.is_patient && !position.tail.is_empty() && self.findings.len() > found {
            return Ok(None);
        }
        replay::make_doubles(self.snapshot).await?;
        schema::compare(self.snapshot, &mut self.findings).await?;
        let behind = match listed {
            Some(Ledger { read, tail }) => {
                let behind = self.explain(ahead, checkpoint.as_ref(), tail).await?;
                if scope == Scope::Ledger {
                    self.check_tail(&position, &read);
                    replay::from_ledger(self.snapshot, self.source, &read).await?;
                }
                behind
            }
            None => Behind::default(),
        };
        // Rows whose chains do not hold cannot be replayed: the chains' findings say why.
        let compared = match scope {
            Scope::Ledger => true,
            Scope::Rows if chains_are_whole => {
                replay::from_rows(self.snapshot).await?;
                true
            }
            Scope::Rows => false,
        };
        let tables = match compared {
            true => compare::tables(self.snapshot, &mut self.findings).await?,
            false => Vec::new(),
        };
        let batches = match scope {
            Scope::Ledger => Some(batches::prove(self.snapshot, self.source, &mut self.findings).await?),
            Scope::Rows => None,
        };
        let (findings, omitted) = self.findings.into_list();
        Ok(Some(Report {
            whole: findings.is_empty() && behind.events == 0,
            scope,
            slot: checkpoint.map(|checkpoint| checkpoint.slot),
            signature: checkpoint.map(|checkpoint| show(&checkpoint.signature)),
            events: chains.events,
            chains: chains.counts(),
            tables,
            batches,
            trees,
            behind,
            findings,
            omitted,
        }))
    }

    /// Holds the checkpoint against the events and, where the ledger's listing will not show it, against the ledger.
    async fn check(&mut self, checkpoint: Option<&Checkpoint>, chains: &Recomputed, scope: Scope) -> Result<(), Error> {
        let Some(checkpoint) = checkpoint else {
            if chains.events > 0 {
                self.findings
                    .about_checkpoint("there are events, but no checkpoint that says how far the ledger was read");
            }
            return Ok(());
        };
        if chains.newest_slot > checkpoint.slot {
            let detail = format!("there are events up to slot {}, beyond it", chains.newest_slot);
            self.findings.about_checkpoint(&detail);
        }
        if scope == Scope::Rows && self.source.slot_of(&checkpoint.signature).await? != Some(checkpoint.slot) {
            self.findings.about_checkpoint(NO_SUCH_TRANSACTION);
        }
        Ok(())
    }

    /// Holds the tail against what the ledger lists up to the checkpoint.
    fn check_tail(&mut self, position: &Position, read: &[Listed]) {
        let settled = position
            .settled
            .and_then(|settled| read.iter().position(|listed| listed.checkpoint() == settled));
        let after = read.get(settled.map_or(0, |place| place + 1)..).unwrap_or_default();
        let listed = after.iter().map(Listed::checkpoint);
        if !position.tail.iter().map(crate::sink::Entry::checkpoint).eq(listed) {
            self.findings
                .about_checkpoint("the tail is not what the ledger lists after its final end");
        }
    }

    /// What the ledger lists, up to the checkpoint and after it. `None` where nothing of it is needed.
    async fn list(
        &mut self,
        scope: Scope,
        checkpoint: Option<&Checkpoint>,
        needs_tail: bool,
    ) -> Result<Option<Ledger>, Error> {
        match scope {
            Scope::Ledger => {
                let Listing {
                    settled: mut read,
                    pending,
                } = self.source.list_all_after(None).await?;
                let place =
                    checkpoint.map(|checkpoint| read.iter().position(|entry| entry.checkpoint() == *checkpoint));
                let end = match place {
                    None => 0,
                    Some(Some(place)) => place + 1,
                    Some(None) => {
                        self.findings.about_checkpoint(NO_SUCH_TRANSACTION);
                        read.len()
                    }
                };
                let settled = read.split_off(end);
                let tail = Listing { settled, pending };
                Ok(Some(Ledger { read, tail }))
            }
            Scope::Rows if needs_tail => match self.source.list_all_after(checkpoint).await {
                Ok(tail) => Ok(Some(Ledger { read: Vec::new(), tail })),
                Err(SourceError::CheckpointLost { .. }) => {
                    self.findings.about_checkpoint(NO_SUCH_TRANSACTION);
                    Ok(Some(Ledger {
                        read: Vec::new(),
                        tail: Listing::default(),
                    }))
                }
                Err(error) => Err(error.into()),
            },
            Scope::Rows => Ok(None),
        }
    }

    /// Looks for what the ledger has and we do not in the transactions that were not read yet. A node may show a
    /// transaction's effect a moment before it lists the transaction, so it is asked again before something is missing.
    async fn explain(
        &mut self,
        mut ahead: Vec<heads::Ahead>,
        checkpoint: Option<&Checkpoint>,
        mut tail: Listing,
    ) -> Result<Behind, Error> {
        let mut behind = Behind::default();
        for attempt in 1..=heads::ATTEMPTS {
            if ahead.is_empty() {
                return Ok(behind);
            }
            match heads::explain(&ahead, self.source, &tail, &mut behind).await {
                Ok(unexplained) => ahead = unexplained,
                // It lists what it does not give yet.
                Err(error) if error.is_passing() && attempt < heads::ATTEMPTS => {}
                Err(error) => return Err(error),
            }
            if attempt < heads::ATTEMPTS && !ahead.is_empty() {
                tokio::time::sleep(heads::PATIENCE).await;
                tail = match self.source.list_all_after(checkpoint).await {
                    Ok(tail) => tail,
                    Err(SourceError::CheckpointLost { .. }) => break,
                    Err(error) => return Err(error.into()),
                };
            }
        }
        for missing in ahead {
            self.findings.add(missing.finding());
        }
        Ok(behind)
    }
}

/// What the ledger lists.
struct Ledger {
    /// Up to and including the checkpoint.
    read: Vec<Listed>,
    /// After it.
    tail: Listing,
}
