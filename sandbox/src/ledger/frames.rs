//! The journal's format, byte by byte.
//!
//! An eight-byte magic number, two notes, then frames. All integers are little-endian. A note is a length of the file
//! (8 bytes) and its checksum (8 bytes: of SHA-256(magic number, length)). They are written in turn, so one is always
//! whole, and the longer one counts. A frame:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | length of the payload |
//! | 4 | that length, inverted: a damaged length is seen before so much is read |
//! | 8 | checksum: SHA-256(checksum of the frame before, length, payload), cut to 8 bytes |
//! | n | payload |
//!
//! The checksums form a chain, so a frame that is removed, repeated or moved is noticed as well as one that is altered.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// How the file begins.
pub(super) const MAGIC: &[u8; 8] = b"CSEALJ02";

/// The header of a frame.
pub(super) const HEADER: usize = 16;

/// A note of how far the journal was confirmed, and where the frames begin, after two of them.
pub(super) const NOTE: usize = 16;
pub(super) const HEAD: usize = MAGIC.len() + 2 * NOTE;
pub(super) const FRAMES: u64 = HEAD as u64;

/// No payload comes near this: a transaction is at most 1,232 bytes, a genesis a few hundred per program.
const MAX_PAYLOAD: u32 = 1 << 20;

/// A note that a journal of this length was confirmed.
pub(super) fn note(length: u64) -> [u8; NOTE] {
    let mut note = [0; NOTE];
    let digest = Sha256::new()
        .chain_update(MAGIC)
        .chain_update(length.to_le_bytes())
        .finalize();
    note[..8].copy_from_slice(&length.to_le_bytes());
    note[8..].copy_from_slice(&digest[..8]);
    note
}

pub(super) fn read_note(bytes: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    (note(length) == bytes).then_some(length)
}

pub(super) enum Frame {
    Whole {
        payload: Vec<u8>,
        checksum: [u8; 8],
    },
    /// What is wrong with it. Whether it is damaged or torn depends on how far the journal was confirmed.
    Bad(&'static str),
}

/// Reads one frame of which at most `left` bytes are in the file.
pub(super) fn read_frame(reader: &mut impl Read, left: u64, before: [u8; 8]) -> io::Result<Frame> {
    if left < HEADER as u64 {
        return Ok(Frame::Bad("it ends within a frame"));
    }
    let mut header = [0; HEADER];
    reader.read_exact(&mut header)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = word(0);
    if word(4) != !length || length > MAX_PAYLOAD {
        return Ok(Frame::Bad("the length of the frame"));
    }
    if u64::from(length) > left - HEADER as u64 {
        return Ok(Frame::Bad("it ends within a frame"));
    }
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload)?;
    let checksum = chain(before, length, &payload);
    Ok(if header[8..] == checksum {
        Frame::Whole { payload, checksum }
    } else {
        Frame::Bad("the checksum")
    })
}

fn chain(before: [u8; 8], length: u32, payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(length.to_le_bytes())
        .chain_update(payload)
        .finalize();
    let mut cut = [0; 8];
    cut.copy_from_slice(&digest[..8]);
    cut
}

/// Appends a frame, and returns its checksum, to which the next one is chained.
pub(super) fn write_frame(buffer: &mut Vec<u8>, before: [u8; 8], payload: &[u8]) -> [u8; 8] {
    // Payloads are bounded far below four gigabytes: a transaction's packet, or a genesis of a few programs.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let checksum = chain(before, length, payload);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&(!length).to_le_bytes());
    buffer.extend_from_slice(&checksum);
    buffer.extend_from_slice(payload);
    checksum
}
