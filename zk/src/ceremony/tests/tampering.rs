//! What is done to a transcript is found, and where.

use super::*;

/// Where each point of a section is, and whether it is of the first group.
fn points(section: usize) -> Vec<(usize, bool)> {
    let relation = relation();
    let size = relation.domain().unwrap().size();
    let (share, variables, witness) = (
        [(1, true), (1, false), (1, true)],
        relation.variables(),
        relation.witness(),
    );
    let parts: Vec<(usize, bool)> = match section {
        1..=3 => {
            let powers = [
                (2 * size - 1, true),
                (size, false),
                (size, true),
                (size, true),
                (1, false),
            ];
            [share, share, share].concat().into_iter().chain(powers).collect()
        }
        4 => vec![
            (variables, true),
            (variables, true),
            (variables, false),
            (variables, true),
        ],
        _ => share
            .into_iter()
            .chain([(1, true), (1, false), (size - 1, true), (witness, true)])
            .collect(),
    };
    let mut at = HONEST.sections[section].start + 1;
    if section != 4 {
        at += 1 + usize::from(HONEST.bytes[at]);
    }
    let mut points = Vec::new();
    for (count, first) in parts {
        let each = if first { 64 } else { 128 };
        // The first, the second, one in the middle and the last of each part.
        let mut of_part = vec![0, 1.min(count - 1), count / 2, count - 1];
        of_part.dedup();
        points.extend(of_part.into_iter().map(|n| (at + n * each, first)));
        at += count * each;
    }
    assert_eq!(at, HONEST.sections[section].end);
    points
}

/// Puts another point of the group in the place of one.
fn exchange(bytes: &mut [u8], at: usize, first: bool) {
    if first {
        let point = encoding::read_g1(bytes[at..at + 64].try_into().unwrap()).unwrap();
        bytes[at..at + 64].copy_from_slice(&encoding::g1(&(point + G1Affine::generator()).into_affine()));
    } else {
        let point = encoding::read_g2(bytes[at..at + 128].try_into().unwrap()).unwrap();
        bytes[at..at + 128].copy_from_slice(&encoding::g2(&(point + G2Affine::generator()).into_affine()));
    }
}

#[test]
fn another_point_anywhere_is_found_where_it_stands() {
    for section in 1..HONEST.sections.len() {
        for (at, first) in points(section) {
            let mut bytes = HONEST.bytes.clone();
            exchange(&mut bytes, at, first);
            let found = faulty(&verify(&bytes));
            assert_eq!(
                found.as_ref().map(|(section, _)| *section),
                Some(section),
                "byte {at}: {found:?}"
            );
        }
    }
}

#[test]
fn nothing_takes_the_place_of_a_share() {
    // At infinity, every ratio holds.
    for section in [1, 2, 3, 5, 6, 7] {
        let (at, _) = points(section)[0];
        let mut bytes = HONEST.bytes.clone();
        bytes[at..at + 256].fill(0);
        let (found, fault) = faulty(&verify(&bytes)).unwrap();
        assert_eq!(found, section);
        assert!(matches!(fault, Fault::Knowledge(_)), "{fault}");
    }
}

#[test]
fn a_flipped_bit_is_found() {
    for at in (0..HONEST.bytes.len()).step_by(211).chain(0..42) {
        let mut bytes = HONEST.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let section = HONEST.sections.iter().position(|range| range.contains(&at)).unwrap();
        let (found, fault) = faulty(&verify(&bytes)).unwrap();
        assert_eq!(found, section, "byte {at}: {fault}");
    }
}

#[test]
fn a_contribution_under_another_name_is_found() {
    for section in [1, 2, 3, 5, 6, 7] {
        let mut bytes = HONEST.bytes.clone();
        bytes[HONEST.sections[section].start + 4] ^= 1;
        let (found, fault) = faulty(&verify(&bytes)).unwrap();
        assert_eq!(found, section);
        assert!(matches!(fault, Fault::Knowledge(_)), "{fault}");
    }
}

/// The transcript with its sections in another order.
fn spliced(order: &[usize]) -> Vec<u8> {
    order
        .iter()
        .flat_map(|section| &HONEST.bytes[HONEST.sections[*section].clone()])
        .copied()
        .collect()
}

#[test]
fn contributions_that_were_swapped_dropped_or_repeated_are_found() {
    // The order of sections, and which of them, counted as they stand, is at fault.
    let cases: [(&[usize], usize); 8] = [
        (&[0, 2, 1, 3, 4, 5, 6, 7], 1),
        (&[0, 2, 3, 4, 5, 6, 7], 1),
        (&[0, 1, 3, 4, 5, 6, 7], 2),
        (&[0, 1, 1, 2, 3, 4, 5, 6, 7], 2),
        (&[0, 1, 2, 3, 4, 6, 5, 7], 5),
        (&[0, 1, 2, 3, 4, 5, 7], 6),
        (&[0, 1, 2, 3, 4, 5, 5], 6),
        (&[0, 1, 2, 3, 5, 6, 7], 4),
    ];
    for (order, section) in cases {
        let report = verify(&spliced(order));
        let (found, fault) = faulty(&report).unwrap();
        let out_of_order = fault == Fault::OutOfOrder;
        assert!(
            found == section || out_of_order && found >= section,
            "{order:?}: {found}, {fault}"
        );
        assert!(report.keys.is_none());
    }
    // Without the last of the first phase, what the second begins with is not what follows.
    assert_eq!(
        faulty(&verify(&spliced(&[0, 1, 2, 4, 5, 6, 7]))).map(|(section, _)| section),
        Some(4)
    );
    // Sections where they may not be.
    for order in [&[0, 4][..], &[0, 1, 2, 3, 4, 4], &[0, 1, 2, 3, 4, 1]] {
        let (_, fault) = faulty(&verify(&spliced(order))).unwrap();
        assert_eq!(fault, Fault::OutOfOrder, "{order:?}");
    }
}

#[test]
fn a_key_that_skipped_a_contribution_is_refused() {
    let full = verify(&HONEST.bytes);
    let skipping = verify(&spliced(&[0, 1, 2, 3, 4, 5, 6]));
    // This is a sound ceremony of fewer parties, whose key is another.
    assert!(skipping.fault.is_none());
    let key = skipping.keys.as_ref().unwrap().verifying_key();
    assert!(skipping.gives(key));
    assert!(!full.gives(key));
    // Naming the longer transcript does not help it.
    let mut renamed = key.clone();
    renamed.transcript = full.transcript;
    assert!(!full.gives(&renamed));
}

#[test]
fn a_transcript_that_is_cut_short_is_found() {
    for (section, range) in HONEST.sections.iter().enumerate() {
        for at in [range.start + 1, usize::midpoint(range.start, range.end), range.end - 1] {
            let found = faulty(&verify(&HONEST.bytes[..at]));
            assert_eq!(found, Some((section, Fault::Truncated)), "at byte {at}");
        }
    }
}

#[test]
fn who_does_not_build_upon_the_others_is_found() {
    let mut bytes = Vec::new();
    let mut ceremony = Ceremony::begin(relation(), &mut bytes).unwrap();
    ceremony
        .contribute("an honest party", b"", &mut bytes, &mut nobody)
        .unwrap();
    let honest = bytes.len();
    // Mallory starts afresh, with proofs that are bound to the right place.
    let size = relation().domain().unwrap().size();
    ceremony.stage = Stage::One(Box::new(Powers::begin(size)));
    ceremony.contribute("Mallory", b"", &mut bytes, &mut nobody).unwrap();
    assert_eq!(faulty(&verify(&bytes)), Some((2, Fault::Step(Exponent::Tau))));

    // The same in the second phase.
    let mut bytes = bytes[..honest].to_vec();
    let mut ceremony = Ceremony::read(relation(), &mut &bytes[..], &mut nobody).unwrap();
    ceremony.enter_phase_two(&mut bytes, &mut nobody).unwrap();
    let Stage::Two(_, delta) = &ceremony.stage else {
        panic!()
    };
    let fresh = delta.clone();
    ceremony
        .contribute("an honest party", b"", &mut bytes, &mut nobody)
        .unwrap();
    if let Stage::Two(_, delta) = &mut ceremony.stage {
        *delta = fresh;
    }
    ceremony.contribute("Mallory", b"", &mut bytes, &mut nobody).unwrap();
    let report = verify(&bytes);
    let Some(CeremonyError::Unsound { place, fault }) = report.fault else {
        panic!()
    };
    assert_eq!(
        place,
        Place::Contribution {
            phase: 2,
            number: 3,
            name: "Mallory".into()
        }
    );
    assert_eq!(fault, Fault::Step(Exponent::Delta));
}

#[test]
fn another_circuits_polynomials_are_found() {
    let other = Relation::of(Small {
        secret: None,
        factor: 2,
    })
    .unwrap();
    assert_ne!(other.hash(), relation().hash());
    assert_eq!(
        faulty(&Ceremony::verify(other.clone(), &mut &HONEST.bytes[..], &mut nobody).unwrap()).unwrap(),
        (0, Fault::OtherCircuit)
    );

    let mut bytes = HONEST.bytes[..HONEST.sections[3].end].to_vec();
    let mut ceremony = Ceremony::read(relation(), &mut &bytes[..], &mut nobody).unwrap();
    ceremony.relation = other;
    ceremony.enter_phase_two(&mut bytes, &mut nobody).unwrap();
    let (section, fault) = faulty(&verify(&bytes)).unwrap();
    assert_eq!(section, 4);
    assert!(matches!(fault, Fault::Inconsistent(_)), "{fault}");
}

#[test]
fn a_point_of_the_curve_beside_the_group_is_refused() {
    // Most points of the second curve are not of the group; whichever this is, it is none.
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let beside = loop {
        let x = ark_bn254::Fq2::rand(&mut rng);
        match G2Affine::get_point_from_x_unchecked(x, true) {
            Some(point) if !point.is_in_correct_subgroup_assuming_on_curve() => break point,
            _ => {}
        }
    };
    let (at, _) = points(1).into_iter().find(|(_, first)| !first).unwrap();
    let mut bytes = HONEST.bytes.clone();
    bytes[at..at + 128].copy_from_slice(&encoding::g2(&beside));
    assert_eq!(faulty(&verify(&bytes)), Some((1, Fault::BadPoint)));
}
