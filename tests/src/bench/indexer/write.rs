//! Events into tables: by the indexer's own sink, in batches as the indexer makes them, and row by row.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chartseal_indexer::{
    decode::Located,
    sink::{Batch, Entry, Lock, Sink},
};

use super::{Line, Load, Plan, profile, progress, rows};
use crate::bench::stats::{Runs, rounded};
use crate::cluster::{Cluster, connect};

/// Databases of the runs, of the sink, of the sink at the ledger's tip, and of the rows.
const OF_SINK: [&str; 9] = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
const OF_LIVE: [&str; 9] = ["l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9"];
const OF_ROWS: [&str; 9] = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"];

/// All of them in turns, so that what else the machine does hits them alike.
pub(super) async fn measure(plan: &Plan, cluster: &Cluster, load: &Load, live: &Load) -> Result<Vec<Line>> {
    let events: usize = load.transactions.iter().map(Vec::len).sum();
    // Row by row goes on from the middle, where tables are as large as the indexer's are half of the time.
    let (before, rest) = load.transactions.split_at(load.transactions.len() / 2);
    let some = rest.get(..plan.rows.min(rest.len())).unwrap_or(rest);
    if plan.profile {
        profile::begin();
    }
    let (mut batched, mut lively, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..plan.runs.clamp(1, OF_SINK.len()) {
        progress(&format!("run {}: {events} events by the indexer's sink", run + 1));
        let url = cluster.database(OF_SINK.get(run).context("too many runs")?).await?;
        let mut sink = Sink::open(&url, Lock::Refuse).await?;
        profile::take();
        let seconds = store(&mut sink, &load.transactions, plan.batch).await?;
        drop(sink);
        batched.push(count(events)? / seconds);
        if plan.profile {
            tell(seconds);
        }
        drop_database(cluster, OF_SINK.get(run).context("too many runs")?).await?;

        progress(&format!("run {}: {events} events as they come, with notices", run + 1));
        let name = OF_LIVE.get(run).context("too many runs")?;
        let url = cluster.database(name).await?;
        let mut sink = Sink::open(&url, Lock::Refuse).await?;
        profile::take();
        let seconds = store_live(&mut sink, &live.transactions, plan.batch).await?;
        drop(sink);
        lively.push(count(live.transactions.iter().map(Vec::len).sum())? / seconds);
        if plan.profile {
            tell(seconds);
        }
        let mut connection = connect(&url).await?;
        let notices: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&mut connection)
            .await?;
        ensure!(notices > 0, "nobody was notified of what has just happened");
        drop(connection);
        drop_database(cluster, name).await?;

        progress(&format!("run {}: {} transactions row by row", run + 1, some.len()));
        let url = cluster.database(OF_ROWS.get(run).context("too many runs")?).await?;
        let mut sink = Sink::open(&url, Lock::Refuse).await?;
        store(&mut sink, before, plan.batch).await?;
        drop(sink);
        let mut connection = connect(&url).await?;
        rows::prepare(&mut connection, some).await?;
        profile::take();
        let since = Instant::now();
        for transaction in some {
            rows::store(&mut connection, transaction).await?;
        }
        let seconds = since.elapsed().as_secs_f64();
        single.push(count(some.iter().map(Vec::len).sum())? / seconds);
        drop(connection);
        drop_database(cluster, OF_ROWS.get(run).context("too many runs")?).await?;
    }
    let (batched, lively, single) = (runs(batched)?, runs(lively)?, runs(single)?);
    let line = |case: &str, runs: Runs, size: usize| Line {
        case: case.to_owned(),
        events_per_s: Some(runs.median.round()),
        slowest: Some(runs.min.round()),
        fastest: Some(runs.max.round()),
        size: u64::try_from(size).ok(),
        runs: Some(runs.n),
        ..Line::default()
    };
    Ok(vec![
        Line {
            vs_row_by_row: Some(rounded(batched.median / single.median, 3)),
            ..line("write", batched, events)
        },
        line("write-live", lively, events),
        line("row-by-row", single, some.len()),
    ])
}

/// Seconds that it takes to store all of them, as an indexer does that reads what is final already.
async fn store(sink: &mut Sink, transactions: &[Vec<Located>], batch: usize) -> Result<f64> {
    // The indexer holds a batch's events in one list too; making it is not what is measured.
    let batches = batches(transactions, batch, true);
    let since = Instant::now();
    for batch in &batches {
        sink.store(batch).await?;
    }
    Ok(since.elapsed().as_secs_f64())
}

/// Seconds that it takes to store all of them as they come: people are notified, and a batch is final when the next one
/// is stored.
async fn store_live(sink: &mut Sink, transactions: &[Vec<Located>], batch: usize) -> Result<f64> {
    let batches = batches(transactions, batch, false);
    let since = Instant::now();
    for batch in &batches {
        let before = sink.tail().len();
        sink.store(batch).await?;
        sink.promote(before).await?;
    }
    sink.promote(sink.tail().len()).await?;
    Ok(since.elapsed().as_secs_f64())
}

fn batches(transactions: &[Vec<Located>], batch: usize, settled: bool) -> Vec<Batch> {
    let chunks = transactions.chunks(batch.max(1));
    chunks.map(|transactions| batch_of(transactions, settled)).collect()
}

fn batch_of(transactions: &[Vec<Located>], settled: bool) -> Batch {
    let places = transactions
        .iter()
        .filter_map(|events| events.first())
        .map(|first| first.place);
    Batch {
        entries: places
            .map(|place| Entry {
                signature: place.signature,
                slot: place.slot,
                blockhash: Some(place.blockhash),
            })
            .collect(),
        events: transactions.concat(),
        settled,
    }
}

async fn drop_database(cluster: &Cluster, name: &str) -> Result<()> {
    let mut connection = connect(cluster.url()).await?;
    let words = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::query(sqlx::AssertSqlSafe(words)).execute(&mut connection).await?;
    Ok(())
}

fn tell(seconds: f64) {
    let all = profile::take();
    let waited: f64 = all.iter().map(|(_, _, seconds)| seconds).sum();
    eprintln!("    {seconds:.2} s, of which {waited:.2} s waiting for Postgres:");
    for (name, count, seconds) in all.iter().take(25) {
        eprintln!("    {seconds:8.3} s {count:7} x  {}", name.replace('\n', " "));
    }
}

fn runs(values: Vec<f64>) -> Result<Runs> {
    Runs::of(values).context("nothing was measured")
}

fn count(events: usize) -> Result<f64> {
    Ok(f64::from(u32::try_from(events)?))
}
