//! Tells from the first bytes of a file what it is, as far as that matters here: a media type to remember for whoever
//! opens it, and whether it is coded already, in which case compressing it again is wasted work.

use super::{dicom, nifti};

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sniffed {
    /// The IANA media type.
    pub media_type: &'static str,
    /// Whether its content is compressed already.
    pub already_coded: bool,
}

const fn coded(media_type: &'static str) -> Sniffed {
    Sniffed {
        media_type,
        already_coded: true,
    }
}

const fn plain(media_type: &'static str) -> Sniffed {
    Sniffed {
        media_type,
        already_coded: false,
    }
}

/// The media type of text.
pub(super) const TEXT: &str = "text/plain";

/// Where which bytes stand, and what they mean. The first that fits wins.
const SIGNATURES: &[(usize, &[u8], Sniffed)] = &[
    // DICOM and TIFF may hold anything, from raw pixels to JPEG 2000, and so may AVI: each frame is looked at.
    (128, b"DICM", plain("application/dicom")),
    (0, b"\xff\xd8\xff", coded("image/jpeg")),
    (0, b"\x89PNG\r\n\x1a\n", coded("image/png")),
    (0, b"GIF8", coded("image/gif")),
    (8, b"WEBP", coded("image/webp")),
    (0, b"\xff\x4f\xff\x51", coded("image/j2c")),
    (0, b"\x00\x00\x00\x0cjP  \r\n", coded("image/jp2")),
    (0, b"\x00\x00\x00\x0cJXL \r\n", coded("image/jxl")),
    (0, b"II*\0", plain("image/tiff")),
    (0, b"MM\0*", plain("image/tiff")),
    (8, b"WAVE", plain("audio/wav")),
    (8, b"AVI ", plain("video/vnd.avi")),
    (0, b"fLaC", coded("audio/flac")),
    (0, b"OggS", coded("application/ogg")),
    (0, b"ID3", coded("audio/mpeg")),
    (0, b"#!AMR", coded("audio/amr")),
    (4, b"ftypM4A", coded("audio/mp4")),
    (4, b"ftypheic", coded("image/heic")),
    (4, b"ftypmif1", coded("image/heif")),
    (4, b"ftypavif", coded("image/avif")),
    (4, b"ftypqt  ", coded("video/quicktime")),
    (4, b"ftyp", coded("video/mp4")),
    (0, b"\x1a\x45\xdf\xa3", coded("video/webm")),
    (0, b"\x00\x00\x01\xba", coded("video/mpeg")),
    (0, b"%PDF-", plain("application/pdf")),
    (0, b"PK\x03\x04", coded("application/zip")),
    (0, b"\x1f\x8b", coded("application/gzip")),
    (0, b"\x28\xb5\x2f\xfd", coded("application/zstd")),
    (0, b"\xfd7zXZ\0", coded("application/x-xz")),
    (0, b"BZh", coded("application/x-bzip2")),
    (0, b"7z\xbc\xaf\x27\x1c", coded("application/x-7z-compressed")),
];

/// What a file is, from its first bytes (some hundred are enough); `None` where they say nothing.
#[must_use]
pub fn sniff(start: &[u8]) -> Option<Sniffed> {
    let signed = SIGNATURES
        .iter()
        .find(|(offset, bytes, _)| start.get(*offset..).is_some_and(|rest| rest.starts_with(bytes)))
        .map(|(_, _, sniffed)| *sniffed);
    signed
        .or_else(|| nifti::is_nifti(start).then_some(plain("application/x-nifti")))
        .or_else(|| dicom::is_dicom(start).then_some(plain("application/dicom")))
        .or_else(|| is_text(start).then_some(plain(TEXT)))
}

/// Whether the bytes are text, up to a character that the cut may have split.
fn is_text(start: &[u8]) -> bool {
    let head = start.get(..4096).unwrap_or(start);
    let readable = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    match std::str::from_utf8(head) {
        Ok(text) => readable(text),
        Err(error) => {
            error.error_len().is_none() && std::str::from_utf8(&head[..error.valid_up_to()]).is_ok_and(readable)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn media_type(start: &[u8]) -> Option<&'static str> {
        sniff(start).map(|sniffed| sniffed.media_type)
    }

    #[test]
    fn files_are_known_by_their_bytes() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0 and so on"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\x24\0\0\0WAVEfmt "), Some("audio/wav"));
        assert_eq!(
            media_type(&[&[0; 128][..], b"DICM"].concat()),
            Some("application/dicom")
        );
        assert_eq!(media_type(b"\0\0\0\x18ftypisom"), Some("video/mp4"));
        assert_eq!(media_type("Blutdruck 120/80, geprüft\n".as_bytes()), Some("text/plain"));
        assert_eq!(media_type(b"\0\x01\x02"), None);
        assert_eq!(media_type(b""), None);
    }

    #[test]
    fn a_text_cut_within_a_character_is_still_text() {
        let text = "ü".repeat(3000);
        assert_eq!(media_type(&text.as_bytes()[..4001]), Some("text/plain"));
        assert_eq!(media_type(&text.as_bytes()[..101]), Some("text/plain"));
    }

    #[test]
    fn coded_files_are_left_alone_and_raw_ones_are_not() {
        assert!(sniff(b"PK\x03\x04").unwrap().already_coded);
        assert!(!sniff(b"RIFF\x24\0\0\0WAVE").unwrap().already_coded);
        assert!(!sniff(b"plain").unwrap().already_coded);
    }
}
