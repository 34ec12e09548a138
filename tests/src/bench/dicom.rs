//! JPEG-LS alone, as somebody would use it: the pixels of each frame coded, everything else of the file as it is. For
//! files with native pixels in explicit VR, little endian; of others nothing is said.

use chartseal_kernels::pixels::{self, PixelFormat};

const EXPLICIT_LITTLE: &[u8] = b"1.2.840.10008.1.2.1";
const TRANSFER_SYNTAX: [u16; 2] = [0x0002, 0x0010];
const PIXELS: [u16; 2] = [0x7fe0, 0x0010];

/// Bytes of the whole file, its pixels coded.
pub(super) fn by_jpegls(file: &[u8]) -> Option<usize> {
    let elements = Elements::of(file)?;
    let number = |element: u16| elements.find([0x0028, element]).and_then(|value| u16_at(value, 0));
    let coded = elements.find(PIXELS)?;
    let format = PixelFormat {
        width: number(0x0011)?.into(),
        rows: number(0x0010)?.into(),
        samples: u8::try_from(number(0x0002)?).ok()?,
        planar: number(0x0006) == Some(1),
        bytes: u8::try_from(number(0x0100)? / 8).ok()?,
        big_endian: false,
        stored_bits: u8::try_from(number(0x0101)?).ok()?,
        high_bit: u8::try_from(number(0x0102)?).ok()?,
        signed: number(0x0103) == Some(1),
    };
    let frame = usize::try_from(format.width.checked_mul(format.rows)?).ok()?;
    let frame = frame * usize::from(format.samples) * usize::from(format.bytes);
    let frames = coded.chunks_exact(frame.max(1));
    let mut len = file.len() - coded.len() + frames.remainder().len();
    for frame in frames {
        let mut out = Vec::new();
        len += if pixels::encode(&format, frame, &mut out) {
            out.len()
        } else {
            frame.len()
        };
    }
    Some(len)
}

/// A file's elements, those of sequences left out.
struct Elements<'a>(Vec<([u16; 2], &'a [u8])>);

impl<'a> Elements<'a> {
    fn of(file: &'a [u8]) -> Option<Self> {
        let (start, mut rest) = file.split_at_checked(132)?;
        if !start.ends_with(b"DICM") {
            return None;
        }
        let mut elements = Vec::new();
        while !rest.is_empty() {
            let tag = [u16_at(rest, 0)?, u16_at(rest, 2)?];
            let long = matches!(
                rest.get(4..6)?,
                b"OB" | b"OW" | b"OF" | b"OD" | b"OL" | b"OV" | b"SQ" | b"UN" | b"UT" | b"UC" | b"UR" | b"SV" | b"UV"
            );
            let (head, len): (usize, usize) = if long {
                let len = rest.get(8..12)?.try_into().map(u32::from_le_bytes).ok()?;
                (12, usize::try_from(len).ok()?)
            } else {
                (8, usize::from(u16_at(rest, 6)?))
            };
            // An undefined length is longer than any file.
            let value = rest.get(head..head.checked_add(len)?)?;
            elements.push((tag, value));
            rest = rest.get(head + len..)?;
        }
        let elements = Self(elements);
        let syntax = elements.find(TRANSFER_SYNTAX)?;
        let syntax = syntax.strip_suffix(b"\0").unwrap_or(syntax);
        (syntax == EXPLICIT_LITTLE).then_some(elements)
    }

    fn find(&self, tag: [u16; 2]) -> Option<&'a [u8]> {
        self.0.iter().find(|(other, _)| *other == tag).map(|(_, value)| *value)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().map(u16::from_le_bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bench::inputs::Kind;

    #[test]
    fn pixels_that_stand_as_they_are_become_smaller() {
        let file = std::fs::read(crate::programs::fixture("dicom/CT_small.dcm")).unwrap();
        let len = by_jpegls(&file).unwrap();
        assert!(len * 3 < file.len() * 2, "{len} of {}", file.len());
        assert!(by_jpegls(&Kind::Image.bytes()).is_some(), "the phantom is no DICOM");
    }

    #[test]
    fn of_what_is_no_such_file_nothing_is_said() {
        let file = std::fs::read(crate::programs::fixture("dicom/CT_small.dcm")).unwrap();
        assert_eq!(by_jpegls(&file[..1_000]), None);
        assert_eq!(by_jpegls(b"text"), None);
        assert_eq!(by_jpegls(&[]), None);
    }
}
