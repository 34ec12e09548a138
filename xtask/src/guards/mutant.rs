//! The contract without a guard. Guards that are statements or expressions are taken out of one and the same build, each
//! by a switch of its own: which of them is out stands in two bytes of the program, so hundreds of guards need few builds.
//! Types and constants cannot be chosen while the program runs: without those it is built anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::list::{Guard, SOURCE};
use crate::process;
use crate::workspace::Workspace;

/// Stands before the two bytes that say which guard is out.
const MARK: &[u8] = b"chartseal-guard-out:";

/// Appended to the contract's `lib.rs`.
const MODULE: &str =
    "\n#[allow(dead_code, unreachable_pub, unsafe_code, missing_debug_implementations)]\nmod mutant;\n";

/// The contract's `mutant.rs`.
const MUTANT: &str = r#"//! Which guard is out, and an account of which Anchor asks less.

use anchor_lang::prelude::*;

static OUT: [u8; 22] = *b"chartseal-guard-out:\0\0";

#[inline(never)]
pub(crate) fn out(guard: u16) -> bool {
    // SAFETY: both places are in the array. Read as volatile, because the program's file is changed after it was built.
    let at = |place: usize| unsafe { core::ptr::read_volatile(OUT.as_ptr().add(place)) };
    u16::from_le_bytes([at(20), at(21)]) == guard
}

/// What `Account<T>` is, with or without its look at the owner and at the type.
pub struct Loose<T, const OWNER: bool, const TYPE: bool> {
    view: AccountView,
    of: core::marker::PhantomData<T>,
}

impl<T: Discriminator + bytemuck::Pod, const OWNER: bool, const TYPE: bool> AnchorAccount for Loose<T, OWNER, TYPE> {
    type Data = T;

    fn load(view: AccountView) -> core::result::Result<Self, ProgramError> {
        let long = view.data_len() >= 8 + core::mem::size_of::<T>();
        let owned = !OWNER || view.owned_by(&crate::ID);
        let typed = !TYPE || (long && view.try_borrow()?.get(..8) == Some(T::DISCRIMINATOR));
        if long && owned && typed {
            Ok(Self { view, of: core::marker::PhantomData })
        } else {
            Err(ProgramError::InvalidAccountData)
        }
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl<T: Discriminator + bytemuck::Pod, const OWNER: bool, const TYPE: bool> core::ops::Deref for Loose<T, OWNER, TYPE> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the length was looked at; data begins on an address that eight divides.
        unsafe { &*self.view.data_ptr().add(8).cast::<T>() }
    }
}

impl<T, const OWNER: bool, const TYPE: bool> Loose<T, OWNER, TYPE> {
    pub fn address(&self) -> &Address {
        self.view.address()
    }
}

impl<T, const OWNER: bool, const TYPE: bool> anchor_lang::IdlAccountType for Loose<T, OWNER, TYPE> {}
"#;

/// A copy of the checkout, in which guards are taken out.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    /// The contract's sources as they were, by path below its `src`.
    sources: BTreeMap<String, String>,
}

impl Tree {
    /// Copies every file that is tracked, or new and not ignored. Those that are the same already keep their time, so that
    /// cargo builds nothing twice.
    ///
    /// # Errors
    /// When git cannot be asked, or a file cannot be copied.
    pub(crate) fn copy(workspace: &Workspace, root: PathBuf) -> Result<Self> {
        let listed = process::capture(
            Command::new("git")
                .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
                .current_dir(&workspace.root),
        )?;
        let mut sources = BTreeMap::new();
        let mut kept = BTreeSet::from([root.join(SOURCE).join("mutant.rs")]);
        let lib = Path::new(SOURCE).join("lib.rs");
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            // What is deleted is listed until that is committed.
            let Ok(content) = std::fs::read(workspace.root.join(name)) else {
                continue;
            };
            kept.insert(root.join(name));
            // This one stands there with our module; `put` compares.
            if Path::new(name) != lib {
                write(&root.join(name), &content)?;
            }
            if let Some(source) = name.strip_prefix(SOURCE).and_then(|name| name.strip_prefix('/')) {
                let text = String::from_utf8(content).with_context(|| format!("{name} is not UTF-8"))?;
                sources.insert(source.to_owned(), text);
            }
        }
        remove_others(&root, &kept)?;
        Ok(Self { root, sources })
    }

    /// All of the contract's source, for comparing.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.values().map(String::as_str)
    }

    /// Puts the contract's source in place as it is.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn restore(&self) -> Result<()> {
        self.put(&self.sources)
    }

    /// Takes one guard out.
    ///
    /// # Errors
    /// When it does not stand where it should, or a file cannot be written.
    pub(crate) fn without(&self, guard: &Guard) -> Result<()> {
        let mut sources = self.sources.clone();
        let text = file(&mut sources, guard)?;
        *text = text.replacen(&guard.whole(), &guard.replaced_by(&guard.instead), 1);
        self.put(&sources)
    }

    /// Puts a switch before each of these guards: the first is out when the number is 1.
    ///
    /// # Errors
    /// As [`without`](Self::without).
    pub(crate) fn switched(&self, guards: &[&Guard]) -> Result<()> {
        let mut sources = self.sources.clone();
        for (guard, number) in guards.iter().zip(1u16..) {
            let switched = guard.replaced_by(&switch(guard, number));
            let text = file(&mut sources, guard)?;
            *text = text.replacen(&guard.whole(), &switched, 1);
        }
        self.put(&sources)
    }

    /// Writes the source, with our module beside it.
    fn put(&self, sources: &BTreeMap<String, String>) -> Result<()> {
        let folder = self.root.join(SOURCE);
        write(&folder.join("mutant.rs"), MUTANT.as_bytes())?;
        for (name, text) in sources {
            let ours = if name == "lib.rs" { MODULE } else { "" };
            write(&folder.join(name), [text, ours].concat().as_bytes())?;
        }
        Ok(())
    }
}

fn file<'a>(sources: &'a mut BTreeMap<String, String>, guard: &Guard) -> Result<&'a mut String> {
    let text = sources.get_mut(&guard.file);
    let text = text.with_context(|| format!("`{}`: there is no {}", guard.attack, guard.file))?;
    if text.matches(&guard.whole()).count() != 1 {
        bail!("`{}`: this does not stand there once: {}", guard.attack, guard.place());
    }
    Ok(text)
}

/// A guard that is out when this number is.
fn switch(guard: &Guard, number: u16) -> String {
    let Guard { text, instead, .. } = guard;
    let chosen = format!("if crate::mutant::out({number}) {{\n{instead}\n}} else {{\n{text}\n}}");
    if guard.is_statement() {
        chosen
    } else {
        format!("({chosen})")
    }
}

/// Distributes guards over as few builds as can be, so that no two in one of them touch the same text. Gives their places
/// in `guards`.
///
/// # Errors
/// When a guard does not stand where it should.
pub(crate) fn builds(tree: &Tree, guards: &[&Guard]) -> Result<Vec<Vec<usize>>> {
    let mut builds: Vec<Vec<(usize, std::ops::Range<usize>)>> = Vec::new();
    for (index, guard) in guards.iter().enumerate() {
        let text = tree.sources.get(&guard.file).and_then(|text| text.find(&guard.whole()));
        let start = text.with_context(|| format!("`{}`: not found: {}", guard.attack, guard.place()))?;
        let range = start..start + guard.whole().len();
        let apart = |(other, taken): &(usize, std::ops::Range<usize>)| {
            guards[*other].file != guard.file || taken.end <= range.start || range.end <= taken.start
        };
        match builds.iter_mut().find(|build| build.iter().all(apart)) {
            Some(build) => build.push((index, range)),
            None => builds.push(vec![(index, range)]),
        }
    }
    Ok(builds
        .into_iter()
        .map(|build| build.into_iter().map(|(index, _)| index).collect())
        .collect())
}

/// The program with this guard out; zero takes none out.
///
/// # Errors
/// When the place for the number is not found.
pub(crate) fn choose(program: &[u8], number: u16) -> Result<Vec<u8>> {
    let mut places = program
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == MARK);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        bail!("the program has not one place that says which guard is out");
    };
    let mut program = program.to_vec();
    let at = place + MARK.len();
    match program.get_mut(at..at + 2) {
        Some(bytes) => bytes.copy_from_slice(&number.to_le_bytes()),
        None => bail!("the program ends where it should say which guard is out"),
    }
    Ok(program)
}

/// Removes the files of an earlier copy that are no more.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", folder.display()))?
            .path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes a file unless it is the same already.
fn write(file: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(file).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(file, content))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(text: &str, instead: &str) -> Guard {
        Guard {
            attack: "a".into(),
            file: "f.rs".into(),
            text: text.into(),
            instead: instead.into(),
            ..Guard::default()
        }
    }

    #[test]
    fn a_statement_and_an_expression_are_switched() {
        assert_eq!(
            switch(&guard("a();", ""), 7),
            "if crate::mutant::out(7) {\n\n} else {\na();\n}"
        );
        assert_eq!(
            switch(&guard("a < b", "a <= b"), 300),
            "(if crate::mutant::out(300) {\na <= b\n} else {\na < b\n})"
        );
    }

    #[test]
    fn guards_that_touch_the_same_text_are_built_apart() {
        let text = "require!(a && b, E); require!(c, F);";
        let tree = Tree {
            root: PathBuf::new(),
            sources: BTreeMap::from([("f.rs".into(), text.into())]),
        };
        let guards = [
            guard("require!(a && b, E);", ""),
            guard("a && b", "b"),
            guard("require!(c, F);", ""),
        ];
        let guards: Vec<_> = guards.iter().collect();
        assert_eq!(builds(&tree, &guards).unwrap(), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn the_number_is_written_behind_the_mark() {
        let program = [b"x", MARK, b"\0\0y"].concat();
        assert_eq!(choose(&program, 0x0102).unwrap(), [b"x", MARK, b"\x02\x01y"].concat());
        assert!(choose(b"nothing", 1).is_err());
        assert!(choose(&[MARK, b"\0\0", MARK, b"\0\0"].concat(), 1).is_err());
    }

    #[test]
    fn the_mark_is_the_one_of_the_switches() {
        let mark = std::str::from_utf8(MARK).unwrap();
        assert!(MUTANT.contains(&format!("*b\"{mark}\\0\\0\"")));
        assert_eq!(MARK.len(), 20);
    }
}
