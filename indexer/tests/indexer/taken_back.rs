//! Any end of the story taken back leaves the very rows that the rest of it makes, in every table.

use std::collections::BTreeMap;

use chartseal_indexer::{
    decode::decode,
    sink::{Batch, Entry, Lock, Sink},
    source::Transaction,
};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    cluster::{Database, lines},
    story,
};

/// Transactions between two states that are compared.
const STEP: usize = 9;

/// Transactions as a batch of which nothing is final yet.
fn batch(transactions: &[Transaction]) -> Batch {
    Batch {
        entries: transactions
            .iter()
            .map(|transaction| Entry {
                signature: transaction.signature,
                slot: transaction.slot,
                blockhash: Some(transaction.blockhash),
            })
            .collect(),
        events: transactions
            .iter()
            .flat_map(|transaction| decode(transaction).unwrap().events)
            .collect(),
        settled: false,
    }
}

/// Every row of every table, but of those that tell others.
async fn rows(connection: &mut PgConnection) -> BTreeMap<String, Vec<String>> {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'chartseal'::regnamespace
                  AND relkind IN ('r', 'p') AND NOT relispartition
                  AND relname NOT IN ('_sqlx_migrations', 'outbox', 'webhooks', 'deliveries')";
    let mut rows = BTreeMap::new();
    for table in lines(connection, tables).await {
        let query = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let content = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        rows.insert(table, content);
    }
    rows
}

#[tokio::test]
async fn any_end_of_the_story_taken_back_leaves_what_the_rest_makes() {
    let ledger = story::tell();
    let steps: Vec<&[Transaction]> = ledger.transactions.chunks(STEP).collect();
    let database = Database::new().await;
    let mut sink = Sink::open(&database.url, Lock::Refuse).await.unwrap();
    let mut connection = database.connect().await;
    let mut before = vec![rows(&mut connection).await];
    for step in &steps {
        sink.store(&batch(step)).await.unwrap();
        before.push(rows(&mut connection).await);
    }
    let full = before.pop().unwrap();
    for (kept, expected) in before.iter().enumerate().rev() {
        let events = sink.roll_back(kept * STEP).await.unwrap();
        assert!(events > 0);
        let left = rows(&mut connection).await;
        for (table, expected) in expected {
            assert_eq!(left.get(table), Some(expected), "{table} after {kept} steps");
        }
    }
    // And it can be told anew.
    sink.store(&batch(&ledger.transactions)).await.unwrap();
    assert_eq!(rows(&mut connection).await, full);
}
