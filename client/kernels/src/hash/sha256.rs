//! SHA-256 (FIPS 180-4): its constants, its padding, and the ways in which this processor can compute it.

use super::lanes::{Algorithm, Kernel, each};
#[cfg(target_arch = "x86_64")]
use super::x86::{avx512::Avx512, sha_ni::ShaNi};

/// The round constants: of the cube roots of the first 64 primes.
#[cfg(target_arch = "x86_64")]
pub(super) const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

pub(super) struct Sha256;

impl Algorithm for Sha256 {
    type Block = [u8; 64];
    type State = [u32; 8];
    type Digest = [u8; 32];

    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    const ZEROS: [u8; 64] = [0; 64];

    fn blocks(input: &[u8]) -> (&[[u8; 64]], &[u8]) {
        input.as_chunks()
    }

    fn pad(rest: &[u8], len: usize, tail: &mut [[u8; 64]; 2]) -> usize {
        let count = if rest.len() < 56 { 1 } else { 2 };
        let bytes = tail.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        bytes[rest.len() + 1..count * 64 - 8].fill(0);
        bytes[count * 64 - 8..count * 64].copy_from_slice(&(len as u64 * 8).to_be_bytes());
        count
    }

    fn digest(state: &[u32; 8]) -> [u8; 32] {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// The `sha2` crate, input by input.
struct Portable;

impl Kernel<Sha256> for Portable {
    fn lanes(&self) -> usize {
        1
    }

    fn compress(&self, states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
        for (state, blocks) in states.iter_mut().zip(blocks) {
            sha2::block_api::compress256(state, blocks);
        }
    }
}

/// One way of computing SHA-256 on this processor.
#[derive(Clone, Copy, Debug)]
pub struct Sha256Backend(Choice);

#[derive(Clone, Copy, Debug)]
enum Choice {
    Portable,
    #[cfg(target_arch = "x86_64")]
    ShaNi(ShaNi),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Sha256Backend {
    /// Every way that this processor has, from the slowest to the fastest; the portable one is always there.
    pub(super) fn available() -> Vec<Self> {
        let all = std::iter::once(Self(Choice::Portable));
        #[cfg(target_arch = "x86_64")]
        let all = all
            .chain(ShaNi::detect().map(|kernel| Self(Choice::ShaNi(kernel))))
            .chain(Avx512::detect().map(|kernel| Self(Choice::Avx512(kernel))));
        all.collect()
    }

    /// The last, and so the fastest, of [`Self::available`].
    pub(super) fn fastest() -> Self {
        Self::available().pop().unwrap_or(Self(Choice::Portable))
    }

    /// What it is called in a table of figures.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.0 {
            Choice::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Choice::ShaNi(_) => "sha-ni x4",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(_) => "avx512 x16",
        }
    }

    /// How many inputs it takes at once: with fewer, or with ones of other lengths, it gains less.
    #[must_use]
    pub fn lanes(&self) -> usize {
        match &self.0 {
            Choice::Portable => Portable.lanes(),
            #[cfg(target_arch = "x86_64")]
            Choice::ShaNi(kernel) => kernel.lanes(),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(kernel) => Kernel::<Sha256>::lanes(kernel),
        }
    }

    /// Writes the SHA-256 of each input to `digests`, for as many as both have.
    pub fn each_into(&self, inputs: &[&[u8]], digests: &mut [[u8; 32]]) {
        match &self.0 {
            Choice::Portable => each(&Portable, inputs, digests),
            #[cfg(target_arch = "x86_64")]
            Choice::ShaNi(kernel) => each(kernel, inputs, digests),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(kernel) => each::<Sha256>(kernel, inputs, digests),
        }
    }
}
