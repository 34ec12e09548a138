//! What the benchmark seals: a text, an image, a video and a voice note in the sizes of the paper, and bytes that do not
//! compress in three sizes more. All are made, always the same for one release, and labelled as made: real patients'
//! files may not be published, and a figure that nobody can measure again is none.

mod phantom;
mod prose;
mod voice;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

const MIB: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Clinical prose, 0.5 MB.
    Text,
    /// A CT volume of ten slices as DICOM, 5.2 MB.
    Image,
    /// Coded video, 40 MB: nothing in it compresses.
    Video,
    /// A voice note as WAV, 3 MB.
    Voice,
    /// 8 MiB that do not compress.
    #[serde(rename = "raw_8mib")]
    Raw8,
    /// 64 MiB that do not compress.
    #[serde(rename = "raw_64mib")]
    Raw64,
    /// 256 MiB that do not compress.
    #[serde(rename = "raw_256mib")]
    Raw256,
    /// 1 GiB that does not compress: what ranges are read from.
    #[serde(rename = "raw_1gib")]
    Raw1024,
}

impl Kind {
    /// The paper's four.
    pub const PAPER: [Self; 4] = [Self::Text, Self::Image, Self::Video, Self::Voice];
    /// Those that show the limits.
    pub const RAW: [Self; 3] = [Self::Raw8, Self::Raw64, Self::Raw256];

    /// As it is called in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Voice => "voice",
            Self::Raw8 => "raw_8mib",
            Self::Raw64 => "raw_64mib",
            Self::Raw256 => "raw_256mib",
            Self::Raw1024 => "raw_1gib",
        }
    }

    /// How it was made, in a few words.
    #[must_use]
    pub fn made_how(self) -> &'static str {
        match self {
            Self::Text => "made: clinical prose from lists of words",
            Self::Image => "made: a CT phantom with noise, ten slices of 512 x 512 in 16 bits, as DICOM",
            Self::Video => "made: an MP4 header, then bytes that do not compress, as coded video is",
            Self::Voice => "made: pulses through formants with pauses, 16 kHz, 16 bit, mono, as WAV",
            Self::Raw8 | Self::Raw64 | Self::Raw256 | Self::Raw1024 => "made: bytes that do not compress",
        }
    }

    /// Records a second that the paper reports for this kind.
    #[must_use]
    pub fn paper_records_per_s(self) -> Option<f64> {
        match self {
            Self::Text => Some(1_200.0),
            Self::Image => Some(850.0),
            Self::Video => Some(450.0),
            Self::Voice => Some(750.0),
            _ => None,
        }
    }

    /// The file's bytes: the same on every machine.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text => prose::discharge_notes(500_000),
            Self::Image => phantom::ct_volume(10),
            Self::Video => video(40_000_000),
            Self::Voice => voice::note(3_000_000),
            Self::Raw8 => noise(8 * MIB, 8),
            Self::Raw64 => noise(64 * MIB, 64),
            Self::Raw256 => noise(256 * MIB, 256),
            Self::Raw1024 => noise(1024 * MIB, 1024),
        }
    }
}

/// A file that was made.
#[derive(Clone, Debug)]
pub struct Input {
    /// What it holds.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub len: u64,
}

impl Input {
    /// Makes it in a folder.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn make(kind: Kind, folder: &Path) -> Result<Self> {
        let path = folder.join(kind.name());
        let bytes = kind.bytes();
        std::fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            kind,
            path,
            len: bytes.len() as u64,
        })
    }
}

/// A box `ftyp`, by which MP4 is known, and a box `mdat` full of noise.
fn video(len: usize) -> Vec<u8> {
    const FTYP: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend_from_slice(FTYP);
    let rest = len - FTYP.len();
    bytes.extend_from_slice(&u32::try_from(rest).unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(b"mdat");
    bytes.extend(noise(rest - 8, 40));
    bytes
}

/// Bytes that do not compress.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A small generator (xorshift64*, Vigna 2016): chosen to be the same everywhere, not to be unpredictable.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // Any state but zero will do.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Less than `end`, which is small: the unevenness of a remainder does not matter here.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 33) % (end.max(1) as u64)).unwrap_or(0)
    }

    /// About normal, with this standard deviation: the sum of four even bytes, which has one of 148.
    fn around_zero(&mut self, deviation: i32) -> i32 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        let sum: i32 = [a, b, c, d].into_iter().map(i32::from).sum();
        (sum - 510) * deviation / 148
    }

    fn one_of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn compressed(bytes: &[u8]) -> f64 {
        bytes.len() as f64 / zstd::bulk::compress(bytes, 3).unwrap().len() as f64
    }

    #[test]
    fn inputs_are_the_same_on_every_machine() {
        for (kind, len, hash) in [
            (
                Kind::Text,
                500_000,
                "132d8094dc64f9cd81027ad5fe2caf7e0833d2be2e4610ea3750f711392f8e74",
            ),
            (
                Kind::Image,
                5_243_790,
                "e8c70a02fc033a27fc85b3896f806d27fc51e1c6dd85106aa70ff7df317d89e6",
            ),
            (
                Kind::Video,
                40_000_000,
                "2e452408e76d739df3fa92f93323e7df6b41eee01f37aef358836ac2f46d0149",
            ),
            (
                Kind::Voice,
                3_000_000,
                "d0d72171a7a58e8fdfd9150e9c2c9969ab9434706ae2edd840db274a70699c1d",
            ),
        ] {
            let bytes = kind.bytes();
            assert_eq!(bytes.len(), len, "{}", kind.name());
            assert_eq!(hex::encode(Sha256::digest(&bytes)), hash, "{}", kind.name());
        }
    }

    #[test]
    fn what_is_coded_does_not_compress_and_what_is_not_does() {
        assert!(compressed(&video(1_000_000)) < 1.001);
        assert!(compressed(&noise(1_000_000, 3)) < 1.001);
        for kind in [Kind::Text, Kind::Image, Kind::Voice] {
            let ratio = compressed(&kind.bytes());
            assert!((1.05..6.0).contains(&ratio), "{}: {ratio}", kind.name());
        }
    }

    #[test]
    fn every_file_is_what_it_says() {
        for (kind, media_type) in [
            (Kind::Image, "application/dicom"),
            (Kind::Video, "video/mp4"),
            (Kind::Voice, "audio/wav"),
        ] {
            let sniffed = chartseal::media::sniff(&kind.bytes()).unwrap();
            assert_eq!(sniffed.media_type, media_type);
        }
        assert!(std::str::from_utf8(&Kind::Text.bytes()).is_ok());
    }

    #[test]
    fn noise_around_zero_has_about_its_deviation() {
        let mut random = Random::new(1);
        let values: Vec<f64> = (0..10_000).map(|_| f64::from(random.around_zero(100))).collect();
        let mean = values.iter().sum::<f64>() / 10_000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 5.0, "{mean}");
        assert!((90.0..110.0).contains(&variance.sqrt()), "{}", variance.sqrt());
    }
}
