//! Finds the samples in a WAV file (RIFF, "Multimedia Programming Interface and Data Specifications 1.0"): integer PCM,
//! which is what dictation devices and microphones write.

use super::plan::Located;

/// WAVE_FORMAT_PCM, and WAVE_FORMAT_EXTENSIBLE, of which PCM is the kind that is met.
const PCM: [u16; 2] = [0x0001, 0xfffe];
/// The most bytes in a block: more channels are no sound.
const MAX_BLOCK: usize = 256;

/// The samples of a WAV file that begins so.
pub(super) fn locate(head: &[u8]) -> Option<Located> {
    if !head.starts_with(b"RIFF") || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut position = 12_usize;
    let mut block = None;
    loop {
        let header: [u8; 8] = *head.get(position..)?.first_chunk()?;
        let (name, len) = header.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(len.try_into().ok()?);
        position = position.checked_add(8)?;
        match name {
            b"fmt " => block = Some(block_of(head.get(position..)?)?),
            b"data" => {
                return Some(Located::Sound {
                    start: position as u64,
                    len: u64::from(len),
                    block: block?,
                });
            }
            _ => {}
        }
        // Chunks begin at even positions.
        position = position
            .checked_add(usize::try_from(len).ok()?)?
            .checked_next_multiple_of(2)?;
    }
}

/// Bytes of one sample of all channels, if they are integers of 16 bits: those that a difference makes smaller.
fn block_of(format: &[u8]) -> Option<usize> {
    let field = |at: usize| Some(u16::from_le_bytes(*format.get(at..)?.first_chunk()?));
    let (channels, block, bits) = (usize::from(field(2)?), usize::from(field(12)?), field(14)?);
    let fits = PCM.contains(&field(0)?) && bits == 16 && (2..=MAX_BLOCK).contains(&block) && block == channels * 2;
    fits.then_some(block)
}
