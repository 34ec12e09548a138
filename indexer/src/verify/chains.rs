//! Recomputes each chain from the rows of `events`.

use std::{collections::BTreeMap, ops::Range};

use chartseal_program::{
    events::AnyEvent,
    log::{Chain, ChainKind},
    seeds::Id,
};
use sqlx::PgConnection;

use super::{
    report::{ChainCount, Findings, Problem},
    rows::{self, Row},
    trees::Told,
};
use crate::sink::{Instant, SinkError};

/// Events of one gap that are named one by one.
const GAP_NAMED: usize = 100;

/// Where each chain stands.
pub(super) type Standing = BTreeMap<(ChainKind, Id), Chain>;

/// What the rows say.
#[derive(Default)]
pub(super) struct Recomputed {
    pub(super) standing: Standing,
    pub(super) events: u64,
    /// The highest slot that an event claims.
    pub(super) newest_slot: u64,
    /// What they say of trees.
    pub(super) trees: Told,
    by_kind: BTreeMap<ChainKind, (u64, u64)>,
}

impl Recomputed {
    pub(super) fn counts(&self) -> Vec<ChainCount> {
        let count = |(kind, (chains, events)): (&ChainKind, &(u64, u64))| ChainCount {
            kind: kind.word(),
            chains: *chains,
            events: *events,
        };
        self.by_kind.iter().map(count).collect()
    }
}

/// Recomputes every chain. After something that does not fit it goes on from what the row claims, so that each row is
/// judged by itself.
pub(super) async fn recompute(connection: &mut PgConnection, findings: &mut Findings) -> Result<Recomputed, SinkError> {
    let mut recomputed = Recomputed::default();
    let mut last = None;
    loop {
        let mut page = rows::page(connection, last.as_ref()).await?;
        for row in &page {
            recomputed.take(row, findings)?;
        }
        last = page.pop();
        if last.is_none() {
            return Ok(recomputed);
        }
    }
}

impl Recomputed {
    fn take(&mut self, row: &Row, findings: &mut Findings) -> Result<(), SinkError> {
        // Types and checks of the table hold these; where somebody removed them, nothing can be said of the row.
        let kind = ChainKind::from_word(&row.chain).ok_or(SinkError::Damaged("events.chain"))?;
        let subject: Id = row
            .subject
            .as_slice()
            .try_into()
            .map_err(|_| SinkError::Damaged("events.subject"))?;
        let seq = u64::try_from(row.seq).map_err(|_| SinkError::Damaged("events.seq"))?;
        let head: [u8; 32] = row
            .head
            .as_slice()
            .try_into()
            .map_err(|_| SinkError::Damaged("events.head"))?;

        let slot = u64::try_from(row.slot).map_err(|_| SinkError::Damaged("events.slot"))?;

        self.events += 1;
        self.newest_slot = self.newest_slot.max(slot);
        let counts = self.by_kind.entry(kind).or_default();
        counts.1 += 1;
        let chain = self.standing.entry((kind, subject)).or_insert_with(|| {
            counts.0 += 1;
            Chain::begin(kind, &subject)
        });
        report_gap(kind, &subject, chain.seq + 1..seq, findings);
        let follows_a_gap = chain.seq + 1 != seq;
        let event = AnyEvent::decode(&row.body).ok();
        if let Some(event) = &event {
            self.trees.take(event);
        }
        if let Some(detail) = misstated(row, event.as_ref(), kind, &subject, seq, &head) {
            findings.about_event(Problem::Altered, kind, &subject, seq, &detail);
        } else if !follows_a_gap && chain.follow(kind, &subject, seq, &row.body).is_none() {
            let detail = "its hash does not follow from the event before it and its own content";
            findings.about_event(Problem::Altered, kind, &subject, seq, detail);
        }
        *chain = Chain { seq, head };
        Ok(())
    }
}

/// Names the events that are missing: each of them, but of a wide gap only the first ones, because one altered number
/// can make a gap of any width.
fn report_gap(kind: ChainKind, subject: &Id, gap: Range<u64>, findings: &mut Findings) {
    let named = gap.clone().take(GAP_NAMED);
    for missing in named {
        let detail = format!("the chain has a gap from event {} to {}", gap.start, gap.end - 1);
        findings.about_event(Problem::Missing, kind, subject, missing, &detail);
    }
}

/// How a row's columns differ from the event that it holds.
fn misstated(
    row: &Row,
    event: Option<&AnyEvent>,
    kind: ChainKind,
    subject: &Id,
    seq: u64,
    head: &[u8; 32],
) -> Option<String> {
    let Some(event) = event else {
        return Some("its body is no event of the program".to_owned());
    };
    let link = event.link();
    let said = [
        ("chain", event.chain() == kind),
        ("subject", link.subject == *subject),
        ("seq", link.seq == seq),
        ("at", Instant(link.at) == row.at),
        ("name", event.name() == row.name),
        ("head", event.head() == head),
    ];
    let wrong: Vec<&str> = said
        .iter()
        .filter(|(_, fits)| !fits)
        .map(|(column, _)| *column)
        .collect();
    (!wrong.is_empty()).then(|| format!("{} not as in its body", wrong.join(", ")))
}
