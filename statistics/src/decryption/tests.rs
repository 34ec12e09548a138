use super::*;
use crate::{
    collection::tests::three,
    committee::tests::{Made, made},
    group::Number,
};

/// Clinics 1, 2 and 3 have observed 1, 2 and 3.
fn closed(key: &CommitteeKey) -> Closed {
    let (mut collection, clinics) = three(key);
    collection.begin_showing().unwrap();
    for clinic in &clinics {
        collection.accept(&clinic.salt, &clinic.contribution).unwrap();
    }
    collection.close().unwrap()
}

fn shares(made: &Made, closed: &Closed) -> Vec<DecryptionShare> {
    let share = |member: &MemberKey| member.decrypt(closed, &mut Answered::default()).unwrap();
    made.members.iter().map(share).collect()
}

fn pick(shares: &[DecryptionShare], places: &[usize]) -> Vec<DecryptionShare> {
    places.iter().map(|place| shares[*place].clone()).collect()
}

const NUMBERS: [u32; 10] = [3, 6, 0, 14, 0, 0, 3, 0, 0, 0];

#[test]
fn every_three_of_five_open_the_same_and_every_two_nothing() {
    let made = made(3, 5);
    let closed = closed(&made.key);
    let shares = shares(&made, &closed);
    assert_eq!(combine(&closed, &made.key, &shares[2..]).unwrap(), NUMBERS);
    for a in 0..5 {
        for b in a + 1..5 {
            for c in b + 1..5 {
                // In any order; the search itself is made once, above.
                let three = pick(&shares, &[c, a, b]);
                check_opened(&closed, &made.key, &three, &NUMBERS).unwrap();
            }
            let two = pick(&shares, &[a, b]);
            let refused = combine(&closed, &made.key, &two);
            assert_eq!(refused, Err(DecryptionError::TooFew { have: 2, need: 3 }));
            // Nor is anything found past the refusal: their shares weighed as if two were enough.
            let members = [two[0].member, two[1].member];
            let blinding: RistrettoPoint = two
                .iter()
                .map(|share| shamir::weight(&members, share.member, 0) * share.points[0].open().unwrap())
                .sum();
            let encoded = closed.totals()[0].0 - blinding;
            assert_ne!(encoded, Scalar::from(NUMBERS[0]) * G);
            assert_eq!(DiscreteLog::new_for_g(encoded).decode_u32(), None);
        }
    }
}

#[test]
fn a_wrong_share_is_found_and_its_member_named() {
    let made = made(3, 5);
    let closed = closed(&made.key);
    let shares = shares(&made, &closed);
    let wrong = |change: &dyn Fn(&mut DecryptionShare)| {
        let mut shares = shares.clone();
        change(&mut shares[3]);
        combine(&closed, &made.key, &shares[1..]).unwrap_err()
    };
    let named = DecryptionError::Share { member: 4 };
    assert_eq!(wrong(&|share| share.points[9] = Point::of(&G)), named);
    assert_eq!(wrong(&|share| share.points.swap(0, 1)), named);
    assert_eq!(wrong(&|share| share.points[0] = Point([255; 32])), named);
    assert_eq!(wrong(&|share| share.points.truncate(9)), named);
    assert_eq!(wrong(&|share| share.proof.response = Number([255; 32])), named);
    assert_eq!(wrong(&|share| share.points.clone_from(&shares[2].points)), named);
    let other = DecryptionError::Share { member: 1 };
    assert_eq!(wrong(&|share| share.member = 1), other);
    let none = DecryptionError::Committee(CommitteeError::NoMember { member: 6 });
    assert_eq!(wrong(&|share| share.member = 6), none);
    assert_eq!(
        wrong(&|share| *share = shares[2].clone()),
        DecryptionError::Twice { member: 3 }
    );
    // Without it the others finish.
    check_opened(&closed, &made.key, &pick(&shares, &[0, 1, 4]), &NUMBERS).unwrap();
}

#[test]
fn no_byte_of_a_share_can_be_changed() {
    let made = made(2, 3);
    let closed = closed(&made.key);
    let share = &shares(&made, &closed)[0];
    share.verify(&closed, &made.key).unwrap();
    let bytes = borsh::to_vec(share).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let changed = borsh::from_slice::<DecryptionShare>(&changed);
        assert!(
            changed.is_err() || changed.unwrap().verify(&closed, &made.key).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn a_share_is_of_one_total_alone() {
    let made = made(2, 3);
    let (one, other) = (closed(&made.key), closed(&made.key));
    let share = &shares(&made, &one)[0];
    assert_eq!(
        share.verify(&other, &made.key),
        Err(DecryptionError::Share { member: 1 })
    );
    // Neither the study nor the number of contributors may be another.
    let totals: Vec<_> = one
        .totals()
        .iter()
        .map(|(commitment, handle)| crate::collection::Total {
            commitment: Point::of(commitment),
            handle: Point::of(handle),
        })
        .collect();
    let more = Closed::new(one.study().clone(), 4, &totals).unwrap();
    assert_eq!(
        share.verify(&more, &made.key),
        Err(DecryptionError::Share { member: 1 })
    );
    let mut study = one.study().clone();
    study.epoch += 1;
    let later = Closed::new(study, 3, &totals).unwrap();
    assert_eq!(
        share.verify(&later, &made.key),
        Err(DecryptionError::Share { member: 1 })
    );
}

#[test]
fn a_member_answers_for_one_total_of_a_study_and_for_its_own_committee() {
    let (made, other) = (made(2, 3), crate::committee::tests::made(2, 3));
    let (first, second) = (closed(&made.key), closed(&made.key));
    let mut answered = Answered::default();
    let member = &made.members[0];
    member.decrypt(&first, &mut answered).unwrap();
    member.decrypt(&first, &mut answered).unwrap();
    let stored = borsh::to_vec(&answered).unwrap();
    let mut answered: Answered = borsh::from_slice(&stored).unwrap();
    assert_eq!(member.decrypt(&second, &mut answered), Err(DecryptionError::Answered));
    let foreign = DecryptionError::Study(StudyError::OtherCommittee);
    assert_eq!(other.members[0].decrypt(&first, &mut answered), Err(foreign.clone()));
    assert_eq!(combine(&first, &other.key, &[]), Err(foreign));
}

#[test]
fn other_numbers_than_the_opened_ones_are_refused() {
    let made = made(2, 3);
    let closed = closed(&made.key);
    let shares = &shares(&made, &closed)[..2];
    check_opened(&closed, &made.key, shares, &NUMBERS).unwrap();
    for place in 0..NUMBERS.len() {
        let mut numbers = NUMBERS;
        numbers[place] += 1;
        let refused = check_opened(&closed, &made.key, shares, &numbers);
        assert_eq!(refused, Err(DecryptionError::NoNumber { place }));
        let refused = check_opened(&closed, &made.key, shares, &NUMBERS[..place]);
        assert_eq!(refused, Err(DecryptionError::NoNumber { place }));
    }
    let more = [&NUMBERS[..], &[0]].concat();
    let refused = check_opened(&closed, &made.key, shares, &more);
    assert_eq!(refused, Err(DecryptionError::NoNumber { place: 10 }));
}

/// A total that was added up elsewhere, of what nobody proved, is seen to be none.
#[test]
fn a_total_beyond_32_bits_is_not_taken_for_another() {
    let made = made(2, 3);
    let study = crate::study::tests::study(&made.key);
    let key = made.key.public.open().unwrap();
    let number = |number: u64| crate::collection::Total {
        commitment: Point::of(&(Scalar::from(number) * G + h())),
        handle: Point::of(&key),
    };
    let mut totals: Vec<_> = NUMBERS.iter().map(|it| number(u64::from(*it))).collect();
    totals[1] = number(u64::from(u32::MAX));
    totals[2] = number(1 << 32);
    let closed = Closed::new(study, 3, &totals).unwrap();
    let opened = combine(&closed, &made.key, &shares(&made, &closed)[1..]);
    assert_eq!(opened, Err(DecryptionError::NoNumber { place: 2 }));
}
