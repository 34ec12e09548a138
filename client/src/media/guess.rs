//! Guesses from the beginning of a file of unknown kind whether it is samples, and how they stand: raw volumes, curves of
//! an ECG, sound without a header. A guess that is wrong costs a few samples of each frame, which are coded for nothing.

use chartseal_kernels::pixels::delta::Delta;

/// Bytes that are looked at, from the middle of the head: at its beginning stands a header.
const SAMPLE_LEN: usize = 4 << 10;
/// The most channels that are looked for: leads of an ECG, sensors of a volume.
const MAX_CHANNELS: usize = 32;

/// The form in which differences are shortest; `None` where none of them is much shorter than the samples.
pub(super) fn delta(head: &[u8]) -> Option<Delta> {
    let middle = (head.len() / 2).next_multiple_of(4);
    let sample = head.get(middle..)?.get(..SAMPLE_LEN)?;
    let words = |width: usize| sample.chunks_exact(width).map(word).collect::<Vec<u32>>();
    let mut best = (SAMPLE_LEN as u64 * 8 * 4 / 5, None);
    for width in [2_u8, 4, 1] {
        let words = words(usize::from(width));
        for channels in 1..=MAX_CHANNELS {
            let weight = weight(&words, channels, 32 - 8 * u32::from(width));
            // Of more channels that are hardly better, fewer are the cause.
            if weight < best.0 - best.0 / 50 {
                let frame = u32::try_from(channels * usize::from(width)).ok()?;
                best = (weight, Delta::new(width, frame, None));
            }
        }
    }
    best.1
}

/// A sample in the high bytes of a word, so that its sign is the word's.
fn word(sample: &[u8]) -> u32 {
    sample.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (32 - 8 * sample.len())
}

/// How many bits the differences have in all, without what repeats their sign: roughly what they compress to. So many
/// low bits of each are not its own.
fn weight(words: &[u32], channels: usize, unused: u32) -> u64 {
    let pairs = words.iter().zip(words.get(channels..).unwrap_or_default());
    let bits = pairs.map(|(before, word)| {
        let difference = word.wrapping_sub(*before).cast_signed();
        u64::from(33 - (difference ^ difference >> 31).leading_zeros().min(32 - unused) - unused)
    });
    // The first of each channel have nothing before them.
    bits.sum::<u64>() + channels as u64 * u64::from(32 - unused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn curves_that_take_turns_are_seen_and_noise_and_text_are_not() {
        // Three curves of 16 bits, each slow and far from the others.
        let curves: Vec<u8> = (0..12_000_u16)
            .flat_map(|at| (at / 3 + at % 3 * 20_000).to_le_bytes())
            .collect();
        assert_eq!(delta(&curves), Delta::new(2, 6, None));
        assert_eq!(delta(b"short"), None);
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(100_000)
        .collect();
        assert_eq!(delta(&noise), None);
    }
}
