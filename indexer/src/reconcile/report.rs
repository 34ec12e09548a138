//! What a comparison says.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use serde::Serialize;
use serde_json::Value;

use super::{
    Places, Still,
    chains::Ours,
    expected::{Cell, Chain, Expected},
    rows::{Row, Rows, gate},
    tables::Table,
};
use crate::verify::Verdict;
use chartseal_audit::ExportedChain;

/// Differences that a report lists; the rest is counted.
const LISTED: usize = 1_000;

/// One column in which a row and an account differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Address of the account, base58; nothing where no account has such a row.
    pub account: Option<String>,
    pub table: String,
    /// What names the row, as in the database.
    pub key: Vec<Value>,
    /// Nothing where the whole row is missing or beyond what the ledger has.
    pub column: Option<String>,
    /// What the account says.
    pub on_chain: Value,
    /// What the row says.
    pub in_database: Value,
}

/// A table that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableCompared {
    pub table: String,
    pub rows: u64,
    /// The columns that have a counterpart on chain.
    pub columns: Vec<String>,
}

/// How two sides stand.
pub type Standing = Verdict;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Nothing differs, and nothing moved.
    pub agrees: bool,
    pub accounts: u64,
    pub tables: Vec<TableCompared>,
    /// Rows and chains that moved on one side whenever they were looked at, so that nothing can be said of them yet.
    pub moving: u64,
    pub differences: Vec<Difference>,
    /// Differences beyond those that are listed.
    pub omitted: u64,
}

impl Reconciliation {
    /// What it comes down to: what moves counts as behind.
    pub fn verdict(&self) -> Verdict {
        match (self.differences.is_empty(), self.moving) {
            (false, _) => Verdict::Broken,
            (true, 0) => Verdict::Whole,
            (true, _) => Verdict::Behind,
        }
    }
}

/// Collects what one comparison finds.
#[derive(Default)]
pub(super) struct Found {
    differences: Vec<Difference>,
    omitted: u64,
    moving: u64,
    tables: Vec<TableCompared>,
}

impl Found {
    fn add(&mut self, difference: Difference) {
        match self.differences.len() < LISTED {
            true => self.differences.push(difference),
            false => self.omitted += 1,
        }
    }

    /// Compares the rows of a table with those that accounts say.
    pub(super) fn compare(&mut self, table: &Table, expected: Vec<Expected>, rows: Rows, still: &Still) {
        let mut columns = BTreeSet::new();
        let count = rows.0.len() as u64;
        let mut there: HashMap<String, Row> = HashMap::new();
        for row in rows.0 {
            // Where two rows say how the same thing stands, one is beyond what the ledger has.
            if let Some(second) = there.insert(key_text(&key(table, &row)), row) {
                self.without_account(table, &second, "a second row", still);
            }
        }
        for expected in expected {
            columns.extend(expected.columns.iter().map(|(column, _)| (*column).to_owned()));
            match there.remove(&key_text(&expected.key)) {
                Some(row) => self.compare_row(&expected, &row, still),
                None if still.holds(&expected.gate) => self.add(Difference {
                    column: None,
                    on_chain: "an account".into(),
                    in_database: Value::Null,
                    ..difference(&expected)
                }),
                None => self.moving += 1,
            }
        }
        if !table.only_last {
            for row in there.into_values() {
                self.without_account(table, &row, "a row", still);
            }
        }
        self.tables.push(TableCompared {
            table: table.name.to_owned(),
            rows: count,
            columns: columns.into_iter().collect(),
        });
    }

    /// A row that no account says.
    fn without_account(&mut self, table: &Table, row: &Row, what: &str, still: &Still) {
        match still.holds(&gate(table, row)) {
            true => self.add(Difference {
                account: None,
                table: table.name.to_owned(),
                key: key(table, row),
                column: None,
                on_chain: Value::Null,
                in_database: what.into(),
            }),
            false => self.moving += 1,
        }
    }

    fn compare_row(&mut self, expected: &Expected, row: &Row, still: &Still) {
        let mut moved = false;
        for (column, cell) in &expected.columns {
            let ours = row.get(*column).unwrap_or(&Value::Null);
            let (fits, on_chain) = match cell {
                Cell::Is(value) => (value == ours, value.clone()),
                Cell::Set(set) => (
                    *set != ours.is_null(),
                    Value::from(if *set { "set" } else { "not set" }),
                ),
            };
            match (fits, still.holds(&expected.gate)) {
                (true, _) => {}
                (false, true) => self.add(Difference {
                    column: Some((*column).to_owned()),
                    on_chain,
                    in_database: ours.clone(),
                    ..difference(expected)
                }),
                (false, false) => moved = true,
            }
        }
        self.moving += u64::from(moved);
    }

    /// Compares where chains stand: the last events, and the rows of `chains`.
    pub(super) fn compare_chains(
        &mut self,
        before: &Places,
        after: &BTreeMap<Chain, (u64, [u8; 32])>,
        ours: &BTreeMap<Chain, Ours>,
    ) {
        for (chain, (seq, head)) in after {
            let standing = ours.get(chain).cloned().unwrap_or_default();
            let mut say = |table: &str, column: &str, on_chain: Value, in_database: Value| {
                self.add(Difference {
                    account: Some(account_of(chain)),
                    table: table.to_owned(),
                    key: chain_key(chain),
                    column: Some(column.to_owned()),
                    on_chain,
                    in_database,
                });
            };
            let row = standing.row.clone().unwrap_or_default();
            // The row moves with the events, in one transaction: it says the same whatever the ledger does.
            if row.0 != standing.seq {
                say("chains", "seq", (*seq).into(), row.0.into());
            }
            if standing.seq == *seq && before.get(chain) == Some(seq) {
                let texts = [("chains", &row.1), ("events", &standing.head)];
                for (table, ours) in texts.into_iter().filter(|(_, ours)| ours[..] != head[..]) {
                    say(table, "head", hex::encode(head).into(), hex::encode(ours).into());
                }
            } else if standing.seq > *seq {
                say("events", "seq", (*seq).into(), standing.seq.into());
            } else {
                self.moving += 1;
            }
        }
        for (chain, standing) in ours.iter().filter(|(chain, _)| !after.contains_key(*chain)) {
            self.add(Difference {
                account: None,
                table: "chains".to_owned(),
                key: chain_key(chain),
                column: None,
                on_chain: Value::Null,
                in_database: standing.seq.into(),
            });
        }
        self.tables.push(TableCompared {
            table: "chains".to_owned(),
            rows: ours.len() as u64,
            columns: vec!["head".to_owned(), "seq".to_owned()],
        });
    }

    pub(super) fn into_report(self, accounts: u64) -> Reconciliation {
        Reconciliation {
            agrees: self.differences.is_empty() && self.moving == 0,
            accounts,
            tables: self.tables,
            moving: self.moving,
            differences: self.differences,
            omitted: self.omitted,
        }
    }
}

fn difference(expected: &Expected) -> Difference {
    Difference {
        account: Some(expected.account.to_string()),
        table: expected.table.to_owned(),
        key: expected.key.clone(),
        column: None,
        on_chain: Value::Null,
        in_database: Value::Null,
    }
}

fn key(table: &Table, row: &Row) -> Vec<Value> {
    let part = |column: &&str| row.get(*column).cloned().unwrap_or_default();
    table.key.iter().map(part).collect()
}

fn key_text(key: &[Value]) -> String {
    Value::from(key).to_string()
}

fn chain_key((kind, subject): &Chain) -> Vec<Value> {
    vec![kind.word().into(), hex::encode(subject).into()]
}

fn account_of((kind, subject): &Chain) -> String {
    bs58::encode(ExportedChain::account_of(*kind, subject)).into_string()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<String> = self
            .key
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        write!(f, "{}", self.table)?;
        if let Some(column) = &self.column {
            write!(f, ".{column}")?;
        }
        write!(
            f,
            " of ({}): on chain {}, in the database {}",
            key.join(", "),
            self.on_chain,
            self.in_database
        )?;
        match &self.account {
            Some(account) => write!(f, " (account {account})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict() {
            Verdict::Whole => writeln!(f, "agrees: the rows say what the accounts say")?,
            Verdict::Behind => {}
            Verdict::Broken => {
                let count = self.differences.len() as u64 + self.omitted;
                writeln!(f, "DIFFERS: {count} differences between accounts and rows")?;
                for difference in &self.differences {
                    writeln!(f, "  {difference}")?;
                }
                if self.omitted > 0 {
                    writeln!(f, "  and {} more", self.omitted)?;
                }
            }
        }
        if self.moving > 0 {
            writeln!(
                f,
                "moving: {} rows or chains are not at the same place on both sides; is the indexer running? Ask again",
                self.moving
            )?;
        }
        write!(f, "{} accounts were compared with:", self.accounts)?;
        for table in &self.tables {
            write!(
                f,
                "\n  {:<20} {:>10} rows, {} columns",
                table.table,
                table.rows,
                table.columns.len()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use anchor_lang::prelude::Address;
    use chartseal_program::log::ChainKind;

    use super::*;
    use crate::reconcile::{
        expected::Gate,
        tables::{ALL, RING},
    };

    /// An account has the entry of an event of which there is no row; its chain stood still or did not.
    fn event_without_a_row(stood_still: bool) -> Reconciliation {
        let chain = (ChainKind::Log, [1; 16]);
        let entry = Expected::new(
            RING,
            &Address::default(),
            Gate::Chain(chain.0, chain.1),
            vec!["log".into(), hex::encode(chain.1).into(), 4.into()],
        );
        let still = Still {
            chains: BTreeMap::from([(chain, stood_still)]),
            all: stood_still,
        };
        let mut found = Found::default();
        let table = ALL.iter().find(|table| table.name == RING).unwrap();
        found.compare(table, vec![entry], Rows(Vec::new()), &still);
        found.into_report(1)
    }

    #[test]
    fn an_event_that_only_the_account_has_is_a_difference() {
        let report = event_without_a_row(true);
        assert_eq!((report.differences.len(), report.moving), (1, 0));
        assert!(report.to_string().contains("events of (log, 0101"), "{report}");
        let report = event_without_a_row(false);
        assert_eq!((report.differences.len(), report.moving), (0, 1));
    }
}
