use super::*;
use crate::{
    committee::tests::made,
    group::{G, Number},
    noise::Noise,
    study::tests::study,
};

pub(crate) const CLINIC: [u8; 16] = [9; 16];

fn sealed() -> (Study, Contribution, Summary, ClinicKey) {
    let study = study(&made(2, 3).key);
    let summary = Summary::of(&study, &[3, 70, 65_535, 50, 999]).unwrap();
    let own = ClinicKey::new().unwrap();
    let contribution = Contribution::seal(&study, CLINIC, &own, &summary).unwrap();
    contribution.verify(&study).unwrap();
    (study, contribution, summary, own)
}

/// What a clinic can make of these limbs if it does not keep to the rules.
fn cheat(study: &Study, limbs: &[u64]) -> Result<(), ContributionError> {
    let own = ClinicKey::new().unwrap();
    Contribution::seal_limbs(study, CLINIC, &own, limbs)
        .unwrap()
        .verify(study)
}

#[test]
fn a_clinic_opens_what_it_gave_and_nobody_else_does() {
    let (study, contribution, summary, own) = sealed();
    let kept = ClinicKey::from_bytes(&own.to_bytes());
    assert_eq!(kept.open(&study, &contribution), Some(summary));
    assert_eq!(ClinicKey::new().unwrap().open(&study, &contribution), None);
    assert!(format!("{own:?} {:?}", own.open(&study, &contribution)).len() < 50);
}

#[test]
fn the_greatest_contribution_is_of_the_documented_size_and_its_proofs_of_the_chains() {
    let mut study = study(&made(2, 3).key);
    study.bounds = (0..10).collect();
    let summary = Summary::of(&study, &[65_535; 65_535]).unwrap();
    let contribution = Contribution::seal(&study, CLINIC, &ClinicKey::new().unwrap(), &summary).unwrap();
    contribution.verify(&study).unwrap();
    assert_eq!(borsh::to_vec(&contribution).unwrap().len(), 5_724);
    let validity = contribution.validity(&study, 7).unwrap();
    assert_eq!(bytemuck::bytes_of(&validity).len(), 416);
    let range = contribution.range(3).unwrap();
    assert_eq!(bytemuck::bytes_of(&range).len(), 936);
    assert!(contribution.validity(&study, 8).is_none() && contribution.range(4).is_none());
}

#[test]
fn a_number_out_of_range_is_refused_wherever_it_stands() {
    let (study, ..) = sealed();
    for (place, number) in [(0, 1 << 16), (1, 1 << 16), (5, u64::MAX), (9, 1 << 32)] {
        let mut limbs = [0; 10];
        limbs[place] = number;
        let group = place / 4;
        assert_eq!(cheat(&study, &limbs), Err(ContributionError::Range { group }));
    }
    let mut limbs = [0; 10];
    limbs[1] = (1 << 16) - 1;
    cheat(&study, &limbs).unwrap();
}

#[test]
fn bins_that_do_not_sum_to_the_count_are_refused() {
    let (study, ..) = sealed();
    cheat(&study, &[10, 0, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    for limbs in [
        [10, 0, 0, 0, 0, 0, 1, 2, 3, 3],
        [9, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        [0, 0, 0, 0, 0, 0, 65_535, 1, 0, 0],
        // What is missing stands where nobody counts it.
        [10, 1, 0, 0, 0, 0, 1, 2, 3, 3],
    ] {
        assert_eq!(cheat(&study, &limbs), Err(ContributionError::Balance));
    }
    let padded = [10, 0, 0, 0, 0, 0, 1, 2, 3, 3, 1];
    assert_eq!(cheat(&study, &padded), Err(ContributionError::Balance));
}

#[test]
fn a_contribution_copied_to_another_clinic_or_occasion_is_refused() {
    let (study, contribution, ..) = sealed();
    let mut copied = contribution.clone();
    copied.clinic[0] ^= 1;
    assert_eq!(copied.verify(&study), Err(ContributionError::Openings));
    let noise = Noise {
        bins: 1000,
        sum: 1000,
        squares: 1000,
    };
    let changes: [&dyn Fn(&mut Study); 6] = [
        &|study| study.id[15] ^= 1,
        &|study| study.epoch += 1,
        &|study| study.bounds[1] += 1,
        &|study| study.minimum += 1,
        &|study| study.committee[0] ^= 1,
        &|study| study.noise = Some(noise),
    ];
    for change in changes {
        let mut other = study.clone();
        change(&mut other);
        assert_eq!(contribution.verify(&other), Err(ContributionError::Openings));
        assert_ne!(contribution.digest(&other), contribution.digest(&study));
        assert_ne!(
            contribution.promise(&other, &[0; 32]),
            contribution.promise(&study, &[0; 32])
        );
    }
    let other_key = Study {
        key: Point::of(&G),
        ..study.clone()
    };
    let refused = Err(ContributionError::Validity { pair: 0 });
    assert_eq!(contribution.verify(&other_key), refused);
    let fewer_bins = Study {
        bounds: vec![0],
        ..study
    };
    assert_eq!(contribution.verify(&fewer_bins), Err(ContributionError::Form));
}

/// The zero-knowledge proofs of the chain say nothing of who made them: of a copy only the proof of opening is in the way.
/// It cannot be made anew, blinded or not, by someone who does not know the numbers.
#[test]
fn a_copy_that_is_blinded_anew_is_refused() {
    let (study, contribution, ..) = sealed();
    let mut copied = contribution;
    copied.clinic[0] ^= 1;
    let blinding = Scalar::from(5u8);
    let add = |point: &mut Point, more: RistrettoPoint| *point = Point::of(&(point.open().unwrap() + more));
    let own_key = copied.own_key.open().unwrap();
    for ciphertext in &mut copied.ciphertexts {
        add(&mut ciphertext.commitment, blinding * h());
        add(&mut ciphertext.handle, blinding * study.key.open().unwrap());
        add(&mut ciphertext.own_handle, blinding * own_key);
    }
    let zero = [(Scalar::ZERO, blinding); 12];
    copied.openings = Openings::prove(&mut copied.transcript(&study, "openings"), &zero).unwrap();
    let commitments: Vec<_> = copied
        .ciphertexts
        .iter()
        .map(|one| one.commitment.open().unwrap())
        .collect();
    let proved = copied
        .openings
        .verify(&mut copied.transcript(&study, "openings"), &commitments);
    assert!(proved.is_err());
    assert!(copied.verify(&study).is_err());
}

#[test]
fn a_malformed_contribution_is_refused() {
    let (study, contribution, ..) = sealed();
    let of = |change: &dyn Fn(&mut Contribution)| {
        let mut changed = contribution.clone();
        change(&mut changed);
        changed.verify(&study).unwrap_err()
    };
    assert_eq!(of(&|it| it.ciphertexts.truncate(11)), ContributionError::Form);
    assert_eq!(of(&|it| it.ciphertexts.clear()), ContributionError::Form);
    assert_eq!(
        of(&|it| it.ciphertexts.push(it.ciphertexts[0])),
        ContributionError::Form
    );
    assert_eq!(of(&|it| it.validity.truncate(5)), ContributionError::Form);
    assert_eq!(of(&|it| it.ranges.push(it.ranges[0])), ContributionError::Form);
    let (none, zero) = (EncodingError::NotAPoint, EncodingError::Identity);
    assert_eq!(of(&|it| it.own_key = Point([255; 32])), ContributionError::OwnKey(none));
    assert_eq!(of(&|it| it.own_key = Point([0; 32])), ContributionError::OwnKey(zero));
    type Part = fn(&mut Ciphertext) -> &mut Point;
    let parts: [Part; 3] = [|it| &mut it.commitment, |it| &mut it.handle, |it| &mut it.own_handle];
    for part in parts {
        for (bytes, error) in [([255; 32], none), ([0; 32], zero)] {
            let changed = of(&|it| *part(&mut it.ciphertexts[11]) = Point(bytes));
            assert_eq!(changed, ContributionError::Ciphertext { place: 11, error });
        }
    }
    assert!(matches!(
        of(&|it| it.ciphertexts.swap(0, 1)),
        ContributionError::Validity { .. }
    ));
    assert!(matches!(
        of(&|it| it.validity.swap(0, 1)),
        ContributionError::Validity { pair: 0 }
    ));
    assert!(matches!(
        of(&|it| it.ranges.swap(1, 2)),
        ContributionError::Range { group: 1 }
    ));
    assert_eq!(
        of(&|it| it.openings.value_response = Number([255; 32])),
        ContributionError::Openings
    );
    assert_eq!(of(&|it| it.balance.commitment = it.own_key), ContributionError::Balance);
    // Two bins change places, with all proofs that are of them.
    let two_pairs = of(&|it| {
        it.ciphertexts.swap(8, 10);
        it.ciphertexts.swap(9, 11);
        it.validity.swap(4, 5);
    });
    assert_eq!(two_pairs, ContributionError::Range { group: 2 });
    let other = Summary {
        count: 0,
        sum: 0,
        squares: 0,
        bins: vec![0; 3],
    };
    let refused = Contribution::seal(&study, CLINIC, &ClinicKey::new().unwrap(), &other);
    assert!(matches!(refused, Err(SealError::Bins { expected: 4, got: 3 })));
}

/// Every fifth byte: each field of 32 bytes is hit six times, and no two neighbouring ones at the same places.
#[test]
fn no_field_of_a_contribution_can_be_changed() {
    let (mut study, ..) = sealed();
    study.bounds = vec![0, 50];
    let summary = Summary::of(&study, &[3, 70]).unwrap();
    let contribution = Contribution::seal(&study, CLINIC, &ClinicKey::new().unwrap(), &summary).unwrap();
    let bytes = borsh::to_vec(&contribution).unwrap();
    for place in (0..bytes.len()).step_by(5) {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let changed = borsh::from_slice::<Contribution>(&changed);
        let Ok(changed) = changed else { continue };
        assert!(changed.verify(&study).is_err(), "byte {place}");
        assert_ne!(changed.digest(&study), contribution.digest(&study));
    }
}
