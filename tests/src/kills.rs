//! Processes that are killed at random moments, and what must hold afterwards: every event once in Postgres, and
//! nothing lost that the ledger had confirmed.

use std::time::{Duration, Instant};

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

/// Works on while processes are killed, then compares ledger and Postgres.
///
/// # Errors
/// Where something was lost, is there twice, or does not start again.
pub fn survive(plan: Plan, report: &Report) -> Result<()> {
    let mut dice = Dice(plan.seed | 1);
    let (mut stack, patient, id) = one_patient()?;
    let mut confirmed = Vec::new();
    stack.start_indexer()?;
    for number in 1..=plan.indexer {
        let worker = work(&patient, &id, 2);
        std::thread::sleep(dice.pause(400));
        ensure!(!stack.indexer_ended()?, "the indexer ended by itself:\n{}", stack.tail("indexer.log"));
        stack.kill_indexer()?;
        stack.start_indexer()?;
        confirmed.extend(worker.join().ok().context("the worker panicked")??);
        report.step("kill-indexer", &format!("indexer killed, {number} of {}", plan.indexer), &json!({ "number": number }));
    }
    for number in 1..=plan.sandbox {
        let worker = work(&patient, &id, 3);
        std::thread::sleep(dice.pause(900));
        stack.kill_sandbox()?;
        stack.restart_sandbox()?;
        // A command in the middle of the outage may fail; what was confirmed counts.
        confirmed.extend(worker.join().ok().context("the worker panicked")??);
        report.step("kill-sandbox", &format!("sandbox killed, {number} of {}", plan.sandbox), &json!({ "number": number }));
    }
    confirmed.extend(work(&patient, &id, 1).join().ok().context("the worker panicked")??);
    let records = compare(&mut stack, &patient, &id, &confirmed)?;
    report.step(
        "whole",
        &format!("{} grants were confirmed, all are on the ledger; Postgres holds {records} events, each once", confirmed.len()),
        &json!({ "confirmed": confirmed.len(), "events": records, "seed": plan.seed }),
    );
    stack.stop()
}

/// Grants rights, again and again, in a thread of its own: the ids of those that were confirmed.
fn work(patient: &Person, id: &str, times: u32) -> std::thread::JoinHandle<Result<Vec<String>>> {
    let (patient, id) = (patient.clone(), id.to_owned());
    std::thread::spawn(move || {
        let mut confirmed = Vec::new();
        for _ in 0..times {
            let to = format!("person:{}", chartseal_program::ID);
            let outcome = patient.types(&["grant", &id, "--to", &to, "--classes", "0", "--purposes", "personal"])?;
            if outcome.code == 0 {
                confirmed.push(outcome.text("grant")?);
            }
        }
        Ok(confirmed)
    })
}

fn compare(stack: &mut Stack, patient: &Person, id: &str, confirmed: &[String]) -> Result<u64> {
    let grants = patient.does(&["grants", id])?;
    let on_chain: Vec<&str> = grants.objects.iter().filter_map(|grant| grant["grant"].as_str()).collect();
    for grant in confirmed {
        ensure!(on_chain.contains(&grant.as_str()), "grant {grant} was confirmed and is lost");
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
    ensure!(events == told + 1, "Postgres holds {events} events, the ledger {}", told + 1);
    Ok(events)
}

/// Random moments (xorshift64*) that a printed seed repeats.
struct Dice(u64);

impl Dice {
    fn pause(&mut self, most_ms: u64) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        Duration::from_millis((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most_ms)
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
