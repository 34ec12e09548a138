//! The kernels for x86-64. Each is a token that only `detect` makes, after the processor has said that it has the
//! instructions: whoever holds the token may therefore call them.

// Nothing but `unsafe` reaches these instructions; each use says why it is sound, and `tests/hash.rs` compares every
// kernel that the processor has with the portable one.
#![allow(unsafe_code)]

pub(super) mod avx2;
pub(super) mod avx512;
mod rounds;
mod sha256_x16;
mod sha384_x8;
pub(super) mod sha_ni;
