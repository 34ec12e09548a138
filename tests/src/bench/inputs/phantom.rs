//! A CT volume: a thorax of ellipsoids (after Shepp and Logan, 1974) with the noise of a scanner, in 12 of 16 bits, as a
//! DICOM file of several frames that any viewer opens. Computed in whole numbers, so every machine gets the same.

use super::Random;

const SIDE: usize = 512;
/// Values are stored with this added, so that none is negative.
const INTERCEPT: i32 = 1024;

/// An ellipsoid: centre and half axes in pixels and slices, and its value in Hounsfield units.
struct Ellipsoid {
    centre: [i64; 3],
    half: [i64; 3],
    value: i32,
}

const fn ellipsoid(centre: [i64; 3], half: [i64; 3], value: i32) -> Ellipsoid {
    Ellipsoid { centre, half, value }
}

/// What comes later lies within what comes before.
const THORAX: [Ellipsoid; 14] = [
    ellipsoid([256, 262, 5], [228, 172, 60], -95), // skin and fat
    ellipsoid([256, 262, 5], [212, 156, 60], 48),  // muscle
    ellipsoid([156, 250, 5], [86, 112, 30], -852), // the right lung
    ellipsoid([356, 250, 5], [84, 110, 30], -848), // the left one
    ellipsoid([276, 252, 5], [58, 66, 20], 62),    // heart
    ellipsoid([288, 240, 5], [26, 30, 12], 142),   // with contrast in it
    ellipsoid([256, 376, 5], [32, 28, 90], 320),   // spine
    ellipsoid([256, 392, 5], [11, 10, 90], 22),    // its canal
    ellipsoid([296, 338, 5], [17, 17, 90], 148),   // aorta
    ellipsoid([256, 112, 5], [34, 10, 70], 410),   // breastbone
    ellipsoid([72, 262, 4], [12, 52, 6], 520),     // ribs
    ellipsoid([440, 262, 6], [12, 52, 6], 515),
    ellipsoid([138, 214, 6], [7, 6, 3], 38),    // a nodule
    ellipsoid([380, 300, 3], [10, 9, 3], -420), // ground glass
];

impl Ellipsoid {
    fn holds(&self, at: [i64; 3]) -> bool {
        let mut distance = 0;
        for ((at, centre), half) in at.iter().zip(&self.centre).zip(&self.half) {
            let away = at - centre;
            distance += ((away * away) << 16) / (half * half);
        }
        distance <= 1 << 16
    }
}

/// So many slices.
pub(super) fn ct_volume(slices: u16) -> Vec<u8> {
    let mut random = Random::new(2);
    let mut pixels = Vec::with_capacity(SIDE * SIDE * 2 * usize::from(slices));
    for slice in 0..slices {
        slice_of_it(i64::from(slice), &mut random, &mut pixels);
    }
    file(slices, &pixels)
}

fn slice_of_it(z: i64, random: &mut Random, pixels: &mut Vec<u8>) {
    // A scanner's noise is smooth over neighbours: each pixel has half of its own and half of the one above and left.
    let mut above = vec![0_i32; SIDE];
    for y in 0..SIDE {
        let mut left = 0;
        for (x, above) in above.iter_mut().enumerate() {
            let at = [i64::try_from(x).unwrap_or(0), i64::try_from(y).unwrap_or(0), z];
            let within = THORAX.iter().rev().find(|part| part.holds(at));
            let value = within.map_or(-1_000, |part| part.value);
            // More where more is in the way.
            let deviation = if within.is_some() { 28 } else { 16 };
            let noise = (2 * random.around_zero(deviation) + left + *above) / 4;
            (left, *above) = (noise, noise);
            let stored = (value + noise + INTERCEPT).clamp(0, 4_095);
            pixels.extend_from_slice(&u16::try_from(stored).unwrap_or(0).to_le_bytes());
        }
    }
}

/// A multi-frame grayscale word secondary capture (PS3.3, A.8.4), explicit VR, little endian.
fn file(slices: u16, pixels: &[u8]) -> Vec<u8> {
    const SOP_CLASS: &str = "1.2.840.10008.5.1.4.1.1.7.3";
    const INSTANCE: &str = "2.25.104723558190482716055102483316700000001";
    let side = u16::try_from(SIDE).unwrap_or(0);
    let mut meta = Vec::new();
    element(&mut meta, (0x0002, 0x0001), b"OB", &[0, 1]);
    text(&mut meta, (0x0002, 0x0002), b"UI", SOP_CLASS);
    text(&mut meta, (0x0002, 0x0003), b"UI", INSTANCE);
    text(&mut meta, (0x0002, 0x0010), b"UI", "1.2.840.10008.1.2.1");
    text(
        &mut meta,
        (0x0002, 0x0012),
        b"UI",
        "2.25.104723558190482716055102483316700000009",
    );

    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    let meta_len = u32::try_from(meta.len()).unwrap_or(0);
    element(&mut out, (0x0002, 0x0000), b"UL", &meta_len.to_le_bytes());
    out.extend(meta);

    text(&mut out, (0x0008, 0x0008), b"CS", "DERIVED\\SECONDARY");
    text(&mut out, (0x0008, 0x0016), b"UI", SOP_CLASS);
    text(&mut out, (0x0008, 0x0018), b"UI", INSTANCE);
    text(&mut out, (0x0008, 0x0020), b"DA", "20260101");
    text(&mut out, (0x0008, 0x0030), b"TM", "120000");
    text(&mut out, (0x0008, 0x0050), b"SH", "");
    text(&mut out, (0x0008, 0x0060), b"CS", "CT");
    text(&mut out, (0x0008, 0x0064), b"CS", "SYN");
    text(&mut out, (0x0008, 0x0070), b"LO", "made, of no patient");
    text(&mut out, (0x0010, 0x0010), b"PN", "PHANTOM^MADE");
    text(&mut out, (0x0010, 0x0020), b"LO", "PHANTOM");
    text(&mut out, (0x0010, 0x0030), b"DA", "");
    text(&mut out, (0x0010, 0x0040), b"CS", "O");
    text(&mut out, (0x0018, 0x1063), b"DS", "0");
    text(
        &mut out,
        (0x0020, 0x000d),
        b"UI",
        "2.25.104723558190482716055102483316700000002",
    );
    text(
        &mut out,
        (0x0020, 0x000e),
        b"UI",
        "2.25.104723558190482716055102483316700000003",
    );
    text(&mut out, (0x0020, 0x0010), b"SH", "1");
    text(&mut out, (0x0020, 0x0011), b"IS", "1");
    text(&mut out, (0x0020, 0x0013), b"IS", "1");
    number(&mut out, (0x0028, 0x0002), 1);
    text(&mut out, (0x0028, 0x0004), b"CS", "MONOCHROME2");
    text(&mut out, (0x0028, 0x0008), b"IS", &slices.to_string());
    element(&mut out, (0x0028, 0x0009), b"AT", &[0x18, 0, 0x63, 0x10]);
    number(&mut out, (0x0028, 0x0010), side);
    number(&mut out, (0x0028, 0x0011), side);
    number(&mut out, (0x0028, 0x0100), 16);
    number(&mut out, (0x0028, 0x0101), 12);
    number(&mut out, (0x0028, 0x0102), 11);
    number(&mut out, (0x0028, 0x0103), 0);
    text(&mut out, (0x0028, 0x0301), b"CS", "NO");
    text(&mut out, (0x0028, 0x1052), b"DS", &(-INTERCEPT).to_string());
    text(&mut out, (0x0028, 0x1053), b"DS", "1");
    text(&mut out, (0x0028, 0x1054), b"LO", "HU");
    text(&mut out, (0x2050, 0x0020), b"CS", "IDENTITY");
    element(&mut out, (0x7fe0, 0x0010), b"OW", pixels);
    out
}

/// Tag, VR, length and value. Some VRs have a longer length (PS3.5, 7.1.2).
fn element(out: &mut Vec<u8>, (group, number): (u16, u16), vr: &[u8; 2], value: &[u8]) {
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(vr);
    if matches!(vr, b"OB" | b"OW") {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_le_bytes());
    } else {
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    }
    out.extend_from_slice(value);
}

/// Texts have even lengths: identifiers are filled up with a zero, others with a space.
fn text(out: &mut Vec<u8>, tag: (u16, u16), vr: &[u8; 2], value: &str) {
    let mut value = value.as_bytes().to_vec();
    if !value.len().is_multiple_of(2) {
        value.push(if vr == b"UI" { 0 } else { b' ' });
    }
    element(out, tag, vr, &value);
}

fn number(out: &mut Vec<u8>, tag: (u16, u16), value: u16) {
    element(out, tag, b"US", &value.to_le_bytes());
}
