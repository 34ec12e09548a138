//! A study from the making of the key to what is published, as those who take part run it.
#![allow(clippy::unwrap_used)]

use chartseal_statistics::{
    budget::{Budget, BudgetError},
    collection::{Closed, Collection},
    committee::{Ceremony, CommitteeKey, Dealing, Dealt, Holder, MemberKey, Seat, Setup},
    contribution::{ClinicKey, Contribution, SealError},
    decryption::{Answered, DecryptionError, DecryptionShare, combine},
    noise::Noise,
    publication::{Entry, Publication},
    statistics::Statistics,
    study::{Study, Summary},
};

const CLINICS: usize = 100;

/// A key of five members, any three of whom use it.
fn committee() -> (Ceremony, CommitteeKey, Vec<MemberKey>) {
    let seats: Vec<Seat> = (0..5).map(|_| Seat::new().unwrap()).collect();
    let setup = Setup {
        committee: [1; 16],
        epoch: 1,
        threshold: 3,
        members: seats.iter().map(Seat::public).collect(),
    };
    let dealings: Vec<_> = (1..=5).map(|member| Dealing::new(&setup, member).unwrap()).collect();
    let promises: Vec<_> = dealings.iter().map(Dealing::promise).collect();
    let revealed = dealings.iter().map(|dealing| dealing.reveal(&promises).unwrap());
    let (reveals, sealed): (Vec<_>, Vec<_>) = revealed.unzip();
    let dealt = Dealt::check(&setup, &promises, &reveals).unwrap();
    let receive = |(seat, member): (&Seat, u8)| {
        let sent: Vec<_> = sealed
            .iter()
            .map(|shares| shares[usize::from(member) - 1].clone())
            .collect();
        Holder::receive(&dealt, seat, member, &sent).unwrap()
    };
    let holders: Vec<_> = seats.iter().zip(1..).map(receive).collect();
    let products: Vec<_> = holders.iter().map(|holder| holder.product(&dealt).unwrap()).collect();
    let opened = dealt.open(&products).unwrap();
    let key_shares: Vec<_> = holders
        .iter()
        .map(|holder| holder.key_share(&opened).unwrap())
        .collect();
    let key = opened.finish(&key_shares).unwrap();
    let members = holders.into_iter().map(|holder| holder.finish(&key).unwrap()).collect();
    let ceremony = Ceremony {
        setup,
        promises,
        reveals,
        products,
        key_shares,
    };
    (ceremony, key, members)
}

fn study(key: &CommitteeKey, noise: Option<Noise>) -> Study {
    Study {
        id: [2; 16],
        epoch: 1,
        bounds: vec![0, 40, 60, 80, 100, 120, 140, 160, 200, 1000],
        minimum: 3,
        committee: key.id(),
        key: key.public,
        noise,
    }
}

/// On as many threads as the machine has.
fn in_parallel<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let chunks = items.chunks(items.len().div_ceil(threads));
        let spawned: Vec<_> = chunks
            .map(|chunk| scope.spawn(|| chunk.iter().map(&make).collect::<Vec<_>>()))
            .collect();
        spawned.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn entry(study: &Study, contribution: Contribution) -> Entry {
    let mut salt = [0; 32];
    fastrand::fill(&mut salt);
    Entry {
        promise: contribution.promise(study, &salt),
        salt,
        contribution,
    }
}

fn close(study: &Study, entries: &[Entry]) -> Closed {
    let mut collection = Collection::new(study.clone()).unwrap();
    for entry in entries {
        collection.promise(entry.contribution.clinic, entry.promise).unwrap();
    }
    collection.begin_showing().unwrap();
    for entry in entries {
        collection.accept(&entry.salt, &entry.contribution).unwrap();
    }
    collection.close().unwrap()
}

fn shares(members: &[MemberKey], closed: &Closed) -> Vec<DecryptionShare> {
    members
        .iter()
        .map(|member| member.decrypt(closed, &mut Answered::default()).unwrap())
        .collect()
}

/// What a hospital's laboratory would measure: mostly around 100, now and then far off, and the greatest there can be.
fn observations(random: &mut fastrand::Rng, clinic: usize) -> Vec<u16> {
    let count = if clinic == 0 { 0 } else { random.usize(1..2000) };
    let one = |random: &mut fastrand::Rng| match random.u8(..100) {
        0 => u16::MAX,
        1 => random.u16(..),
        _ => (0..8).map(|_| random.u16(..26)).sum(),
    };
    (0..count).map(|_| one(random)).collect()
}

#[test]
fn a_hundred_clinics_publish_what_the_clear_numbers_give() {
    let (ceremony, key, members) = committee();
    let study = study(&key, None);
    let mut random = fastrand::Rng::with_seed(7);
    let all: Vec<_> = (0..CLINICS)
        .map(|clinic| (clinic, observations(&mut random, clinic)))
        .collect();
    let entries = in_parallel(&all, |(clinic, observations)| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&clinic.to_le_bytes());
        let summary = Summary::of(&study, observations).unwrap();
        let sealed = Contribution::seal(&study, id, &ClinicKey::new().unwrap(), &summary);
        entry(&study, sealed.unwrap())
    });
    let closed = close(&study, &entries);
    let shares = shares(&members, &closed);
    let too_few = combine(&closed, &key, &shares[..2]);
    assert_eq!(too_few, Err(DecryptionError::TooFew { have: 2, need: 3 }));
    // One of the five gives a wrong share, is named, and three of the others finish.
    let mut wrong = shares.clone();
    wrong[1].points[0] = wrong[1].points[1];
    let named = combine(&closed, &key, &wrong);
    assert_eq!(named, Err(DecryptionError::Share { member: 2 }));
    let good = [&wrong[..1], &wrong[3..]].concat();
    let (publication, statistics) = Publication::new(ceremony, entries, &closed, good).unwrap();

    let clear: Vec<i128> = all.iter().flat_map(|(_, one)| one).map(|x| i128::from(*x)).collect();
    let count = clear.len() as i128;
    let sum: i128 = clear.iter().sum();
    assert_eq!(statistics.contributors, 100);
    assert_eq!((i128::from(statistics.count), i128::from(statistics.sum)), (count, sum));
    assert_eq!(statistics.squares, clear.iter().map(|x| x * x).sum::<i128>());
    let mut bins = vec![0; study.bounds.len()];
    for (_, observations) in &all {
        for observation in observations {
            bins[study.bounds.iter().rposition(|bound| bound <= observation).unwrap()] += 1;
        }
    }
    assert_eq!(statistics.bins, bins);
    let mean = sum as f64 / count as f64;
    assert!((statistics.mean().unwrap().to_f64() - mean).abs() < 1e-9);
    // The variance from its definition, not from the formula that the sums are for.
    let variance = clear.iter().map(|x| (*x as f64 - mean).powi(2)).sum::<f64>() / count as f64;
    assert!((statistics.variance().unwrap().to_f64() / variance - 1.0).abs() < 1e-9);
    assert!(statistics.is_possible(&study));

    let bytes = publication.to_bytes().unwrap();
    let read = Publication::from_bytes(&bytes).unwrap();
    assert_eq!(read.verify().unwrap(), statistics);
}

#[test]
fn noise_is_paid_for_and_averages_out_over_clinics() {
    let (_, key, members) = committee();
    let noise = Noise {
        bins: 1000,
        sum: 1000,
        squares: 1000,
    };
    let study = study(&key, Some(noise));
    let folder = tempfile::tempdir().unwrap();
    let path = |clinic: &u8| folder.path().join(clinic.to_string());
    let clinics: Vec<u8> = (0..20).collect();
    let summary = Summary::of(&study, &[50; 100]).unwrap();
    let entries = in_parallel(&clinics, |clinic| {
        let mut budget = Budget::create(&path(clinic), 3000).unwrap();
        let own = ClinicKey::new().unwrap();
        let sealed = Contribution::seal_with_noise(&study, [*clinic; 16], &own, &summary, &mut budget);
        entry(&study, sealed.unwrap())
    });
    let closed = close(&study, &entries);
    let numbers = combine(&closed, &key, &shares(&members, &closed)).unwrap();
    let statistics = Statistics::of(&study, closed.contributors(), &numbers).unwrap();
    // A discrete Laplace of scale t has a variance below 2 t^2; twelve deviations of twenty of them.
    let off = |scale: f64| 12.0 * (20.0 * 2.0f64).sqrt() * scale;
    for (bin, expected) in statistics.bins.iter().zip([0, 2000, 0, 0, 0, 0, 0, 0, 0, 0]) {
        assert!(
            ((bin - expected) as f64).abs() < off(1.0),
            "{bin} is far from {expected}"
        );
    }
    assert!((statistics.sum as f64 - 100_000.0).abs() < off(65_535.0));
    assert!((statistics.squares as f64 - 5_000_000.0).abs() < off(65_535.0 * 65_535.0));
    let exact = statistics.sum == 100_000 && statistics.squares == 5_000_000;
    assert!(!exact, "there is no noise");

    // The budget is spent: neither with it nor without it is there a second contribution.
    let mut budget = Budget::open(&path(&0)).unwrap();
    let own = ClinicKey::new().unwrap();
    let again = Contribution::seal_with_noise(&study, [0; 16], &own, &summary, &mut budget);
    let spent = BudgetError::Spent {
        cost: 3000,
        remaining: 0,
    };
    assert!(matches!(again, Err(SealError::Budget(error)) if error.to_string() == spent.to_string()));
    let without = Contribution::seal(&study, [0; 16], &own, &summary);
    assert!(matches!(without, Err(SealError::NeedsBudget)));
}
