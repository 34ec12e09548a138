//! What the indexer measures, under which names, and what each means.
//!
//! Whoever measures calls a function of this module, so that a name is written once; [`Exporter`] shows all of them as
//! Prometheus reads them. Without an exporter the calls cost next to nothing and go nowhere. No name, label or value says
//! anything about a person or an institution.

use std::{sync::OnceLock, time::Duration};

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{Error, Verdict};

const SLOT: &str = "chartseal_slot";
const CAUGHT_UP: &str = "chartseal_caught_up_timestamp_seconds";
const STANDING_BY: &str = "chartseal_standing_by";
const EVENTS: &str = "chartseal_events_total";
const TRANSACTIONS: &str = "chartseal_transactions_total";
const LOOK_ALIKES: &str = "chartseal_look_alikes_total";
const BATCH: &str = "chartseal_batch_seconds";
const RECONNECTS: &str = "chartseal_reconnects_total";
const TOLD: &str = "chartseal_source_wakes_total";
const BEGUN_ANEW: &str = "chartseal_source_reconnects_total";
const ERRORS: &str = "chartseal_errors_total";
const DROPPED: &str = "chartseal_dropped_transactions_total";
const VERIFICATION: &str = "chartseal_verification_state";
const VERIFIED: &str = "chartseal_verified_timestamp_seconds";
const QUERIES: &str = "chartseal_query_seconds";
const QUEUED: &str = "chartseal_notifications_total";
const DELIVERIES: &str = "chartseal_webhook_deliveries_total";
const STREAMS: &str = "chartseal_notification_streams";

/// Upper ends of the classes that times are counted in, in seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// What there is to reconnect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Node,
    Database,
    /// A Yellowstone gRPC endpoint.
    Yellowstone,
}

impl Peer {
    fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Database => "database",
            Self::Yellowstone => "yellowstone",
        }
    }
}

/// Who tells of transactions before they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Herald {
    /// The node's WebSocket.
    Socket,
    /// A Yellowstone gRPC endpoint.
    Yellowstone,
}

impl Herald {
    fn word(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Yellowstone => "yellowstone",
        }
    }
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch {
    /// Events that were stored.
    pub stored: u64,
    /// Events that were stored before, and came again.
    pub known: u64,
    /// Transactions that were read, without those that failed.
    pub transactions: u64,
    /// Transactions that failed on chain.
    pub failed: u64,
    /// Calls that look like an event of ours and are none.
    pub look_alikes: u64,
}

/// Where the indexer is.
#[allow(clippy::cast_precision_loss, reason = "slots stay far below 2^53")]
pub fn slots(frontier: Option<u64>, settled: Option<u64>) {
    for (position, slot) in [("frontier", frontier), ("settled", settled)] {
        if let Some(slot) = slot {
            gauge!(SLOT, "position" => position).set(slot as f64);
        }
    }
}

/// All that the ledger had is stored, now.
pub fn caught_up() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    gauge!(CAUGHT_UP).set(now.unwrap_or_default().as_secs_f64());
}

/// Whether another indexer writes and this one waits.
pub fn standing_by(standing_by: bool) {
    gauge!(STANDING_BY).set(f64::from(u8::from(standing_by)));
}

/// A batch was read from the node, in that time.
pub fn batch_read(took: Duration) {
    histogram!(BATCH, "step" => "read").record(took);
}

/// A batch was written and committed, in that time.
pub fn batch_written(batch: Batch, took: Duration) {
    histogram!(BATCH, "step" => "write").record(took);
    counter!(EVENTS, "outcome" => "stored").increment(batch.stored);
    counter!(EVENTS, "outcome" => "known").increment(batch.known);
    counter!(TRANSACTIONS, "outcome" => "read").increment(batch.transactions);
    counter!(TRANSACTIONS, "outcome" => "failed").increment(batch.failed);
    counter!(LOOK_ALIKES).increment(batch.look_alikes);
}

/// Transactions whose block was dropped were taken back.
pub fn dropped(transactions: u64) {
    counter!(DROPPED).increment(transactions);
}

/// Node or database answers again after it did not.
pub fn reconnected(peer: Peer) {
    counter!(RECONNECTS, "peer" => peer.word()).increment(1);
}

/// Somebody told of a transaction, so that the indexer looks for it at once.
pub fn told(by: Herald) {
    counter!(TOLD, "by" => by.word()).increment(1);
}

/// A connection over which transactions are told of is begun anew.
pub fn reconnects(by: Herald) {
    counter!(BEGUN_ANEW, "by" => by.word()).increment(1);
}

/// Something went wrong.
pub fn failed(error: &Error) {
    counter!(ERRORS, "kind" => error.kind()).increment(1);
}

/// What a verification found, and when it ended (seconds since 1970).
pub fn verified(verdict: Verdict, at: f64) {
    for (state, is) in [
        ("whole", Verdict::Whole),
        ("behind", Verdict::Behind),
        ("broken", Verdict::Broken),
    ] {
        gauge!(VERIFICATION, "state" => state).set(f64::from(u8::from(is == verdict)));
    }
    gauge!(VERIFIED).set(at);
}

/// A question was answered over HTTP. `route` is the route's pattern and never what somebody typed.
pub fn answered(route: String, status: u16, took: Duration) {
    histogram!(QUERIES, "route" => route, "status" => status.to_string()).record(took);
}

/// Notifications were queued in the outbox.
pub fn queued(count: u64) {
    counter!(QUEUED).increment(count);
}

/// A delivery to a webhook ended: `delivered`, `failed` (it is tried again) or `dead`.
pub fn delivery(outcome: &'static str, deliveries: u64) {
    counter!(DELIVERIES, "outcome" => outcome).increment(deliveries);
}

/// A stream of notifications began, or ended.
pub fn streams(change: f64) {
    gauge!(STREAMS).increment(change);
}

/// Shows what was measured.
#[derive(Clone)]
pub struct Exporter(PrometheusHandle);

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

impl Exporter {
    /// The process' exporter: from here on everything is counted.
    ///
    /// # Errors
    /// Where the process already counts in another way.
    pub fn install() -> Result<Self, anyhow::Error> {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(handle) = INSTALLED.get() {
            return Ok(Self(handle.clone()));
        }
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder()?;
        describe();
        Ok(Self(INSTALLED.get_or_init(|| handle).clone()))
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Says what each name means, and begins at zero what is counted: so that a rate is one from the first event on.
fn describe() {
    describe_gauge!(
        SLOT,
        "Slot of the ledger: position frontier is stored with all before it, settled is final too."
    );
    describe_gauge!(
        CAUGHT_UP,
        Unit::Seconds,
        "When all that the ledger had was last stored, in seconds since 1970: the frontier lags by the time since."
    );
    describe_gauge!(
        STANDING_BY,
        "1 while another indexer writes to the database and this one waits."
    );
    describe_counter!(
        EVENTS,
        "Events: outcome stored (new rows) or known (came again, not stored again)."
    );
    describe_counter!(
        TRANSACTIONS,
        "Transactions of the program: outcome read, or failed (on chain; skipped)."
    );
    describe_counter!(
        LOOK_ALIKES,
        "Calls that look like an event of the program and are none: forged, and ignored."
    );
    describe_counter!(
        DROPPED,
        "Transactions that were taken back because their block was dropped."
    );
    describe_histogram!(
        BATCH,
        Unit::Seconds,
        "Time for a batch: step read (from the node) or write (until committed)."
    );
    describe_counter!(
        RECONNECTS,
        "How often the peer (node or database) answered again after it had not."
    );
    describe_counter!(
        TOLD,
        "Transactions that were told of (by socket, the node's WebSocket, or yellowstone, a gRPC endpoint) before they were asked for."
    );
    describe_counter!(
        BEGUN_ANEW,
        "How often a connection over which transactions are told of was begun anew."
    );
    describe_counter!(
        ERRORS,
        "Errors by kind: node, database, event (one that cannot be read), fork (what is not final was dropped), stopped."
    );
    describe_gauge!(
        VERIFICATION,
        "1 for the state that the last verification found: whole, behind or broken."
    );
    describe_gauge!(
        VERIFIED,
        Unit::Seconds,
        "When the last verification ended, in seconds since 1970."
    );
    describe_histogram!(QUERIES, Unit::Seconds, "Time to answer over HTTP, by route and status.");
    describe_counter!(QUEUED, "Notifications that were put into the outbox.");
    describe_counter!(
        DELIVERIES,
        "Deliveries to webhooks: outcome delivered, failed (tried again) or dead (given up)."
    );
    describe_gauge!(STREAMS, "Streams of notifications that are open.");
    for name in [LOOK_ALIKES, DROPPED, QUEUED] {
        counter!(name).absolute(0);
    }
    for (name, label, values) in [
        (EVENTS, "outcome", &["stored", "known"][..]),
        (TRANSACTIONS, "outcome", &["read", "failed"]),
        (RECONNECTS, "peer", &["node", "database", "yellowstone"]),
        (TOLD, "by", &["socket", "yellowstone"]),
        (BEGUN_ANEW, "by", &["socket", "yellowstone"]),
        (ERRORS, "kind", &["node", "database", "event", "fork"]),
        (DELIVERIES, "outcome", &["delivered", "failed", "dead"]),
    ] {
        for value in values {
            counter!(name, label => *value).absolute(0);
        }
    }
    for name in [CAUGHT_UP, STANDING_BY, STREAMS, VERIFIED] {
        gauge!(name).set(0.0);
    }
    for state in ["whole", "behind", "broken"] {
        gauge!(VERIFICATION, "state" => state).set(0.0);
    }
    for position in ["frontier", "settled"] {
        gauge!(SLOT, "position" => position).set(0.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everything_that_is_shown_says_what_it_means() {
        let exporter = Exporter::install().unwrap();
        slots(Some(7), Some(5));
        caught_up();
        batch_written(
            Batch {
                stored: 3,
                ..Batch::default()
            },
            Duration::from_millis(4),
        );
        batch_read(Duration::from_millis(1));
        verified(Verdict::Whole, 1.0);
        let shown = exporter.render();
        let names: std::collections::BTreeSet<&str> = shown
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!(names.len() >= 15, "{names:?}");
        for name in names {
            assert!(
                shown.contains(&format!("# HELP {name} ")),
                "{name} does not say what it is"
            );
        }
        for line in [
            "chartseal_slot{position=\"frontier\"} 7",
            "chartseal_slot{position=\"settled\"} 5",
            "chartseal_events_total{outcome=\"stored\"} 3",
            "chartseal_verification_state{state=\"whole\"} 1",
            "chartseal_verification_state{state=\"broken\"} 0",
        ] {
            assert!(shown.contains(line), "no {line} in\n{shown}");
        }
        assert!(
            shown.contains("chartseal_batch_seconds_bucket{step=\"write\",le=\"0.005\"} 1"),
            "{shown}"
        );
    }
}
