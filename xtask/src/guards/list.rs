//! The list of guards: which text of the contract keeps which attack off, and which tests fail without it. It is read
//! from `programs/chartseal/tests/guards.txt`, whose beginning says how it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where the list is.
const LIST: &str = "programs/chartseal/tests/guards.txt";
/// Where the files are that it names.
pub(crate) const SOURCE: &str = "programs/chartseal/src";
const TESTS: &str = "programs/chartseal/tests";

/// A guard that can be taken out of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) attack: String,
    /// Below the contract's `src`.
    pub(crate) file: String,
    /// The guard, as it stands there.
    pub(crate) text: String,
    /// What stands right before it and after it, where the guard alone could be another one.
    pub(crate) before: String,
    pub(crate) after: String,
    /// What is put in its place.
    pub(crate) instead: String,
    /// Whether it needs a build of its own: a type or a constant, which cannot be chosen while the program runs.
    pub(crate) apart: bool,
    /// Fail without it.
    pub(crate) tests: Vec<Test>,
}

/// An attack that no line of ours keeps off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beyond {
    pub(crate) attack: String,
    /// What keeps it off, and why that cannot be taken out.
    pub(crate) why: String,
    /// The line of ours that says the same a second time, where there is one: taking that out alone changes nothing.
    pub(crate) second: Option<Guard>,
}

/// A test by the target that it is in and its path there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) target: String,
    pub(crate) path: String,
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}::{}", self.target, self.path)
    }
}

impl Test {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text.split_once("::") {
            Some((target, path)) if path.contains("::") => Ok(Self {
                target: target.into(),
                path: path.into(),
            }),
            _ => bail!("`{text}` is no test: write target::module::name"),
        }
    }

    /// The file that it stands in.
    pub(crate) fn file(&self) -> PathBuf {
        let module = self.path.split("::").next().unwrap_or_default();
        Path::new(TESTS).join(&self.target).join(module).with_extension("rs")
    }

    fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }
}

impl Guard {
    /// Where it stands, for a person: the file and what the guard begins with.
    pub(crate) fn place(&self) -> String {
        let first = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut short: String = first.chars().take(70).collect();
        if short.len() < first.len() {
            short.push('…');
        }
        format!("{}: {short}", self.file)
    }

    /// The guard with what stands around it: this is in the file once.
    pub(crate) fn whole(&self) -> String {
        [self.before.as_str(), &self.text, &self.after].concat()
    }

    /// The same with something else in the guard's place.
    pub(crate) fn replaced_by(&self, instead: &str) -> String {
        [self.before.as_str(), instead, &self.after].concat()
    }

    /// Whether it is one or more whole statements, rather than an expression or a part of a declaration.
    pub(crate) fn is_statement(&self) -> bool {
        self.text.trim_end().ends_with([';', '}'])
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) guards: Vec<Guard>,
    pub(crate) beyond: Vec<Beyond>,
}

impl List {
    /// Reads the list of this checkout.
    ///
    /// # Errors
    /// When it cannot be read, or is not written as it says.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let file = root.join(LIST);
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("cannot understand {LIST}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut list = Self::default();
        let mut entry: Vec<&str> = Vec::new();
        for (number, line) in text.lines().chain([""]).enumerate() {
            if line.starts_with('#') {
                continue;
            }
            if !line.is_empty() {
                entry.push(line);
            } else if !entry.is_empty() {
                let about = || format!("the entry that ends before line {}", number + 1);
                list.add(&std::mem::take(&mut entry)).with_context(about)?;
            }
        }
        Ok(list)
    }

    fn add(&mut self, lines: &[&str]) -> Result<()> {
        let mut guard = Guard::default();
        let (mut text, mut instead, mut why) = (Vec::new(), Vec::new(), None);
        for line in lines {
            if let Some(line) = line.strip_prefix('-') {
                text.push(line.strip_prefix(' ').unwrap_or(line));
                continue;
            }
            if let Some(line) = line.strip_prefix('+') {
                instead.push(line.strip_prefix(' ').unwrap_or(line));
                continue;
            }
            match line.split_once(": ") {
                Some(("attack", name)) => guard.attack = name.into(),
                Some(("file", name)) => guard.file = name.into(),
                Some(("apart", _)) => guard.apart = true,
                Some(("beyond", text)) => why = Some(text.to_owned()),
                Some(("test", name)) => guard.tests.push(Test::parse(name)?),
                _ => bail!("this line is nothing that the list knows: {line}"),
            }
        }
        (guard.text, guard.instead) = (text.join("\n"), instead.join("\n"));
        if let Some((before, rest)) = guard.text.clone().split_once('«') {
            let (text, after) = rest.split_once('»').context("`«` without `»`")?;
            (guard.before, guard.text, guard.after) = (before.into(), text.into(), after.into());
        }
        if guard.attack.is_empty() {
            bail!("it names no attack");
        }
        if let Some(why) = why {
            self.beyond.push(Beyond {
                attack: guard.attack.clone(),
                why,
                second: Some(guard).filter(|guard| !guard.text.is_empty()),
            });
            return Ok(());
        }
        if guard.file.is_empty() || guard.text.is_empty() || guard.tests.is_empty() {
            bail!("`{}` needs a file, a guard and a test", guard.attack);
        }
        if !guard.apart && !guard.is_statement() && guard.instead.is_empty() {
            bail!(
                "`{}` takes out an expression: say what stands in its place",
                guard.attack
            );
        }
        self.guards.push(guard);
        Ok(())
    }

    /// All that stands somewhere in the source.
    fn placed(&self) -> impl Iterator<Item = &Guard> {
        let second = self.beyond.iter().filter_map(|beyond| beyond.second.as_ref());
        self.guards.iter().chain(second)
    }

    /// Refuses a list that does not fit the source any more: each guard stands once in its file, each test exists.
    ///
    /// # Errors
    /// Every guard and test that does not fit.
    pub(crate) fn check(&self, root: &Path) -> Result<()> {
        let mut files = Files::new(root);
        let mut faults = Vec::new();
        for guard in self.placed() {
            let found = files
                .read(&Path::new(SOURCE).join(&guard.file))?
                .matches(&guard.whole())
                .count();
            if found != 1 {
                faults.push(format!("`{}`: found {found} times in {}", guard.attack, guard.place()));
            }
            for test in &guard.tests {
                let declared = format!("fn {}(", test.name());
                if !files.read(&test.file())?.contains(&declared) {
                    faults.push(format!("`{}`: there is no test {test}", guard.attack));
                }
            }
        }
        if !faults.is_empty() {
            bail!("{LIST} does not fit the source:\n  {}", faults.join("\n  "));
        }
        Ok(())
    }
}

/// Files that were read before.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    root: &'a Path,
    read: BTreeMap<PathBuf, String>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        Self {
            root,
            read: BTreeMap::new(),
        }
    }

    /// The text of a file below the root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&mut self, file: &Path) -> Result<&str> {
        if !self.read.contains_key(file) {
            let path = self.root.join(file);
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            self.read.insert(file.to_owned(), text);
        }
        Ok(self.read.get(file).map_or("", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "# A word.\nattack: a stranger\nfile: policy.rs\n- if a {\n-     b();\n- }\n+ c();\ntest: contract::m::t\n";

    #[test]
    fn an_entry_is_read_with_its_indentation() {
        let list = List::parse(ONE).unwrap();
        let guard = &list.guards[0];
        assert_eq!(guard.text, "if a {\n    b();\n}");
        assert_eq!(guard.instead, "c();");
        assert_eq!(
            guard.tests[0].file(),
            Path::new("programs/chartseal/tests/contract/m.rs")
        );
        assert!(guard.is_statement() && !guard.apart);
    }

    #[test]
    fn what_stands_around_a_guard_is_left_alone() {
        let list = List::parse("attack: a\nfile: f.rs\n- A => «no()»,\n+ yes()\ntest: contract::m::t\n").unwrap();
        let guard = &list.guards[0];
        assert_eq!(guard.text, "no()");
        assert_eq!(guard.whole(), "A => no(),");
        assert_eq!(guard.replaced_by("yes()"), "A => yes(),");
    }

    #[test]
    fn what_is_beyond_us_says_why() {
        let list = List::parse("attack: forged signature\nbeyond: the runtime checks it\n").unwrap();
        assert!(list.guards.is_empty());
        assert_eq!(list.beyond[0].why, "the runtime checks it");
    }

    #[test]
    fn an_entry_that_proves_nothing_is_refused() {
        for text in [
            "attack: a\nfile: f.rs\n- x;\n",
            "file: f.rs\n- x;\ntest: contract::m::t\n",
            "attack: a\nfile: f.rs\n- x\ntest: contract::m::t\n",
            "attack: a\nfile: f.rs\n- x;\ntest: t\n",
            "attack: a\nfile: f.rs\nx;\ntest: contract::m::t\n",
        ] {
            assert!(List::parse(text).is_err(), "{text}");
        }
    }

    /// Where a `require!` of this text ends: behind the parenthesis that closes it.
    fn end_of(text: &str, start: usize) -> usize {
        let mut depth = 0;
        for (place, letter) in text[start..].char_indices() {
            match letter {
                '(' => depth += 1,
                ')' if depth == 1 => return start + place + 1,
                ')' => depth -= 1,
                _ => {}
            }
        }
        text.len()
    }

    /// Nothing that is asked for with `require!`, and no reason of the policy, is left out of the list.
    #[test]
    fn every_guard_of_the_source_is_in_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let list = List::read(root).unwrap();
        let mut missing = Vec::new();
        for file in crate::sbf::rust_files(&root.join(SOURCE)).unwrap() {
            let name = file.strip_prefix(root.join(SOURCE)).unwrap().display().to_string();
            let text = std::fs::read_to_string(&file).unwrap();
            let listed: Vec<_> = list
                .placed()
                .filter(|guard| guard.file == name)
                .filter_map(|guard| {
                    let start = text.find(&guard.whole())?;
                    Some(start..start + guard.whole().len())
                })
                .collect();
            let starts = ["require!(", "return Err(Reason::", "return Some(Reason::"];
            for start in starts.iter().flat_map(|start| text.match_indices(start)) {
                // What a reason is given for stands in the line before it.
                let line = text[..start.0].rfind('\n').unwrap_or_default();
                let asked = text[..line].rfind('\n').unwrap_or_default();
                let begins = if start.1.starts_with("return") { asked } else { start.0 };
                let span = begins..end_of(&text, start.0);
                if !listed
                    .iter()
                    .any(|guard| guard.start < span.end && span.start < guard.end)
                {
                    missing.push(format!("{name}: {}", &text[span]));
                }
            }
        }
        assert!(missing.is_empty(), "not in {LIST}:\n{}", missing.join("\n"));
    }

    #[test]
    fn every_guard_stands_in_the_source_once_and_every_test_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let list = List::read(root).unwrap();
        assert!(!list.guards.is_empty());
        list.check(root).unwrap();
    }
}
