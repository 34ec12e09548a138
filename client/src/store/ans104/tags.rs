//! The tags of a data item: an Avro array of name and value, at most 128 of them in at most 4,096 bytes (ANS-104). We
//! write none; other people's are read with these bounds.

use super::Ans104Error;

const MAX_TAGS: u64 = 128;
const MAX_TAGS_LEN: u64 = 4096;
const MAX_NAME_LEN: usize = 1024;
const MAX_VALUE_LEN: usize = 3072;

/// One tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Its name, 1 to 1,024 bytes.
    pub name: &'a [u8],
    /// Its value, 1 to 3,072 bytes.
    pub value: &'a [u8],
}

/// Holds the counts of a header against the bounds and gives the length as a `usize`.
pub(super) fn checked_len(count: u64, len: u64) -> Result<usize, Ans104Error> {
    if count > MAX_TAGS {
        return Err(Ans104Error::BadTags("more than 128"));
    }
    if len > MAX_TAGS_LEN {
        return Err(Ans104Error::BadTags("longer than 4096 bytes"));
    }
    usize::try_from(len).map_err(|_| Ans104Error::BadTags("longer than 4096 bytes"))
}

/// Reads the Avro array, which must hold exactly `count` tags and end where the bytes end.
pub(super) fn parse(bytes: &[u8], count: u64) -> Result<Vec<Tag<'_>>, Ans104Error> {
    let mut rest = bytes;
    let mut tags = Vec::new();
    if count == 0 && bytes.is_empty() {
        return Ok(tags);
    }
    loop {
        let block = long(&mut rest)?;
        if block == 0 {
            break;
        }
        if block < 0 {
            // A negative count is followed by the block's size in bytes, for readers that skip.
            long(&mut rest)?;
        }
        for _ in 0..block.unsigned_abs() {
            if tags.len() as u64 == count {
                return Err(Ans104Error::BadTags("more than the header says"));
            }
            let name = string(&mut rest, MAX_NAME_LEN)?;
            let value = string(&mut rest, MAX_VALUE_LEN)?;
            tags.push(Tag { name, value });
        }
    }
    if tags.len() as u64 != count {
        return Err(Ans104Error::BadTags("fewer than the header says"));
    }
    if !rest.is_empty() {
        return Err(Ans104Error::BadTags("bytes are left after them"));
    }
    Ok(tags)
}

/// An Avro long: zigzag, seven bits a byte, the low ones first.
fn long(rest: &mut &[u8]) -> Result<i64, Ans104Error> {
    let mut zigzag = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest
            .split_first()
            .ok_or(Ans104Error::BadTags("they end within a number"))?;
        *rest = tail;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let half = i64::try_from(zigzag >> 1).map_err(|_| Ans104Error::BadTags("a number is too large"))?;
            return Ok(if zigzag & 1 == 0 { half } else { !half });
        }
    }
    Err(Ans104Error::BadTags("a number is too large"))
}

fn string<'a>(rest: &mut &'a [u8], max: usize) -> Result<&'a [u8], Ans104Error> {
    let len = usize::try_from(long(rest)?).map_err(|_| Ans104Error::BadTags("a length is negative"))?;
    if len == 0 || len > max {
        return Err(Ans104Error::BadTags("a name or value is empty or too long"));
    }
    let (taken, tail) = rest
        .split_at_checked(len)
        .ok_or(Ans104Error::BadTags("they end within a string"))?;
    *rest = tail;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_in_several_blocks_are_read_in_order() {
        let bytes = [2, 2, b'a', 2, b'1', 1, 8, 2, b'b', 2, b'2', 0];
        let tags = parse(&bytes, 2).unwrap();
        assert_eq!(
            tags,
            [
                Tag {
                    name: b"a",
                    value: b"1"
                },
                Tag {
                    name: b"b",
                    value: b"2"
                }
            ]
        );
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let bytes = [2, 2, b'a', 2, b'1', 0];
        assert!(parse(&bytes, 0).is_err());
        assert!(parse(&bytes, 2).is_err());
        assert!(parse(&bytes[..5], 1).is_err());
        assert!(parse(&[2, 2, b'a', 2, b'1', 0, 0], 1).is_err());
        assert!(checked_len(129, 0).is_err());
        assert!(checked_len(1, 4097).is_err());
    }

    #[test]
    fn numbers_without_end_and_negative_lengths_are_refused() {
        assert!(parse(&[0xff; 20], 1).is_err());
        assert!(parse(&[2, 1, b'a', 2, b'1', 0], 1).is_err());
    }
}
