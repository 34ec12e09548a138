//! The report, in words and tables. It is written from results alone, so the committed one can be made again from the
//! committed JSON, and says the same whoever's machine it was.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Part;
use super::line::{Line, Results, small};
use crate::bench::table::markdown;

/// More of a processor's time than this, for each core, and the machine was busy with something else.
const QUIET: f64 = 0.5;

/// Writes `privacy.md` and `privacy.jsonl` into a folder.
///
/// # Errors
/// Where a file cannot be written.
pub(super) fn write(results: &Results, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in [
        ("privacy.jsonl", results.to_json_lines()?),
        ("privacy.md", page(results)),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn page(results: &Results) -> String {
    let (machine, versions) = (results.head("machine"), results.head("versions"));
    let text = |head: Option<&Value>, key: &str| {
        let text = head.and_then(|head| head[key].as_str());
        text.unwrap_or("unknown").to_owned()
    };
    let number = |key: &str| machine.and_then(|head| head[key].as_f64()).unwrap_or(f64::NAN);
    let mut out = format!(
        "# Privacy: what a proof of access costs, and a study of encrypted numbers\n\n\
         Written by `cargo xtask bench privacy --report`; do not edit. The figures are in [privacy.jsonl](privacy.jsonl), an\n\
         object a line; `--from` makes this page of such a file again. What is proved stands in [../privacy.md](../privacy.md).\n\n\
         - Machine: {}, {} cores, {} GiB; load before the run {}\n\
         - Chartseal {} at {}, {}, {}\n\
         - {}\n",
        text(machine, "cpu"),
        number("cores"),
        number("memory_gib"),
        number("load_before"),
        text(versions, "chartseal"),
        text(versions, "commit"),
        text(versions, "rustc"),
        text(versions, "kernel"),
        text(versions, "date"),
    );
    if number("load_before") > QUIET * number("cores") {
        out.push_str(
            "\n**The machine was busy with other things**: times are longer than they need be, and are to be measured again on \
             an idle one. Compute units and bytes hang on no machine.\n",
        );
    }
    if results.head("build").is_some_and(|head| head["optimised"] == false) {
        out.push_str(
            "\n**This was measured with a program that is not optimised**: `cargo xtask bench privacy` builds one that is. Compute \
             units and bytes hang on no build.\n",
        );
    }
    out.push_str(METHOD);
    section(results, Part::Prove, "Proving and verifying", &mut out);
    section(results, Part::Tree, "The tree, off chain", &mut out);
    chain(results, &mut out);
    section(results, Part::Statistics, "A study", &mut out);
    out
}

const METHOD: &str = "
## How it is measured
Medians of the runs, with the shortest and the longest, in milliseconds by the clock; each case is done once unmeasured before, unless it
takes more than a second. One core is the last one, on which the thread stays (`sched_setaffinity`); on all cores arkworks
computes in as many threads. What is marked \"otherwise\" is not ours, and is what one would take instead.

- **A ceremony** of two parties is held three times, in one process, and its keys are those that everything else is measured
  with. Otherwise one would trust a single party, who makes the keys alone.
- **prove** begins with a statement and a witness and ends with 256 bytes; it makes the assignment, looks whether it meets
  every constraint, and proves. The target is a second on all cores. **verify** begins with bytes, in ours as in arkworks'.
- **rebuild** is what a client does that has all leaves and no tree. By SHA-256 it is the tree that one would take if nothing
  had to be proved of it.
- **A study** has five members of whom three open, numbers of up to 2,000 observations a clinic, and ten bins. Its sums are held
  against those in the clear.
";

fn section(results: &Results, part: Part, title: &str, out: &mut String) {
    let mut lines = results.of(part).peekable();
    if lines.peek().is_none() {
        return;
    }
    let _ = write!(out, "\n## {title}\n\n");
    let (timed, counted): (Vec<&Line>, Vec<&Line>) = lines.partition(|line| line.unit == "ms");
    if !counted.is_empty() {
        let rows = counted
            .iter()
            .map(|line| vec![line.case.clone(), line.value.to_string(), line.unit.clone()]);
        out.push_str(&markdown(&["what", "how much", "of what"], &rows.collect::<Vec<_>>()));
        out.push('\n');
    }
    let rows = timed.iter().map(|line| {
        let end = |value: Option<f64>| value.map_or(String::new(), small);
        let count = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
        vec![
            named(line),
            count(line.cores),
            small(line.value),
            end(line.min),
            end(line.max),
            count(line.runs),
        ]
    });
    let head = ["what", "cores", "ms", "min", "max", "runs"];
    out.push_str(&markdown(&head, &rows.collect::<Vec<_>>()));
}

fn chain(results: &Results, out: &mut String) {
    let lines: Vec<&Line> = results.of(Part::Chain).collect();
    let Some(first) = lines.first() else {
        return;
    };
    let _ = write!(
        out,
        "\n## On chain\n\n\
         The most of {} runs with fresh ids, counted by `cargo xtask bench cu` on the real program. The targets are {} for a proof.\n\n",
        first.runs.unwrap_or_default(),
        lines
            .iter()
            .find_map(|line| Some(format!(
                "{} compute units and {} bytes",
                line.target?, line.target_tx_bytes?
            )))
            .unwrap_or_default()
    );
    let rows = lines.iter().map(|line| {
        let bytes = line.tx_bytes.map_or(String::new(), |bytes| bytes.to_string());
        vec![named(line), line.value.to_string(), bytes]
    });
    let head = ["instruction", "compute units", "bytes of transaction"];
    out.push_str(&markdown(&head, &rows.collect::<Vec<_>>()));
}

fn named(line: &Line) -> String {
    format!("{}{}", line.case, if line.peer { " (otherwise)" } else { "" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bench::stats::Runs;

    fn measured(load: f64) -> Results {
        let runs = Runs::of([300.0, 310.0, 500.0]).unwrap();
        let chain = Line {
            tx_bytes: Some(600),
            target_tx_bytes: Some(1_232),
            runs: Some(9),
            ..Line::count(Part::Chain, "verify_access_proof", "CU", 120_000)
        };
        Results {
            heads: vec![
                serde_json::json!({ "head": "machine", "cores": 2, "cpu": "A Processor", "load_before": load }),
            ],
            lines: vec![
                Line::count(Part::Prove, "circuit", "constraints", 7_000),
                Line::ms(Part::Prove, "prove", 2, runs).at_most(1_000.0),
                Line::ms(Part::Prove, "verify", 1, runs).of_peer(),
                chain.at_most(150_000.0),
            ],
        }
    }

    #[test]
    fn a_page_has_every_figure_and_says_whose_it_is() {
        let page = page(&measured(0.1));
        for text in [
            "A Processor, 2 cores",
            "| circuit | 7000 | constraints |",
            "| prove | 2 | 310 | 300 | 500 | 3 |",
            "| verify (otherwise) | 1 |",
            "The most of 9 runs",
            "150000 compute units and 1232 bytes",
            "| verify_access_proof | 120000 | 600 |",
        ] {
            assert!(page.contains(text), "{text} is missing in {page}");
        }
        assert!(!page.contains("## A study"), "what was not measured has no section");
    }

    #[test]
    fn a_page_of_a_busy_machine_says_so() {
        assert!(!page(&measured(0.9)).contains("busy"));
        assert!(page(&measured(1.1)).contains("busy"));
    }

    #[test]
    fn a_page_of_a_program_that_is_not_optimised_says_so() {
        let mut results = measured(0.1);
        assert!(!page(&results).contains("not optimised"));
        for (optimised, says) in [(true, false), (false, true)] {
            results.heads.truncate(1);
            results
                .heads
                .push(serde_json::json!({ "head": "build", "optimised": optimised }));
            assert_eq!(page(&results).contains("not optimised"), says);
        }
    }

    #[test]
    fn the_page_and_its_figures_are_written_together() {
        let folder = tempfile::tempdir().unwrap();
        write(&measured(0.1), folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let again = Results::from_json_lines(&read("privacy.jsonl")).unwrap();
        assert_eq!(page(&again), read("privacy.md"));
    }
}
