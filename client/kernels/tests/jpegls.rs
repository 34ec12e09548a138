//! Our JPEG-LS against streams of CharLS 2.4.1, the codec that most readers of medical images are built on, and
//! against what nobody would write. A fixture is a stream and the samples it was made of, 16 bits each, little-endian.
#![allow(clippy::unwrap_used)]

use chartseal_kernels::pixels::jpegls::{self, Encoder, Parameters, StreamError};
use proptest::prelude::*;

/// Name, width, and the parameters where they are not the defaults of the bits in the name.
const FIXTURES: [(&str, usize, Parameters); 16] = [
    ("smooth-8bit", 23, defaults(255, [3, 7, 21])),
    ("flat-8bit", 61, defaults(255, [3, 7, 21])),
    ("noise-8bit", 13, defaults(255, [3, 7, 21])),
    ("one-sample-8bit", 1, defaults(255, [3, 7, 21])),
    ("smooth-12bit", 31, defaults(4095, [18, 67, 276])),
    ("flat-12bit", 97, defaults(4095, [18, 67, 276])),
    ("one-column-12bit", 1, defaults(4095, [18, 67, 276])),
    ("smooth-16bit", 19, defaults(65535, [18, 67, 276])),
    ("noise-16bit", 11, defaults(65535, [18, 67, 276])),
    ("extremes-16bit", 25, defaults(65535, [18, 67, 276])),
    ("flat-16bit", 130, defaults(65535, [18, 67, 276])),
    ("one-row-16bit", 40, defaults(65535, [18, 67, 276])),
    ("smooth-11bit", 29, defaults(2047, [10, 35, 140])),
    (
        "own-thresholds-10bit",
        27,
        Parameters {
            max: 1023,
            thresholds: [9, 40, 150],
            reset: 31,
        },
    ),
    ("two-values-2bit", 37, defaults(3, [2, 3, 3])),
    ("wrapping-10bit", 21, defaults(1023, [6, 19, 72])),
];

const fn defaults(max: u16, thresholds: [u16; 3]) -> Parameters {
    Parameters {
        max,
        thresholds,
        reset: 64,
    }
}

fn fixture(name: &str) -> (Vec<u8>, Vec<u16>) {
    let path = format!("{}/tests/fixtures/jpegls/{name}", env!("CARGO_MANIFEST_DIR"));
    let stream = std::fs::read(format!("{path}.jls")).unwrap();
    let raw = std::fs::read(format!("{path}.raw")).unwrap();
    (
        stream,
        raw.chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
    )
}

/// What is behind the scan header.
fn scan(stream: &[u8]) -> &[u8] {
    let header = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0];
    let at = stream.windows(header.len()).position(|bytes| bytes == header).unwrap();
    &stream[at + header.len()..]
}

#[test]
fn streams_of_charls_decode_to_their_samples() {
    for (name, width, _) in FIXTURES {
        let (stream, samples) = fixture(name);
        let mut decoded = Vec::new();
        let length = jpegls::decode(&stream, width, samples.len() / width, &mut decoded);
        assert_eq!(length, Ok(stream.len()), "{name}");
        assert_eq!(decoded, samples, "{name}");
    }
}

#[test]
fn our_scans_are_those_of_charls_to_the_byte() {
    let mut encoder = Encoder::default();
    for (name, width, parameters) in FIXTURES {
        let (stream, samples) = fixture(name);
        let mut ours = Vec::new();
        assert!(encoder.encode(&parameters, width, &samples, &mut ours), "{name}");
        assert_eq!(scan(&ours), scan(&stream), "{name}");
    }
}

#[test]
fn defaults_are_those_that_charls_takes() {
    for (name, _, parameters) in FIXTURES {
        if name != "own-thresholds-10bit" {
            assert_eq!(Parameters::of_max(parameters.max), parameters, "{name}");
        }
    }
}

#[test]
fn what_no_scan_can_hold_is_not_encoded() {
    let mut encoder = Encoder::default();
    let mut out = vec![7];
    for (max, width, samples) in [
        (255, 0, &[0; 0][..]),
        (255, 3, &[0; 0]),
        (255, 3, &[1, 2]),
        (3, 2, &[1, 4]),
    ] {
        assert!(!encoder.encode(&Parameters::of_max(max), width, samples, &mut out));
    }
    let crossed = Parameters {
        max: 255,
        thresholds: [9, 7, 21],
        reset: 64,
    };
    assert!(!encoder.encode(&crossed, 2, &[1, 2], &mut out));
    assert!(!encoder.encode(&Parameters::of_max(255), 65_536, &vec![0; 65_536], &mut out));
    assert_eq!(out, [7]);
}

#[test]
fn a_stream_of_another_size_is_named() {
    let (stream, _) = fixture("smooth-8bit");
    assert_eq!(jpegls::decode(&stream, 17, 23, &mut Vec::new()), Err(StreamError::Size));
}

#[test]
fn a_stream_that_is_cut_is_refused_at_every_length() {
    for name in ["smooth-8bit", "flat-16bit", "noise-16bit"] {
        let (_, width, _) = FIXTURES.into_iter().find(|fixture| fixture.0 == name).unwrap();
        let (stream, samples) = fixture(name);
        for length in 0..stream.len() {
            let decoded = jpegls::decode(&stream[..length], width, samples.len() / width, &mut Vec::new());
            assert!(decoded.is_err(), "{name} cut at {length}");
        }
    }
}

/// Rows of one width with a maximum, and the largest sample they may hold.
fn images() -> impl Strategy<Value = (u16, usize, Vec<u16>)> {
    let max = prop_oneof![Just(65535_u16), Just(4095), Just(255), Just(1), 1_u16..=65535];
    (max, 1_usize..40, 1_usize..20).prop_flat_map(|(max, width, rows)| {
        let sample = prop_oneof![Just(0), Just(max), 0..=max, Just(max / 2), Just(max / 2)];
        // Runs of equal samples and single ones.
        let run = (sample, prop_oneof![Just(1_usize), 1_usize..60]);
        proptest::collection::vec(run, 1..=width * rows).prop_map(move |runs| {
            let samples = runs
                .into_iter()
                .flat_map(|(sample, length)| std::iter::repeat_n(sample, length));
            let mut samples = samples.take(width * rows).collect::<Vec<_>>();
            samples.resize(width * rows, max);
            (max, width, samples)
        })
    })
}

proptest! {
    #[test]
    fn any_image_comes_back((max, width, samples) in images(), thresholds in any::<[u16; 3]>(), reset in 3_u16..=255) {
        let mut encoder = Encoder::default();
        let mut own = thresholds.map(|threshold| threshold.clamp(1, max));
        own.sort_unstable();
        for parameters in [Parameters::of_max(max), Parameters { max, thresholds: own, reset }] {
            let mut stream = Vec::new();
            prop_assert!(encoder.encode(&parameters, width, &samples, &mut stream));
            let length = stream.len();
            stream.push(0xFF);
            let mut decoded = Vec::new();
            prop_assert_eq!(jpegls::decode(&stream, width, samples.len() / width, &mut decoded), Ok(length));
            prop_assert_eq!(&decoded, &samples);
        }
    }

    #[test]
    fn a_changed_stream_ends_in_samples_within_range_or_in_an_error(
        (max, width, samples) in images(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut stream = Vec::new();
        prop_assert!(Encoder::default().encode(&Parameters::of_max(max), width, &samples, &mut stream));
        for (index, byte) in changes {
            let at = index.index(stream.len());
            stream[at] = byte;
        }
        let mut decoded = Vec::new();
        if jpegls::decode(&stream, width, samples.len() / width, &mut decoded).is_ok() {
            prop_assert_eq!(decoded.len(), samples.len());
        }
    }

    #[test]
    fn any_scan_ends(max in 1_u16.., thresholds in any::<bool>(), scan in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut parameters = Parameters::of_max(max);
        if thresholds {
            parameters.thresholds = [1, 1, max];
        }
        let mut stream = Vec::new();
        prop_assert!(Encoder::default().encode(&parameters, 30, &[0; 600], &mut stream));
        let at = stream.len() - self::scan(&stream).len();
        stream.truncate(at);
        stream.extend_from_slice(&scan);
        let mut decoded = Vec::new();
        if jpegls::decode(&stream, 30, 20, &mut decoded).is_ok() {
            prop_assert!(decoded.iter().all(|sample| *sample <= max));
        }
    }
}
