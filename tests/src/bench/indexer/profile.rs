//! Where the time goes: how long the client waited for each kind of statement, as sqlx says in its log.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Statements by their first words: how many, and for how many seconds together.
static STATEMENTS: Mutex<BTreeMap<String, (u64, f64)>> = Mutex::new(BTreeMap::new());

/// Counts from now on. Nothing else may have taken the log.
pub(super) fn begin() {
    // Whoever took it before us gets it.
    let _ = tracing::subscriber::set_global_default(Watch);
}

/// What was counted since the last time, the longest first.
pub(super) fn take() -> Vec<(String, u64, f64)> {
    let taken = std::mem::take(&mut *STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner));
    let mut all: Vec<_> = taken
        .into_iter()
        .map(|(name, (count, seconds))| (name, count, seconds))
        .collect();
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    all
}

/// Reads sqlx's messages, and nothing else.
struct Watch;

impl Subscriber for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let mut all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry(statement.summary).or_default();
        entry.0 += 1;
        entry.1 += statement.seconds;
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Statement {
    summary: String,
    seconds: f64,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.summary);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
