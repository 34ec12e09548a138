//! How a file is cut into frames, and how each is tried: decided once from the beginning of the file. After that it is
//! arithmetic on positions, so that a stream needs no second look and any number of threads may code its frames.

use super::codec::Method;
use super::{FRAME_LEN, Sniffed, sniff};

/// Bytes at the beginning of a file that a plan is made from; a shorter file gives all it has.
pub(crate) const HEAD_LEN: usize = 1 << 20;

/// The frame at some position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes of the original in it, at least 1 and at most [`MAX_FRAME_LEN`](super::MAX_FRAME_LEN); fewer where the
    /// file ends.
    pub(crate) len: usize,
    /// How to try it.
    pub(crate) method: Method,
}

/// How a file is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    sniffed: Option<Sniffed>,
    method: Method,
}

impl Plan {
    /// The plan for a file that begins with `head`, its first [`HEAD_LEN`] bytes or all of it.
    pub(crate) fn of(head: &[u8], compress: bool) -> Self {
        let sniffed = sniff(head);
        let worthwhile = compress && !sniffed.is_some_and(|sniffed| sniffed.already_coded);
        Self {
            sniffed,
            method: if worthwhile { Method::Zstd } else { Method::Raw },
        }
    }

    /// What the file is.
    pub(crate) fn sniffed(&self) -> Option<Sniffed> {
        self.sniffed
    }

    /// The frame that begins at `position` of the original.
    pub(crate) fn next(&self, _position: u64) -> Cut {
        Cut {
            len: FRAME_LEN,
            method: self.method,
        }
    }

    /// Whether every frame will be raw.
    pub(crate) fn is_raw(&self) -> bool {
        self.method == Method::Raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coded_files_and_those_that_nobody_wants_smaller_pass_raw() {
        assert!(Plan::of(b"\xff\xd8\xff\xe0 and so on", true).is_raw());
        assert!(Plan::of(b"plain text", false).is_raw());
        assert!(!Plan::of(b"plain text", true).is_raw());
    }
}
