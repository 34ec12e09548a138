//! `cargo xtask soak media`: libFuzzer on what reads other people's bytes (the package `fuzz`: manifests, segments, data
//! items, envelopes, frame indexes, codecs), for long; `cargo xtask test` does the same for seconds. It begins with the
//! inputs in `fuzz/corpus`, which are never written here; what a long run learns stays in the build folder for the next.
//! An input that breaks a promise is kept in `fuzz/artifacts`, and the report says how to try it again.
//!
//! To renew a corpus: run for long, then `-merge=1` of the fuzzer on `target/fuzz/corpus/NAME` into an empty folder, and
//! take of that what reaches most, at most 100 files and 300 KB in all. `cargo run -p chartseal-fuzz --example seeds`
//! writes the inputs that it all began with.

mod instrument;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::json;

pub(crate) use instrument::{call, requested};

use crate::process;
use crate::report::{Report, progress};
use crate::setup;
use crate::workspace::{self, Workspace};

/// What is tried. Each has a function of this name in the package `fuzz`, a corpus, and the longest input worth trying,
/// in bytes.
const TARGETS: [(&str, u32); 6] = [
    ("codec", 32_768),
    ("data_item", 4_608),
    ("envelope", 2_048),
    ("frame_index", 4_096),
    ("manifest", 8_192),
    ("segment", 1_024),
];
/// Names the target to the fuzzer.
const TARGET: &str = "CHARTSEAL_FUZZ_TARGET";
/// How often a run says how it goes.
const EVERY: Duration = Duration::from_secs(60);
/// Of what a fuzzer said last, so many lines are shown when it stops at a finding.
const LAST_LINES: usize = 60;

/// Tries what reads other people's bytes with inputs that nobody would send, for long
#[derive(Debug, Parser)]
#[command(name = "media", no_binary_name = true)]
struct Options {
    /// How long each is tried
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// Only this one: codec, data_item, envelope, frame_index, manifest or segment
    #[arg(long, value_parser = TARGETS.map(|(name, _)| name))]
    target: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the trial.
///
/// # Errors
/// When the fuzzers cannot be built or started; that one found something is a failing exit code.
pub(crate) fn soak(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    let chosen = |name: &str| options.target.as_ref().is_none_or(|target| target == name);
    let targets: Vec<_> = TARGETS.into_iter().filter(|(name, _)| chosen(name)).collect();
    let fuzzer = Fuzzer::build(workspace, workspace.target.join("fuzz/corpus"))?;
    let time = Duration::from_secs(60 * u64::from(options.minutes));
    let fine = fuzzer.run_all(&targets, time, &Report::new(options.json))?;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries each for some seconds, from the committed inputs alone, and says whether nothing was found.
///
/// # Errors
/// When the fuzzers cannot be built or started.
pub(crate) fn briefly(workspace: &Workspace, time: Duration, report: &Report) -> Result<bool> {
    let learned = workspace.target.join("fuzz/brief");
    if learned.exists() {
        std::fs::remove_dir_all(&learned).with_context(|| format!("cannot remove {}", learned.display()))?;
    }
    Fuzzer::build(workspace, learned)?.run_all(&TARGETS, time, report)
}

/// A fuzzer that was built.
#[derive(Debug)]
struct Fuzzer {
    program: PathBuf,
    root: PathBuf,
    /// Where inputs go that reach something new.
    learned: PathBuf,
}

/// How a run ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    inputs: u64,
    /// Places in the code that were reached.
    reached: u64,
    peak_rss_mib: u64,
    /// The input that broke a promise.
    finding: Option<String>,
    last_lines: VecDeque<String>,
}

impl Fuzzer {
    fn build(workspace: &Workspace, learned: PathBuf) -> Result<Self> {
        setup::cpp_compiler()?;
        progress("building the fuzzers (the first time takes some minutes)");
        let mut command = workspace.cargo();
        // A target that is named has a build folder of its own. Without one, what is instrumented here would stand where
        // other builds look: the contract is a `cdylib` too, so cargo gives its library one name in every build.
        command.args(["build", "--package", "chartseal-fuzz", "--target", "host-tuple"]);
        command.args([
            "--features",
            "chartseal-fuzz/libfuzzer",
            "--message-format=json-render-diagnostics",
        ]);
        instrument::ask(&mut command, &workspace.target)?;
        let mut program = None;
        let status = process::each_line(&mut command, |line| {
            program = workspace::executable_in(line, "bin")
                .map(|(_, file)| file)
                .or(program.take());
        })?;
        if !status.success() {
            bail!("this ended with {status}: {}", process::line(&command));
        }
        Ok(Self {
            program: program.context("cargo built no fuzzer")?,
            root: workspace.root.clone(),
            learned,
        })
    }

    /// Runs targets, as many at a time as there are cores, and says whether none found anything.
    fn run_all(&self, targets: &[(&str, u32)], time: Duration, report: &Report) -> Result<bool> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        progress(&format!(
            "trying {} parsers and codecs for {} s each, {} at a time",
            targets.len(),
            time.as_secs(),
            cores.min(targets.len())
        ));
        let next = AtomicUsize::new(0);
        let runs = Mutex::new(Vec::new());
        let worker = || -> Result<()> {
            while let Some((name, longest)) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let run = self.run(name, *longest, time)?;
                self.tell(name, &run, time, report);
                if let Ok(mut runs) = runs.lock() {
                    runs.push(run);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores.min(targets.len())).map(|_| scope.spawn(worker)).collect();
            let ended = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")));
            ended.collect::<Result<()>>()
        })?;
        let runs = runs.into_inner().unwrap_or_default();
        Ok(runs.len() == targets.len() && runs.iter().all(|run| run.finding.is_none()))
    }

    fn run(&self, name: &str, longest: u32, time: Duration) -> Result<Run> {
        let mut command = self.command(name, longest, time)?;
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start: {}", process::line(&command)))?;
        let mut run = Run::default();
        let mut said = Instant::now();
        if let Some(errors) = child.stderr.take() {
            for line in BufReader::new(errors).split(b'\n') {
                let line = line.with_context(|| format!("cannot read what the fuzzer of {name} says"))?;
                run.read(&String::from_utf8_lossy(&line));
                if said.elapsed() >= EVERY {
                    said = Instant::now();
                    progress(&format!(
                        "{name}: {} inputs, {} places reached",
                        run.inputs, run.reached
                    ));
                }
            }
        }
        let status = child
            .wait()
            .with_context(|| format!("cannot wait for: {}", process::line(&command)))?;
        if status.success() {
            // It keeps slow inputs, too.
            run.finding = None;
            // Nothing was found: then these are empty, or hold what was found before.
            let _ = std::fs::remove_dir(self.artifacts(name));
            let _ = std::fs::remove_dir(self.artifacts(""));
        } else if run.finding.is_none() {
            let said = Vec::from(run.last_lines).join("\n");
            bail!("this ended with {status}: {}\n{said}", process::line(&command));
        }
        Ok(run)
    }

    /// Where inputs of a target go that broke a promise.
    fn artifacts(&self, name: &str) -> PathBuf {
        self.root.join("fuzz/artifacts").join(name)
    }

    fn command(&self, name: &str, longest: u32, time: Duration) -> Result<Command> {
        let learned = self.learned.join(name);
        let artifacts = self.artifacts(name);
        for folder in [&learned, &artifacts] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.root)
            .env(TARGET, name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.arg(format!("-max_total_time={}", time.as_secs()));
        command.arg(format!("-max_len={longest}"));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        // The slowest takes milliseconds, but a machine that has much else to do stands still for longer than one thinks.
        // What may be allocated the fuzzer limits itself.
        command.args(["-timeout=60", "-rss_limit_mb=1024", "-print_final_stats=1"]);
        let dictionary = Path::new("fuzz/dictionaries").join(name);
        if self.root.join(&dictionary).is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.arg(learned).arg(Path::new("fuzz/corpus").join(name));
        Ok(command)
    }

    fn tell(&self, name: &str, run: &Run, time: Duration, report: &Report) {
        let Run {
            inputs,
            reached,
            peak_rss_mib,
            finding,
            last_lines,
        } = run;
        let (seconds, mut text) = (time.as_secs(), String::new());
        if let Some(finding) = finding {
            for line in last_lines {
                eprintln!("{name}: {line}");
            }
            let again = format!("{TARGET}={name} {} {finding}", self.program.display());
            text = format!("fuzz {name}: FOUND {finding}\n  to try it again: {again}");
        } else {
            text += &format!("fuzz {name}: {inputs} inputs in {seconds} s, {reached} places reached, nothing found");
        }
        report.result(
            "fuzz",
            finding.is_none(),
            &text,
            json!({ "target": name, "inputs": inputs, "seconds": seconds, "reached": reached,
                    "peak_rss_mib": peak_rss_mib, "finding": finding }),
        );
    }
}

impl Run {
    /// Takes a line that libFuzzer wrote, such as `#8192 pulse cov: 318 ft: 383 corp: 99/10Kb …`,
    /// `stat::peak_rss_mb: 29` or `…; Test unit written to fuzz/artifacts/codec/crash-1f`.
    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
        if let Some(inputs) = line.strip_prefix('#').and_then(|_| number(words.next()?.get(1..))) {
            self.inputs = inputs;
            words.find(|word| *word == "cov:");
            self.reached = number(words.next()).unwrap_or(self.reached);
            return;
        }
        match words.next() {
            Some("stat::number_of_executed_units:") => self.inputs = number(words.next()).unwrap_or(self.inputs),
            Some("stat::peak_rss_mb:") => self.peak_rss_mib = number(words.next()).unwrap_or_default(),
            _ => {}
        }
        if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.finding = Some(file.trim().to_owned());
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let mut run = Run::default();
        run.read("INFO: Running with entropic power schedule (0xFF, 100).");
        run.read("#2\tINITED cov: 74 ft: 74 corp: 1/1b exec/s: 0 rss: 28Mb");
        run.read("#107915\tDONE   cov: 318 ft: 383 corp: 99/10628b lim: 706 exec/s: 6744 rss: 29Mb");
        assert_eq!((run.inputs, run.reached, &run.finding), (107_915, 318, &None));
        run.read("stat::number_of_executed_units: 107916");
        run.read("stat::peak_rss_mb:              29");
        assert_eq!((run.inputs, run.peak_rss_mib), (107_916, 29));
        run.read("artifact_prefix='/w/fuzz/artifacts/codec/'; Test unit written to /w/fuzz/artifacts/codec/crash-1f");
        assert_eq!(run.finding.as_deref(), Some("/w/fuzz/artifacts/codec/crash-1f"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut run = Run::default();
        (0..LAST_LINES + 5).for_each(|number| run.read(&format!("line {number}")));
        assert_eq!(run.last_lines.len(), LAST_LINES);
        assert_eq!(run.last_lines.front().map(String::as_str), Some("line 5"));
    }

    /// A program that says and ends as libFuzzer would.
    fn pretend(name: &str, says: &str, code: u8) -> Fuzzer {
        let root = std::env::temp_dir().join(format!("xtask-fuzz-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let program = root.join("fuzzer");
        let text = format!("#!/bin/sh\necho '{says}' >&2\nexit {code}\n");
        // Written by another process: one that is forked here at the same time would still have it open, and a file that
        // is open for writing cannot be started.
        let write = ["-c", "printf '%s' \"$2\" > \"$1\" && chmod +x \"$1\"", "sh"];
        process::run(Command::new("sh").args(write).arg(&program).arg(text)).unwrap();
        let learned = root.join("learned");
        Fuzzer { program, root, learned }
    }

    fn outcome(fuzzer: &Fuzzer) -> Result<bool> {
        let outcome = fuzzer.run_all(&TARGETS[..2], Duration::from_secs(1), &Report::new(false));
        std::fs::remove_dir_all(&fuzzer.root).unwrap();
        outcome
    }

    #[test]
    fn a_finding_fails_the_run_and_a_slow_input_does_not() {
        let said = "Test unit written to fuzz/artifacts/codec/slow-unit-1f";
        assert!(!outcome(&pretend("finding", said, 77)).unwrap());
        assert!(outcome(&pretend("slow", said, 0)).unwrap());
    }

    #[test]
    fn a_fuzzer_that_fails_without_a_finding_is_an_error_with_what_it_said() {
        let error = outcome(&pretend("failing", "cannot limit memory", 2)).unwrap_err();
        assert!(error.to_string().contains("cannot limit memory"), "{error}");
    }

    #[test]
    fn every_target_has_its_inputs() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        for (name, longest) in TARGETS {
            for file in std::fs::read_dir(package.join("corpus").join(name)).unwrap() {
                let file = file.unwrap();
                assert!(
                    file.metadata().unwrap().len() <= u64::from(longest),
                    "{} is never tried",
                    file.path().display()
                );
            }
        }
    }

    #[test]
    fn options_are_held_against_what_there_is() {
        let parse = |words: &[&str]| Options::try_parse_from(words);
        assert_eq!(parse(&[]).unwrap().minutes, 20);
        assert_eq!(
            parse(&["--target", "codec", "--minutes", "1"])
                .unwrap()
                .target
                .as_deref(),
            Some("codec")
        );
        assert!(parse(&["--target", "nothing"]).is_err());
        assert!(parse(&["--minutes", "0"]).is_err());
    }
}
