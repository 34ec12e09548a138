//! A voice note: pulses of a voice that rises and falls, through the formants of vowels, with pauses and the noise of a
//! room. Nobody says anything in it, but it has about the statistics of speech, which is what a codec sees.

use super::Random;

const SAMPLES_PER_S: u32 = 16_000;

/// Formants of a vowel as resonators of two poles: `y = x + b1 * y1 - b2 * y2`, computed beforehand for 16 kHz from
/// frequency and width, so that no machine's sine has a say.
type Vowel = [(f64, f64); 3];

/// The vowels of "father", "bed", "see", "law", "boot" and "about" (frequencies of Peterson and Barney, 1952).
const VOWELS: [Vowel; 6] = [
    [(1.884_779, 0.965_274), (1.780_682, 0.957_723), (1.114_443, 0.939_101)],
    [(1.930_126, 0.972_885), (1.468_167, 0.957_723), (1.089_399, 0.939_101)],
    [(1.965_476, 0.976_713), (1.215_370, 0.953_969), (0.731_779, 0.931_755)],
    [(1.919_712, 0.969_072), (1.855_380, 0.961_491), (1.133_047, 0.939_101)],
    [(1.962_876, 0.976_713), (1.847_768, 0.961_491), (1.235_420, 0.939_101)],
    [(1.930_999, 0.969_072), (1.627_407, 0.957_723), (1.076_776, 0.939_101)],
];

/// A WAV file of so many bytes.
pub(super) fn note(len: usize) -> Vec<u8> {
    let mut wav = header(len);
    let mut random = Random::new(3);
    while wav.len() < len {
        syllable(&mut random, &mut wav);
    }
    wav.truncate(len);
    wav
}

/// RIFF, one channel of 16 bits.
fn header(len: usize) -> Vec<u8> {
    let size = |less: usize| u32::try_from(len - less).unwrap_or(0).to_le_bytes();
    [
        b"RIFF".as_slice(),
        &size(8),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &SAMPLES_PER_S.to_le_bytes(),
        &(SAMPLES_PER_S * 2).to_le_bytes(),
        &2_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &size(44),
    ]
    .concat()
}

/// A vowel of 0.1 to 0.3 s that swells and fades, or a pause.
fn syllable(random: &mut Random, wav: &mut Vec<u8>) {
    let samples = 1_600 + random.below(3_200);
    let spoken = random.below(6) > 0;
    let vowel = VOWELS[random.below(VOWELS.len())];
    let mut pitch = 110 + random.below(50);
    let loudness = 40.0 + random.below(60) as f64;
    let mut poles = [[0.0_f64; 2]; 3];
    let mut until_pulse = 0;
    for sample in 0..samples {
        let mut excitation = f64::from(random.around_zero(4)) / 20.0;
        if spoken && until_pulse == 0 {
            pitch = (pitch + random.below(5)).saturating_sub(2).clamp(90, 180);
            until_pulse = pitch;
            excitation += 12.0;
        }
        until_pulse = until_pulse.saturating_sub(1);
        let swell = (sample.min(samples - sample) as f64 / 400.0).min(1.0);
        let mut signal = if spoken { excitation * swell * loudness } else { 0.0 };
        for ((b1, b2), [y1, y2]) in vowel.iter().zip(&mut poles) {
            // Each resonator passes on as much of slow signals as it gets.
            let next = signal * (1.0 - b1 + b2) + b1 * *y1 - b2 * *y2;
            (*y2, *y1) = (*y1, next);
            signal = next;
        }
        let room = random.around_zero(6);
        let value = (signal * 12.0).clamp(-30_000.0, 30_000.0);
        wav.extend_from_slice(&to_i16(value, room).to_le_bytes());
    }
}

#[allow(clippy::cast_possible_truncation, reason = "clamped by the caller")]
fn to_i16(value: f64, room: i32) -> i16 {
    i16::try_from(value as i32 + room).unwrap_or(0)
}
