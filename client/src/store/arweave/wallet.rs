//! An Arweave wallet: an RSA key in a JSON Web Key file, as every wallet of Arweave exports it. It pays, so it is kept
//! like an identity: read only from a file that nobody else can read, never shown, and wiped where we held a copy.
//!
//! The key is checked and used by aws-lc, in constant time and without panics; `arweave-rs` would copy it through a PEM
//! text that nobody wipes, and panic on a key that does not add up.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents, RsaPssSaltLength};
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaSignatureEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::crypto;
use crate::store::{FileError, StoreError, read_file};

/// A key of 4096 bits takes some 3,200 bytes as JSON.
const FILE_LIMIT: usize = 16 * 1024;

/// Moduli of 2048 to 4096 bits, in bytes.
const MODULUS_LENGTHS: std::ops::RangeInclusive<usize> = 256..=512;

/// 65537, the public exponent of every wallet, as it is written.
const EXPONENT: &str = "AQAB";

/// RSA-PSS with SHA-256 and the longest salt, as Arweave's libraries sign.
static ENCODING: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

/// A wallet that cannot be used.
#[derive(Debug, Error)]
pub enum WalletError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others on this machine may read it.
    #[error("others can read the wallet {} (mode {mode:03o}); run `chmod 600` on it, and move its money if they may have", path.display())]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key of an Arweave wallet. The reason never quotes it.
    #[error("this is no Arweave wallet: {0}; export it as a JSON Web Key with all its parts")]
    NotAWallet(&'static str),
}

/// The key as it is in the file. Other fields are ignored.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Jwk {
    kty: String,
    n: String,
    e: String,
    d: String,
    p: String,
    q: String,
    dp: String,
    dq: String,
    qi: String,
}

/// An RSA wallet.
pub struct Wallet {
    key: KeyPair,
    modulus: Vec<u8>,
}

impl Wallet {
    /// Reads a wallet's file, which must be readable by its owner only.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn open(path: &Path) -> Result<Self, WalletError> {
        let at = |source| FileError::new("read", path, source);
        let mode = std::fs::metadata(path).map_err(at)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(WalletError::OpenToOthers { path, mode });
        }
        let bytes = Zeroizing::new(read_file(path, FILE_LIMIT)?);
        let json = std::str::from_utf8(&bytes).map_err(|_| WalletError::NotAWallet("it is no text"))?;
        Self::from_jwk(json)
    }

    /// Reads a JSON Web Key.
    ///
    /// # Errors
    /// [`WalletError::NotAWallet`].
    pub fn from_jwk(json: &str) -> Result<Self, WalletError> {
        let bad = WalletError::NotAWallet;
        let jwk: Jwk = serde_json::from_str(json).map_err(|_| bad("it is no JSON Web Key with all parts of a key"))?;
        if jwk.kty != "RSA" || jwk.e != EXPONENT {
            return Err(bad("it is no RSA key with the exponent 65537"));
        }
        let part = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
            bytes.map_err(|_| bad("a part of the key is no base64url"))
        };
        let modulus = part(&jwk.n)?.to_vec();
        if !MODULUS_LENGTHS.contains(&modulus.len()) {
            return Err(bad("its modulus has not 2048 to 4096 bits"));
        }
        let (d, p, q) = (part(&jwk.d)?, part(&jwk.p)?, part(&jwk.q)?);
        let (dp, dq, qi) = (part(&jwk.dp)?, part(&jwk.dq)?, part(&jwk.qi)?);
        let key = KeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: modulus.as_slice(),
                e: &[1, 0, 1],
            },
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
            dP: dp.as_slice(),
            dQ: dq.as_slice(),
            qInv: qi.as_slice(),
        })
        .map_err(|_| bad("the parts of the key do not belong together"))?;
        Ok(Self { key, modulus })
    }

    /// The wallet's address: base64url of the SHA-256 of its modulus.
    #[must_use]
    pub fn address(&self) -> String {
        URL_SAFE_NO_PAD.encode(crypto::sha256(&[&self.modulus]))
    }

    /// What a transaction names as its owner.
    pub(super) fn owner(&self) -> &[u8] {
        &self.modulus
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&ENCODING, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| StoreError::Wallet {
                detail: "the signature could not be made".to_owned(),
            })?;
        Ok(signature)
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({})", self.address())
    }
}
