//! SHA-256 of sixteen inputs at once on AVX-512.

use std::arch::{asm, x86_64::*};

use super::super::sha256::K;
use super::avx512::{CHOICE, MAJORITY, XOR, load, store, transpose_quarters};
use super::rounds::block;

pub(super) const LANES: usize = 16;

/// Advances each state, of at most sixteen, by its blocks: as many as the shortest list has.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn compress(states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
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
        let mut words = [_mm512_setzero_si512(); LANES];
        for (word, input) in words.iter_mut().zip(&inputs) {
            *word = load(&input[at]);
        }
        let mut words = transpose(words);
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

/// From a block in each vector to a word of every block in each, and from big-endian to the processor's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let big_endian = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    // Within each quarter of four rows, words become columns.
    let mut words = [_mm512_setzero_si512(); LANES];
    for (words, rows) in words.as_chunks_mut::<4>().0.iter_mut().zip(rows.as_chunks::<4>().0) {
        let [r0, r1, r2, r3] = rows.map(|row| _mm512_shuffle_epi8(row, big_endian));
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        *words = [
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ];
    }
    let mut columns = words;
    for j in 0..4 {
        let quarters = transpose_quarters([words[j], words[4 + j], words[8 + j], words[12 + j]]);
        for (i, quarter) in quarters.into_iter().enumerate() {
            columns[4 * i + j] = quarter;
        }
    }
    columns
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(constant: u32) -> __m512i {
    _mm512_set1_epi32(constant.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

/// [`add`], and the compiler leaves it where it stands.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_in_order(a: __m512i, b: __m512i) -> __m512i {
    let sum;
    // SAFETY: the instruction is there, by the feature enabled above, and does nothing but add two registers.
    unsafe {
        asm!(
            "vpaddd {}, {}, {}", out(zmm_reg) sum, in(zmm_reg) a, in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f")]
fn ch(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32(e, f, g, CHOICE)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn maj(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32(a, b, c, MAJORITY)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32(a, b, c, XOR)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big0(a: __m512i) -> __m512i {
    xor(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big1(e: __m512i) -> __m512i {
    xor(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small0(w: __m512i) -> __m512i {
    xor(_mm512_ror_epi32(w, 7), _mm512_ror_epi32(w, 18), _mm512_srli_epi32(w, 3))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small1(w: __m512i) -> __m512i {
    xor(
        _mm512_ror_epi32(w, 17),
        _mm512_ror_epi32(w, 19),
        _mm512_srli_epi32(w, 10),
    )
}
