//! Processes that are killed at random moments, and what must hold afterwards: every event once in Postgres, and
//! nothing lost that the ledger had confirmed.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{memory::one_patient, people::Person, report::Report, stack::Stack};

/// How often each is killed, and the seed of the moments.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Kills of the indexer.
    pub indexer: u32,
    /// Kills of the sandbox: ledger, gateway and Postgres at once.
    pub sandbox: u32,
    /// What the random moments come from.
    pub seed: u64,
}

/// How many grants somebody asks for while the indexer is killed.
const GRANTS: usize = 2;

/// How long a grant may take to be confirmed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Works on while processes are killed, then compares ledger and Postgres.
///
/// # Errors
/// Where something was lost, is there twice, or does not start again; also where so little was confirmed that this would
/// show nothing.
pub fn survive(plan: Plan, report: &Report) -> Result<()> {
    let mut dice = Dice::new(plan.seed);
    let (mut stack, patient, id) = one_patient()?;
    let mut confirmed = Vec::new();
    stack.start_indexer()?;
    for number in 1..=plan.indexer {
        let worker = Worker::start(&patient, &id);
        std::thread::sleep(dice.pause(400));
        lives(&mut stack)?;
        stack.kill_indexer()?;
        stack.start_indexer()?;
        worker.wait_for(GRANTS)?;
        let Work { grants, refused } = worker.stop()?;
        // The indexer is nothing that a grant needs.
        ensure!(
            refused.is_empty(),
            "a grant failed while the indexer was killed: {}",
            refused.join("; ")
        );
        confirmed.extend(grants);
        let sentence = format!("indexer killed, {number} of {}", plan.indexer);
        report.step("kill-indexer", &sentence, &json!({ "number": number }));
    }
    for number in 1..=plan.sandbox {
        let worker = Worker::start(&patient, &id);
        worker.wait_for(1)?;
        std::thread::sleep(dice.pause(900));
        stack.kill_sandbox()?;
        stack.restart_sandbox()?;
        // A command in the middle of the outage may fail; what was confirmed counts.
        confirmed.extend(worker.stop()?.grants);
        confirmed.push(patient.does(&grant(&id))?.text("grant")?);
        lives(&mut stack)?;
        let sentence = format!("sandbox killed, {number} of {}", plan.sandbox);
        report.step("kill-sandbox", &sentence, &json!({ "number": number }));
    }
    confirmed.push(patient.does(&grant(&id))?.text("grant")?);
    let least = usize::try_from(plan.indexer)? * GRANTS + 2 * usize::try_from(plan.sandbox)? + 1;
    ensure!(
        confirmed.len() >= least,
        "only {} grants were confirmed, of at least {least}",
        confirmed.len()
    );
    let records = compare(&mut stack, &patient, &id, &confirmed)?;
    lives(&mut stack)?;
    report.step(
        "whole",
        &format!(
            "{} grants were confirmed, all are on the ledger; Postgres holds {records} events, each once",
            confirmed.len()
        ),
        &json!({ "confirmed": confirmed.len(), "events": records, "seed": plan.seed }),
    );
    stack.stop()
}

fn lives(stack: &mut Stack) -> Result<()> {
    let ended = stack.indexer_ended()?;
    ensure!(!ended, "the indexer ended by itself:\n{}", stack.tail("indexer.log"));
    Ok(())
}

/// Words that grant a right to somebody. Each time they are typed it is another grant.
fn grant(id: &str) -> [&str; 8] {
    const TO: &str = "person:11111111111111111111111111111112";
    ["grant", id, "--to", TO, "--classes", "0", "--purposes", "personal"]
}

/// What came of somebody's work.
#[derive(Debug, Default)]
struct Work {
    /// The grants that were confirmed.
    grants: Vec<String>,
    /// What the others failed with.
    refused: Vec<String>,
}

/// Somebody who grants rights, again and again, in a thread of its own, until told to stop.
struct Worker {
    work: Arc<Mutex<Work>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Worker {
    fn start(patient: &Person, id: &str) -> Self {
        let (patient, id) = (patient.clone(), id.to_owned());
        let (work, stop) = (Arc::new(Mutex::new(Work::default())), Arc::new(AtomicBool::new(false)));
        let (writes, stops) = (Arc::clone(&work), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stops.load(Ordering::SeqCst) {
                let outcome = patient.types(&grant(&id))?;
                let mut work = locked(&writes);
                match outcome.code {
                    0 => work.grants.push(outcome.text("grant")?),
                    _ => work.refused.push(outcome.error),
                }
            }
            Ok(())
        });
        Self { work, stop, thread }
    }

    /// Waits until so many grants were confirmed.
    fn wait_for(&self, grants: usize) -> Result<()> {
        let since = Instant::now();
        while locked(&self.work).grants.len() < grants {
            ensure!(
                since.elapsed() < PATIENCE,
                "no grant is confirmed: {:?}",
                locked(&self.work).refused
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn stop(self) -> Result<Work> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().ok().context("the worker panicked")??;
        Ok(std::mem::take(&mut *locked(&self.work)))
    }
}

fn locked(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

fn compare(stack: &mut Stack, patient: &Person, id: &str, confirmed: &[String]) -> Result<u64> {
    let grants = patient.does(&["grants", id])?;
    let on_chain: Vec<&str> = grants
        .objects
        .iter()
        .filter_map(|grant| grant["grant"].as_str())
        .collect();
    for grant in confirmed {
        ensure!(
            on_chain.contains(&grant.as_str()),
            "grant {grant} was confirmed and is lost"
        );
    }
    let log = patient.does(&["log", id])?;
    let last = log.objects.last().cloned().unwrap_or_default();
    ensure!(last["whole"] == true, "the ledger's own log is not whole: {last}");
    let since = Instant::now();
    let proof = loop {
        let proof = stack.verified()?;
        if proof["whole"] == true || since.elapsed() > Duration::from_secs(30) {
            break proof;
        }
    };
    ensure!(proof["whole"] == true, "Postgres is not whole: {proof}");
    // The registry's event, and all that the patient's two chains have: no more, no less.
    let events = proof["events"].as_u64().context("the proof counts no events")?;
    let told = last["events"].as_u64().context("the log counts no events")?;
    ensure!(
        events == told + 1,
        "Postgres holds {events} events, the ledger {}",
        told + 1
    );
    Ok(events)
}

/// Random moments (xorshift64*) that a printed seed repeats.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Every seed has moments of its own; they are spread (splitmix64) because neighbours would begin alike.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
        // A state of zeros would stay one.
        Self(state.max(1))
    }

    /// A number below `most`, which is not 0.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    pub(crate) fn pause(&mut self, most_ms: u64) -> Duration {
        Duration::from_millis(self.below(most_ms))
    }
}

/// A seed from the system's randomness, to be printed.
///
/// # Errors
/// Where the system gives none.
pub fn new_seed() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_seeds_roll_alike() {
        let rolled = |seed| {
            let mut dice = Dice::new(seed);
            [(); 8].map(|()| dice.below(100))
        };
        let all: BTreeSet<_> = (0..1_000).map(rolled).collect();
        assert_eq!(all.len(), 1_000);
        assert_eq!(rolled(7), rolled(7));
    }
}
