//! Guesses from the beginning of a file of unknown kind whether it is samples, and how they stand: raw volumes, curves of
//! an ECG, sound without a header. A guess that is wrong costs a few samples of each frame, which are coded for nothing.

use super::delta::DeltaFormat;

/// Bytes that are looked at, from the middle of the head: at its beginning stands a header.
const SAMPLE_LEN: usize = 4 << 10;
/// The longest stride that is looked for: leads of an ECG, sensors of a volume.
const MAX_STRIDE: u32 = 32;

/// The format in which differences are shortest; `None` where none of them is much shorter than the samples.
pub(super) fn delta(head: &[u8]) -> Option<DeltaFormat> {
    let middle = (head.len() / 2).next_multiple_of(4);
    let sample = head.get(middle..)?.get(..SAMPLE_LEN)?;
    let mut best = (SAMPLE_LEN as u64 * 8 * 4 / 5, None);
    for (width, big_endian) in [(2, false), (2, true), (4, false), (4, true), (1, false)] {
        for stride in 1..=MAX_STRIDE {
            let format = DeltaFormat::new(width, big_endian, stride)?;
            let weight = format.weight(sample);
            // Of a longer stride that is hardly better, the shorter one is the cause.
            if weight < best.0 - best.0 / 50 {
                best = (weight, Some(format));
            }
        }
    }
    best.1
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
        assert_eq!(delta(&curves), DeltaFormat::new(2, false, 3));
        let swapped: Vec<u8> = curves.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert_eq!(delta(&swapped), DeltaFormat::new(2, true, 3));
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
