//! Telling sequences, one after another, and shortening one that breaks something.

use std::{
    fmt::Write as _,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use crate::{
    step::{Kind, Step},
    universe::{Tally, Universe},
};

/// Steps of a sequence. The next one begins with the cast as it was.
const LENGTH: usize = 400;
/// Everything is compared each so many steps, and at the end; what a step touches itself, at each.
const COMPARE: usize = 20;

/// What a run came to.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) sequences: u64,
    pub(crate) tally: Tally,
    pub(crate) violation: Option<String>,
}

impl Report {
    /// How often each instruction was done, refused, and failed.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "seed {}: {} steps in {} sequences\n{:<26} {:>9} {:>9} {:>9} {:>9}\n",
            self.seed,
            self.tally.steps(),
            self.sequences,
            "instruction",
            "done",
            "refused",
            "failed",
            "idle"
        );
        for (kind, [done, refused, failed, idle]) in &self.tally.0 {
            let _ = writeln!(
                table,
                "{:<26} {done:>9} {refused:>9} {failed:>9} {idle:>9}",
                kind.word()
            );
        }
        table
    }
}

/// The cast, registered once.
pub(crate) fn beginning() -> Universe {
    static BEGINNING: OnceLock<Mutex<Universe>> = OnceLock::new();
    BEGINNING
        .get_or_init(|| Mutex::new(Universe::begin()))
        .lock()
        .unwrap()
        .clone()
}

/// Tells a sequence.
///
/// # Errors
/// Which step broke what.
pub(crate) fn tell(from: &Universe, steps: &[Step], tally: &mut Tally) -> Result<(), (usize, String)> {
    let mut universe = from.clone();
    for (at, step) in steps.iter().enumerate() {
        let came = universe.play(step).map_err(|why| (at, why))?;
        tally.count(step.kind, came);
        if at % COMPARE == COMPARE - 1 || at + 1 == steps.len() {
            universe.check().map_err(|why| (at, why))?;
        }
    }
    Ok(())
}

/// Tells random sequences for so long, or until one breaks something: that one is shortened and written down.
pub(crate) fn soak(seed: u64, lasting: Duration, mut progress: impl FnMut(&Report)) -> Report {
    let started = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report {
        seed,
        sequences: 0,
        tally: Tally::default(),
        violation: None,
    };
    let from = beginning();
    while started.elapsed() < lasting {
        let steps: Vec<Step> = (0..LENGTH).map(|_| Step::random(&mut random)).collect();
        if let Err((at, why)) = tell(&from, &steps, &mut report.tally) {
            let short = shorten(&from, steps[..=at].to_vec());
            let told: String = short.iter().map(|step| format!("{step}\n")).collect();
            report.violation = Some(format!(
                "{why}\nseed {seed}, sequence {}, shortened to {} steps; keep them as a file in tests/stateful/kept:\n{told}",
                report.sequences,
                short.len()
            ));
            return report;
        }
        report.sequences += 1;
        progress(&report);
    }
    report
}

/// Leaves out whatever can be left out while it still breaks something: half of the steps, a quarter, down to single ones;
/// then numbers become zero.
pub(crate) fn shorten(from: &Universe, mut steps: Vec<Step>) -> Vec<Step> {
    let breaks = |steps: &[Step]| !steps.is_empty() && tell(from, steps, &mut Tally::default()).is_err();
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if breaks(&fewer) {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    for at in 0..steps.len() {
        for number in 0..steps[at].numbers.len() {
            let mut simpler = steps.clone();
            simpler[at].numbers[number] = 0;
            if breaks(&simpler) {
                steps = simpler;
            }
        }
    }
    steps
}

/// Sequences that broke something once.
pub(crate) fn kept() -> Vec<(String, Vec<Step>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stateful/kept");
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let steps = lines.map(|line| line.parse().unwrap()).collect();
        kept.push((entry.file_name().to_string_lossy().into_owned(), steps));
    }
    kept.sort_by(|one: &(String, _), other| one.0.cmp(&other.0));
    kept
}

/// Every kind of step is an instruction, but for the passing of time: whoever adds one is reminded.
pub(crate) fn instructions() -> impl Iterator<Item = &'static str> {
    Kind::ALL
        .iter()
        .filter(|kind| **kind != Kind::Wait)
        .map(|kind| kind.word())
}
