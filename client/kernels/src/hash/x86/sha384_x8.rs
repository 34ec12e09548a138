//! SHA-384 of eight inputs at once on AVX-512.

use std::arch::{asm, x86_64::*};

use super::super::sha384::K;
use super::avx512::{CHOICE, MAJORITY, XOR, load, store, transpose_quarters};
use super::rounds::block;

pub(super) const LANES: usize = 8;

/// Advances each state, of at most eight, by its blocks: as many as the shortest list has.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn compress(states: &mut [[u64; 8]], blocks: &[&[[u8; 128]]]) {
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

    let mut state = [_mm512_setzero_si512(); 8];
    for (vector, row) in state.iter_mut().zip(&rows) {
        *vector = load(row);
    }
    let count = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
    for at in 0..count {
        let mut halves = [[_mm512_setzero_si512(); LANES]; 2];
        for (lane, input) in inputs.iter().enumerate() {
            for (half, bytes) in halves.iter_mut().zip(input[at].as_chunks::<64>().0) {
                half[lane] = load(bytes);
            }
        }
        let mut words = [_mm512_setzero_si512(); 16];
        for (words, half) in words.as_chunks_mut().0.iter_mut().zip(halves) {
            *words = transpose(half);
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

/// From half a block in each vector to a word of every block in each, and from big-endian to the processor's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let big_endian = _mm512_set4_epi32(0x0809_0a0b, 0x0c0d_0e0f, 0x0001_0203, 0x0405_0607);
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows.map(|row| _mm512_shuffle_epi8(row, big_endian));
    let [c0, c2, c4, c6] = transpose_quarters([
        _mm512_unpacklo_epi64(r0, r1),
        _mm512_unpacklo_epi64(r2, r3),
        _mm512_unpacklo_epi64(r4, r5),
        _mm512_unpacklo_epi64(r6, r7),
    ]);
    let [c1, c3, c5, c7] = transpose_quarters([
        _mm512_unpackhi_epi64(r0, r1),
        _mm512_unpackhi_epi64(r2, r3),
        _mm512_unpackhi_epi64(r4, r5),
        _mm512_unpackhi_epi64(r6, r7),
    ]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(constant: u64) -> __m512i {
    _mm512_set1_epi64(constant.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(a, b)
}

/// [`add`], and the compiler leaves it where it stands.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_in_order(a: __m512i, b: __m512i) -> __m512i {
    let sum;
    // SAFETY: the instruction is there, by the feature enabled above, and does nothing but add two registers.
    unsafe {
        asm!(
            "vpaddq {}, {}, {}", out(zmm_reg) sum, in(zmm_reg) a, in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f")]
fn ch(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64(e, f, g, CHOICE)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn maj(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64(a, b, c, MAJORITY)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64(a, b, c, XOR)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big0(a: __m512i) -> __m512i {
    xor(
        _mm512_ror_epi64(a, 28),
        _mm512_ror_epi64(a, 34),
        _mm512_ror_epi64(a, 39),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big1(e: __m512i) -> __m512i {
    xor(
        _mm512_ror_epi64(e, 14),
        _mm512_ror_epi64(e, 18),
        _mm512_ror_epi64(e, 41),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small0(w: __m512i) -> __m512i {
    xor(_mm512_ror_epi64(w, 1), _mm512_ror_epi64(w, 8), _mm512_srli_epi64(w, 7))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small1(w: __m512i) -> __m512i {
    xor(
        _mm512_ror_epi64(w, 19),
        _mm512_ror_epi64(w, 61),
        _mm512_srli_epi64(w, 6),
    )
}
