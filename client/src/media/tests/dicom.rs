//! Pixels are found where they are, in every way a data set is written, and nowhere in what is damaged.

use proptest::prelude::*;

use super::made::{self, DataSet};
use super::{cuts, plan};
use crate::media::dicom::{is_dicom, locate};
use crate::media::plan::Located;

const PIXELS: (u16, u16) = (0x7fe0, 0x10);
const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const JPEG: &str = "1.2.840.10008.1.2.4.50";

/// Where pixels of a 6 x 4 image of 16 bits were found.
fn found(file: &[u8]) -> Option<usize> {
    match locate(file)? {
        Located::Image { start, image } => {
            assert_eq!((image.columns, image.rows, image.total_len()), (6, 4, Some(48)));
            Some(usize::try_from(start).unwrap())
        }
        other => panic!("{other:?} is no image"),
    }
}

/// A data set with everything that can be in the way of its pixels.
fn full(explicit: bool, big_endian: bool) -> DataSet {
    let mut set = DataSet::object(explicit, big_endian);
    // A private element whose representation nobody knows, of an odd length.
    set.element((9, 0x1001), b"UN", b"odd");
    // A sequence of undefined length, with an item of either kind, and in the first one an icon with pixels of its own.
    set.header((0x88, 0x200), b"SQ", u32::MAX);
    set.item();
    set.image(1, 1);
    set.header((0x8, 0x1140), b"SQ", u32::MAX);
    set.end_sequence();
    set.element(PIXELS, b"OW", &[1, 2]);
    set.end_item();
    set.header((0xfffe, 0xe000), b"  ", 4);
    set.bytes.extend([0; 4]);
    set.end_sequence();
    set
}

#[test]
fn native_pixels_are_found_in_every_syntax() {
    for (explicit, big_endian, name) in [
        (true, false, EXPLICIT),
        (false, false, IMPLICIT),
        (true, true, BIG_ENDIAN),
        // Of a syntax that is not known, and of one that is named wrongly, what is there counts.
        (true, false, "1.2.3.4"),
        (false, false, EXPLICIT),
    ] {
        let mut set = full(explicit, big_endian);
        set.image(6, 4);
        set.element(PIXELS, b"OW", &[7; 48]);
        let pixels = set.bytes.len() - 48;
        let whole = [made::meta(name), set.bytes.clone()].concat();
        let before = whole.len() - set.bytes.len();
        assert_eq!(found(&whole), Some(before + pixels), "{name}");
        assert_eq!(found(&set.bytes), Some(pixels), "{name} without meta information");
        let no_meta = [&[0; 128][..], b"DICM", &set.bytes].concat();
        assert_eq!(found(&no_meta), Some(132 + pixels), "{name} with a preamble only");
        assert!(is_dicom(&whole) && is_dicom(&set.bytes));
    }
}

#[test]
fn a_sequence_of_unknown_representation_is_read_in_the_implicit_way() {
    let mut inside = DataSet::new(false, false);
    inside.item();
    inside.element((8, 0x100), b"SH", b"implicit");
    inside.end_item();
    inside.end_sequence();
    let mut set = DataSet::object(true, false);
    set.header((9, 0x1002), b"UN", u32::MAX);
    set.bytes.extend(inside.bytes);
    set.image(6, 4);
    set.element(PIXELS, b"OW", &[7; 48]);
    assert_eq!(found(&set.bytes), Some(set.bytes.len() - 48));
}

#[test]
fn encapsulated_pixels_begin_where_their_fragments_do() {
    let mut set = full(true, false);
    set.image(6, 4);
    set.header(PIXELS, b"OB", u32::MAX);
    let start = set.bytes.len() as u64;
    set.header((0xfffe, 0xe000), b"  ", 0);
    set.end_sequence();
    assert_eq!(locate(&set.bytes), Some(Located::Coded { start }));
    let whole = [made::meta(JPEG), set.bytes].concat();
    assert!(matches!(locate(&whole), Some(Located::Coded { .. })));
}

#[test]
fn of_a_deflated_data_set_nothing_is_seen() {
    let mut set = DataSet::object(true, false);
    set.image(6, 4);
    set.element(PIXELS, b"OW", &[7; 48]);
    assert_eq!(locate(&[made::meta(DEFLATED), set.bytes].concat()), None);
}

#[test]
fn images_that_do_not_fit_their_pixels_are_left_alone() {
    let file = |change: &dyn Fn(&mut DataSet), pixels: usize| {
        let mut set = DataSet::object(true, false);
        set.image(6, 4);
        change(&mut set);
        set.element(PIXELS, b"OW", &vec![7; pixels]);
        set.bytes
    };
    assert!(found(&file(&|_| {}, 48)).is_some());
    assert_eq!(found(&file(&|_| {}, 47)), None, "too short");
    assert!(
        found(&file(&|_| {}, 50)).is_some(),
        "what is behind them is no part of them"
    );
    for (what, element, value) in [
        ("no rows", 0x10, 0),
        ("no columns", 0x11, 0),
        ("bits of no whole byte", 0x100, 12),
        ("one bit", 0x100, 1),
        ("32 bits", 0x100, 32),
        ("no samples", 0x02, 0),
        ("many samples", 0x02, 5),
    ] {
        assert_eq!(
            found(&file(&|set| set.number((0x28, element), value), 48)),
            None,
            "{what}"
        );
    }
    for frames in ["0", "2", "-1", "4294967296", "one", "\u{e9}"] {
        assert_eq!(
            found(&file(&|set| set.element((0x28, 8), b"IS", frames.as_bytes()), 48)),
            None,
            "{frames} frames"
        );
    }
    for frames in ["1 ", " 1", "+1", "1\0", ""] {
        assert!(
            found(&file(&|set| set.element((0x28, 8), b"IS", frames.as_bytes()), 48)).is_some(),
            "{frames} frames"
        );
    }
    // Contradictions that only cost compression: the codec settles them.
    assert!(found(&file(&|set| set.number((0x28, 0x101), 20), 48)).is_some());
}

#[test]
fn planes_of_a_few_bytes_are_no_images() {
    let found = |columns: u16, rows: u16, samples: u16| {
        let mut set = DataSet::object(true, false);
        set.image(columns, rows);
        set.number((0x28, 0x02), samples);
        set.number((0x28, 0x06), 1);
        set.element((0x28, 0x08), b"IS", b"100000");
        set.header(PIXELS, b"OW", u32::MAX - 1);
        // A million bytes are cut into a few hundred frames at most.
        assert!(cuts(&plan(&set.bytes), &[&set.bytes[..], &[7; 1_000_000]].concat()).len() < 250);
        match locate(&set.bytes) {
            Some(Located::Image { image, .. }) => Some(image.planar),
            _ => None,
        }
    };
    assert_eq!(found(1, 1, 3), None);
    assert_eq!(found(32, 63, 3), None);
    assert_eq!(found(32, 64, 3), Some(true));
    assert_eq!(found(1, 1, 1), Some(false), "one sample has one plane");
}

#[test]
fn declared_lengths_are_not_believed() {
    for len in [u32::MAX - 1, 1 << 31, 1 << 20, 49] {
        let mut set = DataSet::object(true, false);
        set.header((9, 0x1001), b"UN", len);
        set.bytes.extend([0; 40]);
        assert_eq!(locate(&set.bytes), None);

        // Of pixels it may be true: a stream has not shown them yet.
        let mut set = DataSet::object(true, false);
        set.image(6, 4);
        set.header(PIXELS, b"OW", len);
        assert_eq!(found(&set.bytes), Some(set.bytes.len()));
    }
}

#[test]
fn sequences_without_end_or_bottom_are_given_up() {
    let mut set = DataSet::object(true, false);
    for _ in 0..50_000 {
        set.header((8, 0x1140), b"SQ", u32::MAX);
        set.item();
    }
    assert_eq!(locate(&set.bytes), None);

    let stray: [fn(&mut DataSet); 4] = [
        DataSet::item,
        DataSet::end_item,
        DataSet::end_sequence,
        // An element where an item should be.
        |set| {
            set.header((8, 0x1140), b"SQ", u32::MAX);
            set.number((0x28, 0x10), 1);
        },
    ];
    for stray in stray {
        let mut set = DataSet::object(true, false);
        stray(&mut set);
        set.image(6, 4);
        set.element(PIXELS, b"OW", &[7; 48]);
        assert_eq!(locate(&set.bytes), None);
    }
}

#[test]
fn other_files_are_no_dicom() {
    for file in [
        &b""[..],
        b"\x08\0",
        b"\x08\0\x05\0CS\x04\0",
        b"a text, which is longer than any header of an element",
        &[0; 400],
        &[8; 400],
        &[0xff; 400],
    ] {
        assert!(!is_dicom(file), "{file:?}");
        assert_eq!(locate(file), None);
    }
    assert!(made::noise(1 << 16).windows(64).all(|bytes| !is_dicom(bytes)));
}

proptest! {
    #[test]
    fn damage_is_survived_and_pixels_are_never_found_outside_the_file(
        explicit: bool, big_endian: bool,
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end: prop::sample::Index,
    ) {
        let mut set = full(explicit, big_endian);
        set.image(6, 4);
        set.element(PIXELS, b"OW", &[7; 48]);
        let mut file = [made::meta(if big_endian { BIG_ENDIAN } else { EXPLICIT }), set.bytes].concat();
        for (at, value) in damages {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(end.index(file.len()) + 1);
        match locate(&file) {
            Some(Located::Image { start, image }) => {
                prop_assert!(start <= file.len() as u64);
                prop_assert!(image.total_len().is_some_and(|len| len > 0));
            }
            Some(Located::Coded { start }) => prop_assert!(start <= file.len() as u64),
            other => prop_assert_eq!(other, None),
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = locate(&bytes);
        let _ = locate(&[made::meta(EXPLICIT), bytes.clone()].concat());
        let _ = locate(&[DataSet::object(false, false).bytes, bytes].concat());
    }
}
