use super::*;
use crate::{
    collection::tests::three,
    committee::tests::{Made, made},
    contribution::ContributionError,
    decryption::Answered,
};

fn published(made: &Made) -> Publication {
    let (mut collection, clinics) = three(&made.key);
    collection.begin_showing().unwrap();
    for clinic in &clinics {
        collection.accept(&clinic.salt, &clinic.contribution).unwrap();
    }
    let closed = collection.close().unwrap();
    let shares = made.members[1..]
        .iter()
        .map(|member| member.decrypt(&closed, &mut Answered::default()).unwrap());
    let entries = clinics.into_iter().rev().map(|clinic| Entry {
        promise: clinic.promise,
        salt: clinic.salt,
        contribution: clinic.contribution,
    });
    let published = Publication::new(made.ceremony.clone(), entries.collect(), &closed, shares.collect());
    let (publication, statistics) = published.unwrap();
    assert_eq!((statistics.count, statistics.sum, statistics.squares), (3, 6, 14));
    assert_eq!(statistics.bins, [3, 0, 0, 0]);
    publication
}

#[test]
fn anybody_computes_what_was_published_from_the_file() {
    let publication = published(&made(2, 3));
    let bytes = publication.to_bytes().unwrap();
    let read = Publication::from_bytes(&bytes).unwrap();
    assert_eq!(read, publication);
    assert_eq!(read.verify().unwrap().contributors, 3);
    assert_eq!(Publication::from_bytes(&bytes[..21]), Err(Fault::NotAPublication));
    assert_eq!(Publication::from_bytes(&[]), Err(Fault::NotAPublication));
    assert!(matches!(Publication::from_bytes(&bytes[..100]), Err(Fault::Form(_))));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Publication::from_bytes(&longer), Err(Fault::Form(_))));
    let mut newer = bytes;
    newer[20] = 2;
    assert_eq!(Publication::from_bytes(&newer), Err(Fault::Version(2)));
}

/// Bytes that are far apart, and each at another place within its field; the proofs' own tests take all.
#[test]
fn no_byte_of_a_publication_can_be_changed() {
    let bytes = published(&made(2, 3)).to_bytes().unwrap();
    for place in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let statistics = Publication::from_bytes(&changed).and_then(|publication| publication.verify());
        assert!(statistics.is_err(), "byte {place}");
    }
}

#[test]
fn the_first_fault_is_named() {
    let made = made(2, 3);
    let publication = published(&made);
    let fault = |change: &dyn Fn(&mut Publication)| {
        let mut changed = publication.clone();
        change(&mut changed);
        changed.verify().unwrap_err()
    };
    let committee = CommitteeError::Promise { dealer: 2 };
    assert_eq!(
        fault(&|it| it.ceremony.reveals[1].salt[0] ^= 1),
        Fault::Committee(committee)
    );
    let other = crate::committee::tests::made(2, 3);
    assert_eq!(
        fault(&|it| it.ceremony = other.ceremony.clone()),
        Fault::Study(StudyError::OtherCommittee)
    );
    assert_eq!(fault(&|it| it.entries.swap(0, 1)), Fault::Order);
    assert_eq!(fault(&|it| it.entries.insert(0, it.entries[0].clone())), Fault::Order);
    let few = CollectionError::TooFew { have: 2, need: 3 };
    assert_eq!(fault(&|it| it.entries.truncate(2)), Fault::Closing(few));
    let clinic = [2; 16];
    let error = CollectionError::OtherThanPromised;
    assert_eq!(
        fault(&|it| it.entries[1].salt[0] ^= 1),
        Fault::Contribution { clinic, error }
    );
    let error = ContributionError::Balance.into();
    let balance = |it: &mut Publication| {
        let others = it.entries[0].contribution.balance;
        let entry = &mut it.entries[1];
        entry.contribution.balance = others;
        entry.promise = entry.contribution.promise(&it.study, &entry.salt);
    };
    assert_eq!(fault(&balance), Fault::Contribution { clinic, error });
    assert_eq!(fault(&|it| it.total[0] ^= 1), Fault::Total);
    // One contributor more than were opened: a good contribution of a fourth clinic.
    let fourth = crate::collection::tests::clinic(&publication.study, 4, &[4]);
    let entry = Entry {
        promise: fourth.promise,
        salt: fourth.salt,
        contribution: fourth.contribution,
    };
    assert_eq!(fault(&|it| it.entries.push(entry.clone())), Fault::Total);
    let few = DecryptionError::TooFew { have: 1, need: 2 };
    assert_eq!(fault(&|it| it.shares.truncate(1)), Fault::Opening(few));
    let wrong = DecryptionError::Share { member: 3 };
    assert_eq!(fault(&|it| it.shares[1].points.swap(0, 1)), Fault::Opening(wrong));
    let number = DecryptionError::NoNumber { place: 6 };
    assert_eq!(fault(&|it| it.numbers[6] += 1), Fault::Opening(number));
}
