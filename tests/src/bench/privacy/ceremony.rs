//! A small ceremony for the circuit itself: two parties contribute to both phases, anybody verifies, and the keys come out
//! of it. A release of the client takes no others, so proofs are measured with these. Nobody forgets anything here, in one
//! process: they are for measuring.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chartseal_zk::Relation;
use chartseal_zk::ceremony::Ceremony;
use chartseal_zk::keys::ProvingKey;

use super::stopwatch::Stopwatch;
use super::{Line, Part};
use crate::bench::stats::Runs;

/// Who contributes.
const PARTIES: [&str; 2] = ["one", "two"];
/// Ceremonies that are held.
const RUNS: usize = 3;

/// Milliseconds of each step, and what came of it all.
struct Held {
    steps: [(&'static str, Vec<f64>); 6],
    transcript: usize,
    key: ProvingKey,
}

/// Holds ceremonies and gives the last one's key.
pub(super) fn measure(stopwatch: &Stopwatch) -> Result<(Vec<Line>, ProvingKey)> {
    let relation = Relation::membership()?;
    let mut held = stopwatch.on_all(|| hold(&relation))?;
    for _ in 1..RUNS {
        let mut next = stopwatch.on_all(|| hold(&relation))?;
        for ((_, all), (_, more)) in next.steps.iter_mut().zip(&held.steps) {
            all.extend(more);
        }
        held = next;
    }
    let mut lines = Vec::new();
    for (step, took) in held.steps {
        let runs = Runs::of(took).context("a step of the ceremony was not taken")?;
        lines.push(Line::ms(Part::Prove, step, stopwatch.cores(), runs));
    }
    let case = "transcript of a ceremony of two";
    lines.push(Line::count(Part::Prove, case, "bytes", held.transcript));
    Ok((lines, held.key))
}

fn hold(relation: &Relation) -> Result<Held> {
    let mut nobody = |_: chartseal_zk::ceremony::Progress<'_>| ();
    let mut transcript = Vec::new();
    let (ceremony, begin) = timed(|| Ok(Ceremony::begin(relation.clone(), &mut transcript)?));
    let mut ceremony = ceremony?;
    let mut phases = [Vec::new(), Vec::new()];
    let mut enter = 0.0;
    for (phase, took) in phases.iter_mut().enumerate() {
        if phase == 1 {
            let (entered, ms) = timed(|| Ok(ceremony.enter_phase_two(&mut transcript, &mut nobody)?));
            entered?;
            enter = ms;
        }
        for party in PARTIES {
            let contribute = || {
                ceremony.contribute(party, b"", &mut transcript, &mut nobody)?;
                Ok(())
            };
            let (contributed, ms) = timed(contribute);
            contributed?;
            took.push(ms);
        }
    }
    let (key, finish) = timed(|| Ok(ceremony.keys()?));
    let key = key?;
    let (report, verify) = timed(|| Ok(Ceremony::verify(relation.clone(), &mut &transcript[..], &mut nobody)?));
    let report = report?;
    ensure!(
        report.fault.is_none() && report.gives(key.verifying_key()),
        "the ceremony's transcript does not give its key: {:?}",
        report.fault
    );
    let [one, two] = phases;
    Ok(Held {
        steps: [
            ("begin a ceremony", vec![begin]),
            ("contribute to phase one", one),
            ("enter phase two", vec![enter]),
            ("contribute to phase two", two),
            ("finish: make the keys", vec![finish]),
            ("verify the transcript of two parties", vec![verify]),
        ],
        transcript: transcript.len(),
        key,
    })
}

fn timed<T>(step: impl FnOnce() -> Result<T>) -> (Result<T>, f64) {
    let begun = Instant::now();
    let done = step();
    (done, begun.elapsed().as_secs_f64() * 1e3)
}
