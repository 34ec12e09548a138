use super::*;
use crate::{
    committee::{CommitteeKey, tests::made},
    contribution::ClinicKey,
    study::{Summary, tests::study},
};

/// A clinic with its contribution, and what it promises it with.
pub(crate) struct Clinic {
    pub(crate) salt: [u8; 32],
    pub(crate) promise: [u8; 32],
    pub(crate) contribution: Contribution,
}

pub(crate) fn clinic(study: &Study, id: u8, observations: &[u16]) -> Clinic {
    let summary = Summary::of(study, observations).unwrap();
    let contribution = Contribution::seal(study, [id; 16], &ClinicKey::new().unwrap(), &summary).unwrap();
    let salt = [id; 32];
    Clinic {
        promise: contribution.promise(study, &salt),
        salt,
        contribution,
    }
}

/// Clinics 1 to 3 with one observation each, their own number, and a collection that they all have promised to.
pub(crate) fn three(key: &CommitteeKey) -> (Collection, Vec<Clinic>) {
    let study = study(key);
    let clinics: Vec<_> = (1..=3u8).map(|id| clinic(&study, id, &[u16::from(id)])).collect();
    let mut collection = Collection::new(study).unwrap();
    for clinic in &clinics {
        collection.promise(clinic.contribution.clinic, clinic.promise).unwrap();
    }
    (collection, clinics)
}

#[test]
fn contributions_are_taken_in_their_time_and_once() {
    let key = made(2, 3).key;
    let (mut collection, clinics) = three(&key);
    let one = &clinics[0];
    assert_eq!(
        collection.promise([1; 16], one.promise),
        Err(CollectionError::DoublePromise)
    );
    assert_eq!(
        collection.accept(&one.salt, &one.contribution),
        Err(CollectionError::Early)
    );
    assert_eq!(collection.close().unwrap_err(), CollectionError::Early);
    let late = clinic(collection.study(), 4, &[4]);
    collection.begin_showing().unwrap();
    assert_eq!(
        collection.promise([4; 16], late.promise),
        Err(CollectionError::LatePromise)
    );
    assert_eq!(
        collection.accept(&late.salt, &late.contribution),
        Err(CollectionError::NotPromised)
    );
    for clinic in &clinics[..2] {
        collection.accept(&clinic.salt, &clinic.contribution).unwrap();
    }
    let totals = collection.totals();
    assert_eq!(
        collection.accept(&one.salt, &one.contribution),
        Err(CollectionError::Double)
    );
    assert_eq!(
        collection.close().unwrap_err(),
        CollectionError::TooFew { have: 2, need: 3 }
    );
    assert_eq!((collection.phase(), collection.totals()), (Phase::Showing, totals));
    let last = &clinics[2];
    collection.accept(&last.salt, &last.contribution).unwrap();
    let closed = collection.close().unwrap();
    assert_eq!(closed.contributors(), 3);
    assert_eq!(
        collection.accept(&late.salt, &late.contribution),
        Err(CollectionError::Late)
    );
    assert_eq!(
        collection.promise([4; 16], late.promise),
        Err(CollectionError::LatePromise)
    );
    assert_eq!(collection.begin_showing(), Err(CollectionError::Late));
    assert_eq!(collection.close().unwrap_err(), CollectionError::Late);
}

#[test]
fn too_few_promises_are_no_study() {
    let study = study(&made(2, 3).key);
    let mut collection = Collection::new(study).unwrap();
    collection.promise([1; 16], [0; 32]).unwrap();
    assert_eq!(
        collection.begin_showing(),
        Err(CollectionError::TooFew { have: 1, need: 3 })
    );
    assert_eq!(collection.phase(), Phase::Promising);
}

/// Whatever is refused leaves the total as it was.
#[test]
fn what_is_refused_changes_nothing() {
    let key = made(2, 3).key;
    let (mut collection, clinics) = three(&key);
    let other_study = Study {
        epoch: 3,
        ..collection.study().clone()
    };
    // Clinic 4 promises what clinic 1 made, under its own id and as it is, before clinic 1 shows it.
    let mut copied = clinics[0].contribution.clone();
    copied.clinic = [4; 16];
    collection
        .promise([4; 16], copied.promise(collection.study(), &[4; 32]))
        .unwrap();
    // Clinics 5 to 7 promise what is out of range, of another epoch, malformed.
    let mut out_of_range = clinic(collection.study(), 5, &[5]).contribution;
    out_of_range.ranges.swap(0, 1);
    collection
        .promise([5; 16], out_of_range.promise(collection.study(), &[5; 32]))
        .unwrap();
    let replayed = clinic(&other_study, 6, &[6]).contribution;
    collection
        .promise([6; 16], replayed.promise(collection.study(), &[6; 32]))
        .unwrap();
    let mut malformed = clinic(collection.study(), 7, &[7]).contribution;
    malformed.ciphertexts[3].handle = Point([255; 32]);
    collection
        .promise([7; 16], malformed.promise(collection.study(), &[7; 32]))
        .unwrap();
    collection.begin_showing().unwrap();
    collection.accept(&clinics[1].salt, &clinics[1].contribution).unwrap();
    let before = collection.totals();
    let mut refused = |salt: [u8; 32], contribution: &Contribution| {
        let error = collection.accept(&salt, contribution).unwrap_err();
        assert_eq!(collection.totals(), before);
        assert_eq!(collection.contributors().len(), 1);
        error
    };
    let of = |error| CollectionError::Contribution(error);
    assert_eq!(refused([4; 32], &copied), of(ContributionError::Openings));
    assert_eq!(
        refused([5; 32], &out_of_range),
        of(ContributionError::Range { group: 0 })
    );
    assert_eq!(refused([6; 32], &replayed), of(ContributionError::Openings));
    assert!(matches!(
        refused([7; 32], &malformed),
        CollectionError::Contribution(ContributionError::Ciphertext { place: 3, .. })
    ));
    // What was promised, with another salt; another contribution with the salt of the promise.
    assert_eq!(
        refused([0; 32], &clinics[0].contribution),
        CollectionError::OtherThanPromised
    );
    let other = clinic(&other_study, 1, &[100]);
    assert_eq!(
        refused([1; 32], &other.contribution),
        CollectionError::OtherThanPromised
    );
    assert_eq!(refused([2; 32], &clinics[1].contribution), CollectionError::Double);
}

#[test]
fn the_total_does_not_depend_on_the_order_and_its_hash_on_everything() {
    let key = made(2, 3).key;
    let (collection, clinics) = three(&key);
    let close = |order: [usize; 3]| {
        let mut collection = collection.clone();
        collection.begin_showing().unwrap();
        for place in order {
            collection
                .accept(&clinics[place].salt, &clinics[place].contribution)
                .unwrap();
        }
        (*collection.close().unwrap().hash(), collection.totals())
    };
    let (hash, totals) = close([0, 1, 2]);
    assert_eq!((hash, totals.clone()), close([2, 0, 1]));
    let study = collection.study();
    let of = |study: &Study, contributors, totals: &[Total]| Closed::new(study.clone(), contributors, totals);
    assert_eq!(of(study, 3, &totals).unwrap().hash(), &hash);
    assert_ne!(of(study, 4, &totals).unwrap().hash(), &hash);
    let other = Study {
        epoch: 9,
        ..study.clone()
    };
    assert_ne!(of(&other, 3, &totals).unwrap().hash(), &hash);
    let mut swapped = totals.clone();
    swapped.swap(0, 1);
    assert_ne!(of(study, 3, &swapped).unwrap().hash(), &hash);
    assert_eq!(
        of(study, 2, &totals).unwrap_err(),
        CollectionError::TooFew { have: 2, need: 3 }
    );
    assert_eq!(
        of(study, 65_536, &totals).unwrap_err(),
        CollectionError::TooMany(65_536)
    );
    assert_eq!(of(study, 3, &totals[1..]).unwrap_err(), CollectionError::Totals);
    let mut open = totals;
    open[2].handle = Point([0; 32]);
    assert_eq!(of(study, 3, &open).unwrap_err(), EncodingError::Identity.into());
}
