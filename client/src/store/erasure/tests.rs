//! Any pieces that are enough give a payload back, and nothing that is given makes the code panic.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crypto::sha256;
use proptest::prelude::*;

fn payload(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 256 * 7 + 5) % 251).unwrap())
        .collect()
}

/// The pieces whose numbers stand in a bit mask.
fn chosen(pieces: &[Vec<u8>], mask: u64) -> Vec<(usize, &[u8])> {
    let in_mask = |(index, _): &(usize, &[u8])| mask & (1 << index) != 0;
    pieces.iter().map(Vec::as_slice).enumerate().filter(in_mask).collect()
}

#[test]
fn any_four_of_six_give_every_length_back_and_any_three_do_not() {
    let code = Code::new(4, 2).unwrap();
    for len in 0..=300 {
        let payload = payload(len);
        let pieces = code.cut(&payload).unwrap();
        assert!(pieces.iter().all(|piece| piece.len() == code.piece_len(len)));
        for mask in 0_u64..1 << 6 {
            let available = chosen(&pieces, mask);
            let rebuilt = code.rebuild(len, &available);
            if available.len() >= 4 {
                assert_eq!(rebuilt.unwrap(), payload, "{len} bytes from {mask:b}");
            } else {
                let (have, need) = (available.len(), 4);
                assert_eq!(rebuilt.unwrap_err(), ErasureError::TooFew { have, need });
            }
        }
    }
}

#[test]
fn payloads_of_a_shard_come_back_from_the_last_pieces_alone() {
    for code in [
        Code::new(4, 4).unwrap(),
        Code::new(3, 5).unwrap(),
        Code::new(2, 62).unwrap(),
    ] {
        for len in [4 << 20, (4 << 20) - 1, (4 << 20) + 1, (4 << 20) + 2048] {
            let payload = payload(len);
            let pieces = code.cut(&payload).unwrap();
            let last: Vec<_> = chosen(&pieces, u64::MAX).split_off(code.pieces() - usize::from(code.data));
            assert_eq!(code.rebuild(len, &last).unwrap(), payload, "{code}, {len}");
        }
    }
}

#[test]
fn the_first_pieces_are_the_payload_itself() {
    let (code, payload) = (Code::new(5, 3).unwrap(), payload(1003));
    let pieces = code.cut(&payload).unwrap();
    let mut joined = pieces[..5].concat();
    assert!(joined.split_off(1003).iter().all(|byte| *byte == 0));
    assert_eq!(joined, payload);
}

#[test]
fn one_and_any_number_are_whole_copies() {
    for code in [Code::ONE, Code::new(1, 5).unwrap()] {
        for len in [0, 1, 7, 300] {
            let payload = payload(len);
            let pieces = code.cut(&payload).unwrap();
            assert_eq!(pieces, vec![payload.clone(); code.pieces()]);
            let last = code.pieces() - 1;
            assert_eq!(code.rebuild(len, &[(last, &pieces[last])]).unwrap(), payload);
        }
    }
}

#[test]
fn without_parity_every_piece_is_needed() {
    let (code, payload) = (Code::new(3, 0).unwrap(), payload(100));
    let pieces = code.cut(&payload).unwrap();
    assert_eq!(code.rebuild(100, &chosen(&pieces, 0b111)).unwrap(), payload);
    assert!(matches!(
        code.rebuild(100, &chosen(&pieces, 0b101)),
        Err(ErasureError::TooFew { have: 2, need: 3 })
    ));
}

#[test]
fn lost_pieces_are_made_anew_bit_for_bit() {
    let (code, payload) = (Code::new(4, 2).unwrap(), payload(777));
    let pieces = code.cut(&payload).unwrap();
    for mask in (0_u64..1 << 6).filter(|mask| mask.count_ones() >= 4) {
        let missing: Vec<usize> = (0..6).filter(|index| mask & (1 << index) == 0).collect();
        let made = code.rebuild_missing(777, &chosen(&pieces, mask), &missing).unwrap();
        let lost: Vec<_> = missing.iter().map(|index| pieces[*index].clone()).collect();
        assert_eq!(made, lost, "{mask:b}");
    }
    assert!(matches!(
        code.rebuild_missing(777, &chosen(&pieces, 0b1111), &[6]),
        Err(ErasureError::NoSuchPiece { index: 6, .. })
    ));
}

#[test]
fn a_piece_that_is_there_twice_counts_once() {
    let (code, payload) = (Code::new(2, 1).unwrap(), payload(64));
    let pieces = code.cut(&payload).unwrap();
    let twice = [(1, pieces[1].as_slice()), (1, pieces[1].as_slice())];
    assert!(matches!(
        code.rebuild(64, &twice),
        Err(ErasureError::TooFew { have: 1, need: 2 })
    ));
    let with_another = [twice[0], twice[1], (2, pieces[2].as_slice())];
    assert_eq!(code.rebuild(64, &with_another).unwrap(), payload);
}

#[test]
fn pieces_of_another_length_or_number_are_refused() {
    let code = Code::new(2, 1).unwrap();
    let pieces = code.cut(&payload(64)).unwrap();
    let available = chosen(&pieces, 0b11);
    assert!(matches!(
        code.rebuild(66, &available),
        Err(ErasureError::WrongLength { index: 0, got: 32, .. })
    ));
    assert!(matches!(
        code.rebuild(64, &[available[0], (1, &pieces[1][..31])]),
        Err(ErasureError::WrongLength {
            index: 1,
            got: 31,
            expected: 32
        })
    ));
    assert!(matches!(
        code.rebuild(64, &[available[0], (3, available[1].1)]),
        Err(ErasureError::NoSuchPiece { index: 3, .. })
    ));
}

#[test]
fn codes_are_read_as_they_are_written() {
    for (text, data, parity) in [("4+2", 4, 2), ("1+0", 1, 0), ("32+32", 32, 32), ("64+0", 64, 0)] {
        let code: Code = text.parse().unwrap();
        assert_eq!((code, code.to_string()), (Code { data, parity }, text.to_owned()));
    }
    for wrong in ["", "4", "4+", "+2", "4+-1", "4++2", "a+b", "256+1", "4+2+1", " 4+2"] {
        assert!(
            matches!(wrong.parse::<Code>(), Err(ErasureError::NotACode(_))),
            "{wrong}"
        );
    }
    for impossible in ["0+1", "0+0", "63+2", "200+200"] {
        assert!(
            matches!(impossible.parse::<Code>(), Err(ErasureError::BadCode { .. })),
            "{impossible}"
        );
    }
}

/// What is in stores was made by this code: another one would not read it.
#[test]
fn the_parity_of_a_payload_never_changes() {
    let code = Code::new(4, 2).unwrap();
    let pieces = code.cut(&payload(5000)).unwrap();
    let hashes: Vec<_> = pieces[4..].iter().map(|piece| hex::encode(sha256(&[piece]))).collect();
    assert_eq!(
        hashes,
        [
            "7fc27a3e0c6a07ad03166bfa2a6207ec35e3a6b30d98a707c9c5991e30a044a9",
            "0d4499fb077cdfb81c0d12aebe303b1c0dfe2d07bded5f894d83550927677a3d",
        ]
    );
}

proptest! {
    #[test]
    fn any_pieces_that_are_enough_give_the_payload(
        data in 1_u8..=12, parity in 0_u8..=12, bytes in proptest::collection::vec(any::<u8>(), 1..=300), mask: u64,
    ) {
        let code = Code::new(data, parity).unwrap();
        let pieces = code.cut(&bytes).unwrap();
        let available = chosen(&pieces, mask);
        match code.rebuild(bytes.len(), &available) {
            Ok(rebuilt) => prop_assert_eq!(rebuilt, bytes),
            Err(error) => {
                let (have, need) = (available.len(), usize::from(data));
                prop_assert!(have < need);
                prop_assert_eq!(error, ErasureError::TooFew { have, need });
            }
        }
    }

    #[test]
    fn nothing_that_is_given_makes_it_panic(
        data: u8, parity: u8, len in 0_usize..200,
        given in proptest::collection::vec((0_usize..40, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
    ) {
        let code = Code { data, parity };
        let available: Vec<_> = given.iter().map(|(index, piece)| (*index, piece.as_slice())).collect();
        let rebuilt = code.rebuild(len, &available);
        prop_assert!(rebuilt.is_err() || code.checked().is_ok());
        let _ = code.rebuild_missing(len, &available, &[0, 500]);
    }
}
