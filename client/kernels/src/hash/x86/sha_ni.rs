//! SHA-256 by the processor's own SHA instructions, on up to four inputs at once: a round waits for the one before,
//! and another input's round can be computed meanwhile.

use std::arch::x86_64::*;

use super::super::{
    lanes::Kernel,
    sha256::{K, Sha256},
};

/// Proof that this processor has the SHA instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct ShaNi(());

impl ShaNi {
    pub(in super::super) fn detect() -> Option<Self> {
        let found =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3");
        found.then_some(Self(()))
    }
}

impl Kernel<Sha256> for ShaNi {
    fn lanes(&self) -> usize {
        4
    }

    fn compress(&self, states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
        for (states, blocks) in states.chunks_mut(4).zip(blocks.chunks(4)) {
            // SAFETY: `self` proves that the processor has these instructions.
            unsafe {
                match (states, blocks) {
                    ([a, b, c, d], &[i, j, k, l]) => compress([a, b, c, d], [i, j, k, l]),
                    ([a, b, c], &[i, j, k]) => compress([a, b, c], [i, j, k]),
                    ([a, b], &[i, j]) => compress([a, b], [i, j]),
                    (states, blocks) => {
                        for (state, blocks) in states.iter_mut().zip(blocks) {
                            // By the same instructions, and arranged for one input.
                            sha2::block_api::compress256(state, blocks);
                        }
                    }
                }
            }
        }
    }
}

/// Advances each state by as many blocks as the shortest list has.
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress<const N: usize>(states: [&mut [u32; 8]; N], blocks: [&[[u8; 64]]; N]) {
    // The instructions want the words in this order: a b e f, and c d g h, from the highest to the lowest.
    let mut abef = [_mm_setzero_si128(); N];
    let mut cdgh = abef;
    for n in 0..N {
        let [a, b, c, d, e, f, g, h] = states[n].map(u32::cast_signed);
        abef[n] = _mm_set_epi32(a, b, e, f);
        cdgh[n] = _mm_set_epi32(c, d, g, h);
    }

    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (constants, _) = K.as_chunks::<4>();
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    for at in 0..count {
        let before = (abef, cdgh);
        let mut words = [[_mm_setzero_si128(); 4]; N];
        for (words, blocks) in words.iter_mut().zip(&blocks) {
            let (quarters, _) = blocks[at].as_chunks::<16>();
            for (word, quarter) in words.iter_mut().zip(quarters) {
                *word = _mm_shuffle_epi8(load(quarter), big_endian);
            }
        }
        for (round, constant) in constants.iter().enumerate() {
            let constant = constant.map(u32::cast_signed);
            let constant = _mm_set_epi32(constant[3], constant[2], constant[1], constant[0]);
            for n in 0..N {
                let [w0, w1, w2, w3] = std::array::from_fn(|i| words[n][(round + i) % 4]);
                let sum = _mm_add_epi32(w0, constant);
                cdgh[n] = _mm_sha256rnds2_epu32(cdgh[n], abef[n], sum);
                abef[n] = _mm_sha256rnds2_epu32(abef[n], cdgh[n], _mm_shuffle_epi32(sum, 0x0e));
                if round < 12 {
                    let next = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
                    words[n][round % 4] = _mm_sha256msg2_epu32(next, w3);
                }
            }
        }
        for n in 0..N {
            abef[n] = _mm_add_epi32(abef[n], before.0[n]);
            cdgh[n] = _mm_add_epi32(cdgh[n], before.1[n]);
        }
    }

    for (n, state) in states.into_iter().enumerate() {
        let ([f, e, b, a], [h, g, d, c]) = (words_of(abef[n]), words_of(cdgh[n]));
        *state = [a, b, c, d, e, f, g, h];
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: sixteen bytes may be read, from an address of any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// From the lowest to the highest.
#[inline]
#[target_feature(enable = "sse2")]
fn words_of(vector: __m128i) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: sixteen bytes may be written, to an address of any alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    words
}
