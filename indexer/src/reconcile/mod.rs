//! Compares every account of the program with its rows, field by field and both ways.
//!
//! `verify` proves the rows from the events; this compares them with what the contract itself keeps, so it also finds
//! where an event and an account do not say the same. Both sides move while they are read: a difference counts only
//! where the chain that it follows from stood at one and the same place before the accounts were read, after, and in the
//! database. Where it did not, everything is asked again, and at last said to be moving. What is not final may be dropped,
//! and nodes behind one address are not equally far: where that can be it, a difference counts only if it stays.

mod anonymous;
mod chains;
mod consent;
mod expected;
mod payment;
mod people;
mod records;
mod report;
mod rows;
mod tables;

pub use report::{Difference, Reconciliation, Standing, TableCompared};

use std::{collections::BTreeMap, time::Duration};

use chartseal_program::{log::ChainKind, seeds::Id};
use sqlx::{Connection, PgConnection};

use crate::{
    Error,
    sink::connect,
    source::{Commitment, Head, Limits, RpcSource},
    verify::require_readable,
};
use expected::{Chain, Expected, Gate};
use report::Found;
use rows::Rows;

/// How often both sides are read where one moves, and how long to wait in between.
const ATTEMPTS: u32 = 8;
const PATIENCE: Duration = Duration::from_millis(500);

/// Compares a database with a ledger's accounts, as settled as it was indexed at. Neither is changed.
///
/// # Errors
/// Where node or database fail, so that nothing can be said. What differs is no error but in the report.
pub async fn reconcile(rpc: &str, database: &str, commitment: Commitment) -> Result<Reconciliation, Error> {
    let source = RpcSource::new(rpc, Limits::default(), commitment);
    let mut connection = connect(database).await?;
    require_readable(&mut connection).await?;
    let mut attempt = 1;
    loop {
        let Compared { report, may_pass } = compare_once(&source, &mut connection).await?;
        let is_settled = report.moving == 0 && (report.agrees || !may_pass);
        if is_settled || attempt == ATTEMPTS {
            return Ok(report);
        }
        attempt += 1;
        tokio::time::sleep(PATIENCE).await;
    }
}

/// One comparison, and whether its differences may go by themselves.
struct Compared {
    report: Reconciliation,
    may_pass: bool,
}

async fn compare_once(source: &RpcSource, connection: &mut PgConnection) -> Result<Compared, Error> {
    let before = standing(&source.heads(0).await?);
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let ours = chains::of_database(&mut snapshot).await?;
    let Accounts { expected, count } = accounts(source).await?;
    let last_heads = source.heads(0).await?;
    let after = standing(&last_heads);
    let still = Still::new(&before, &after, &ours);

    let mut by_table: BTreeMap<&'static str, Vec<Expected>> = BTreeMap::new();
    for row in expected {
        by_table.entry(row.table).or_default().push(row);
    }
    let mut found = Found::default();
    for table in tables::ALL {
        let rows = Rows::read(&mut snapshot, table).await?;
        let expected = by_table.remove(table.name).unwrap_or_default();
        found.compare(table, expected, rows, &still);
    }
    let has_unsettled: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM chartseal.tail)")
        .fetch_one(&mut *snapshot)
        .await?;
    snapshot.rollback().await?;
    found.compare_chains(&before, &chains::by_chain(&last_heads), &ours);
    Ok(Compared {
        may_pass: has_unsettled || are_ahead(&ours, &after),
        report: found.into_report(count),
    })
}

/// Whether the database has more of a chain than the ledger.
fn are_ahead(ours: &BTreeMap<Chain, chains::Ours>, ledger: &Places) -> bool {
    ours.iter()
        .any(|(chain, ours)| ours.seq > ledger.get(chain).copied().unwrap_or_default())
}

/// Where chains stand: how many events each has.
type Places = BTreeMap<Chain, u64>;

fn standing(heads: &[Head]) -> Places {
    heads
        .iter()
        .map(|head| ((head.kind, head.subject), head.chain.seq))
        .collect()
}

/// Which chains stood still while both sides were read, at the same place on both.
struct Still {
    chains: BTreeMap<Chain, bool>,
    all: bool,
}

impl Still {
    fn new(before: &Places, after: &Places, ours: &BTreeMap<Chain, chains::Ours>) -> Self {
        let mut chains: BTreeMap<Chain, bool> = BTreeMap::new();
        for key in before.keys().chain(after.keys()).chain(ours.keys()) {
            let here = ours.get(key).map(|standing| standing.seq);
            let stood = before.get(key) == after.get(key) && before.get(key).copied() == here;
            chains.insert(*key, stood);
        }
        Self {
            all: chains.values().all(|stood| *stood),
            chains,
        }
    }

    /// Whether what hangs on this can be compared. A chain that neither side has stands still.
    fn holds(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Chain(kind, subject) => self.chains.get(&(*kind, *subject)).copied().unwrap_or(true),
            Gate::All => self.all,
        }
    }
}

/// What the ledger's accounts say that rows must be.
struct Accounts {
    expected: Vec<Expected>,
    /// How many accounts there are.
    count: u64,
}

async fn accounts(source: &RpcSource) -> Result<Accounts, Error> {
    let mut accounts = Accounts {
        expected: Vec::new(),
        count: 0,
    };
    // What refers to others is read before them: then they are there.
    let settlements = source.program_accounts(0).await?;
    let records = source.program_accounts(0).await?;
    let agreements = source.program_accounts(0).await?;
    accounts.add(&settlements, payment::settlements(&settlements, &agreements, &records));
    accounts.add(&agreements, payment::agreements(&agreements));
    accounts.add(&records, records::records(&records));
    macro_rules! read {
        ($($rows:path),+ $(,)?) => {
            $(let read = source.program_accounts(0).await?;
            accounts.add(&read, $rows(&read));)+
        };
    }
    read!(
        records::batches,
        people::registry,
        people::institutions,
        people::members,
        people::patients,
        people::delegates,
        people::safeguards,
        consent::grants,
        consent::requests,
        consent::policies,
        consent::emergencies,
        anonymous::trees,
        anonymous::sets,
        anonymous::nullifiers,
        chains::access_logs,
        chains::refusal_logs,
    );
    Ok(accounts)
}

impl Accounts {
    fn add<T>(&mut self, read: &[T], expected: Vec<Expected>) {
        self.count += read.len() as u64;
        self.expected.extend(expected);
    }
}

/// The chain of a patient's log.
fn log_of(patient: &Id) -> Gate {
    Gate::Chain(ChainKind::Log, *patient)
}

/// The chain of an institution.
fn chain_of(institution: &Id) -> Gate {
    Gate::Chain(ChainKind::Institution, *institution)
}
