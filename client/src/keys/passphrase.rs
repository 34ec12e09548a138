//! A passphrase: bytes that are never printed and are wiped when dropped.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::KeyError;
use crate::store::FileError;

/// The longest that is read from somewhere, in bytes.
const LIMIT: usize = 4096;

/// What an identity file is sealed under. Where it comes from (a prompt, a file, a descriptor) is the caller's affair,
/// as is how long it should be.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the passphrase as it is: nothing is trimmed or normalised.
    ///
    /// # Errors
    /// [`KeyError::EmptyPassphrase`].
    pub fn new(passphrase: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(passphrase.into());
        if bytes.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        Ok(Self(bytes))
    }

    /// Takes the first line of a file, without its end.
    ///
    /// # Errors
    /// [`KeyError::File`], [`KeyError::EmptyPassphrase`], [`KeyError::PassphraseTooLong`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| FileError::new("read", path, source))?;
        Self::first_line(file, path)
    }

    /// Takes the first line that a source gives, without its end. The source is read to its end, where that is not too far.
    pub(crate) fn first_line(source: impl Read, path: &Path) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
        source
            .take(LIMIT as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| FileError::new("read", path, source))?;
        if bytes.len() > LIMIT {
            return Err(KeyError::PassphraseTooLong { most: LIMIT });
        }
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Self::new(line.strip_suffix(b"\r").unwrap_or(line))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn first_line(bytes: &[u8]) -> Result<Passphrase, KeyError> {
        Passphrase::first_line(bytes, Path::new("passphrase"))
    }

    #[test]
    fn of_a_file_the_first_line_counts() {
        for text in ["hush", "hush\n", "hush\r\nmore", "hush\nmore\n"] {
            assert_eq!(first_line(text.as_bytes()).unwrap().as_bytes(), b"hush", "{text:?}");
        }
        assert_eq!(
            first_line(b" hush ").unwrap().as_bytes(),
            b" hush ",
            "nothing is trimmed"
        );
        assert!(matches!(first_line(b"\nhush"), Err(KeyError::EmptyPassphrase)));
    }

    #[test]
    fn what_is_too_long_is_no_passphrase() {
        assert!(first_line(&[b'x'; LIMIT]).is_ok());
        assert!(matches!(
            first_line(&[b'x'; LIMIT + 1]),
            Err(KeyError::PassphraseTooLong { most: LIMIT })
        ));
        let missing = Passphrase::from_file("no such file").unwrap_err().to_string();
        assert!(missing.contains("no such file"), "{missing}");
    }
}
