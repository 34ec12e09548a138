//! `cargo xtask bench privacy`: what proofs of access and encrypted statistics cost. How long it takes to prove and to
//! verify, what the chain charges, and how long a study of clinics takes from its first contribution to its published
//! transcript, each beside what one would take otherwise. What is done on one core stays on the last one.

mod ceremony;
mod chain;
mod line;
mod page;
mod peer;
mod prove;
mod statistics;
mod stopwatch;
mod tree;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

pub use self::line::{Line, Results};
use self::stopwatch::Stopwatch;
use super::host;
use crate::programs::root;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Keys, witnesses, proofs and their verification.
    Prove,
    /// The tree of grants without a name, off chain.
    Tree,
    /// Compute units and bytes of transactions.
    Chain,
    /// A study, from its key to its transcript.
    Statistics,
}

impl Part {
    /// All of them, in the order in which they are measured.
    const ALL: [Self; 4] = [Self::Prove, Self::Tree, Self::Chain, Self::Statistics];

    /// As it is written in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Tree => "tree",
            Self::Chain => "chain",
            Self::Statistics => "statistics",
        }
    }
}

/// What is asked of the benchmark.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Runs of each case; of those that take long, fewer.
    pub runs: usize,
    /// Only these; all where none is named.
    pub only: Vec<Part>,
    /// The example `cu` of the contract's package, which counts compute units.
    pub cu: Option<PathBuf>,
    /// Runs of each of its cases, of which the worst is told.
    pub cu_runs: u64,
    /// Leaves of trees, one size after the other.
    pub leaves: Vec<u32>,
    /// Results of an earlier run: nothing is measured.
    pub from: Option<PathBuf>,
    /// Print JSON.
    pub json: bool,
    /// Write the report.
    pub report: bool,
}

/// Measures, prints, and writes the report if it is asked to.
///
/// # Errors
/// Where something is missing, or does not do what it must; where a target is missed, once everything is printed.
pub fn run(plan: &Plan) -> Result<()> {
    let results = match &plan.from {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Results::from_json_lines(&text)?
        }
        None => measure(plan)?,
    };
    let text = if plan.json {
        results.to_json_lines()?
    } else {
        results.to_tables()
    };
    // Where nobody reads on there is nobody to tell.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if plan.report {
        let folder = root().join("docs/benchmarks");
        page::write(&results, &folder)?;
        progress(&format!("wrote {}", folder.join("privacy.md").display()));
    }
    let missed = results.missed();
    ensure!(missed.is_empty(), "a target was missed: {}", missed.join("; "));
    Ok(())
}

fn measure(plan: &Plan) -> Result<Results> {
    let wanted = |part: &Part| plan.only.is_empty() || plan.only.contains(part);
    // Before anything that takes long.
    if wanted(&Part::Chain) {
        chain::program(plan)?;
    }
    let mut results = Results {
        heads: vec![host::machine()?, host::versions(), build()],
        lines: Vec::new(),
    };
    let stopwatch = Stopwatch::new(plan.runs)?;
    for part in Part::ALL.iter().filter(|part| wanted(part)) {
        progress(part.name());
        results.lines.extend(match part {
            Part::Prove => prove::measure(&stopwatch)?,
            Part::Tree => tree::measure(&stopwatch, &plan.leaves)?,
            Part::Chain => chain::measure(plan)?,
            Part::Statistics => statistics::measure(&stopwatch)?,
        });
    }
    Ok(results)
}

/// Whether this program was optimised, without which times say little.
fn build() -> serde_json::Value {
    serde_json::json!({ "head": "build", "optimised": !cfg!(debug_assertions) })
}

fn progress(text: &str) {
    eprintln!("==> {text}");
}
