//! Headers of DICOM data elements (PS3.5, section 7.1), in each of the three ways they are written.

/// A length that says: until a delimiter.
pub(super) const UNDEFINED: u32 = u32::MAX;

/// Value representations with two reserved bytes and a 32-bit length.
const LONG: [&[u8; 2]; 13] = [
    b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV",
];

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Whether each names its value representation.
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

impl Syntax {
    pub(super) const EXPLICIT_LITTLE: Self = Self {
        explicit: true,
        big_endian: false,
    };
    pub(super) const IMPLICIT_LITTLE: Self = Self {
        explicit: false,
        big_endian: false,
    };

    /// The one that a transfer syntax UID stands for. All that are not known are explicit little endian, as PS3.5
    /// requires of those with encapsulated pixels; of a deflated data set nothing can be seen.
    pub(super) fn named(uid: &[u8]) -> Option<Self> {
        let end = uid
            .iter()
            .rposition(|byte| !matches!(byte, 0 | b' '))
            .map_or(0, |last| last + 1);
        match uid.get(..end)? {
            b"1.2.840.10008.1.2" => Some(Self::IMPLICIT_LITTLE),
            b"1.2.840.10008.1.2.2" => Some(Self {
                explicit: true,
                big_endian: true,
            }),
            b"1.2.840.10008.1.2.1.99" => None,
            _ => Some(Self::EXPLICIT_LITTLE),
        }
    }

    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// The syntax of a data set without meta information, by its first element: one of group 8, as every stored object has,
/// of a length that fits, with another after it.
pub(super) fn guess(data_set: &[u8]) -> Option<Syntax> {
    let first: [u8; 6] = *data_set.first_chunk()?;
    let syntax = Syntax {
        explicit: is_representation([first[4], first[5]]),
        big_endian: first[0] == 0,
    };
    let (first, second) = (Element::read(data_set, 0, syntax)?, |position| {
        Element::read(data_set, position, syntax)
    });
    // (0008,0000) is the group's length, (0008,0005) the character set; those up to 0018 identify the object. Tags ascend.
    let end = first.start + first.value(data_set)?.len();
    let plausible = first.tag.0 == 8 && first.tag.1 <= 0x18 && second(end)?.tag > first.tag;
    plausible.then_some(syntax)
}

fn is_representation(bytes: [u8; 2]) -> bool {
    bytes.iter().all(u8::is_ascii_uppercase)
}

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) tag: (u16, u16),
    representation: Option<[u8; 2]>,
    /// Bytes of its value as declared: anything at all.
    pub(super) len: u32,
    /// Where its value begins.
    pub(super) start: usize,
}

impl Element {
    /// Reads the header at a position; `None` where the bytes end before it does.
    pub(super) fn read(bytes: &[u8], position: usize, syntax: Syntax) -> Option<Self> {
        let rest = bytes.get(position..)?;
        let [a, b, c, d, e, f, g, h] = *rest.first_chunk()?;
        let tag = (syntax.u16([a, b]), syntax.u16([c, d]));
        // Items and delimiters have none. Nor have elements whose representation is none: some programs write those in
        // the midst of explicit ones, in the implicit way.
        let explicit = syntax.explicit && tag.0 != 0xfffe && is_representation([e, f]);
        let (representation, len, header) = if !explicit {
            (None, syntax.u32([e, f, g, h]), 8)
        } else if LONG.contains(&&[e, f]) {
            (Some([e, f]), syntax.u32(*rest.get(8..)?.first_chunk()?), 12)
        } else {
            (Some([e, f]), u32::from(syntax.u16([g, h])), 8)
        };
        Some(Self {
            tag,
            representation,
            len,
            start: position + header,
        })
    }

    /// Its value, if all of it is there.
    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let end = self.start.checked_add(usize::try_from(self.len).ok()?)?;
        bytes.get(self.start..end)
    }

    /// Whether nothing says what it holds, so that its content is written in the implicit way.
    pub(super) fn is_unknown(&self, syntax: Syntax) -> bool {
        syntax.explicit && matches!(self.representation, None | Some([b'U', b'N']))
    }
}
