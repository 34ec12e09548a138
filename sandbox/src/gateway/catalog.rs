//! What is known of every item without its data: its owner, its tags, where it came from and in which order. It is held in
//! memory, so that looking up reads no file, and made anew at start from what is stored; only the order has a file of its
//! own, `gateway-index/order.jsonl`, a JSON object a line.
//!
//! Items have a place in the order for ever and are only ever added behind all others, and heights never fall along it. So
//! a place is a cursor: whoever goes on from it misses nothing and sees nothing twice, whatever has been added since.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::head::Head;
use super::store::ItemInfo;

/// The order's file.
const ORDER: &str = "order.jsonl";

/// An item, as far as it can be looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the order.
    pub(super) at: u64,
    pub(super) id: String,
    /// The height of its block. Not below that of the entry before.
    pub(super) height: u64,
    /// The owner's address.
    pub(super) owner: String,
    /// The recipient's address; empty for none.
    pub(super) recipient: String,
    pub(super) tags: Vec<(String, String)>,
    /// The transaction that it came in.
    pub(super) bundled_in: Option<String>,
}

impl Entry {
    /// An entry that has no place yet.
    pub(super) fn new(id: &str, info: &ItemInfo, head: Head) -> Self {
        Self {
            at: 0,
            id: id.to_owned(),
            height: info.height,
            owner: info.owner.clone(),
            recipient: head.recipient,
            tags: head.tags,
            bundled_in: info.bundled_in.clone(),
        }
    }
}

/// What a tag must be, or must not be.
#[derive(Debug, Clone)]
pub(super) struct TagTest {
    pub(super) name: String,
    pub(super) values: HashSet<String>,
    /// Whether the value is to be one of these, or another.
    pub(super) equal: bool,
}

/// Which entries are asked for: those that pass all of it. An empty set lets everything pass.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) ids: HashSet<String>,
    pub(super) owners: HashSet<String>,
    pub(super) recipients: HashSet<String>,
    pub(super) bundled_in: HashSet<String>,
    pub(super) tags: Vec<TagTest>,
    pub(super) heights: RangeInclusive<i64>,
}

impl Filter {
    fn passes(&self, entry: &Entry) -> bool {
        let among = |set: &HashSet<String>, value: &str| set.is_empty() || set.contains(value);
        self.heights.contains(&i64::try_from(entry.height).unwrap_or(i64::MAX))
            && among(&self.ids, &entry.id)
            && among(&self.owners, &entry.owner)
            && among(&self.recipients, &entry.recipient)
            && among(&self.bundled_in, entry.bundled_in.as_deref().unwrap_or_default())
            && self.tags.iter().all(|test| test.passes(&entry.tags))
    }
}

impl TagTest {
    /// Either way there must be a tag of this name, as gateways have it.
    fn passes(&self, tags: &[(String, String)]) -> bool {
        tags.iter()
            .any(|(name, value)| *name == self.name && self.values.contains(value) == self.equal)
    }
}

/// All entries, in their order.
#[derive(Debug)]
pub(super) struct Catalog(RwLock<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Vec<Arc<Entry>>,
    by_id: HashMap<String, Arc<Entry>>,
    next: u64,
    order: File,
}

/// A line of the order's file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at: u64,
    id: String,
    height: u64,
}

impl Catalog {
    /// Puts what is stored in the order that it had. What has no place yet, because the process was killed before it was
    /// written or nobody wrote it then, comes behind all others.
    pub(super) fn open(folder: &Path, mut stored: Vec<Entry>) -> io::Result<Self> {
        let path = folder.join(ORDER);
        let known = match fs::read_to_string(&path) {
            Ok(known) => known,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut order = OpenOptions::new().create(true).append(true).open(&path)?;
        if !known.is_empty() && !known.ends_with('\n') {
            // A line that was cut must not spoil the next one.
            order.write_all(b"\n")?;
        }
        let places: HashMap<String, Line> = known
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .map(|line: Line| (line.id.clone(), line))
            .collect();
        let next = places
            .values()
            .map(|line| line.at.saturating_add(1))
            .max()
            .unwrap_or_default();
        let height = |entry: &Entry| places.get(&entry.id).map_or(entry.height, |line| line.height);
        let place = |entry: &Entry| places.get(&entry.id).map_or(u64::MAX, |line| line.at);
        stored.sort_by_cached_key(|entry| (place(entry), entry.height, entry.id.clone()));

        let mut inner = Inner {
            entries: Vec::with_capacity(stored.len()),
            by_id: HashMap::with_capacity(stored.len()),
            next,
            order,
        };
        for mut entry in stored {
            entry.height = height(&entry);
            match place(&entry) {
                u64::MAX => inner.append(entry)?,
                at => inner.push(Entry { at, ..entry }),
            }
        }
        Ok(Self(RwLock::new(inner)))
    }

    /// Adds an item behind all others. Nothing changes if it is there.
    pub(super) fn add(&self, entry: Entry) -> io::Result<()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).append(entry)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Entry>> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.by_id.get(id).cloned()
    }

    /// The first `count` entries that pass, behind the place `after` in the direction that is asked for, and whether there
    /// are more.
    pub(super) fn page(
        &self,
        filter: &Filter,
        descending: bool,
        after: Option<u64>,
        count: usize,
    ) -> (Vec<Arc<Entry>>, bool) {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entries = inner.entries.as_slice();
        let passing = |entry: &&Arc<Entry>| filter.passes(entry);
        let mut found: Vec<Arc<Entry>> = if descending {
            let end = after.map_or(entries.len(), |after| entries.partition_point(|entry| entry.at < after));
            let rest = entries.get(..end).unwrap_or_default().iter().rev();
            rest.filter(passing).take(count + 1).cloned().collect()
        } else {
            let begin = after.map_or(0, |after| entries.partition_point(|entry| entry.at <= after));
            let rest = entries.get(begin..).unwrap_or_default().iter();
            rest.filter(passing).take(count + 1).cloned().collect()
        };
        let more = found.len() > count;
        found.truncate(count);
        (found, more)
    }
}

impl Inner {
    fn append(&mut self, entry: Entry) -> io::Result<()> {
        if self.by_id.contains_key(&entry.id) {
            return Ok(());
        }
        let last = self.entries.last().map_or(0, |last| last.height);
        let entry = Entry {
            at: self.next,
            height: entry.height.max(last),
            ..entry
        };
        let line = Line {
            at: entry.at,
            id: entry.id.clone(),
            height: entry.height,
        };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        self.order.write_all(&line)?;
        self.next += 1;
        self.push(entry);
        Ok(())
    }

    fn push(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        self.by_id.insert(entry.id.clone(), Arc::clone(&entry));
        self.entries.push(entry);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(id: &str, height: u64) -> Entry {
        Entry {
            at: 0,
            id: id.to_owned(),
            height,
            owner: "owner".to_owned(),
            recipient: String::new(),
            tags: vec![("App".to_owned(), id.to_owned())],
            bundled_in: None,
        }
    }

    fn all() -> Filter {
        Filter {
            ids: HashSet::new(),
            owners: HashSet::new(),
            recipients: HashSet::new(),
            bundled_in: HashSet::new(),
            tags: Vec::new(),
            heights: 0..=i64::MAX,
        }
    }

    fn listed(catalog: &Catalog) -> Vec<(u64, String, u64)> {
        let (entries, more) = catalog.page(&all(), false, None, 100);
        assert!(!more);
        entries
            .iter()
            .map(|entry| (entry.at, entry.id.clone(), entry.height))
            .collect()
    }

    #[test]
    fn the_order_outlives_a_restart_and_a_line_that_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path(), Vec::new()).unwrap();
        for (id, height) in [("c", 5), ("a", 7), ("b", 6), ("a", 9)] {
            catalog.add(entry(id, height)).unwrap();
        }
        let before = listed(&catalog);
        let expected = [(0, "c", 5), (1, "a", 7), (2, "b", 7)];
        assert_eq!(before, expected.map(|(at, id, height)| (at, id.to_owned(), height)));
        drop(catalog);
        let path = folder.path().join(ORDER);
        let cut = fs::read_to_string(&path).unwrap() + r#"{"at":3,"id":"#;
        fs::write(&path, cut).unwrap();

        let stored = || vec![entry("b", 6), entry("d", 4), entry("c", 5), entry("a", 7)];
        let catalog = Catalog::open(folder.path(), stored()).unwrap();
        assert_eq!(listed(&catalog)[..3], before);
        assert_eq!(
            listed(&catalog)[3..],
            [(3, "d".to_owned(), 7)],
            "what had no place is last"
        );
        drop(catalog);
        let catalog = Catalog::open(folder.path(), stored()).unwrap();
        assert_eq!(listed(&catalog)[3..], [(3, "d".to_owned(), 7)], "and keeps its place");
    }

    #[test]
    fn what_is_gone_leaves_its_place_empty() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path(), Vec::new()).unwrap();
        for id in ["a", "b", "c"] {
            catalog.add(entry(id, 1)).unwrap();
        }
        drop(catalog);
        let catalog = Catalog::open(folder.path(), vec![entry("a", 1)]).unwrap();
        catalog.add(entry("d", 1)).unwrap();
        assert_eq!(listed(&catalog), [(0, "a".to_owned(), 1), (3, "d".to_owned(), 1)]);
        assert_eq!(
            catalog.page(&all(), true, Some(2), 1).0[0].id,
            "a",
            "a cursor need not be there"
        );
    }

    #[test]
    fn a_tag_is_tested_by_name_and_value() {
        let tags = vec![("App".to_owned(), "x".to_owned())];
        let test = |name: &str, value: &str, equal| TagTest {
            name: name.to_owned(),
            values: HashSet::from([value.to_owned()]),
            equal,
        };
        for (test, passes) in [
            (test("App", "x", true), true),
            (test("App", "y", true), false),
            (test("App", "x", false), false),
            (test("App", "y", false), true),
            (test("app", "x", true), false),
            (test("Other", "x", false), false),
        ] {
            assert_eq!(test.passes(&tags), passes, "{test:?}");
        }
    }
}
