//! What Postgres holds after a run of the story, without what two runs cannot have in common: signatures, slots, hashes,
//! times, and random ids and keys. Two runs of one story then have the same rows, in the order of the ledger's log; any
//! other difference is one, and is named.
//!
//! Random bytes are replaced by names in the order in which the log first tells of them, so it is still compared which
//! rows mean the same patient, wallet or transaction. [`columns`] says what is left of each column, and [`reads`] of which
//! events the order is left out.

mod columns;
mod compare;
mod event;
mod names;
mod reads;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use chartseal_program::ID;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signature::Signature;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use columns::{ACCESSES, EVENTS, Left, TABLES};
pub use compare::differences;
use event::Layouts;
use names::Names;
use reads::Reads;

/// A row: its columns, and what is left of each.
type Row = Vec<(&'static str, String)>;

/// The rows of every table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(BTreeMap<&'static str, Vec<Row>>);

impl Rows {
    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.0.len()
    }

    /// How many rows they have.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Reads all tables of a database that has caught up with its ledger.
    ///
    /// # Errors
    /// Where it cannot be read, has a column that nobody has decided about, or events that the ledger does not list.
    pub async fn read(database: &PgPool, rpc: &str) -> Result<Self> {
        let there = sqlx::query_as(
            // A partition's rows are its table's. What is not final yet is a matter of the moment.
            "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
             JOIN pg_class t ON t.oid = format('%I.%I', c.table_schema, c.table_name)::regclass
             WHERE c.table_schema = 'chartseal' AND t.relkind IN ('r', 'p') AND NOT t.relispartition
               AND c.table_name <> 'tail'",
        );
        let there: Vec<(String, String)> = there.fetch_all(database).await.context("cannot list the columns")?;
        columns::cover(&there.into_iter().collect::<BTreeSet<_>>())?;

        let order = order(rpc).await?;
        let layouts = Layouts::committed()?;
        let mut reader = Reader {
            layouts: &layouts,
            names: Names::default(),
            naming: true,
        };
        let mut rows = BTreeMap::new();
        let mut reads = Reads::default();
        // The events come first in the list, and give the names.
        for (table, columns) in TABLES {
            let cells = sqlx::query(AssertSqlSafe(columns::query(table, columns)))
                .fetch_all(database)
                .await
                .with_context(|| format!("cannot read {table}"))?;
            let mut cells = cells
                .iter()
                .map(|row| (0..row.len()).map(|column| row.try_get(column)).collect())
                .collect::<Result<Vec<Vec<Option<String>>>, _>>()?;
            reader.naming = *table == EVENTS;
            if reader.naming {
                let at = |name: &str| columns.iter().position(|(column, _)| *column == name);
                let key = [at("signature"), at("outer_index"), at("inner_index")].map(Option::unwrap_or_default);
                sort_by_place(&mut cells, key, &order)?;
            }
            let mut left = cells
                .into_iter()
                .map(|cells| reader.row(columns, cells))
                .collect::<Result<Vec<Row>>>()
                .with_context(|| format!("in {table}"))?;
            if reader.naming {
                reads = Reads::put_in_order(&mut left)?;
            } else {
                if *table == ACCESSES {
                    left.iter_mut().try_for_each(|access| reads.follow(access))?;
                }
                left.sort();
            }
            rows.insert(*table, left);
        }
        Ok(Self(rows))
    }
}

/// The place of every transaction of the program in the ledger's log. One page has a thousand, which is more than a story
/// takes; what is not in it is missed in [`sort_by_place`].
async fn order(rpc: &str) -> Result<HashMap<Vec<u8>, usize>> {
    let listed = RpcClient::new(rpc.to_owned()).get_signatures_for_address(&ID).await;
    let listed = listed.context("the ledger does not list its transactions")?;
    let oldest_first = listed.iter().rev().enumerate();
    let places = oldest_first.map(|(place, entry)| {
        let signature: Signature = entry.signature.parse().context("the ledger lists something else")?;
        Ok((signature.as_ref().to_vec(), place))
    });
    places.collect()
}

/// Puts events into the order in which they happened.
fn sort_by_place(
    events: &mut Vec<Vec<Option<String>>>,
    [signature, outer, inner]: [usize; 3],
    order: &HashMap<Vec<u8>, usize>,
) -> Result<()> {
    let mut placed = Vec::new();
    for event in std::mem::take(events) {
        let cell = |index: usize| event[index].as_deref().unwrap_or_default();
        let place = order.get(&bytes(cell(signature))?);
        let place = *place.with_context(|| format!("the ledger does not list {}", cell(signature)))?;
        let within = [cell(outer).parse::<u32>()?, cell(inner).parse()?];
        placed.push(((place, within), event));
    }
    placed.sort_by_key(|(place, _)| *place);
    events.extend(placed.into_iter().map(|(_, event)| event));
    Ok(())
}

struct Reader<'a> {
    layouts: &'a Layouts,
    names: Names,
    /// Whether bytes without a name get one.
    naming: bool,
}

impl Reader<'_> {
    fn row(&mut self, columns: &[(&'static str, Left)], cells: Vec<Option<String>>) -> Result<Row> {
        let cells = columns.iter().zip(cells);
        let cells = cells.map(|((column, left), cell)| {
            let cell = match cell {
                None => "nothing".to_owned(),
                Some(cell) => self.cell(*left, cell).with_context(|| (*column).to_owned())?,
            };
            Ok((*column, cell))
        });
        cells.collect()
    }

    fn cell(&mut self, left: Left, cell: String) -> Result<String> {
        Ok(match left {
            Left::Same | Left::HoursAfter(_) => cell,
            Left::Presence => "something".to_owned(),
            Left::Name(kind) if self.naming => self.names.of(kind, &bytes(&cell)?),
            Left::Name(kind) => self.names.known(kind, &bytes(&cell)?),
            Left::Event => self.layouts.read(&bytes(&cell)?, &mut self.names)?.to_string(),
        })
    }
}

/// The bytes that Postgres writes as `\x…`.
fn bytes(cell: &str) -> Result<Vec<u8>> {
    let digits = cell.strip_prefix("\\x").context("these are no bytes")?;
    hex::decode(digits).context("these are no bytes")
}
