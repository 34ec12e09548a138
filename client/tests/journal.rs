//! An upload that was broken off goes on where it was, whatever broke it off and whenever: what the store has is not sent
//! again, and what was announced is never sealed into something else. A journal that is not of this upload is left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chartseal::keys::Identity;
use chartseal::seal::{
    Input, Journal, JournalError, Manifest, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN, SealError, SealOptions, Sealed, Sealer,
    Upload,
};
use chartseal::store::{BlobStore, Code, ItemId, LineFileError, SignedItem, StoreError, Stores};
use serde_json::Value;
use support::{IDS, MemoryStore, noise, open, plain_options, silent};

/// Four shards and a little.
const SHARDS: usize = 5;
const LEN: usize = 4 * SHARD_PLAIN_LEN + SEGMENT_PLAIN_LEN + 7;

/// A store that counts, and breaks off.
#[derive(Default)]
struct Fragile {
    kept: MemoryStore,
    puts: Mutex<HashMap<ItemId, u32>>,
    /// Items that it takes before it breaks off.
    left: Mutex<Option<usize>>,
    /// Whether it breaks off after it took an item, before it says so.
    takes_silently: bool,
}

impl Fragile {
    fn breaking_after(items: usize) -> Self {
        let store = Self::default();
        *store.left.lock().unwrap() = Some(items);
        store
    }

    fn mend(&self) {
        *self.left.lock().unwrap() = None;
    }

    /// How often each item was put.
    fn puts(&self) -> Vec<u32> {
        self.puts.lock().unwrap().values().copied().collect()
    }
}

impl BlobStore for Fragile {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let broken = match &mut *self.left.lock().unwrap() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                *left == 0 && self.takes_silently
            }
            None => false,
        };
        if !broken || self.takes_silently {
            self.kept.put(item).await?;
            *self.puts.lock().unwrap().entry(item.id()).or_default() += 1;
        }
        if broken {
            let detail = "broken off".to_owned();
            Err(StoreError::Unreachable { detail })
        } else {
            Ok(())
        }
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.kept.get(id, range, limit).await
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.kept.has(id).await
    }
}

/// Somebody with a file that is uploaded.
struct Desk {
    folder: tempfile::TempDir,
    identity: Identity,
    options: SealOptions,
    bytes: Vec<u8>,
}

impl Desk {
    fn with(bytes: Vec<u8>, options: SealOptions) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            identity: Identity::generate().unwrap(),
            options,
            bytes,
        };
        fs::write(desk.file(), &desk.bytes).unwrap();
        desk
    }

    fn new() -> Self {
        Self::with(noise(LEN, 1), plain_options())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image.dcm")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("image.dcm.chartseal-upload")
    }

    /// Writes over the file; its length and the time of its last change stay as they were.
    fn falsify(&self, bytes: &[u8]) {
        let file = File::options().write(true).open(self.file()).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        fs::write(self.file(), bytes).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn upload(&self) -> Upload {
        self.upload_for("a record of class 0")
    }

    fn upload_for(&self, purpose: &str) -> Upload {
        let file = File::open(self.file()).unwrap();
        let owner = self.identity.storage.address();
        Upload::of(&file, purpose.to_owned(), &self.options, Code::ONE, owner).unwrap()
    }

    fn open_journal(&self) -> Result<Journal, JournalError> {
        Journal::open(&self.journal(), &self.upload(), &self.identity, || Ok(IDS))
    }

    async fn seal(&self, journal: Journal, store: &Fragile) -> Result<Sealed, SealError> {
        let sealer = Sealer {
            ids: journal.ids(),
            options: &self.options,
            storage_key: &self.identity.storage,
            stores: &Stores::one(store),
            journal: Some(&Arc::new(journal)),
            progress: &silent,
        };
        sealer.seal(Input::File(File::open(self.file()).unwrap())).await
    }

    /// One run, from opening the journal on.
    async fn run(&self, store: &Fragile) -> Result<Sealed, SealError> {
        self.seal(self.open_journal().unwrap(), store).await
    }

    /// The journal's lines of one kind.
    fn lines(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.journal()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["line"] == kind).collect()
    }
}

/// What a journal announced is in the record, each shard under the salt and with the root that it had.
fn assert_kept_its_word(announced: &[Value], sealed: &Sealed) {
    let manifest = Manifest::parse(&sealed.manifest).unwrap();
    for line in announced {
        let number = usize::try_from(line["shard"].as_u64().unwrap()).unwrap();
        let entry = &manifest.shards()[number];
        assert_eq!(line["salt"], hex::encode(entry.salt), "shard {number}");
        assert_eq!(line["root"], hex::encode(entry.root), "shard {number}");
    }
}

#[tokio::test]
async fn wherever_an_upload_breaks_off_it_goes_on_and_sends_nothing_twice() {
    let text = "Blood pressure 120/80, pulse 64. ".repeat(900_000).into_bytes();
    for (bytes, options) in [
        (noise(LEN, 1), plain_options()),
        ([noise(LEN, 2), text].concat(), SealOptions::named("image.dcm")),
    ] {
        for takes_silently in [false, true] {
            for items in 0..=SHARDS {
                let desk = Desk::with(bytes.clone(), options.clone());
                let store = Fragile {
                    takes_silently,
                    ..Fragile::breaking_after(items)
                };
                let broken = desk.run(&store).await;
                let what = format!("{items} items, {takes_silently}");
                assert!(matches!(broken, Err(SealError::Store(_))), "{what}: {broken:?}");
                let announced = desk.lines("sealed");
                store.mend();
                let sealed = desk.run(&store).await.unwrap();
                assert_kept_its_word(&announced, &sealed);
                assert_eq!(store.puts(), vec![1; SHARDS + 1], "{what}");
                assert!(open(&store, &sealed, None).await.unwrap().0 == bytes, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn broken_off_again_and_again_it_completes() {
    let desk = Desk::new();
    let store = Fragile::default();
    let mut runs = 0;
    let sealed = loop {
        *store.left.lock().unwrap() = Some(1);
        runs += 1;
        match desk.run(&store).await {
            Ok(sealed) => break sealed,
            Err(error) => assert!(matches!(error, SealError::Store(_)), "{error}"),
        }
    };
    // One item a run: the shards and then the manifest, with which it is done.
    assert_eq!((runs, store.puts()), (SHARDS + 1, vec![1; SHARDS + 1]));
    assert!(open(&store, &sealed, None).await.unwrap().0 == desk.bytes);
}

#[tokio::test]
async fn a_manifest_that_may_be_stored_already_is_the_same_again() {
    let desk = Desk::new();
    // Everything is taken, and the last answer does not arrive.
    let store = Fragile {
        takes_silently: true,
        ..Fragile::breaking_after(SHARDS + 1)
    };
    desk.run(&store).await.unwrap_err();
    let journal = desk.open_journal().unwrap();
    let (announced, hash) = (journal.announced(), journal.manifest_hash());
    let sealed = desk.seal(journal, &store).await.unwrap();
    assert_eq!((announced, hash), (SHARDS, Some(sealed.on_chain.manifest_hash)));
    assert_eq!(store.puts(), vec![1; SHARDS + 1]);
}

#[tokio::test]
async fn a_longer_or_touched_file_is_another_upload() {
    let desk = Desk::new();
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    let before = fs::read(desk.journal()).unwrap();

    let file = File::options().append(true).open(desk.file()).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified + std::time::Duration::from_nanos(1))
        .unwrap();
    assert!(matches!(desk.open_journal(), Err(JournalError::Changed)));
    file.set_len(LEN as u64 + 1).unwrap();
    file.set_modified(modified).unwrap();
    assert!(matches!(desk.open_journal(), Err(JournalError::Changed)));
    assert_eq!(
        fs::read(desk.journal()).unwrap(),
        before,
        "a journal that is refused is left alone"
    );

    file.set_len(LEN as u64).unwrap();
    file.set_modified(modified).unwrap();
    assert!(desk.open_journal().unwrap().announced() > 0);
}

#[tokio::test]
async fn nothing_of_a_changed_shard_reaches_the_store() {
    for (announced_first, part_of_it) in [(1, 0.0), (SHARDS, 0.5), (SHARDS, 0.999_999)] {
        let desk = Desk::new();
        let store = Fragile::breaking_after(announced_first);
        desk.run(&store).await.unwrap_err();
        let taken = store.puts().len();
        let last = desk
            .lines("sealed")
            .iter()
            .map(|line| line["shard"].as_u64().unwrap())
            .max();
        let shard = usize::try_from(last.unwrap()).unwrap();
        let within = SHARD_PLAIN_LEN.min(LEN - shard * SHARD_PLAIN_LEN);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let at = shard * SHARD_PLAIN_LEN + (part_of_it * within as f64) as usize;
        let mut changed = desk.bytes.clone();
        changed[at] ^= 1;
        desk.falsify(&changed);

        store.mend();
        let error = desk.run(&store).await.unwrap_err();
        assert!(matches!(error, SealError::SourceChanged), "{error}");
        assert!(error.to_string().contains("--restart"), "{error}");
        // As it was before, it goes on: had anything else been sent, it would be one item too many.
        desk.falsify(&desk.bytes);
        let sealed = desk.run(&store).await.unwrap();
        assert_eq!(store.puts(), vec![1; SHARDS + 1], "{taken} before");
        assert!(open(&store, &sealed, None).await.unwrap().0 == desk.bytes);
    }
}

#[tokio::test]
async fn a_file_that_lost_its_last_shards_is_a_changed_one() {
    let desk = Desk::with(noise(SHARD_PLAIN_LEN, 3), plain_options());
    let store = Fragile::default();
    desk.run(&store).await.unwrap();
    let text = fs::read_to_string(desk.journal()).unwrap();
    let manifest = text.lines().last().unwrap();
    let sealed = text.lines().find(|line| line.contains("sealed")).unwrap();
    // As if the file had had one shard more when it was announced.
    let more = sealed.replace(r#""shard":0"#, r#""shard":1"#);
    fs::write(desk.journal(), text.replace(manifest, &more)).unwrap();
    assert!(matches!(desk.run(&store).await, Err(SealError::SourceChanged)));
    assert_eq!(store.puts().len(), 2, "one shard and its manifest, as before");
}

#[tokio::test]
async fn another_upload_of_the_same_file_does_not_go_on_with_this_one() {
    let mut desk = Desk::new();
    desk.run(&Fragile::breaking_after(2)).await.unwrap_err();
    let as_it_was = desk.options.clone();
    let others = [
        SealOptions {
            compress: true,
            ..as_it_was.clone()
        },
        SealOptions {
            file_hash: true,
            ..as_it_was.clone()
        },
        SealOptions {
            name: "other".to_owned(),
            ..as_it_was.clone()
        },
        SealOptions {
            media_type: Some("image/png".to_owned()),
            ..as_it_was.clone()
        },
        SealOptions {
            padding: chartseal::seal::Padding::Padme,
            ..as_it_was.clone()
        },
    ];
    for other in others {
        desk.options = other;
        let refused = desk.open_journal().unwrap_err();
        assert!(
            matches!(refused, JournalError::OtherUpload { .. }),
            "{:?}: {refused}",
            desk.options
        );
    }
    desk.options = as_it_was;
    let what_else = desk.upload_for("a record of class 1");
    let spread = Upload {
        code: "4+2".to_owned(),
        ..desk.upload()
    };
    for upload in [what_else, spread] {
        let refused = Journal::open(&desk.journal(), &upload, &desk.identity, || Ok(IDS)).unwrap_err();
        assert!(matches!(refused, JournalError::OtherUpload { .. }), "{refused}");
    }
    assert!(desk.open_journal().is_ok());
}

#[tokio::test]
async fn a_line_that_a_crash_cut_is_dropped_and_its_shard_sealed_anew() {
    let desk = Desk::new();
    let store = Fragile::breaking_after(0);
    desk.run(&store).await.unwrap_err();
    let whole = fs::read_to_string(desk.journal()).unwrap();
    let last = whole.lines().last().unwrap().len() + 1;
    for kept in [1, last / 2, last - 1] {
        let cut = whole.len() - last + kept;
        fs::write(desk.journal(), &whole[..cut]).unwrap();
        let journal = desk.open_journal().unwrap();
        assert_eq!(journal.announced(), whole.lines().count() - 2, "cut after {kept} bytes");
        drop(journal);
        assert_eq!(fs::read_to_string(desk.journal()).unwrap(), whole[..whole.len() - last]);
    }
    store.mend();
    let announced = desk.lines("sealed");
    let sealed = desk.run(&store).await.unwrap();
    assert_kept_its_word(&announced, &sealed);
    assert_eq!(store.puts(), vec![1; SHARDS + 1]);
}

#[tokio::test]
async fn a_journal_cut_in_its_first_line_begins_anew() {
    let desk = Desk::new();
    let journal = desk.open_journal().unwrap();
    let line = fs::read(desk.journal()).unwrap();
    drop(journal);
    for kept in [0, 1, 20, line.len() - 1] {
        fs::write(desk.journal(), &line[..kept]).unwrap();
        let journal = desk.open_journal().unwrap();
        assert_eq!((journal.announced(), journal.ids()), (0, IDS), "cut after {kept} bytes");
    }
}

#[tokio::test]
async fn an_altered_line_is_refused() {
    let desk = Desk::new();
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    let text = fs::read_to_string(desk.journal()).unwrap();
    let second = text.lines().nth(1).unwrap();
    for altered in [
        "no json".to_owned(),
        "{}".to_owned(),
        second.replace("sealed", "opened"),
        second.replace(r#""salt":""#, r#""salt":"zz"#),
        second.replace(r#""shard":"#, r#""shard":-"#),
        text.lines().next().unwrap().to_owned(),
    ] {
        fs::write(desk.journal(), text.replace(second, &altered)).unwrap();
        let refused = desk.open_journal().unwrap_err();
        assert!(matches!(refused, JournalError::Altered { .. }), "{altered}: {refused}");
    }
    for (from, to) in [
        (r#""version":1"#, r#""version":2"#),
        (r#""release":""#, r#""release":"9."#),
    ] {
        fs::write(desk.journal(), text.replacen(from, to, 1)).unwrap();
        let refused = desk.open_journal().unwrap_err();
        assert!(
            matches!(refused, JournalError::OtherRelease { .. }),
            "{from}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_left_alone() {
    let desk = Desk::new();
    for text in ["", "a letter to somebody\n", r#"{"line":"begun","batch":1}"#, "{"] {
        fs::write(desk.journal(), text).unwrap();
        let opened = desk.open_journal();
        if text.is_empty() || text == "{" {
            // The beginning of a first line, or an empty file, may well be ours.
            assert!(opened.is_ok());
        } else {
            let refused = opened.unwrap_err();
            assert!(
                matches!(refused, JournalError::Lines(LineFileError::NotOurs(_))),
                "{refused}"
            );
            assert_eq!(fs::read_to_string(desk.journal()).unwrap(), text);
        }
    }
}

#[tokio::test]
async fn only_who_began_an_upload_goes_on_with_it() {
    let mut desk = Desk::new();
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    let other = Identity::generate().unwrap();
    // Somebody who signs with the same storage key, so that the upload looks like theirs.
    let theirs = Identity {
        storage: desk.identity.storage.clone(),
        ..other
    };
    let refused = Journal::open(&desk.journal(), &desk.upload(), &theirs, || Ok(IDS)).unwrap_err();
    assert!(matches!(refused, JournalError::OtherIdentity { .. }), "{refused}");
    // A new key of the same person takes nothing away: earlier ones are kept.
    desk.identity.rotate().unwrap();
    assert!(desk.open_journal().unwrap().announced() > 0);
}

#[tokio::test]
async fn a_wrapped_key_of_another_record_does_not_open() {
    let desk = Desk::new();
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    let text = fs::read_to_string(desk.journal()).unwrap();
    let record = hex::encode(IDS.record);
    fs::write(desk.journal(), text.replace(&record, &"ab".repeat(16))).unwrap();
    let refused = desk.open_journal().unwrap_err();
    assert!(matches!(refused, JournalError::OtherIdentity { .. }), "{refused}");
}

#[test]
fn a_journal_is_its_owners() {
    let desk = Desk::new();
    let _journal = desk.open_journal().unwrap();
    let mode = fs::metadata(desk.journal()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn two_at_once_are_one_too_many() {
    let desk = Desk::new();
    let first = desk.open_journal().unwrap();
    let refused = desk.open_journal().unwrap_err();
    assert!(
        matches!(refused, JournalError::Lines(LineFileError::InUse(_))),
        "{refused}"
    );
    drop(first);
    assert!(desk.open_journal().is_ok());
}

#[tokio::test]
async fn a_journal_that_is_removed_is_gone_and_the_next_one_is_new() {
    let desk = Desk::new();
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    desk.open_journal().unwrap().remove().unwrap();
    assert!(!desk.journal().exists());
    assert_eq!(desk.open_journal().unwrap().announced(), 0);
}

#[tokio::test]
async fn a_journal_with_nothing_to_go_on_with_is_not_left_behind() {
    let desk = Desk::new();
    drop(desk.open_journal().unwrap());
    assert!(!desk.journal().exists());
    desk.run(&Fragile::breaking_after(0)).await.unwrap_err();
    // Everything in it was announced, nothing is stored: it may have been on its way.
    assert!(desk.journal().exists());
    drop(desk.open_journal().unwrap());
    assert!(desk.journal().exists());
}

#[tokio::test]
async fn to_begin_anew_the_journal_is_dropped_unless_it_is_anothers() {
    let desk = Desk::new();
    Journal::prepare(&desk.journal(), false).unwrap();
    assert!(!desk.journal().exists(), "trying leaves nothing");
    desk.run(&Fragile::breaking_after(1)).await.unwrap_err();
    Journal::prepare(&desk.journal(), false).unwrap();
    assert!(
        desk.open_journal().unwrap().announced() > 0,
        "trying takes nothing away"
    );
    let journal = desk.open_journal().unwrap();
    let refused = Journal::prepare(&desk.journal(), true).unwrap_err();
    assert!(
        matches!(refused, JournalError::Lines(LineFileError::InUse(_))),
        "{refused}"
    );
    drop(journal);
    Journal::prepare(&desk.journal(), true).unwrap();
    assert!(!desk.journal().exists());
    fs::write(desk.journal(), "a letter to somebody\n").unwrap();
    let refused = Journal::prepare(&desk.journal(), true).unwrap_err();
    assert!(
        matches!(refused, JournalError::Lines(LineFileError::NotOurs(_))),
        "{refused}"
    );
    assert!(desk.journal().exists());
    let nowhere = desk.folder.path().join("missing/journal");
    let refused = Journal::prepare(&nowhere, false).unwrap_err();
    assert!(
        matches!(refused, JournalError::Lines(LineFileError::File(_))),
        "{refused}"
    );
}
