//! Frames by each codec: they come back, and nothing else comes back where they were altered.

use chartseal_kernels::pixels::PixelFormat;
use chartseal_kernels::pixels::delta::Delta;
use proptest::prelude::*;

use super::made::{curve, noise, picture};
use crate::media::encoder::Method;
use crate::media::{Codec, FrameDecoder, FrameEncoder, MAX_CODED_LEN, MAX_FRAME_LEN, MediaError};

fn pixels(width: u32) -> Method {
    Method::Pixels(PixelFormat {
        width,
        rows: 0,
        samples: 1,
        planar: false,
        bytes: 2,
        big_endian: false,
        stored_bits: 16,
        high_bit: 15,
        signed: false,
    })
}

fn encode(method: Method, frame: &[u8]) -> (Codec, Vec<u8>) {
    let mut out = b"what was there before".to_vec();
    let codec = FrameEncoder::new().unwrap().encode(&method, frame, &mut out);
    (codec, out)
}

fn decode(codec: Codec, encoded: &[u8], original: usize) -> Result<Vec<u8>, MediaError> {
    let original = u32::try_from(original).unwrap();
    FrameDecoder::new().unwrap().decode(codec, encoded, original)
}

/// A frame by each codec: the codec, the frame as it is kept, the frame.
fn frames() -> Vec<(Codec, Vec<u8>, Vec<u8>)> {
    let frames = [
        (Method::Raw, noise(500)),
        (Method::Zstd, b"Blutdruck 120/80. ".repeat(30)),
        (pixels(60), picture(60, 60, false)),
        (Method::Delta(Delta::new(2, 2, None).unwrap()), curve(800)),
    ];
    let kept = frames.map(|(method, frame)| {
        let (codec, encoded) = encode(method, &frame);
        (codec, encoded, frame)
    });
    assert_eq!(
        kept.each_ref().map(|kept| kept.0),
        [Codec::Raw, Codec::Zstd, Codec::Pixels, Codec::Delta]
    );
    kept.into()
}

#[test]
fn the_numbers_of_codecs_never_change() {
    for (number, codec) in [(0, Codec::Raw), (1, Codec::Zstd), (2, Codec::Pixels), (3, Codec::Delta)] {
        assert_eq!(Codec::from_byte(number), Some(codec));
        assert_eq!(codec.to_byte(), number);
    }
    assert_eq!(Codec::from_byte(4), None);
}

#[test]
fn what_does_not_become_smaller_is_kept_as_it_is() {
    let methods = [
        Method::Raw,
        Method::Zstd,
        Method::Probe,
        pixels(10),
        Method::Delta(Delta::new(2, 2, None).unwrap()),
    ];
    for method in methods {
        for frame in [noise(100_000), noise(1 << 20), b"a".to_vec(), Vec::new()] {
            assert_eq!(
                encode(method, &frame),
                (Codec::Raw, frame.clone()),
                "{method:?} of {}",
                frame.len()
            );
        }
    }
}

#[test]
fn long_frames_are_coded_by_what_does_best_on_samples_of_them() {
    for (method, frame, codec) in [
        (Method::Probe, b"Blutdruck 120/80. ".repeat(50_000), Codec::Zstd),
        (pixels(500), picture(500, 1_000, false), Codec::Pixels),
        // Rows that are too long to sample.
        (pixels(50_000), picture(50_000, 10, false), Codec::Pixels),
        (pixels(500), b"Blutdruck 120/80. ".repeat(50_000), Codec::Zstd),
        (
            Method::Delta(Delta::new(2, 2, None).unwrap()),
            curve(500_000),
            Codec::Delta,
        ),
        (
            Method::Delta(Delta::new(2, 2, None).unwrap()),
            b"Blutdruck 120/80. ".repeat(50_000),
            Codec::Zstd,
        ),
    ] {
        let (by, encoded) = encode(method, &frame);
        assert_eq!(by, codec, "{method:?}");
        assert!(encoded.len() < frame.len() / 2);
        assert!(decode(codec, &encoded, frame.len()).unwrap() == frame);
    }
}

#[test]
fn rows_that_do_not_fill_the_frame_are_no_pixels() {
    let mut frame = picture(40, 40, false);
    frame.pop();
    for method in [pixels(40), pixels(0), pixels(u32::MAX), pixels(1_601)] {
        let (codec, encoded) = encode(method, &frame);
        assert_ne!(codec, Codec::Pixels, "{method:?}");
        assert!(decode(codec, &encoded, frame.len()).unwrap() == frame);
    }
}

#[test]
fn a_frame_that_is_longer_or_shorter_than_the_index_says_is_refused() {
    for (codec, encoded, frame) in frames() {
        for wrong in [0, 1, frame.len() - 1, frame.len() + 1, MAX_CODED_LEN as usize] {
            assert!(decode(codec, &encoded, wrong).is_err(), "{codec:?} as {wrong} bytes");
        }
        let most = if codec == Codec::Raw {
            MAX_FRAME_LEN
        } else {
            MAX_CODED_LEN
        };
        for wrong in [most + 1, u32::MAX] {
            let refused = decode(codec, &encoded, wrong as usize);
            assert_eq!(
                refused,
                Err(MediaError::Undecodable("it is longer than any frame of its codec"))
            );
        }
        for end in 0..encoded.len() {
            assert!(
                decode(codec, &encoded[..end], frame.len()).is_err(),
                "{codec:?} cut at {end}"
            );
        }
        let longer = [&encoded[..], b"more"].concat();
        assert!(decode(codec, &longer, frame.len()).is_err(), "{codec:?}");
    }
}

#[test]
fn a_frame_that_says_it_is_gigantic_takes_no_memory() {
    // zstd: one segment of 2^62 bytes; a stripe of pixels of 65,535 x 65,535.
    let zstd = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
        &(1_u64 << 62).to_le_bytes(),
        &[1, 0, 0],
    ]
    .concat();
    let stripe = [0, 0, 0, 0, 1, 0, 1, 2, 16, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0];
    for original in [1_000, MAX_CODED_LEN as usize] {
        assert!(decode(Codec::Zstd, &zstd, original).is_err());
        assert!(decode(Codec::Pixels, &stripe, original).is_err());
    }
}

#[test]
fn what_is_not_one_frame_of_the_standard_is_refused() {
    let original = b"Blutdruck 120/80. ".repeat(30);
    let (codec, frame) = encode(Method::Zstd, &original);
    assert!(codec == Codec::Zstd && decode(codec, &frame, original.len()).is_ok());
    // Of zstd 0.7: one byte of length, a block as it is, and the end. The library decodes it if it is built to.
    let legacy = [
        &[0x27, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x40, 0, 5][..],
        b"hello",
        &[0xc0, 0, 0],
    ]
    .concat();
    // A frame to skip, of 3 bytes.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
    for (what, encoded, len) in [
        ("of an old format", legacy.clone(), 5),
        (
            "of an old format, after another",
            [&frame[..], &legacy].concat(),
            original.len() + 5,
        ),
        ("to be skipped", [&skipped[..], &frame].concat(), original.len()),
        (
            "to be skipped, after another",
            [&frame[..], &skipped].concat(),
            original.len(),
        ),
        ("two", [&frame[..], &frame].concat(), 2 * original.len()),
        ("none", Vec::new(), 0),
    ] {
        let refused = decode(Codec::Zstd, &encoded, len);
        assert_eq!(
            refused,
            Err(MediaError::Undecodable("it is not one zstd frame")),
            "{what}"
        );
        let differences = [&[0; 4][..], &[1, 1, 0, 0, 0, 0, 0], &encoded].concat();
        assert!(decode(Codec::Delta, &differences, len).is_err(), "{what}");
    }
}

#[test]
fn what_is_altered_in_a_coded_frame_is_noticed() {
    for (codec, encoded, frame) in frames() {
        if codec == Codec::Raw {
            continue;
        }
        for at in 0..encoded.len() {
            let mut altered = encoded.clone();
            altered[at] ^= 1 << (at % 8);
            // What says nothing may be altered: bits that a format leaves unused.
            if let Ok(decoded) = decode(codec, &altered, frame.len()) {
                assert!(decoded == frame, "byte {at} of {codec:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_never_become_more_than_was_asked_for(
        encoded in proptest::collection::vec(any::<u8>(), 0..300), original in 0_usize..5_000,
    ) {
        for codec in [Codec::Zstd, Codec::Pixels, Codec::Delta] {
            if let Ok(decoded) = decode(codec, &encoded, original) {
                prop_assert_eq!(decoded.len(), original);
            }
        }
    }

    #[test]
    fn any_frame_comes_back_by_any_method(
        frame in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..600),
            proptest::collection::vec(0_u8..4, 0..600),
            (1_usize..30, 1_usize..30).prop_map(|(columns, rows)| picture(columns, rows, false)),
        ],
        width in 0_u32..40, sample in 1_u8..=4, channels in 1_u32..6,
    ) {
        let delta = Delta::new(sample, u32::from(sample) * channels, None).unwrap();
        for method in [Method::Raw, Method::Zstd, Method::Probe, pixels(width), Method::Delta(delta)] {
            let (codec, encoded) = encode(method, &frame);
            prop_assert!(encoded.len() < frame.len() || codec == Codec::Raw);
            prop_assert_eq!(&decode(codec, &encoded, frame.len()).unwrap(), &frame);
        }
    }
}
