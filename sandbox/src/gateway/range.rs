//! The `Range` header of RFC 9110, section 14, as far as one range of bytes goes.

use std::ops::Range;

/// What a request asks for of `size` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All: there is no header, or one that the standard says to ignore (another unit, several ranges, malformed).
    All,
    /// These.
    Part(Range<u64>),
    /// None of it exists.
    Nothing,
}

impl Asked {
    pub(crate) fn read(header: Option<&str>, size: u64) -> Self {
        let Some((first, last)) = header
            .and_then(|header| header.strip_prefix("bytes="))
            .and_then(|range| range.trim().split_once('-'))
        else {
            return Self::All;
        };
        let number = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse::<u64>().ok())
                .flatten()
        };
        let range = match (first, last) {
            ("", last) => match number(last) {
                Some(0) => return Self::Nothing,
                Some(length) => size.saturating_sub(length)..size,
                None => return Self::All,
            },
            (first, "") => match number(first) {
                Some(first) => first..size,
                None => return Self::All,
            },
            (first, last) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
                _ => return Self::All,
            },
        };
        if range.start >= size {
            Self::Nothing
        } else {
            Self::Part(range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        for (header, size, asked) in [
            ("bytes=0-0", 10, Asked::Part(0..1)),
            ("bytes=2-5", 10, Asked::Part(2..6)),
            ("bytes=2-", 10, Asked::Part(2..10)),
            ("bytes=2-99", 10, Asked::Part(2..10)),
            ("bytes=-3", 10, Asked::Part(7..10)),
            ("bytes=-99", 10, Asked::Part(0..10)),
            ("bytes=0-18446744073709551615", 10, Asked::Part(0..10)),
            ("bytes=10-", 10, Asked::Nothing),
            ("bytes=-0", 10, Asked::Nothing),
            ("bytes=0-", 0, Asked::Nothing),
            ("bytes=5-2", 10, Asked::All),
            ("bytes=0-1,4-5", 10, Asked::All),
            ("bytes=+1-2", 10, Asked::All),
            ("lines=0-1", 10, Asked::All),
            ("bytes=-", 10, Asked::All),
        ] {
            assert_eq!(Asked::read(Some(header), size), asked, "{header} of {size}");
        }
        assert_eq!(Asked::read(None, 10), Asked::All);
    }
}
