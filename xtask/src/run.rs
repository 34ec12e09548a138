//! Demo, tests and measurements: what is missing is set up, everything is built once, then it runs.

use std::ffi::OsStr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::fuzz;
use crate::guards;
use crate::localnet;
use crate::process;
use crate::report::{Report, progress};
use crate::setup;
use crate::workspace::Workspace;

/// Runs the story, on an embedded stack that ends with it.
///
/// # Errors
/// When set-up or build fail; how the story ends is in its exit code.
pub(crate) fn demo(workspace: &Workspace, json: bool) -> Result<ExitCode> {
    setup::ensure()?;
    let mut story = build_program(workspace, "chartseal-demo", &[])?;
    process::become_it(story.args(json.then_some("--json")))
}

/// How long each parser and codec is fuzzed when everything is tested.
const FUZZING: Duration = Duration::from_secs(30);

/// Runs every test of every package, then the fuzzers.
///
/// # Errors
/// When set-up or build fail; how the tests end is in the exit code.
pub(crate) fn test(workspace: &Workspace, report: &Report) -> Result<ExitCode> {
    setup::ensure()?;
    progress("building every package, program and test (the first time takes some minutes)");
    let started = Instant::now();
    // All targets in one go, so that tests find the programs they start, and cargo chooses features once.
    process::run(
        workspace
            .cargo()
            .args(["build", "--workspace", "--all-targets"])
            .stdout(std::io::stderr()),
    )?;
    let seconds = started.elapsed().as_secs();
    report.result(
        "build",
        true,
        &format!("built in {seconds} s"),
        json!({ "seconds": seconds }),
    );

    progress("running all tests");
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut tests = workspace.cargo();
    let status = process::each_line(tests.args(["test", "--workspace", "--no-fail-fast"]), |line| {
        eprintln!("{line}");
        tally.count(line);
    })?;
    let seconds = started.elapsed().as_secs();
    let Tally {
        passed,
        failed,
        ignored,
    } = tally;
    report.result(
        "test",
        status.success(),
        &format!("tests: {passed} passed, {failed} failed, {ignored} ignored, in {seconds} s"),
        json!({ "passed": passed, "failed": failed, "ignored": ignored, "seconds": seconds }),
    );
    let nothing_found = fuzz::briefly(workspace, FUZZING, report)?;
    Ok(if status.success() && nothing_found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tells the story on the embedded ledger and on the local validator, and compares what Postgres holds after both.
///
/// # Errors
/// When set-up or build fail; how the stories and the comparison end is in the exit code.
pub(crate) fn test_localnet(workspace: &Workspace, json: bool) -> Result<ExitCode> {
    setup::ensure()?;
    let programs = localnet::build(workspace)?;
    let validator = programs.command("chartseal-localnet")?;
    let mut story = programs.command("chartseal-demo")?;
    story.current_dir(&workspace.root).args(["--compare", "--validator"]);
    process::become_it(story.arg(validator.get_program()).args(json.then_some("--json")))
}

/// Counts what each instruction of the contract costs. The virtual machine does the counting, so nothing is gained by
/// optimising the program that asks it.
///
/// # Errors
/// When the build fails; how the measurement ends is in the exit code.
pub(crate) fn bench_cu(workspace: &Workspace, json: bool) -> Result<ExitCode> {
    run_example(workspace, "cu", &[], json.then_some("--json"))
}

/// Measures how fast files are stored and opened, optimised, beside programs that others would use for it.
///
/// # Errors
/// When set-up or build fail; how the measurement ends is in the exit code.
pub(crate) fn bench_media(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    setup::peers::ensure()?;
    process::become_it(build_program(workspace, "chartseal-bench-media", &["--release"])?.args(arguments))
}

/// Measures how fast the indexer writes and answers, optimised, on the sandbox's Postgres; and how soon a row can be seen,
/// on the local validator too.
///
/// # Errors
/// When set-up or build fail; how the measurement ends is in the exit code.
pub(crate) fn bench_indexer(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    setup::ensure()?;
    let mut bench = build_program(workspace, "chartseal-bench-indexer", &["--release"])?;
    if needs_validator(arguments) {
        let validator = localnet::build_validator(workspace)?;
        bench
            .arg("--validator")
            .arg(validator.command("chartseal-localnet")?.get_program());
    }
    process::become_it(bench.args(arguments))
}

/// Whether a benchmark of the indexer is one of everything: only then it needs the validator, which takes long to build.
fn needs_validator(arguments: &[String]) -> bool {
    !arguments.iter().any(|argument| {
        ["--only", "--validator", "--help", "-h"]
            .iter()
            .any(|word| argument.starts_with(word))
    })
}

/// Measures proofs of access and encrypted statistics, optimised. What the chain charges, the contract's own example counts:
/// in the virtual machine, so nothing is gained by optimising that one.
///
/// # Errors
/// When the build fails; how the measurement ends is in the exit code.
pub(crate) fn bench_privacy(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    const BENCH: &str = "chartseal-bench-privacy";
    progress("building the benchmark (the first time takes some minutes)");
    let programs = workspace.build(&["--release", "--package", "chartseal-tests", "--bin", BENCH])?;
    let mut bench = programs.command(BENCH)?;
    bench.current_dir(&workspace.root);
    if needs_contract(arguments) {
        progress("building what runs the contract (the first time takes some minutes)");
        let example = workspace.build_example("chartseal-program", "cu")?;
        bench.arg("--cu").arg(example.command("cu")?.get_program());
    }
    process::become_it(bench.args(arguments))
}

/// Whether a benchmark of privacy runs the contract.
fn needs_contract(arguments: &[String]) -> bool {
    let begins = |word: &str| arguments.iter().any(|argument| argument.starts_with(word));
    let only_others = begins("--only") && !arguments.iter().any(|argument| argument.contains("chain"));
    !only_others
        && !["--cu=", "--from", "--help", "-h"].iter().any(|word| begins(word))
        && !arguments.iter().any(|argument| argument == "--cu")
}

/// Runs a trial that lasts, optimised.
///
/// # Errors
/// When set-up or build fail; how the trial ends is in the exit code.
pub(crate) fn soak(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    match arguments.split_first() {
        // These need no stack: they run the real .so in a virtual machine of their own, or parsers alone.
        Some((name, options)) if name == "contract" => return run_example(workspace, "soak", &["--release"], options),
        Some((name, options)) if name == "guards" => return guards::run(workspace, options),
        Some((name, options)) if name == "media" => return fuzz::soak(workspace, options),
        _ => {}
    }
    setup::ensure()?;
    process::become_it(build_program(workspace, "chartseal-soak", &["--release"])?.args(arguments))
}

/// Builds an example of the contract's package and becomes it.
fn run_example(
    workspace: &Workspace,
    name: &str,
    how: &[&str],
    options: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<ExitCode> {
    progress("building what runs the contract (the first time takes some minutes)");
    let example = [&["--package", "chartseal-program", "--example", name], how].concat();
    process::run(workspace.cargo().arg("build").args(&example).stdout(std::io::stderr()))?;
    process::become_it(
        workspace
            .cargo()
            .args(["run", "--quiet"])
            .args(&example)
            .arg("--")
            .args(options),
    )
}

/// Builds all programs, because the one that is started starts others, which it finds beside itself.
fn build_program(workspace: &Workspace, name: &str, how: &[&str]) -> Result<Command> {
    progress("building the programs (the first time takes some minutes)");
    let programs = workspace.build(&[&["--workspace", "--bins"], how].concat())?;
    let mut command = programs.command(name)?;
    command.current_dir(&workspace.root);
    Ok(command)
}

/// How many tests ended how, over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds the figures of a line such as `test result: ok. 5 passed; 0 failed; 1 ignored; …`; other lines have none.
    fn count(&mut self, line: &str) {
        let Some((_, figures)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for figure in figures.split("; ") {
            let Some((number, what)) = figure.split_once(' ') else {
                continue;
            };
            let total = match what {
                "passed" => &mut self.passed,
                "failed" => &mut self.failed,
                "ignored" => &mut self.ignored,
                _ => continue,
            };
            *total += number.parse::<u64>().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validator_is_built_for_a_benchmark_of_everything() {
        let needs = |line: &str| needs_validator(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(needs("--json --runs 3"));
        for line in ["--only queries", "--json --only=lag", "--validator /x", "--help", "-h"] {
            assert!(!needs(line), "{line}");
        }
    }

    #[test]
    fn what_runs_the_contract_is_built_for_a_benchmark_that_counts_on_it() {
        let needs = |line: &str| needs_contract(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["--json", "--only prove,chain", "--only=chain --json", "--cu-runs 9"] {
            assert!(needs(line), "{line}");
        }
        for line in [
            "--only prove",
            "--only=tree,statistics",
            "--cu /x",
            "--cu=/x",
            "--from x",
            "--help",
            "-h",
        ] {
            assert!(!needs(line), "{line}");
        }
    }

    #[test]
    fn results_of_all_test_programs_are_added_up() {
        let mut tally = Tally::default();
        tally.count("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s");
        tally
            .count("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        tally.count("test log::a_head_covers_its_event ... ok");
        assert_eq!(
            tally,
            Tally {
                passed: 8,
                failed: 2,
                ignored: 1
            }
        );
    }
}
