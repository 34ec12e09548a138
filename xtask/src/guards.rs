//! `cargo xtask soak guards`: every guard of the contract is taken out, one at a time, and the tests that concern it must
//! then fail. A test that passes without the guard that it is about tests nothing.
//!
//! [`list`] says which guards and tests, [`mutant`] makes the contract without a guard, [`trial`] runs the tests. Nothing
//! outside the build folder is written. What was caught is remembered there as long as source and tests stay the same, so
//! an interrupted run goes on where it was.

mod list;
mod mutant;
mod trial;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::report::{Report, progress};
use crate::sbf::{self, compile, toolchain::Toolchain};
use crate::workspace::Workspace;
use list::{Files, Guard, List, Test};
use mutant::Tree;
use trial::Tests;

/// Every instruction in each of its ways: without a guard, what is allowed still works. Otherwise a program that does
/// not even load would catch everything.
const ALIVE: &str = "attacks::catalogue::every_story_succeeds";

/// Takes every guard out of the contract, one at a time: the tests that concern it must then fail
#[derive(Debug, Parser)]
#[command(name = "guards", no_binary_name = true)]
struct Options {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Only guards of whose attack, file or tests this is a part
    #[arg(long)]
    only: Option<String>,
    /// Try again also what was caught before
    #[arg(long)]
    again: bool,
}

/// What came of taking a guard out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// Every test failed.
    Caught,
    /// These tests passed all the same.
    Survived(Vec<String>),
    /// What is allowed does not work either, so that nothing was shown.
    Dead,
    DoesNotBuild,
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived(_) => "SURVIVED",
            Self::Dead => "DEAD: what is allowed fails too",
            Self::DoesNotBuild => "DOES NOT BUILD",
        }
    }
}

/// Runs the trial.
///
/// # Errors
/// When the list does not fit the source, the contract or its tests do not build, or the tests fail with every guard in
/// place. That a guard's tests do not fail without it is no error but a failing exit code.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    let report = Report::new(options.json);
    let list = List::read(&workspace.root)?;
    list.check(&workspace.root)?;
    for beyond in list.beyond.iter().filter(|_| options.only.is_none()) {
        let text = format!("beyond     {}: {}", beyond.attack, beyond.why);
        report.result(
            "beyond",
            true,
            &text,
            json!({ "attack": beyond.attack, "why": beyond.why }),
        );
    }
    let guards: Vec<&Guard> = list
        .guards
        .iter()
        .filter(|guard| options.only.as_ref().is_none_or(|name| concerns(guard, name)))
        .collect();
    if guards.is_empty() {
        bail!("no guard of the list is called that");
    }
    let trial = Trial::prepare(workspace, &guards, report)?;
    let verdicts = trial.run(&guards, options.again)?;
    let count = |word: &str| verdicts.iter().filter(|verdict| verdict.word() == word).count();
    let (caught, survived) = (count("caught"), count("SURVIVED"));
    let broken = verdicts.len() - caught - survived;
    report.result(
        "guards",
        caught == verdicts.len(),
        &format!(
            "guards: {} tried, {caught} caught, {survived} survived, {broken} could not be tried; {} attacks are kept off by \
             others",
            verdicts.len(),
            list.beyond.len()
        ),
        json!({ "tried": verdicts.len(), "caught": caught, "survived": survived, "broken": broken,
                "beyond": list.beyond.len() }),
    );
    Ok(if caught == verdicts.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn concerns(guard: &Guard, name: &str) -> bool {
    guard.attack.contains(name)
        || guard.file.contains(name)
        || guard.tests.iter().any(|test| test.to_string().contains(name))
}

/// All that a run needs.
#[derive(Debug)]
struct Trial {
    /// The copy that is built, with a build folder of its own.
    copy: Workspace,
    tree: Tree,
    toolchain: Toolchain,
    tests: Tests,
    alive: Test,
    report: Report,
    memory: Memory,
    folder: PathBuf,
}

impl Trial {
    fn prepare(workspace: &Workspace, guards: &[&Guard], report: Report) -> Result<Self> {
        let toolchain = Toolchain::find()?;
        let folder = workspace.target.join("guards");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let alive = Test::parse(ALIVE)?;
        progress("building the contract's tests (the first time takes some minutes)");
        let named = guards.iter().flat_map(|guard| &guard.tests).chain([&alive]);
        let tests = Tests::build(workspace, sbf::PACKAGE, named, &folder)?;
        let tree = Tree::copy(workspace, folder.join("tree"))?;
        let copy = workspace.at(folder.join("tree"), folder.clone());
        let memory = Memory::read(&folder, workspace, &tree, guards)?;
        Ok(Self {
            copy,
            tree,
            toolchain,
            tests,
            alive,
            report,
            memory,
            folder,
        })
    }

    /// Tries every guard; the verdicts in their order.
    fn run(&self, guards: &[&Guard], again: bool) -> Result<Vec<Verdict>> {
        let known = |guard: &&&Guard| !again && self.memory.caught(guard);
        let (before, left): (Vec<&Guard>, Vec<&Guard>) = guards.iter().copied().partition(|guard| known(&guard));
        if !before.is_empty() {
            progress(&format!(
                "{} guards were caught before; --again tries them again",
                before.len()
            ));
        }
        for guard in &before {
            self.say(guard, &Verdict::Caught);
        }
        let mut verdicts = vec![Verdict::Caught; before.len()];
        if left.is_empty() {
            return Ok(verdicts);
        }
        self.try_with_all_in_place(&left)?;
        let (apart, switched): (Vec<&Guard>, Vec<&Guard>) = left.iter().copied().partition(|guard| guard.apart);
        let builds = mutant::builds(&self.tree, &switched)?;
        for (number, build) in builds.iter().enumerate() {
            progress(&format!(
                "build {} of {}: {} guards with a switch each",
                number + 1,
                builds.len() + apart.len(),
                build.len()
            ));
            let guards: Vec<&Guard> = build.iter().filter_map(|place| switched.get(*place).copied()).collect();
            verdicts.extend(self.switch(&guards)?);
        }
        for (number, guard) in apart.iter().enumerate() {
            progress(&format!(
                "build {} of {}: {}",
                builds.len() + number + 1,
                builds.len() + apart.len(),
                guard.attack
            ));
            verdicts.push(self.build_without(guard)?);
        }
        self.tree.restore()?;
        Ok(verdicts)
    }

    fn build(&self) -> Result<Vec<u8>> {
        compile::run(&self.copy, &self.toolchain)
    }

    /// The tests pass where nothing is taken out.
    fn try_with_all_in_place(&self, guards: &[&Guard]) -> Result<()> {
        progress("building the contract with every guard in place");
        self.tree.restore()?;
        let program = self.program("whole.so", &self.build()?)?;
        progress("running every test that is named, on that contract");
        self.all_pass(&program, guards)
    }

    fn all_pass(&self, program: &Path, guards: &[&Guard]) -> Result<()> {
        let named: BTreeSet<&Test> = guards
            .iter()
            .flat_map(|guard| &guard.tests)
            .chain([&self.alive])
            .collect();
        let named: Vec<Test> = named.into_iter().cloned().collect();
        let passed = self.tests.passed(program, &named)?;
        let failed: Vec<_> = named
            .iter()
            .filter(|test| !passed.contains(test))
            .map(Test::to_string)
            .collect();
        if !failed.is_empty() {
            bail!(
                "with every guard in place these tests fail, so they show nothing: {}",
                failed.join(", ")
            );
        }
        Ok(())
    }

    /// Takes guards out of one build by their switches.
    fn switch(&self, guards: &[&Guard]) -> Result<Vec<Verdict>> {
        self.tree.switched(guards)?;
        let program = self.build().context(
            "the contract does not build with a switch before each guard: the entry that rustc points to needs a build of \
             its own (write `apart: why`)",
        )?;
        let whole = self.program("switched.so", &mutant::choose(&program, 0)?)?;
        self.all_pass(&whole, guards)?;
        let next = AtomicUsize::new(0);
        let verdicts = Mutex::new(Vec::new());
        let worker = || -> Result<()> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(guard) = guards.get(place) else { return Ok(()) };
                let number = u16::try_from(place + 1).context("these are too many guards for one build")?;
                let name = format!("without-{number}.so");
                let mutant = self.program(&name, &mutant::choose(&program, number)?)?;
                let verdict = self.verdict(guard, &mutant)?;
                std::fs::remove_file(&mutant).with_context(|| format!("cannot remove {}", mutant.display()))?;
                self.settle(guard, &verdict)?;
                if let Ok(mut verdicts) = verdicts.lock() {
                    verdicts.push(verdict);
                }
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(worker);
            worker().and(other.join().unwrap_or_else(|_| bail!("a worker panicked")))
        })?;
        Ok(verdicts.into_inner().unwrap_or_default())
    }

    fn build_without(&self, guard: &Guard) -> Result<Verdict> {
        self.tree.without(guard)?;
        let verdict = match self.build() {
            Ok(program) => self.verdict(guard, &self.program("without.so", &program)?)?,
            Err(_) => Verdict::DoesNotBuild,
        };
        self.tree.restore()?;
        self.settle(guard, &verdict)?;
        Ok(verdict)
    }

    fn verdict(&self, guard: &Guard, program: &Path) -> Result<Verdict> {
        let passed = self.tests.passed(program, &guard.tests)?;
        if !passed.is_empty() {
            return Ok(Verdict::Survived(passed.iter().map(ToString::to_string).collect()));
        }
        let alive = std::slice::from_ref(&self.alive);
        if self.tests.passed(program, alive)?.is_empty() {
            return Ok(Verdict::Dead);
        }
        Ok(Verdict::Caught)
    }

    fn settle(&self, guard: &Guard, verdict: &Verdict) -> Result<()> {
        self.say(guard, verdict);
        if *verdict == Verdict::Caught {
            self.memory.keep(guard)?;
        }
        Ok(())
    }

    fn say(&self, guard: &Guard, verdict: &Verdict) {
        let tests: Vec<_> = guard.tests.iter().map(Test::to_string).collect();
        let survived = match verdict {
            Verdict::Survived(tests) => format!(" (passed: {})", tests.join(", ")),
            _ => String::new(),
        };
        let text = format!(
            "{:10} {} | {} | {}{survived}",
            verdict.word(),
            guard.attack,
            guard.place(),
            tests.join(", ")
        );
        self.report.result(
            "guard",
            *verdict == Verdict::Caught,
            &text,
            json!({ "attack": guard.attack, "file": guard.file, "guard": guard.text, "instead": guard.instead,
                    "tests": tests, "verdict": verdict }),
        );
    }

    fn program(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let file = self.folder.join(name);
        sbf::replace(&file, bytes)?;
        Ok(file)
    }
}

/// Which guards were caught, with this very source and these very tests.
#[derive(Debug)]
struct Memory {
    file: PathBuf,
    /// What each guard was tried with.
    keys: Vec<(Guard, String)>,
    caught: Mutex<BTreeSet<String>>,
}

impl Memory {
    fn read(folder: &Path, workspace: &Workspace, tree: &Tree, guards: &[&Guard]) -> Result<Self> {
        let source = sbf::sha256(tree.sources().collect::<Vec<_>>().join("\0").as_bytes());
        let mut files = Files::new(&workspace.root);
        let mut keys = Vec::new();
        for guard in guards {
            let mut parts = vec![source.clone(), format!("{guard:?}")];
            for test in &guard.tests {
                parts.push(files.read(&test.file())?.to_owned());
            }
            keys.push(((*guard).clone(), sbf::sha256(parts.join("\0").as_bytes())));
        }
        let file = folder.join("caught.json");
        // A file that is not there, or that cannot be understood, remembers nothing.
        let caught = std::fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Ok(Self {
            file,
            keys,
            caught: Mutex::new(caught),
        })
    }

    fn key(&self, guard: &Guard) -> Option<&String> {
        self.keys.iter().find(|(known, _)| known == guard).map(|(_, key)| key)
    }

    fn caught(&self, guard: &Guard) -> bool {
        let caught = self.caught.lock();
        self.key(guard)
            .is_some_and(|key| caught.is_ok_and(|caught| caught.contains(key)))
    }

    fn keep(&self, guard: &Guard) -> Result<()> {
        let (Some(key), Ok(mut caught)) = (self.key(guard), self.caught.lock()) else {
            return Ok(());
        };
        caught.insert(key.clone());
        let bytes = serde_json::to_vec_pretty(&*caught).context("cannot write what was caught as JSON")?;
        sbf::replace(&self.file, &bytes)
    }
}
