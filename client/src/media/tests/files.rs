//! Whole files: those that the tests and the demo store, made ones of each kind, and both of them damaged.

use std::path::Path;

use proptest::prelude::*;

use super::made::{self, curve, noise, picture};
use super::{comes_back, cuts, plan};
use crate::media::encoder::Method;
use crate::media::{Codec, FRAME_LEN, FrameEncoder, HEAD_LEN, Plan};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures")
            .join(name),
    )
    .unwrap()
}

fn encoder() -> FrameEncoder {
    FrameEncoder::new().unwrap()
}

fn is_pixels(method: Method) -> bool {
    matches!(method, Method::Pixels(_))
}

#[test]
fn every_fixture_comes_back_and_is_as_small_as_it_can_be_made() {
    // Bytes of the stream of frames, some more than were measured.
    for (name, most) in [
        ("dicom/CT_small.dcm", 15_600),
        ("dicom/MR_small.dcm", 4_950),
        ("dicom/examples_overlay.dcm", 89_000),
        ("dicom/examples_rgb_color.dcm", 44_000),
        ("dicom/examples_ybr_color.dcm", 103_000),
        ("dicom/waveform_ecg.dcm", 64_500),
        ("voice_note.wav", 152_000),
        ("note.txt", 330),
    ] {
        let kept = comes_back(&mut encoder(), &fixture(name)).stream.len();
        println!("{name}: {} bytes kept in {kept}", fixture(name).len());
        assert!(kept <= most, "{name} is kept in {kept} bytes");
    }
}

#[test]
fn every_dicom_file_comes_back_wherever_it_was_cut() {
    let mut encoder = encoder();
    for (name, step) in [("MR_small", 331), ("CT_small", 4_999), ("examples_rgb_color", 40_009)] {
        let file = fixture(&format!("dicom/{name}.dcm"));
        for end in (0..file.len()).step_by(step) {
            comes_back(&mut encoder, &file[..end]);
        }
    }
    // Of the plan alone, every length; what is cut is never more than there is.
    let file = fixture("dicom/MR_small.dcm");
    for end in 0..2_000 {
        let cut: usize = cuts(&plan(&file[..end]), &file[..end])
            .iter()
            .map(|(_, frame)| frame.len())
            .sum();
        assert_eq!(cut, end);
    }
}

#[test]
fn samples_of_every_kind_take_the_codec_made_for_them() {
    let mut encoder = encoder();
    for (what, file, codec) in [
        ("DICOM", made::dicom(300, 200, &picture(300, 200, false)), Codec::Pixels),
        (
            "NIfTI-1",
            made::nifti(false, false, [100, 50, 4], &picture(100, 200, false)),
            Codec::Pixels,
        ),
        (
            "NIfTI-1, the other way round",
            made::nifti(false, true, [100, 50, 4], &picture(100, 200, true)),
            Codec::Pixels,
        ),
        (
            "NIfTI-2",
            made::nifti(true, false, [100, 50, 4], &picture(100, 200, false)),
            Codec::Pixels,
        ),
        (
            "NIfTI-2, the other way round",
            made::nifti(true, true, [100, 50, 4], &picture(100, 200, true)),
            Codec::Pixels,
        ),
        ("sound", made::wav(1, &curve(40_000)), Codec::Delta),
        (
            "an unknown volume",
            [vec![0xee; 512], curve(60_000)].concat(),
            Codec::Delta,
        ),
        ("text", "Blutdruck 120/80. ".repeat(5_000).into_bytes(), Codec::Zstd),
        ("noise", noise(500_000), Codec::Raw),
    ] {
        let kept = comes_back(&mut encoder, &file);
        assert!(kept.codecs().contains(&codec), "{what}: {:?}", kept.codecs());
        assert!(codec == Codec::Raw || kept.stream.len() < file.len() * 2 / 3, "{what}");
    }
}

#[test]
fn long_images_are_cut_into_rows_and_what_is_around_them_is_not_taken_for_pixels() {
    let pixels = picture(1000, 1200, false);
    let file = made::dicom(1000, 1200, &pixels);
    let start = file.len() - pixels.len() - 112;
    let cuts = cuts(&plan(&file), &file);
    let lens: Vec<usize> = cuts.iter().map(|(_, frame)| frame.len()).collect();
    assert_eq!(lens, [start, 800_000, 800_000, 800_000, 112]);
    assert_eq!(
        cuts.iter().map(|(cut, _)| is_pixels(cut.method)).collect::<Vec<_>>(),
        [false, true, true, true, false]
    );
    comes_back(&mut encoder(), &file);
}

#[test]
fn pixels_that_are_not_what_the_header_says_come_back_all_the_same() {
    let mut encoder = encoder();
    for pixels in [noise(120_000), vec![0xff; 120_000], noise(119_999), Vec::new()] {
        let file = made::dicom(300, 200, &pixels);
        comes_back(&mut encoder, &file);
        comes_back(&mut encoder, &file[..file.len().saturating_sub(113)]);
    }
}

#[test]
fn a_plan_needs_no_more_than_the_head() {
    let file = made::dicom(2000, 2000, &picture(2000, 2000, false));
    assert_eq!(Plan::of(&file[..HEAD_LEN], true), plan(&file));
    assert!(is_pixels(plan(&file).next(4 << 20).method));
    let late = [made::meta("1.2.840.10008.1.2.1"), noise(HEAD_LEN), file].concat();
    assert!(!is_pixels(plan(&late).next(2 << 20).method));
}

#[test]
fn coded_files_and_those_that_nobody_wants_smaller_pass_raw() {
    for coded in [
        &b"\xff\xd8\xff\xe0 and so on"[..],
        b"\0\0\0\x18ftypisom",
        b"\x1a\x45\xdf\xa3",
        b"OggS",
        b"fLaC",
        b"ID3\x04",
    ] {
        assert!(plan(coded).is_raw(), "{coded:?}");
    }
    assert!(Plan::of(b"plain text", false).is_raw());
    for other in [
        &b"plain text"[..],
        b"",
        b"\0\x01\x02",
        b"%PDF-1.7",
        &made::wav(1, &[0; 9]),
    ] {
        assert!(!plan(other).is_raw(), "{other:?}");
    }
}

#[test]
fn what_is_coded_in_a_way_that_nobody_knows_is_not_compressed_again_but_what_follows_it_may_be() {
    let file = [noise(2 * FRAME_LEN), b"a log of the device\n".repeat(60_000)].concat();
    let kept = comes_back(&mut encoder(), &file);
    assert_eq!(kept.codecs(), [Codec::Raw, Codec::Raw, Codec::Zstd, Codec::Zstd]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_dicom_files_come_back(
        damages in proptest::collection::vec((0_usize..1_700, any::<u8>()), 1..8),
        moved in prop::option::of((0_usize..1_600, 1_usize..40)),
    ) {
        let mut file = fixture("dicom/MR_small.dcm");
        for (at, value) in damages {
            file[at] = value;
        }
        if let Some((at, len)) = moved {
            file.drain(at..at + len);
        }
        comes_back(&mut encoder(), &file);
    }

    #[test]
    fn any_frame_comes_back_by_any_method(
        file in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..600),
            proptest::collection::vec(0_u8..4, 0..600),
            proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| bytes.repeat(300)),
        ],
        columns in 1_u16..40, rows in 1_u16..20, channels in 1_u16..4,
    ) {
        let mut encoder = encoder();
        comes_back(&mut encoder, &file);
        comes_back(&mut encoder, &made::dicom(columns, rows, &file));
        comes_back(&mut encoder, &made::nifti(false, false, [columns, rows, 1], &file));
        comes_back(&mut encoder, &made::wav(channels, &file));
    }
}
