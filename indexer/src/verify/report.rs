//! What a verification says.

use std::{collections::BTreeMap, fmt};

use chartseal_program::{log::ChainKind, seeds::Id};
use serde::Serialize;

use super::{batches::BatchCount, trees::TreeCount};

/// Findings that a report lists; the rest is counted.
const LISTED: usize = 1_000;

/// What to compare a database with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All transactions of the ledger are read again. Proves every column.
    Ledger,
    /// The events' own rows are replayed, which their chains and the heads on the ledger prove. Where they stand on
    /// the ledger (signature, indices, slot, block) is taken on trust.
    Rows,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Problem {
    /// A row that must be there is not.
    Missing,
    /// A row says something else than it must.
    Altered,
    /// A row is there that must not be.
    Added,
}

/// One thing that does not fit, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub problem: Problem,
    pub table: String,
    /// The chain that the row follows from; nothing for the checkpoint.
    pub chain: Option<String>,
    /// The chain's subject, hex: a patient's or an institution's id.
    pub subject: Option<String>,
    /// Place in the chain of the event that the row follows from.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub detail: String,
}

/// What the ledger has beyond the checkpoint. An indexer that has not come so far looks the same as a database that was
/// set back to an earlier state, so it is named, and the database is not called whole before it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Behind {
    pub events: u64,
    pub chains: u64,
    /// How many of the events are not settled enough yet to be read: an indexer leaves those for later.
    pub unsettled: u64,
    /// The events by chain; no more than 1,000 chains are listed.
    pub missing: Vec<Unread>,
}

impl Behind {
    /// Counts the events of one chain from `first` to `last`, of which the last ones are not settled, and lists them while
    /// there is room.
    pub(super) fn add(&mut self, kind: ChainKind, subject: &Id, first: u64, last: u64, unsettled: u64) {
        self.events += last - first + 1;
        self.unsettled += unsettled;
        self.chains += 1;
        if self.missing.len() < LISTED {
            self.missing.push(Unread {
                chain: kind.word(),
                subject: hex::encode(subject),
                first,
                last,
            });
        }
    }
}

/// Events of one chain that are on the ledger and were not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    pub chain: &'static str,
    /// The chain's subject, hex: a patient's or an institution's id.
    pub subject: String,
    /// Place in the chain of the first of them.
    pub first: u64,
    /// Place in the chain of the last of them.
    pub last: u64,
}

/// A verification in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The database holds what the ledger holds.
    Whole,
    /// What was read is as on the ledger, but the ledger has more.
    Behind,
    /// Something is missing, altered or added.
    Broken,
}

/// How many chains of a kind there are, and events in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChainCount {
    pub kind: &'static str,
    pub chains: u64,
    pub events: u64,
}

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableCount {
    pub table: String,
    pub rows: u64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is missing, altered or added, and nothing is left to be read.
    pub whole: bool,
    pub scope: Scope,
    /// Slot up to which the ledger was indexed.
    pub slot: Option<u64>,
    /// The last transaction that was indexed, base58.
    pub signature: Option<String>,
    pub events: u64,
    pub chains: Vec<ChainCount>,
    /// Tables that were compared: none where broken chains stood in the way.
    pub tables: Vec<TableCount>,
    /// Records of batches that were proved by their transactions; nothing where these were not read.
    pub batches: Option<BatchCount>,
    /// Trees of grants without a name, made anew from their rows.
    pub trees: TreeCount,
    pub behind: Behind,
    pub findings: Vec<Finding>,
    /// Findings beyond those that are listed.
    pub omitted: u64,
}

impl Report {
    /// What it comes down to.
    pub fn verdict(&self) -> Verdict {
        match (self.findings.is_empty(), self.behind.events) {
            (false, _) => Verdict::Broken,
            (true, 0) => Verdict::Whole,
            (true, _) => Verdict::Behind,
        }
    }
}

/// Collects findings, each once.
#[derive(Debug, Default)]
pub(super) struct Findings(BTreeMap<FindingKey, String>);

/// The last is the detail of what no chain names: all that tells two rows of a table apart.
type FindingKey = (
    Option<String>,
    Option<String>,
    Option<u64>,
    String,
    Problem,
    Option<String>,
);

impl Findings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds one; of two about the same row, the first detail stays.
    pub(super) fn add(&mut self, finding: Finding) {
        let Finding {
            problem,
            table,
            chain,
            subject,
            seq,
            detail,
        } = finding;
        let unchained = chain.is_none().then(|| detail.clone());
        self.0
            .entry((chain, subject, seq, table, problem, unchained))
            .or_insert(detail);
    }

    /// Adds one about a row of `events`.
    pub(super) fn about_event(&mut self, problem: Problem, kind: ChainKind, subject: &Id, seq: u64, detail: &str) {
        self.add(Finding {
            problem,
            table: "events".to_owned(),
            chain: Some(kind.word().to_owned()),
            subject: Some(hex::encode(subject)),
            seq: Some(seq),
            detail: detail.to_owned(),
        });
    }

    pub(super) fn about_checkpoint(&mut self, detail: &str) {
        self.add(Finding {
            problem: Problem::Altered,
            table: "checkpoint".to_owned(),
            chain: None,
            subject: None,
            seq: None,
            detail: detail.to_owned(),
        });
    }

    /// The findings, and how many more there were than are listed.
    pub(super) fn into_list(self) -> (Vec<Finding>, u64) {
        let omitted = self.0.len().saturating_sub(LISTED) as u64;
        let listed = self.0.into_iter().take(LISTED);
        let findings = listed
            .map(|((chain, subject, seq, table, problem, _), detail)| Finding {
                problem,
                table,
                chain,
                subject,
                seq,
                detail,
            })
            .collect();
        (findings, omitted)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Altered => "altered",
            Self::Added => "added",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(chain), Some(subject), Some(seq)) = (&self.chain, &self.subject, self.seq) {
            write!(f, "chain {chain} of {subject}, event {seq}: ")?;
        }
        write!(f, "{} in table {}: {}", self.problem, self.table, self.detail)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {} of {}, ", self.chain, self.subject)?;
        match self.first == self.last {
            true => write!(f, "event {}", self.first),
            false => write!(f, "events {} to {}", self.first, self.last),
        }
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "behind: {} events of {} chains are not in the database",
            self.events, self.chains
        )?;
        match self.unsettled {
            0 => writeln!(f, "; run the indexer and verify again")?,
            all if all == self.events => writeln!(f, ", which are not settled yet; verify again once they are")?,
            some => writeln!(f, ", {some} of them not settled yet; run the indexer and verify again")?,
        }
        for unread in &self.missing {
            writeln!(f, "  not read: {unread}")?;
        }
        match self.chains - self.missing.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more chains"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict() {
            Verdict::Whole => writeln!(f, "whole: the database holds what the ledger holds")?,
            Verdict::Behind => write!(f, "{}", self.behind)?,
            Verdict::Broken => {
                writeln!(
                    f,
                    "BROKEN: {} differences from the ledger",
                    self.findings.len() as u64 + self.omitted
                )?;
                for finding in &self.findings {
                    writeln!(f, "  {finding}")?;
                }
                if self.omitted > 0 {
                    writeln!(f, "  and {} more", self.omitted)?;
                }
                if self.behind.events > 0 {
                    write!(f, "{}", self.behind)?;
                }
            }
        }
        let chains: u64 = self.chains.iter().map(|count| count.chains).sum();
        writeln!(
            f,
            "{} events in {chains} chains, recomputed and compared with their heads on the ledger:",
            self.events
        )?;
        for count in &self.chains {
            writeln!(
                f,
                "  {:<12} {:>8} chains {:>10} events",
                count.kind, count.chains, count.events
            )?;
        }
        match (self.tables.is_empty(), self.scope) {
            (true, _) => writeln!(f, "tables were not compared, because chains are broken")?,
            (false, Scope::Ledger) => writeln!(f, "tables compared with the ledger's transactions:")?,
            (false, Scope::Rows) => writeln!(f, "tables compared with the events' rows:")?,
        }
        for count in &self.tables {
            writeln!(f, "  {:<22} {:>10} rows", count.table, count.rows)?;
        }
        if let Some(batches) = &self.batches {
            writeln!(
                f,
                "{} of {} records that came from {} batches are leaves of theirs; the batches' own lists are sealed",
                batches.proved, batches.promoted, batches.anchored
            )?;
        }
        if self.trees.trees > 0 {
            writeln!(
                f,
                "{} changes of {} trees of grants without a name were made anew, with {} leaves",
                self.trees.proved, self.trees.trees, self.trees.leaves
            )?;
        }
        match (&self.signature, self.slot) {
            (Some(signature), Some(slot)) => write!(f, "read up to slot {slot}, transaction {signature}"),
            _ => write!(f, "nothing was read yet"),
        }
    }
}
