//! Signatures of webhooks, as the Standard Webhooks specification has them: HMAC-SHA-256 over id, time and body.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::private_file::{self, PrivateFileError};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes that a secret has, by the specification.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// What can be wrong with a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error(
        "{} holds no secret: it is {PREFIX} and the base64 of 24 to 64 bytes. Name a file that is not there yet, and one is made",
        .0.display()
    )]
    NotOne(PathBuf),
    #[error("the system gives no random bytes")]
    Random,
}

/// Signs deliveries.
pub struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads it from its file.
    ///
    /// # Errors
    /// Where there is no such file, no secret in it, or others can read it too.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let text = private_file::read(path)?;
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .map(Zeroizing::new);
        bytes
            .filter(|bytes| LENGTHS.contains(&bytes.len()))
            .map(Self)
            .ok_or_else(|| SecretError::NotOne(path.to_owned()))
    }

    /// Reads it from its file, which is made with a random one where there is none yet. Whether it was made.
    ///
    /// # Errors
    /// As [`read`](Self::read), and where the file cannot be made.
    pub fn read_or_make(path: &Path) -> Result<bool, SecretError> {
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut file = match made {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::read(path)?;
                return Ok(false);
            }
            Err(cause) => return Err(PrivateFileError::at(path)(cause).into()),
        };
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut bytes[..]).map_err(|_| SecretError::Random)?;
        let text = Zeroizing::new(format!("{PREFIX}{}\n", STANDARD.encode(&bytes[..])));
        file.write_all(text.as_bytes()).map_err(PrivateFileError::at(path))?;
        Ok(true)
    }

    /// The header `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn it_signs_as_the_specification_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let signature =
            Secret::read(&path)
                .unwrap()
                .sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_is_made_once_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(Secret::read_or_make(&path).unwrap());
        assert!(!Secret::read_or_make(&path).unwrap());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = Secret::read_or_make(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for text in ["", "hello", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            std::fs::write(&path, text).unwrap();
            assert!(Secret::read_or_make(&path).is_err(), "{text}");
        }
    }
}
