//! What both hash functions do with the 512-bit registers of AVX-512: one register is one word of every lane.

use std::arch::x86_64::*;

use super::super::{lanes::Kernel, sha256::Sha256, sha384::Sha384};
use super::{sha_ni::ShaNi, sha256_x16, sha384_x8};

/// Proof that this processor has AVX-512 F and BW.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx512 {
    /// What computes a SHA-256 of too few inputs, where the processor has it.
    few: Option<ShaNi>,
    _proof: (),
}

impl Avx512 {
    pub(in super::super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        found.then(|| Self {
            few: ShaNi::detect(),
            _proof: (),
        })
    }
}

/// Sixteen lanes cost what they cost, however many of them are in use; with fewer than this the SHA instructions win.
const WORTH_SIXTEEN: usize = 9;

impl Kernel<Sha256> for Avx512 {
    fn lanes(&self) -> usize {
        sha256_x16::LANES
    }

    fn compress(&self, states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
        match self.few {
            Some(few) if states.len() < WORTH_SIXTEEN => few.compress(states, blocks),
            // SAFETY: `self` proves that the processor has these instructions.
            _ => unsafe { sha256_x16::compress(states, blocks) },
        }
    }
}

impl Kernel<Sha384> for Avx512 {
    fn lanes(&self) -> usize {
        sha384_x8::LANES
    }

    fn compress(&self, states: &mut [[u64; 8]], blocks: &[&[[u8; 128]]]) {
        match (states, blocks) {
            ([state], [blocks]) => sha2::block_api::compress512(state, blocks),
            // SAFETY: `self` proves that the processor has these instructions.
            (states, blocks) => unsafe { sha384_x8::compress(states, blocks) },
        }
    }
}

/// The tables of three functions of three bits, for `vpternlog`: exclusive or, choice and majority.
pub(super) const XOR: i32 = 0x96;
pub(super) const CHOICE: i32 = 0xca;
pub(super) const MAJORITY: i32 = 0xe8;

/// Quarter `j` (128 bits) of row `i` becomes quarter `i` of row `j`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose_quarters([r0, r1, r2, r3]: [__m512i; 4]) -> [__m512i; 4] {
    let (even01, odd01) = (_mm512_shuffle_i32x4(r0, r1, 0x88), _mm512_shuffle_i32x4(r0, r1, 0xdd));
    let (even23, odd23) = (_mm512_shuffle_i32x4(r2, r3, 0x88), _mm512_shuffle_i32x4(r2, r3, 0xdd));
    [
        _mm512_shuffle_i32x4(even01, even23, 0x88),
        _mm512_shuffle_i32x4(odd01, odd23, 0x88),
        _mm512_shuffle_i32x4(even01, even23, 0xdd),
        _mm512_shuffle_i32x4(odd01, odd23, 0xdd),
    ]
}

/// The 64 bytes of `source`, whatever they are.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load<T: Words>(source: &T) -> __m512i {
    // SAFETY: `Words` is 64 bytes of plain numbers, and the address may have any alignment.
    unsafe { _mm512_loadu_si512(std::ptr::from_ref(source).cast()) }
}

/// `vector` as 64 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store<T: Words>(vector: __m512i, target: &mut T) {
    // SAFETY: `Words` is 64 bytes of plain numbers that may have any value, and the address may have any alignment.
    unsafe { _mm512_storeu_si512(std::ptr::from_mut(target).cast(), vector) }
}

/// 64 bytes of plain numbers.
///
/// # Safety
/// Only for types of exactly 64 bytes without padding, of which every pattern of bits is a value.
pub(super) unsafe trait Words {}
// SAFETY: 64 numbers of one byte.
unsafe impl Words for [u8; 64] {}
// SAFETY: 16 numbers of four bytes.
unsafe impl Words for [u32; 16] {}
// SAFETY: 8 numbers of eight bytes.
unsafe impl Words for [u64; 8] {}
