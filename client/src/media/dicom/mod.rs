//! Finds native Pixel Data in a DICOM file (PS3.5 and PS3.10), and what it takes to see rows of samples in it. It only
//! locates: what is before and after the pixels is kept as it is, so nothing depends on reading it right. The walk is
//! bounded by the bytes that it is given, allocates nothing, and gives up where anything does not fit: then the file is
//! coded as any other.

mod element;

use element::{Element, Syntax, UNDEFINED};

use super::image::Image;
use super::plan::Located;

/// Sequences within sequences that are followed; real files have some five.
const MAX_DEPTH: usize = 32;
/// Bytes before the magic of PS3.10.
const PREAMBLE_LEN: usize = 128;
const MAGIC: &[u8; 4] = b"DICM";

const TRANSFER_SYNTAX: (u16, u16) = (0x0002, 0x0010);
const PIXEL_DATA: (u16, u16) = (0x7fe0, 0x0010);
const ITEM: (u16, u16) = (0xfffe, 0xe000);
const ITEM_END: (u16, u16) = (0xfffe, 0xe00d);
const SEQUENCE_END: (u16, u16) = (0xfffe, 0xe0dd);

/// Whether a file that begins so is DICOM; also without preamble and meta information, as it travels on the network.
pub(super) fn is_dicom(head: &[u8]) -> bool {
    has_magic(head) || element::guess(head).is_some()
}

/// The pixels of a file that begins so; `None` where there are none, or where they begin after `head`.
pub(super) fn locate(head: &[u8]) -> Option<Located> {
    let (syntax, start) = data_set(head)?;
    let mut walk = Walk {
        head,
        position: start,
        syntax,
        open: [Level::Item; MAX_DEPTH],
        depth: 0,
        attributes: Attributes::ASSUMED,
    };
    loop {
        if let Some(located) = walk.step()? {
            return Some(located);
        }
    }
}

fn has_magic(head: &[u8]) -> bool {
    head.get(PREAMBLE_LEN..).is_some_and(|rest| rest.starts_with(MAGIC))
}

/// How the data set is written, and where it begins: as its first element shows, or as the meta information says, which
/// is always explicit little endian itself.
fn data_set(head: &[u8]) -> Option<(Syntax, usize)> {
    let mut position = if has_magic(head) { PREAMBLE_LEN + MAGIC.len() } else { 0 };
    let mut named = None;
    while let Some(element) = Element::read(head, position, Syntax::EXPLICIT_LITTLE).filter(|found| found.tag.0 == 2) {
        let value = element.value(head)?;
        if element.tag == TRANSFER_SYNTAX {
            named = Some(Syntax::named(value)?);
        }
        position = element.start + value.len();
    }
    // What is there counts more than what is said of it: files that say the wrong thing are in use.
    let syntax = element::guess(head.get(position..)?).or(named)?;
    Some((syntax, position))
}

/// What is open around the walk.
#[derive(Debug, Clone, Copy)]
enum Level {
    /// A sequence of undefined length: items come, until its end. After it, elements are written so.
    Sequence(Syntax),
    /// An item of undefined length: elements come, until its end.
    Item,
}

struct Walk<'a> {
    head: &'a [u8],
    position: usize,
    syntax: Syntax,
    open: [Level; MAX_DEPTH],
    depth: usize,
    attributes: Attributes,
}

impl Walk<'_> {
    /// Takes one element: into it if it is of undefined length, over it otherwise. `None` where the file makes no sense
    /// or the head ends.
    fn step(&mut self) -> Option<Option<Located>> {
        let element = Element::read(self.head, self.position, self.syntax)?;
        match element.tag {
            ITEM_END | SEQUENCE_END => return self.close(&element).map(|()| None),
            ITEM => {
                if !matches!(self.innermost(), Some(Level::Sequence(_))) {
                    return None;
                }
                if element.len == UNDEFINED {
                    return self.enter(&element, Level::Item, self.syntax).map(|()| None);
                }
            }
            _ if matches!(self.innermost(), Some(Level::Sequence(_))) => return None,
            PIXEL_DATA if self.depth == 0 => return self.found(&element).map(Some),
            _ if element.len == UNDEFINED => {
                // Of an unknown value representation, the content is implicit little endian (PS3.5, 6.2.2).
                let within = if element.is_unknown(self.syntax) {
                    Syntax::IMPLICIT_LITTLE
                } else {
                    self.syntax
                };
                return self
                    .enter(&element, Level::Sequence(self.syntax), within)
                    .map(|()| None);
            }
            _ if self.depth == 0 => self.attributes.take(&element, self.head, self.syntax),
            _ => {}
        }
        self.position = element.start.checked_add(usize::try_from(element.len).ok()?)?;
        Some(None)
    }

    fn innermost(&self) -> Option<Level> {
        self.open.get(self.depth.checked_sub(1)?).copied()
    }

    fn enter(&mut self, element: &Element, level: Level, syntax: Syntax) -> Option<()> {
        *self.open.get_mut(self.depth)? = level;
        self.depth += 1;
        self.syntax = syntax;
        self.position = element.start;
        Some(())
    }

    fn close(&mut self, element: &Element) -> Option<()> {
        let closed = self.innermost()?;
        match (closed, element.tag) {
            (Level::Sequence(outside), SEQUENCE_END) => self.syntax = outside,
            (Level::Item, ITEM_END) => {}
            _ => return None,
        }
        self.depth -= 1;
        self.position = element.start;
        Some(())
    }

    fn found(&self, element: &Element) -> Option<Located> {
        let start = element.start as u64;
        // Of undefined length they are encapsulated: coded already, and not ours to take apart.
        if element.len == UNDEFINED {
            return Some(Located::Coded { start });
        }
        let image = self.attributes.image(self.syntax.big_endian)?;
        (image.total_len()? <= u64::from(element.len)).then_some(Located::Image { start, image })
    }
}

/// What group 0028 says of the pixels, as far as it matters here. What says nonsense is nothing.
struct Attributes {
    samples: Option<u32>,
    planar: Option<u32>,
    frames: Option<u32>,
    rows: Option<u32>,
    columns: Option<u32>,
    bits_allocated: Option<u32>,
    bits_stored: Option<u32>,
    high_bit: Option<u32>,
    signed: Option<u32>,
}

impl Attributes {
    /// What holds unless it is said otherwise.
    const ASSUMED: Self = Self {
        samples: Some(1),
        planar: Some(0),
        frames: Some(1),
        rows: None,
        columns: None,
        bits_allocated: None,
        bits_stored: None,
        high_bit: None,
        signed: None,
    };

    fn take(&mut self, element: &Element, head: &[u8], syntax: Syntax) {
        let slot = match element.tag {
            (0x0028, 0x0002) => &mut self.samples,
            (0x0028, 0x0006) => &mut self.planar,
            (0x0028, 0x0008) => &mut self.frames,
            (0x0028, 0x0010) => &mut self.rows,
            (0x0028, 0x0011) => &mut self.columns,
            (0x0028, 0x0100) => &mut self.bits_allocated,
            (0x0028, 0x0101) => &mut self.bits_stored,
            (0x0028, 0x0102) => &mut self.high_bit,
            (0x0028, 0x0103) => &mut self.signed,
            _ => return,
        };
        let Some(value) = element.value(head).filter(|value| !value.is_empty()) else {
            return;
        };
        *slot = match *value {
            // The only one that is a text.
            _ if element.tag == (0x0028, 0x0008) => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                text.trim_matches([' ', '\0']).parse().ok()
            }
            [a, b] => Some(u32::from(syntax.u16([a, b]))),
            [a, b, c, d] => Some(syntax.u32([a, b, c, d])),
            _ => None,
        };
    }

    fn image(&self, big_endian: bool) -> Option<Image> {
        let bits = self.bits_allocated?;
        let stored = self.bits_stored.unwrap_or(bits);
        let samples = self.samples?;
        let image = Image {
            columns: self.columns?,
            rows: self.rows?,
            frames: self.frames?,
            samples,
            // Of one sample there is one plane, whatever is said.
            planar: samples > 1 && self.planar == Some(1),
            bits,
            stored,
            high_bit: self.high_bit.unwrap_or(stored.saturating_sub(1)),
            signed: self.signed == Some(1),
            big_endian,
        };
        image.is_sound().then_some(image)
    }
}
