//! SHA-256 and SHA-384 (FIPS 180-4) of many inputs at once. One input's rounds wait for each other, so a processor that
//! hashes one at a time is mostly idle: here several go side by side, by whatever instructions this processor has, and
//! by the `sha2` crate where it has none of them. Every way gives the same digests; they are fastest where many inputs,
//! or at least neighbours, are equally long.

mod lanes;
mod sha256;
mod sha384;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::LazyLock;

pub use sha256::Sha256Backend;
pub use sha384::Sha384Backend;

static SHA256: LazyLock<Sha256Backend> = LazyLock::new(Sha256Backend::fastest);
static SHA384: LazyLock<Sha384Backend> = LazyLock::new(Sha384Backend::fastest);

/// SHA-256 of each input.
#[must_use]
pub fn sha256_each(inputs: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut digests = vec![[0; 32]; inputs.len()];
    sha256_into(inputs, &mut digests);
    digests
}

/// Writes the SHA-256 of `inputs[i]` to `digests[i]`, for as many as both have. Allocates nothing.
pub fn sha256_into(inputs: &[&[u8]], digests: &mut [[u8; 32]]) {
    SHA256.each_into(inputs, digests);
}

/// Every way of computing SHA-256 that this processor has, from the slowest to the fastest, for tests and figures.
#[must_use]
pub fn sha256_backends() -> Vec<Sha256Backend> {
    Sha256Backend::available()
}

/// SHA-384 of each input.
#[must_use]
pub fn sha384_each(inputs: &[&[u8]]) -> Vec<[u8; 48]> {
    let mut digests = vec![[0; 48]; inputs.len()];
    sha384_into(inputs, &mut digests);
    digests
}

/// Writes the SHA-384 of `inputs[i]` to `digests[i]`, for as many as both have. Allocates nothing.
pub fn sha384_into(inputs: &[&[u8]], digests: &mut [[u8; 48]]) {
    SHA384.each_into(inputs, digests);
}

/// Every way of computing SHA-384 that this processor has, from the slowest to the fastest, for tests and figures.
#[must_use]
pub fn sha384_backends() -> Vec<Sha384Backend> {
    Sha384Backend::available()
}
