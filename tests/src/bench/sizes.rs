//! How small files become: the made ones and the real ones of the fixtures, beside what a user would take otherwise.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::stats::rounded;
use super::{dicom, ops};

/// What such a line has as its op.
pub const OP: &str = "size";

/// The real files, and the made ones of the demo.
pub const FIXTURES: [(&str, bool); 8] = [
    ("dicom/CT_small.dcm", false),
    ("dicom/MR_small.dcm", false),
    ("dicom/examples_overlay.dcm", false),
    ("dicom/examples_rgb_color.dcm", false),
    ("dicom/examples_ybr_color.dcm", false),
    ("dicom/waveform_ecg.dcm", false),
    ("voice_note.wav", true),
    ("note.txt", true),
];

/// How many times smaller a file becomes, by each way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// The file.
    pub kind: String,
    /// Always [`OP`].
    pub op: String,
    /// Whether it was made, or is a real file.
    pub made: bool,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that a store keeps of it, with headers and manifest.
    pub stored: u64,
    /// The same of a file whose size is hidden, as it is unless one asks otherwise.
    pub stored_padded: u64,
    /// How many times smaller it is stored.
    pub size_ratio: f64,
    /// How many times smaller `zstd -3` alone makes it.
    pub zstd_3: f64,
    /// `zstd -19`.
    pub zstd_19: f64,
    /// `gzip`.
    pub gzip: f64,
    /// JPEG-LS of its pixels, the rest as it is; only for images with native pixels.
    pub jpegls: Option<f64>,
}

impl Size {
    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            kind: "CT_small.dcm".into(),
            op: OP.into(),
            made: false,
            bytes: 39_206,
            stored: 17_000,
            stored_padded: 17_400,
            size_ratio: 2.3,
            zstd_3: 1.6,
            zstd_19: 1.7,
            gzip: 1.6,
            jpegls: Some(2.5),
        }
    }

    /// Measures a file.
    ///
    /// # Errors
    /// Where it cannot be read, sealed or given to `gzip`.
    pub(super) fn of(file: &Path, made: bool) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        ensure!(!bytes.is_empty(), "{} is empty", file.display());
        let stored = ops::stored_size(file, false)?;
        let stored_padded = ops::stored_size(file, true)?;
        let ratio = |to: usize| rounded(bytes.len() as f64 / to.max(1) as f64, 4);
        let zstd = |level| Ok::<_, anyhow::Error>(ratio(zstd::bulk::compress(&bytes, level)?.len()));
        Ok(Self {
            kind: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            op: OP.into(),
            made,
            bytes: bytes.len() as u64,
            stored,
            stored_padded,
            size_ratio: rounded(bytes.len() as f64 / stored.max(1) as f64, 4),
            zstd_3: zstd(3)?,
            zstd_19: zstd(19)?,
            gzip: ratio(gzipped(file)?),
            jpegls: dicom::by_jpegls(&bytes).map(ratio),
        })
    }
}

fn gzipped(file: &Path) -> Result<usize> {
    let output = Command::new("gzip")
        .args(["--stdout", "--no-name"])
        .arg(file)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run gzip")?;
    ensure!(output.status.success(), "gzip ended with {}", output.status);
    Ok(output.stdout.len())
}
