//! Finds the samples in a WAV file (RIFF, "Multimedia Programming Interface and Data Specifications 1.0"): integer PCM,
//! which is what dictation devices and microphones write.

use chartseal_kernels::pixels::delta::Delta;

use super::plan::Located;

/// WAVE_FORMAT_PCM, and WAVE_FORMAT_EXTENSIBLE, of which PCM is the kind that is met.
const PCM: [u32; 2] = [0x0001, 0xfffe];

/// The samples of a WAV file that begins so.
pub(super) fn locate(head: &[u8]) -> Option<Located> {
    if !head.starts_with(b"RIFF") || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut position = 12_usize;
    let mut form = None;
    loop {
        let header: [u8; 8] = *head.get(position..)?.first_chunk()?;
        let (name, len) = header.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(len.try_into().ok()?);
        position = position.checked_add(8)?;
        match name {
            b"fmt " => form = Some(form_of(head.get(position..)?)?),
            b"data" => {
                return Some(Located::Sound {
                    start: position as u64,
                    len: u64::from(len),
                    form: form?,
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

/// How samples stand, from a `fmt ` chunk.
fn form_of(chunk: &[u8]) -> Option<Delta> {
    let field = |at: usize| Some(u32::from(u16::from_le_bytes(*chunk.get(at..)?.first_chunk()?)));
    let (channels, block, bits) = (field(2)?, field(12)?, field(14)?);
    let fits = PCM.contains(&field(0)?) && bits % 8 == 0 && block == channels * bits / 8;
    Delta::new(u8::try_from(bits / 8).ok()?, block, None).filter(|_| fits)
}
