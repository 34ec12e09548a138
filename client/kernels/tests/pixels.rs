//! Stripes of native pixels come back byte for byte whatever their header says of them, and what is no coded stripe is
//! refused.
#![allow(clippy::unwrap_used)]

use chartseal_kernels::pixels::delta::{self, Delta};
use chartseal_kernels::pixels::{self, PixelError, PixelFormat};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const GREY: PixelFormat = PixelFormat {
    width: 64,
    rows: 48,
    samples: 1,
    planar: false,
    bytes: 2,
    big_endian: false,
    stored_bits: 16,
    high_bit: 15,
    signed: false,
};

const RGB: PixelFormat = PixelFormat {
    samples: 3,
    bytes: 1,
    stored_bits: 8,
    high_bit: 7,
    ..GREY
};

fn coded(format: &PixelFormat, stripe: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(pixels::encode(format, stripe, &mut out));
    assert!(out.len() < stripe.len());
    assert_eq!(pixels::decode(&out, stripe.len()).as_deref(), Ok(stripe));
    out
}

/// A soft hill with a little noise, 0 to `top`.
fn hill(format: &PixelFormat, top: u32) -> Vec<u16> {
    let mut noise = 1_u32;
    let at = |x: u32, y: u32| x * (format.width - x) * y * (format.rows - y);
    let highest = at(format.width / 2, format.rows / 2).max(1);
    (0..format.rows)
        .flat_map(|y| (0..format.width).map(move |x| (x, y)))
        .map(|(x, y)| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::try_from(u64::from(at(x, y)) * u64::from(top - 7) / u64::from(highest)).unwrap() + (noise >> 29) as u16
        })
        .collect()
}

fn little_endian(words: impl IntoIterator<Item = u16>) -> Vec<u8> {
    words.into_iter().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn the_byte_order_costs_nothing() {
    let words = hill(&GREY, 4000);
    let little = coded(&GREY, &little_endian(words.iter().copied()));
    let big = words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    let big = coded(
        &PixelFormat {
            big_endian: true,
            ..GREY
        },
        &big,
    );
    assert_eq!(little.len(), big.len());
}

#[test]
fn where_the_stored_bits_stand_costs_nothing() {
    let words = hill(&GREY, 4000);
    let low = coded(&GREY, &little_endian(words.iter().copied()));
    let shifted = little_endian(words.iter().map(|word| word << 4));
    let high = coded(
        &PixelFormat {
            stored_bits: 12,
            high_bit: 15,
            ..GREY
        },
        &shifted,
    );
    assert!(high.len() <= low.len() + 3, "{} after {}", high.len(), low.len());
    let unsaid = coded(&GREY, &shifted);
    assert_eq!(unsaid.len(), low.len());
}

#[test]
fn values_around_zero_are_neighbours() {
    let words = hill(&GREY, 4000);
    let unsigned = coded(&GREY, &little_endian(words.iter().copied()));
    let signed = PixelFormat {
        stored_bits: 13,
        high_bit: 12,
        signed: true,
        ..GREY
    };
    let centred = words.iter().map(|word| word.wrapping_sub(2000));
    let sign_extended = coded(&signed, &little_endian(centred.clone()));
    let cut = coded(&signed, &little_endian(centred.map(|word| word & 0x1FFF)));
    assert_eq!(sign_extended.len(), unsigned.len() + 3);
    // The bits above are zero although the sign is set.
    assert!(
        cut.len() < unsigned.len() * 3 / 2,
        "{} after {}",
        cut.len(),
        unsigned.len()
    );
}

#[test]
fn an_overlay_in_unused_bits_costs_little() {
    let words = hill(&GREY, 4000);
    let format = PixelFormat {
        stored_bits: 12,
        high_bit: 11,
        ..GREY
    };
    let plain = coded(&format, &little_endian(words.iter().copied()));
    let box_of = |at: usize| {
        if (20..40).contains(&(at % 64)) && at / 64 > 30 {
            0x1000
        } else {
            0
        }
    };
    let overlaid = words.iter().enumerate().map(|(at, word)| word | box_of(at));
    let overlaid = coded(&format, &little_endian(overlaid));
    assert!(
        overlaid.len() < plain.len() + 120,
        "{} after {}",
        overlaid.len(),
        plain.len()
    );
}

#[test]
fn colours_that_go_together_are_coded_as_differences() {
    let words = hill(&RGB, 250);
    let grey = PixelFormat { samples: 1, ..RGB };
    let one = coded(
        &grey,
        &words.iter().map(|word| word.to_le_bytes()[0]).collect::<Vec<_>>(),
    );
    let pixels = words
        .iter()
        .flat_map(|word| [word + 3, *word, word / 2].map(|word| word.to_le_bytes()[0]));
    let pixels = pixels.collect::<Vec<_>>();
    let interleaved = coded(&RGB, &pixels);
    // Red is green and three; blue has little of its own.
    assert!(
        interleaved.len() < one.len() * 5 / 2,
        "{} after {}",
        interleaved.len(),
        one.len()
    );
    let planes = (0..3)
        .flat_map(|sample| pixels.iter().copied().skip(sample).step_by(3))
        .collect::<Vec<_>>();
    assert_eq!(
        coded(&PixelFormat { planar: true, ..RGB }, &planes).len(),
        interleaved.len()
    );
}

#[test]
fn a_header_that_contradicts_itself_costs_no_bit() {
    let stripe = little_endian(hill(&GREY, 60_000));
    for (stored_bits, high_bit) in [(0, 0), (12, 3), (17, 16), (255, 255), (16, 3), (5, 15), (1, 0), (1, 15)] {
        for signed in [false, true] {
            coded(
                &PixelFormat {
                    stored_bits,
                    high_bit,
                    signed,
                    ..GREY
                },
                &stripe,
            );
        }
    }
}

#[test]
fn a_flat_stripe_is_a_few_bytes() {
    assert!(coded(&GREY, &[0x5A; 64 * 48 * 2]).len() < 20);
    assert!(coded(&RGB, &[0x5A; 64 * 48 * 3]).len() < 30);
}

#[test]
fn what_is_not_coded_leaves_nothing_behind() {
    let mut out = vec![1, 2, 3];
    let mut refused = |format: PixelFormat, stripe: &[u8]| !pixels::encode(&format, stripe, &mut out);
    let stripe = vec![0; 64 * 48 * 2];
    assert!(refused(GREY, &stripe[1..]));
    assert!(refused(
        PixelFormat { bytes: 4, ..GREY },
        &[stripe.clone(), stripe.clone()].concat()
    ));
    assert!(refused(PixelFormat { bytes: 0, ..GREY }, &[]));
    assert!(refused(PixelFormat { samples: 0, ..GREY }, &[]));
    assert!(refused(PixelFormat { rows: 0, ..GREY }, &[]));
    assert!(refused(
        PixelFormat {
            width: 65_536,
            rows: 1,
            ..GREY
        },
        &vec![0; 65_536 * 2]
    ));
    assert!(refused(
        PixelFormat {
            width: u32::MAX,
            rows: u32::MAX,
            samples: 255,
            ..GREY
        },
        &stripe
    ));
    // Noise gets no smaller.
    let mut noise = 1_u64;
    let noise = (0..stripe.len()).map(|_| {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.to_le_bytes()[7]
    });
    assert!(refused(GREY, &noise.collect::<Vec<_>>()));
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn a_coded_stripe_says_what_is_wrong_with_it() {
    let stripe = little_endian(hill(&GREY, 4000));
    let good = coded(&GREY, &stripe);
    assert_eq!(pixels::decode(&good, stripe.len() + 2), Err(PixelError::Length));
    assert_eq!(pixels::decode(&good[..9], stripe.len()), Err(PixelError::Header));
    assert_eq!(
        pixels::decode(&[&good[..], &[0]].concat(), stripe.len()),
        Err(PixelError::Trailing)
    );
    let mut later = good.clone();
    later[0] = 2;
    assert_eq!(pixels::decode(&later, stripe.len()), Err(PixelError::Version(2)));
    for length in 0..good.len() {
        assert!(pixels::decode(&good[..length], stripe.len()).is_err());
    }
    // A flat stripe of the largest sides is not made before its length is known to be right.
    let huge = [1, 0, 1, 2, 16, 0, 255, 255, 255, 255, 0, 0, 0];
    assert_eq!(pixels::decode(&huge, 1000), Err(PixelError::Length));
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    let sides = (prop_oneof![Just(1_u32), 1_u32..40], prop_oneof![Just(1_u32), 1_u32..40]);
    (sides, 1_u8..=4, 1_u8..=2, any::<[bool; 3]>(), any::<[u8; 2]>()).prop_map(
        |((width, rows), samples, bytes, [planar, big_endian, signed], [stored, below])| {
            let stored_bits = stored % (bytes * 8) + 1;
            let high_bit = stored_bits - 1 + below % (bytes * 8 - stored_bits + 1);
            PixelFormat {
                width,
                rows,
                samples,
                planar,
                bytes,
                big_endian,
                stored_bits,
                high_bit,
                signed,
            }
        },
    )
}

/// A stripe of runs of alike bytes, so that it is mostly worth coding.
fn stripes() -> impl Strategy<Value = (PixelFormat, Vec<u8>)> {
    formats().prop_flat_map(|format| {
        let length = (format.width * format.rows) as usize * usize::from(format.samples) * usize::from(format.bytes);
        let run = (any::<[u8; 2]>(), prop_oneof![1_usize..4, 20_usize..400]);
        proptest::collection::vec(run, 1..40).prop_map(move |runs| {
            let pairs = runs
                .into_iter()
                .flat_map(|(pair, length)| std::iter::repeat_n(pair, length));
            let mut stripe = pairs.flatten().take(length).collect::<Vec<_>>();
            stripe.resize(length, 0xFF);
            (format, stripe)
        })
    })
}

proptest! {
    #[test]
    fn any_stripe_comes_back((format, stripe) in stripes()) {
        let mut out = vec![9];
        if pixels::encode(&format, &stripe, &mut out) {
            prop_assert!(out.len() - 1 < stripe.len());
            prop_assert_eq!(pixels::decode(&out[1..], stripe.len()), Ok(stripe));
        } else {
            prop_assert_eq!(out, [9]);
        }
    }

    #[test]
    fn a_damaged_stripe_is_an_error_or_of_the_same_length(
        (format, stripe) in stripes(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut out = Vec::new();
        if pixels::encode(&format, &stripe, &mut out) {
            for (index, byte) in changes {
                let at = index.index(out.len());
                out[at] = byte;
            }
            if let Ok(decoded) = pixels::decode(&out, stripe.len()) {
                prop_assert_eq!(decoded.len(), stripe.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_of_the_length_asked_for(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        header in any::<bool>(),
        length in 0_usize..5000,
    ) {
        let bytes = if header { [&[1, 0, 1, 1, 8, 0, 30, 0, 20, 0, 1, 0, 0, 1, 0][..], &bytes].concat() } else { bytes };
        for length in [length, 600] {
            if let Ok(decoded) = pixels::decode(&bytes, length) {
                prop_assert_eq!(decoded.len(), length);
            }
        }
    }

    #[test]
    fn differences_lead_back_to_the_samples(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        sample in 1_u8..=4,
        channels in 1_u32..5,
        rows in proptest::option::of(2_u32..30),
    ) {
        let frame = u32::from(sample) * channels;
        let kind = Delta::new(sample, frame, rows.map(|pixels| frame * pixels)).unwrap();
        let (mut differences, mut again) = (vec![1], vec![2]);
        delta::apply(kind, &bytes, &mut differences);
        prop_assert_eq!(differences.len(), bytes.len() + 1);
        delta::undo(kind, &differences[1..], &mut again);
        prop_assert_eq!(&again[1..], &bytes[..]);
    }

    #[test]
    fn a_slope_has_small_differences_in_its_high_bytes(
        sample in select(vec![2_u8, 3, 4]),
        first in any::<i32>(),
        slope in -60_i32..60,
    ) {
        let bytes = (0..100).flat_map(|at| {
            let word = first.wrapping_add(slope * at).to_le_bytes();
            word.into_iter().take(usize::from(sample))
        });
        let mut differences = Vec::new();
        delta::apply(Delta::new(sample, u32::from(sample), None).unwrap(), &bytes.collect::<Vec<_>>(), &mut differences);
        // All but the first sample, which nothing predicts.
        for high in differences.chunks(100).skip(1) {
            prop_assert!(high[1..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn a_plane_is_predicted_exactly_from_the_row_above() {
    let bytes = (0..40_u16)
        .flat_map(|y| (0..50_u16).map(move |x| 1000 + 30 * x + 70 * y))
        .flat_map(u16::to_le_bytes);
    let bytes = bytes.collect::<Vec<_>>();
    let mut differences = Vec::new();
    delta::apply(Delta::new(2, 2, Some(100)).unwrap(), &bytes, &mut differences);
    // Inside, the larger of the two neighbours is expected: the smaller slope is left, folded to 60 in the low bytes.
    let inside = |at: &usize| at / 50 > 0 && !at.is_multiple_of(50);
    assert!(
        (0..2000)
            .filter(inside)
            .all(|at| (differences[at], differences[2000 + at]) == (60, 0))
    );
}

#[test]
fn a_delta_that_makes_no_sense_is_none() {
    for (sample, frame, row) in [
        (0, 1, None),
        (5, 5, None),
        (2, 3, None),
        (2, 0, None),
        (2, 4, Some(4)),
        (2, 2, Some(5)),
    ] {
        assert_eq!(Delta::new(sample, frame, row), None);
    }
}
