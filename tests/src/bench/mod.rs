//! `cargo xtask bench media`: how fast files are stored and opened, how small they become and how much memory that takes,
//! beside what the processor allows and what a user would take otherwise. Every run is a process of its own on cores of
//! its own; the cases take turns, so that whatever else the machine does hits them all alike; medians are reported.

mod dicom;
mod gateway;
pub mod host;
pub mod indexer;
pub mod inputs;
pub mod job;
mod limits;
pub mod line;
mod ops;
mod peers;
mod plot;
pub mod privacy;
pub mod report;
pub mod sizes;
pub mod stats;
mod store;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use chartseal::store::Stores;
use serde_json::json;
use tempfile::TempDir;

use self::gateway::Gateway;
use self::inputs::{Input, Kind};
use self::job::{Job, Op, Sample};
use self::line::{Case, Results};
use self::sizes::{FIXTURES, Size};
use crate::programs::{fixture, root};

/// Where files in memory are.
const IN_MEMORY: &str = "/dev/shm";
/// Room that all files take together, and some.
const ROOM: u64 = 8 << 30;
/// Files shorter than this are too short for all cores: several are under way at a time.
const SHORT: u64 = 8 << 20;

/// What is asked of the benchmark.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Runs of each case.
    pub runs: usize,
    /// For how long a run lasts, at least.
    pub seconds: f64,
    /// Only these; all where none is named.
    pub only: Vec<Op>,
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
/// Where something is missing, or does not do what it must.
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
        table::all(&results)
    };
    // Where nobody reads on there is nobody to tell.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if plan.report {
        let folder = root().join("docs/benchmarks");
        report::write(&results, &folder)?;
        progress(&format!("wrote {}", folder.join("media.md").display()));
    }
    Ok(())
}

fn progress(text: &str) {
    eprintln!("==> {text}");
}

/// 16 random bytes.
fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(hex::encode(bytes))
}

/// What all runs share.
struct Bench<'a> {
    plan: &'a Plan,
    cores: Vec<usize>,
    folder: TempDir,
    inputs: BTreeMap<Kind, Input>,
    /// The one that records are fetched from.
    gateway: Gateway,
}

fn measure(plan: &Plan) -> Result<Results> {
    let cores = host::cores()?;
    ensure!(!cores.is_empty(), "there is no core to measure on");
    let cases = cases(plan, cores.len());
    let folder = work_folder()?;
    let mut heads = vec![host::machine()?, limits::hashes(), host::versions()];

    progress("making the inputs, and sealing what will be opened");
    for name in ["sealed", "gateway", "scratch"] {
        std::fs::create_dir(folder.path().join(name))?;
    }
    let kinds: BTreeSet<Kind> = cases.iter().filter_map(|case| case.kind).collect();
    let inputs: Result<BTreeMap<Kind, Input>> = kinds
        .into_iter()
        .map(|kind| Ok((kind, Input::make(kind, folder.path())?)))
        .collect();
    let inputs = inputs?;
    heads.push(json!({
        "head": "inputs",
        "made": true,
        "in_memory": folder.path().starts_with(IN_MEMORY),
        "kinds": inputs.values().map(|input| json!({
            "kind": input.kind.name(),
            "bytes": input.len,
            "how": input.kind.made_how(),
        })).collect::<Vec<_>>(),
        "runs": plan.runs,
        "seconds_a_run": plan.seconds,
    }));
    if cases.iter().any(|case| Op::PEERS.contains(&case.op)) {
        peers::prepare(folder.path())?;
    }
    let gateway = Gateway::start(&folder.path().join("gateway"), &cores)?;
    let bench = Bench {
        plan,
        cores,
        folder,
        inputs,
        gateway,
    };
    bench.seal_what_will_be_opened(&cases)?;

    let mut samples: BTreeMap<Case, Vec<Sample>> = BTreeMap::new();
    for run in 1..=plan.runs {
        progress(&format!("run {run} of {} of {} cases", plan.runs, cases.len()));
        for case in &cases {
            samples.entry(*case).or_default().push(bench.sample(case)?);
        }
    }
    progress("sizes");
    let sizes = if plan.only.is_empty() {
        bench.sizes()?
    } else {
        Vec::new()
    };
    bench.gateway.stop()?;
    Ok(Results {
        heads,
        lines: line::lines(&samples),
        sizes,
    })
}

/// Everything that is measured, in the order in which it is.
fn cases(plan: &Plan, cores: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for cores in (1..=2).filter(|&wanted| wanted <= cores) {
        let case = |kind, op, compress| Case {
            kind,
            op,
            cores,
            compress,
        };
        cases.extend(Op::LIMITS.map(|op| case(None, op, false)));
        for kind in Kind::PAPER.into_iter().chain(Kind::RAW) {
            cases.extend(Op::PEERS.map(|op| case(Some(kind), op, false)));
            for op in [Op::Seal, Op::Put, Op::Open, Op::Get] {
                cases.push(case(Some(kind), op, false));
                if Kind::PAPER.contains(&kind) {
                    cases.push(case(Some(kind), op, true));
                }
            }
        }
        if cores == 1 {
            cases.push(case(Some(Kind::Raw1024), Op::Range, false));
        }
    }
    cases.retain(|case| plan.only.is_empty() || plan.only.contains(&case.op));
    cases
}

/// A folder in memory where there is one with enough room: then no disk is measured.
fn work_folder() -> Result<TempDir> {
    let room = |path: &Path| rustix::fs::statvfs(path).map_or(0, |of| of.f_bavail.saturating_mul(of.f_frsize));
    let memory = Path::new(IN_MEMORY);
    let place = if room(memory) > ROOM {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let folder = tempfile::Builder::new().prefix("chartseal-bench-").tempdir_in(&place);
    folder.with_context(|| format!("cannot make a folder in {}", place.display()))
}

impl Bench<'_> {
    fn input(&self, kind: Option<Kind>) -> Result<Option<&Input>> {
        kind.map(|kind| self.inputs.get(&kind).context("an input was not made"))
            .transpose()
    }

    /// Where the record of a case waits, if the case opens one.
    fn kept(&self, case: &Case) -> Option<PathBuf> {
        let place = match case.op {
            Op::Open => "folder",
            Op::Get | Op::Range => "gateway",
            _ => return None,
        };
        let name = format!("{}-{}-{place}.json", case.kind?.name(), case.compress);
        Some(self.folder.path().join(name))
    }

    fn seal_what_will_be_opened(&self, cases: &[Case]) -> Result<()> {
        for case in cases {
            let (Some(kept), Some(input)) = (self.kept(case), self.input(case.kind)?) else {
                continue;
            };
            if kept.exists() {
                continue;
            }
            if case.op == Op::Open {
                let stores = Stores::one(store::Folder(self.folder.path().join("sealed")));
                ops::keep(&input.path, case.compress, &stores, &kept)?;
            } else {
                let stores = Stores::one(ops::client(self.gateway.url())?);
                ops::keep(&input.path, case.compress, &stores, &kept)?;
            }
        }
        Ok(())
    }

    /// One run. It has the last of the cores, and the gateway has the others, if there are any: what else the system does
    /// is mostly done on the first.
    fn sample(&self, case: &Case) -> Result<Sample> {
        let others = self.cores.len() - case.cores;
        let (rest, own) = self.cores.split_at(others);
        let input = self.input(case.kind)?;
        let mut job = Job {
            op: case.op,
            cores: own.to_vec(),
            file: input.map(|input| input.path.clone()).unwrap_or_default(),
            folder: self.folder.path().to_owned(),
            compress: case.compress,
            at_once: if input.is_some_and(|input| input.len < SHORT) {
                case.cores
            } else {
                1
            },
            kept: self.kept(case),
            gateway: None,
            seconds: self.plan.seconds,
        };
        match case.op {
            Op::Put => {
                // One that is empty, and whose items go away with it: memory is finite.
                let folder = tempfile::tempdir_in(self.folder.path().join("scratch"))?;
                let gateway = Gateway::start(folder.path(), if rest.is_empty() { own } else { rest })?;
                job.gateway = Some(gateway.url().to_owned());
                let sample = job.run()?;
                gateway.stop()?;
                Ok(sample)
            }
            Op::Get | Op::Range => {
                job.gateway = Some(self.gateway.url().to_owned());
                job.run()
            }
            _ => job.run(),
        }
    }

    fn sizes(&self) -> Result<Vec<Size>> {
        let made = Kind::PAPER.into_iter().filter_map(|kind| self.inputs.get(&kind));
        let made = made.map(|input| Size::of(&input.path, true));
        let fixtures = FIXTURES.into_iter().map(|(name, made)| Size::of(&fixture(name), made));
        made.chain(fixtures).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(only: &[Op]) -> Plan {
        Plan {
            runs: 7,
            seconds: 0.1,
            only: only.to_vec(),
            from: None,
            json: true,
            report: false,
        }
    }

    #[test]
    fn every_case_is_measured_once_a_round() {
        let all = cases(&plan(&[]), 2);
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(all.len(), distinct.len());
        assert!(all.iter().any(|case| case.op == Op::Range));
        assert!(cases(&plan(&[]), 1).iter().all(|case| case.cores == 1));
    }

    #[test]
    fn only_what_is_asked_for_is_measured() {
        let some = cases(&plan(&[Op::Memcpy]), 2);
        assert_eq!(some.len(), 2);
        assert!(some.iter().all(|case| case.op == Op::Memcpy));
    }
}
