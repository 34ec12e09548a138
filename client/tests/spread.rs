//! Records that are spread over several stores: any that are enough give a record back, what a store lost or damaged is
//! found and made again bit for bit, and a store that is gone, hangs or lies costs time, never data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chartseal::keys::StorageKey;
use chartseal::seal::{
    Fault, Health, Input, OpenError, Part, Place, Repaired, SHARD_PLAIN_LEN, Sealed, State, fetch_manifest, health,
    open_stream, repair, seal_stream, verify_stream,
};
use chartseal::store::ans104::HEADER_LEN;
use chartseal::store::{Backend, BlobStore, Code, ItemId, Objects, SignedItem, StoreError, Stores};
use support::gateway::TestGateway;
use support::{IDS, noise, plain_options, silent};
use tempfile::TempDir;

/// Two shards, the second one short.
fn file() -> Vec<u8> {
    noise(SHARD_PLAIN_LEN + 100_001, 4)
}

async fn seal<S: BlobStore>(stores: &Stores<S>, bytes: &[u8]) -> Sealed {
    let key = StorageKey::generate().unwrap();
    seal_stream(Input::stream(bytes), IDS, &plain_options(), &key, stores, &silent)
        .await
        .unwrap()
}

async fn open<S: BlobStore>(
    stores: &Stores<S>,
    sealed: &Sealed,
    range: Option<Range<u64>>,
) -> Result<Vec<u8>, OpenError> {
    let manifest = fetch_manifest(stores, sealed.locator, sealed.on_chain.manifest_hash).await?;
    let mut out = Vec::new();
    let (on_chain, key) = (&sealed.on_chain, &sealed.data_key);
    open_stream(&manifest, on_chain, IDS, key, stores, range, &mut out, &silent).await?;
    Ok(out)
}

async fn look<S: BlobStore>(stores: &Stores<S>, sealed: &Sealed) -> Health {
    health(sealed.locator, &sealed.on_chain, stores, &silent).await.unwrap()
}

async fn mend<S: BlobStore>(stores: &Stores<S>, sealed: &Sealed) -> Repaired {
    repair(sealed.locator, &sealed.on_chain, stores, None, &silent)
        .await
        .unwrap()
}

/// A record in six folders, of which four are enough.
struct Six {
    folders: Vec<TempDir>,
    stores: Stores<Objects>,
    sealed: Sealed,
    bytes: Vec<u8>,
    kept: Vec<BTreeMap<PathBuf, Vec<u8>>>,
}

impl Six {
    async fn new(bytes: Vec<u8>) -> Self {
        let folders: Vec<_> = (0..6).map(|_| TempDir::new().unwrap()).collect();
        let stores = Stores::spread(objects(&folders), Code::new(4, 2).unwrap()).unwrap();
        let sealed = seal(&stores, &bytes).await;
        let kept = folders.iter().map(|folder| files(folder.path())).collect();
        Self {
            folders,
            stores,
            sealed,
            bytes,
            kept,
        }
    }

    /// Deletes all that a store has.
    fn empty(&self, store: usize) {
        for (path, _) in files(self.folders[store].path()) {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The file of a piece.
    fn piece(&self, shard: usize, store: usize) -> PathBuf {
        let manifest = chartseal::seal::Manifest::parse(&self.sealed.manifest).unwrap();
        let Some(Place::Spread(_, pieces)) = manifest.placing().of(shard) else {
            panic!("not in pieces");
        };
        path(self.folders[store].path(), pieces[store].item())
    }

    fn is_as_stored(&self) -> bool {
        let now = self.folders.iter().map(|folder| files(folder.path()));
        now.eq(self.kept.iter().cloned())
    }
}

fn objects(folders: &[TempDir]) -> Vec<Objects> {
    folders.iter().map(|folder| Objects::folder(folder).unwrap()).collect()
}

/// All files under a folder, and what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

fn path(folder: &Path, id: ItemId) -> PathBuf {
    let name = id.to_string();
    folder.join(&name[..2]).join(name)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn fault(part: Part, store: usize, state: State) -> Fault {
    Fault { part, store, state }
}

#[tokio::test]
async fn any_two_of_six_stores_may_lose_everything_and_repair_gives_it_back() {
    let six = Six::new(file()).await;
    assert!(look(&six.stores, &six.sealed).await.is_whole());
    for (one, other) in (0..6).flat_map(|one| (one + 1..6).map(move |other| (one, other))) {
        six.empty(one);
        six.empty(other);
        let opened = open(&six.stores, &six.sealed, None).await.unwrap();
        assert!(opened == six.bytes, "without {one} and {other}");
        let range = 1_000_000..3_000_000;
        let part = open(&six.stores, &six.sealed, Some(range.start as u64..range.end as u64)).await;
        assert!(part.unwrap() == six.bytes[range], "a range without {one} and {other}");
        verify_stream(&six.sealed.manifest, &six.sealed.on_chain, &six.stores, &silent)
            .await
            .unwrap();

        let found = look(&six.stores, &six.sealed).await;
        let missing = [Part::Manifest, Part::Shard(0), Part::Shard(1)];
        let faults = missing
            .iter()
            .flat_map(|part| [one, other].map(|store| fault(*part, store, State::Missing)));
        assert_eq!(found.faults, faults.collect::<Vec<_>>());
        assert!(found.is_readable() && !found.is_whole());

        let repaired = mend(&six.stores, &six.sealed).await;
        assert_eq!((repaired.restored, repaired.refused.len()), (6, 0));
        assert_eq!(repaired.before, found);
        assert!(repaired.after.is_whole());
        assert!(six.is_as_stored(), "after the loss of {one} and {other}");
    }
}

#[tokio::test]
async fn a_damaged_piece_is_found_by_its_hash_read_around_and_repaired() {
    let six = Six::new(file()).await;
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("a bit", |bytes| bytes[HEADER_LEN + 12_345] ^= 1),
        ("the last byte", |bytes| *bytes.last_mut().unwrap() ^= 0x80),
        ("the signature", |bytes| bytes[10] ^= 1),
        ("cut short", |bytes| bytes.truncate(5000)),
        ("made longer", |bytes| bytes.push(0)),
        ("emptied", Vec::clear),
    ];
    for (store, (what, damage)) in damages.into_iter().enumerate() {
        change(&six.piece(0, store), damage);
        let found = look(&six.stores, &six.sealed).await;
        assert_eq!(found.faults, [fault(Part::Shard(0), store, State::Damaged)], "{what}");
        assert!(found.is_readable(), "{what}");
        assert!(
            open(&six.stores, &six.sealed, None).await.unwrap() == six.bytes,
            "{what}"
        );
        let part = open(&six.stores, &six.sealed, Some(0..70_000)).await.unwrap();
        assert!(part == six.bytes[..70_000], "{what}");

        let repaired = mend(&six.stores, &six.sealed).await;
        assert_eq!(repaired.restored, 1, "{what}");
        assert!(repaired.after.is_whole() && six.is_as_stored(), "{what}");
    }
}

#[tokio::test]
async fn with_three_of_six_lost_the_error_names_what_is_missing_and_nothing_is_made_up() {
    let six = Six::new(file()).await;
    for store in [1, 2, 5] {
        std::fs::remove_file(six.piece(1, store)).unwrap();
    }
    let error = open(&six.stores, &six.sealed, None).await.unwrap_err();
    assert!(!error.is_tampered());
    let text = error.to_string();
    assert!(text.contains("3 of the 4") && text.contains("shard 1"), "{text}");
    // What does not need it can be read all the same.
    let part = open(&six.stores, &six.sealed, Some(0..1000)).await.unwrap();
    assert_eq!(part, six.bytes[..1000]);

    let found = look(&six.stores, &six.sealed).await;
    assert!(!found.is_readable());
    let [lost] = found.lost.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (lost.part, lost.good, lost.needed, lost.unreachable),
        (Part::Shard(1), 3, 4, 0)
    );
    let repaired = mend(&six.stores, &six.sealed).await;
    assert_eq!((repaired.restored, repaired.after), (0, found));

    // One of them comes back from somewhere: that is enough.
    let piece = six.piece(1, 2);
    std::fs::write(&piece, &six.kept[2][&piece]).unwrap();
    assert_eq!(mend(&six.stores, &six.sealed).await.restored, 2);
    assert!(six.is_as_stored());
}

#[tokio::test]
async fn a_record_without_any_manifest_is_lost() {
    let six = Six::new(noise(100, 1)).await;
    for folder in &six.folders {
        std::fs::remove_file(path(folder.path(), ItemId(six.sealed.locator))).unwrap();
    }
    let found = look(&six.stores, &six.sealed).await;
    let [lost] = found.lost.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (lost.part, lost.good, lost.needed, found.parts),
        (Part::Manifest, 0, 1, 1)
    );
    assert_eq!(mend(&six.stores, &six.sealed).await.restored, 0);
}

#[tokio::test]
async fn of_whole_copies_one_is_enough() {
    let folders: Vec<_> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let stores = Stores::copies(objects(&folders)).unwrap();
    let bytes = file();
    let sealed = seal(&stores, &bytes).await;
    let kept: Vec<_> = folders
        .iter()
        .map(|folder| files(folder.path()).into_values().collect::<Vec<_>>())
        .collect();
    assert!(kept[0] == kept[1] && kept[1] == kept[2] && kept[0].len() == 3);
    for left in 0..3 {
        for folder in (0..3).filter(|folder| *folder != left) {
            for path in files(folders[folder].path()).into_keys() {
                std::fs::remove_file(path).unwrap();
            }
        }
        assert!(open(&stores, &sealed, None).await.unwrap() == bytes);
        assert_eq!(mend(&stores, &sealed).await.restored, 6);
        for folder in &folders {
            assert!(files(folder.path()).into_values().eq(kept[0].iter().cloned()));
        }
    }
}

#[tokio::test]
async fn what_was_kept_at_one_store_is_copied_to_others_that_are_named_with_it() {
    let folders: Vec<_> = (0..2).map(|_| TempDir::new().unwrap()).collect();
    let bytes = file();
    let first = Stores::one(Objects::folder(&folders[0]).unwrap());
    let sealed = seal(&first, &bytes).await;
    let both = Stores::copies(objects(&folders)).unwrap();
    assert_eq!(mend(&both, &sealed).await.restored, 3);
    let second = Stores::one(Objects::folder(&folders[1]).unwrap());
    assert!(open(&second, &sealed, None).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_gateway_may_be_one_of_them() {
    let folders: Vec<_> = (0..5).map(|_| TempDir::new().unwrap()).collect();
    let members = |gateway: &TestGateway| {
        let folders = objects(&folders).into_iter().map(Backend::from);
        folders.chain([gateway.client().into()]).collect::<Vec<_>>()
    };
    let (gateway, code) = (TestGateway::honest().await, Code::new(4, 2).unwrap());
    let stores = Stores::spread(members(&gateway), code).unwrap();
    let bytes = file();
    let sealed = seal(&stores, &bytes).await;
    for store in [0, 3] {
        for path in files(folders[store].path()).into_keys() {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(open(&stores, &sealed, None).await.unwrap() == bytes);
    assert_eq!(mend(&stores, &sealed).await.restored, 6);

    // The gateway is given up for another one, which checks what it takes.
    let another = TestGateway::honest().await;
    let stores = Stores::spread(members(&another), code).unwrap();
    let repaired = mend(&stores, &sealed).await;
    assert_eq!(repaired.restored, 3);
    assert!(repaired.after.is_whole());
    assert!(open(&stores, &sealed, None).await.unwrap() == bytes);
}

#[tokio::test]
async fn only_its_author_signs_a_manifest_whose_signature_no_store_tells() {
    let (gateway, another) = (TestGateway::honest().await, TestGateway::honest().await);
    let key = StorageKey::generate().unwrap();
    let bytes = noise(1000, 1);
    let first = Stores::one(gateway.client());
    let sealed = seal_stream(Input::stream(&bytes[..]), IDS, &plain_options(), &key, &first, &silent)
        .await
        .unwrap();
    let both = Stores::copies(vec![gateway.client(), another.client()]).unwrap();
    let stranger = StorageKey::generate().unwrap();
    for signer in [None, Some(&stranger)] {
        let repaired = repair(sealed.locator, &sealed.on_chain, &both, signer, &silent)
            .await
            .unwrap();
        let missing = [fault(Part::Manifest, 1, State::Missing)];
        assert_eq!(
            repaired.after.faults, missing,
            "the shard was copied, the manifest cannot be"
        );
    }
    let repaired = repair(sealed.locator, &sealed.on_chain, &both, Some(&key), &silent)
        .await
        .unwrap();
    assert!(repaired.after.is_whole());
    assert!(open(&Stores::one(another.client()), &sealed, None).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_store_that_is_gone_is_out_of_reach_and_is_repaired_when_it_is_back() {
    let six = Six::new(file()).await;
    let gone = six.folders[4].path().to_path_buf();
    let aside = six.folders[0].path().join("aside");
    std::fs::rename(&gone, &aside).unwrap();
    std::fs::remove_file(six.piece(0, 1)).unwrap();
    let found = look(&six.stores, &six.sealed).await;
    assert_eq!(found.count(4, |state| matches!(state, State::Unreachable(_))), 3);
    assert_eq!(found.count(1, |state| *state == State::Missing), 1);
    assert!(found.is_readable());
    let repaired = mend(&six.stores, &six.sealed).await;
    assert_eq!(repaired.restored, 1);
    assert!(!repaired.after.is_whole() && !gone.exists());

    std::fs::create_dir(&gone).unwrap();
    assert_eq!(mend(&six.stores, &six.sealed).await.restored, 3);
    std::fs::remove_dir_all(aside).unwrap();
    assert!(six.is_as_stored());
}

#[tokio::test]
async fn another_number_of_stores_is_an_error_that_says_so() {
    let six = Six::new(noise(1000, 1)).await;
    let five = Stores::copies(objects(&six.folders[..5])).unwrap();
    let error = health(six.sealed.locator, &six.sealed.on_chain, &five, &silent)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("to spread 4+2 takes 6 stores") && text.contains("and 5 are named"),
        "{text}"
    );
}

#[tokio::test]
async fn stores_in_another_order_give_the_record_and_are_not_paid_for_it_again() {
    let six = Six::new(file()).await;
    let mut members = objects(&six.folders);
    members.rotate_left(1);
    let stores = Stores::spread(members, Code::new(4, 2).unwrap()).unwrap();
    assert!(open(&stores, &six.sealed, None).await.unwrap() == six.bytes);
    let part = open(&stores, &six.sealed, Some(500_000..600_000)).await.unwrap();
    assert!(part == six.bytes[500_000..600_000]);

    let found = look(&stores, &six.sealed).await;
    assert!(found.is_readable());
    assert_eq!(
        found.count(0, |state| *state == State::Missing),
        2,
        "of its own it has none"
    );
    let repaired = mend(&stores, &six.sealed).await;
    assert_eq!((repaired.restored, repaired.refused.len()), (0, 6));
    assert!(repaired.refused[&0].contains("the order in which"));
    assert!(six.is_as_stored());
}

#[tokio::test]
async fn any_four_of_the_six_stores_named_alone_give_the_record() {
    let six = Six::new(file()).await;
    for named in [[0, 1, 2, 3], [2, 3, 4, 5], [5, 0, 3, 1]] {
        let members = named.map(|store| Objects::folder(&six.folders[store]).unwrap());
        let stores = Stores::copies(members.into()).unwrap();
        assert!(
            open(&stores, &six.sealed, None).await.unwrap() == six.bytes,
            "{named:?}"
        );
        let part = open(&stores, &six.sealed, Some(3_000_000..3_100_000)).await.unwrap();
        assert!(part == six.bytes[3_000_000..3_100_000], "a range, {named:?}");
        verify_stream(&six.sealed.manifest, &six.sealed.on_chain, &stores, &silent)
            .await
            .unwrap();
    }
    let three = Stores::copies(objects(&six.folders[1..4])).unwrap();
    let error = open(&three, &six.sealed, None).await.unwrap_err();
    assert!(
        error.is_lost() && error.to_string().contains("3 of the 4"),
        "three are too few: {error}"
    );
}

/// What a store does instead of what it should.
#[derive(Clone, Copy, Debug)]
enum Habit {
    Honest,
    /// Never answers a question.
    Hangs,
    /// Gives other bytes of the right length.
    Lies,
    /// Gives less than it was asked for.
    Cuts,
    /// Has nothing, and says that it stored what it is given.
    Forgets,
    /// Fails whatever it is asked.
    Fails,
}

struct Odd {
    store: Objects,
    habit: Habit,
}

impl BlobStore for Odd {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        match self.habit {
            Habit::Forgets => Ok(()),
            _ => self.store.put(item).await,
        }
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = self.store.get(id, range, limit).await;
        match (self.habit, &mut bytes) {
            (Habit::Hangs, _) => std::future::pending().await,
            (Habit::Lies, Ok(bytes)) => bytes.reverse(),
            (Habit::Cuts, Ok(bytes)) => bytes.truncate(bytes.len() / 2),
            (Habit::Forgets, _) => return Err(StoreError::NotFound { id }),
            (Habit::Fails, _) => {
                return Err(StoreError::ServerError {
                    status: 500,
                    detail: "out of order".into(),
                });
            }
            _ => {}
        }
        bytes
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.store.has(id).await
    }
}

#[tokio::test]
async fn stores_that_hang_lie_cut_forget_or_fail_cost_time_never_data() {
    let six = Six::new(file()).await;
    let with = |habits: [Habit; 6]| {
        let members = objects(&six.folders).into_iter().zip(habits);
        let members = members.map(|(store, habit)| Odd { store, habit }).collect();
        Stores::spread(members, Code::new(4, 2).unwrap()).unwrap()
    };
    use Habit::{Cuts, Fails, Forgets, Hangs, Honest, Lies};
    let pairs = |one, other| {
        [
            with([one, other, Honest, Honest, Honest, Honest]),
            with([Honest, one, Honest, Honest, other, Honest]),
        ]
    };
    for (one, other) in [(Hangs, Hangs), (Lies, Cuts), (Forgets, Fails), (Hangs, Lies)] {
        for stores in pairs(one, other) {
            let opened = open(&stores, &six.sealed, None).await.unwrap();
            assert!(opened == six.bytes, "{one:?} and {other:?}");
        }
    }
    for (one, other) in [(Hangs, Hangs), (Lies, Cuts), (Forgets, Fails), (Hangs, Lies)] {
        for stores in pairs(one, other) {
            let part = open(&stores, &six.sealed, Some(500_000..600_000)).await.unwrap();
            assert!(part == six.bytes[500_000..600_000], "a range, {one:?} and {other:?}");
        }
    }
    // One more is too much, and is told as what it is.
    let error = open(&with([Lies, Lies, Honest, Lies, Honest, Honest]), &six.sealed, None)
        .await
        .unwrap_err();
    assert!(error.is_tampered(), "{error}");
}

#[tokio::test]
async fn a_store_that_says_it_stored_and_did_not_is_not_believed() {
    let six = Six::new(file()).await;
    let members = objects(&six.folders).into_iter().enumerate().map(|(at, store)| Odd {
        store,
        habit: if at == 2 { Habit::Forgets } else { Habit::Honest },
    });
    let stores = Stores::spread(members.collect(), Code::new(4, 2).unwrap()).unwrap();
    let repaired = mend(&stores, &six.sealed).await;
    assert_eq!(repaired.restored, 0);
    assert_eq!(repaired.after, repaired.before);
    assert!(repaired.refused[&2].contains("does not give it back"));
}

#[tokio::test]
async fn a_store_that_does_not_say_what_it_has_is_not_paid_for_it_again() {
    let six = Six::new(file()).await;
    for store in [2, 4] {
        std::fs::remove_file(six.piece(0, store)).unwrap();
    }
    let members = objects(&six.folders).into_iter().enumerate().map(|(at, store)| Odd {
        store,
        habit: if at == 2 { Habit::Fails } else { Habit::Honest },
    });
    let stores = Stores::spread(members.collect(), Code::new(4, 2).unwrap()).unwrap();
    let repaired = mend(&stores, &six.sealed).await;
    assert_eq!((repaired.restored, repaired.refused.len()), (1, 0));
    assert!(six.piece(0, 4).exists() && !six.piece(0, 2).exists());
}
