//! SHA-384 of four inputs at once on AVX2, for processors without AVX-512.

use std::arch::{asm, x86_64::*};

use super::super::{
    lanes::Kernel,
    sha384::{K, Sha384},
};
use super::rounds::block;

/// Proof that this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

const LANES: usize = 4;

impl Avx2 {
    pub(in super::super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Kernel<Sha384> for Avx2 {
    fn lanes(&self) -> usize {
        LANES
    }

    fn compress(&self, states: &mut [[u64; 8]], blocks: &[&[[u8; 128]]]) {
        match (states, blocks) {
            ([state], [blocks]) => sha2::block_api::compress512(state, blocks),
            // SAFETY: `self` proves that the processor has these instructions.
            (states, blocks) => unsafe { compress(states, blocks) },
        }
    }
}

/// Advances each state, of at most four, by its blocks: as many as the shortest list has.
#[target_feature(enable = "avx2")]
fn compress(states: &mut [[u64; 8]], blocks: &[&[[u8; 128]]]) {
    let Some(&first) = blocks.first() else { return };
    // Lanes without an input of their own compute the first one's once more.
    let mut inputs = [first; LANES];
    let mut rows = [[0; LANES]; 8];
    for (lane, (state, &blocks)) in states.iter().zip(blocks).take(LANES).enumerate() {
        inputs[lane] = blocks;
        for (row, word) in rows.iter_mut().zip(state) {
            row[lane] = *word;
        }
    }

    let mut state = rows.map(|row| {
        let [a, b, c, d] = row.map(u64::cast_signed);
        _mm256_setr_epi64x(a, b, c, d)
    });
    let count = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
    for at in 0..count {
        let mut quarters = [[_mm256_setzero_si256(); LANES]; 4];
        for (lane, input) in inputs.iter().enumerate() {
            for (quarter, bytes) in quarters.iter_mut().zip(input[at].as_chunks().0) {
                quarter[lane] = load(bytes);
            }
        }
        let mut words = [_mm256_setzero_si256(); 16];
        for (words, quarter) in words.as_chunks_mut().0.iter_mut().zip(quarters) {
            *words = transpose(quarter);
        }
        block!(state, words, K);
    }
    for (vector, row) in state.into_iter().zip(&mut rows) {
        store(vector, row);
    }

    for (lane, state) in states.iter_mut().take(LANES).enumerate() {
        for (word, row) in state.iter_mut().zip(&rows) {
            *word = row[lane];
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes may be read, from an address of any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m256i, words: &mut [u64; LANES]) {
    // SAFETY: 32 bytes may be written, to an address of any alignment.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) }
}

/// From a quarter of a block in each vector to a word of every block in each, and from big-endian to the processor's
/// order.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [__m256i; LANES]) -> [__m256i; LANES] {
    let big_endian = _mm256_set_epi64x(
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
        0x0809_0a0b_0c0d_0e0f,
        0x0001_0203_0405_0607,
    );
    let [r0, r1, r2, r3] = rows.map(|row| _mm256_shuffle_epi8(row, big_endian));
    let (even01, odd01) = (_mm256_unpacklo_epi64(r0, r1), _mm256_unpackhi_epi64(r0, r1));
    let (even23, odd23) = (_mm256_unpacklo_epi64(r2, r3), _mm256_unpackhi_epi64(r2, r3));
    [
        _mm256_permute2x128_si256(even01, even23, 0x20),
        _mm256_permute2x128_si256(odd01, odd23, 0x20),
        _mm256_permute2x128_si256(even01, even23, 0x31),
        _mm256_permute2x128_si256(odd01, odd23, 0x31),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(constant: u64) -> __m256i {
    _mm256_set1_epi64x(constant.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi64(a, b)
}

/// [`add`], and the compiler leaves it where it stands.
#[inline]
#[target_feature(enable = "avx2")]
fn add_in_order(a: __m256i, b: __m256i) -> __m256i {
    let sum;
    // SAFETY: the instruction is there, by the feature enabled above, and does nothing but add two registers.
    unsafe {
        asm!(
            "vpaddq {}, {}, {}", out(ymm_reg) sum, in(ymm_reg) a, in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[inline]
#[target_feature(enable = "avx2")]
fn ch(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn maj(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

/// Rotated to the right by `RIGHT` bits, which are 64 - `LEFT`.
#[inline]
#[target_feature(enable = "avx2")]
fn rotated<const RIGHT: i32, const LEFT: i32>(word: __m256i) -> __m256i {
    const { assert!(RIGHT + LEFT == 64) };
    _mm256_or_si256(_mm256_srli_epi64(word, RIGHT), _mm256_slli_epi64(word, LEFT))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big0(a: __m256i) -> __m256i {
    xor(rotated::<28, 36>(a), rotated::<34, 30>(a), rotated::<39, 25>(a))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big1(e: __m256i) -> __m256i {
    xor(rotated::<14, 50>(e), rotated::<18, 46>(e), rotated::<41, 23>(e))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small0(w: __m256i) -> __m256i {
    xor(rotated::<1, 63>(w), rotated::<8, 56>(w), _mm256_srli_epi64(w, 7))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small1(w: __m256i) -> __m256i {
    xor(rotated::<19, 45>(w), rotated::<61, 3>(w), _mm256_srli_epi64(w, 6))
}
