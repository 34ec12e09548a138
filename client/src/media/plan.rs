//! How a file is cut into frames, and how each is tried: decided once, from the beginning of the file. After that it is
//! arithmetic on positions, so that a stream needs no second look and any number of threads may code its frames.

use chartseal_kernels::pixels::delta::Delta;

use super::encoder::Method;
use super::image::Image;
use super::sniff::TEXT;
use super::{FRAME_LEN, Sniffed, dicom, guess, nifti, sniff, wav};

/// Bytes at the beginning of a file that a plan is made from; a shorter file gives all it has.
pub(crate) const HEAD_LEN: usize = 1 << 20;

/// Bytes at the beginning of a file that tell what it is, and so whether the rest of the head matters.
pub(crate) const START_LEN: usize = 16 << 10;

/// The frame at some position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes of the original in it, at least 1 and at most [`MAX_CODED_LEN`](super::MAX_CODED_LEN); fewer where the
    /// file ends.
    pub(crate) len: usize,
    /// How to try it.
    pub(crate) method: Method,
}

/// How a file is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    sniffed: Option<Sniffed>,
    /// In order and without gaps; the last one has no end.
    sections: Vec<Section>,
}

/// A part of the file whose frames are tried in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    start: u64,
    end: u64,
    grain: Grain,
    method: Method,
}

/// Where a section may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    /// Anywhere.
    Bytes,
    /// After blocks of so many bytes, at least 1.
    Blocks(usize),
    /// After rows.
    Rows(Image),
}

/// Where in a file something begins that deserves a method of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Located {
    /// Rows of samples.
    Image {
        /// Where they begin.
        start: u64,
        /// What they are.
        image: Image,
    },
    /// Samples of sound.
    Sound {
        /// Where they begin.
        start: u64,
        /// How long they are, as the file says.
        len: u64,
        /// How they stand.
        form: Delta,
    },
    /// What is coded already, up to the end of the file or nearly.
    Coded {
        /// Where it begins.
        start: u64,
    },
}

impl Plan {
    /// The plan for a file that begins with `head`, its first [`HEAD_LEN`] bytes or all of it.
    pub(crate) fn of(head: &[u8], compress: bool) -> Self {
        if let Some(raw) = Self::raw(head, compress) {
            return raw;
        }
        let sniffed = sniff(head);
        let located = dicom::locate(head)
            .or_else(|| nifti::locate(head))
            .or_else(|| wav::locate(head));
        let sections = match located {
            Some(located) => Section::around(located),
            None => vec![Section::new(0, u64::MAX, Grain::Bytes, method_of(sniffed, head))],
        };
        Self { sniffed, sections }
    }

    /// The plan for a file that is kept as it is, if it is: its first [`START_LEN`] bytes tell.
    pub(crate) fn raw(start: &[u8], compress: bool) -> Option<Self> {
        let sniffed = sniff(start);
        let is_raw = !compress || sniffed.is_some_and(|sniffed| sniffed.already_coded);
        is_raw.then(|| Self {
            sniffed,
            sections: vec![Section::new(0, u64::MAX, Grain::Bytes, Method::Raw)],
        })
    }

    /// What the file is.
    pub(crate) fn sniffed(&self) -> Option<Sniffed> {
        self.sniffed
    }

    /// The frame that begins at `position` of the original.
    pub(crate) fn next(&self, position: u64) -> Cut {
        let section = self.sections.iter().find(|section| position < section.end);
        match section {
            Some(section) => section.next(position),
            None => Cut {
                len: FRAME_LEN,
                method: Method::Raw,
            },
        }
    }

    /// Whether every frame will be raw.
    pub(crate) fn is_raw(&self) -> bool {
        self.sections.iter().all(|section| section.method == Method::Raw)
    }
}

/// How to try a file of which no part was located.
fn method_of(sniffed: Option<Sniffed>, head: &[u8]) -> Method {
    if sniffed.is_some_and(|sniffed| sniffed.media_type == TEXT) {
        Method::Zstd
    } else {
        guess::delta(head).map_or(Method::Probe, Method::Delta)
    }
}

impl Section {
    fn new(start: u64, end: u64, grain: Grain, method: Method) -> Self {
        Self {
            start,
            end,
            grain,
            method,
        }
    }

    /// What was located, what is before it, and what is after it.
    fn around(located: Located) -> Vec<Self> {
        let (start, len, grain, method) = match located {
            Located::Image { start, image } => {
                let len = image.total_len().unwrap_or(u64::MAX);
                (
                    start,
                    len,
                    Grain::Rows(image),
                    image.format().map_or(Method::Probe, Method::Pixels),
                )
            }
            Located::Sound { start, len, form } => (
                start,
                len,
                Grain::Blocks(usize::from(form.sample())),
                Method::Delta(form),
            ),
            Located::Coded { start } => (start, u64::MAX, Grain::Bytes, Method::Probe),
        };
        let end = start.saturating_add(len);
        let all = [
            Self::new(0, start, Grain::Bytes, Method::Zstd),
            Self::new(start, end, grain, method),
            Self::new(end, u64::MAX, Grain::Bytes, Method::Probe),
        ];
        all.into_iter().filter(|section| section.start < section.end).collect()
    }

    fn next(&self, position: u64) -> Cut {
        let within = position.saturating_sub(self.start);
        let len = match self.grain {
            Grain::Bytes => FRAME_LEN as u64,
            Grain::Blocks(block) => (FRAME_LEN / block * block).max(block) as u64,
            Grain::Rows(image) => image.stripe_len(within),
        };
        let len = len.min(self.end - position);
        Cut {
            len: usize::try_from(len).unwrap_or(FRAME_LEN),
            method: self.method,
        }
    }
}
