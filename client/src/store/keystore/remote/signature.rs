//! How a caller proves its wallet to a key service: an HTTP message signature (RFC 9421) by ed25519 over method, host,
//! path, digest of the body (RFC 9530), time and nonce. One form of it and no other: what a service reads it renders
//! again and compares, so there is nothing to parse in two ways.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

use crate::crypto;
use crate::keys::WalletKey;

/// The digest of the body (RFC 9530).
pub const CONTENT_DIGEST: &str = "content-digest";
/// What is signed, when, and by whom.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// The signature.
pub const SIGNATURE: &str = "signature";

const COMPONENTS: &str = r#"("@method" "@authority" "@path" "content-digest")"#;
const TAG: &str = "chartseal-key-service";

/// What a signature is over.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Host and port as the caller names them, in small letters: a service that passes a message on to another one is found out.
    pub authority: &'a str,
    /// The path, without a query.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The headers of a signed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// [`CONTENT_DIGEST`].
    pub content_digest: String,
    /// [`SIGNATURE_INPUT`].
    pub signature_input: String,
    /// [`SIGNATURE`].
    pub signature: String,
}

/// What a signature that holds says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The wallet that signed.
    pub wallet: [u8; 32],
    /// When, in seconds since 1970, by the caller's clock.
    pub created: i64,
    /// 16 random bytes.
    pub nonce: [u8; 16],
}

/// A message that nobody is believed to have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Headers are missing, or in another form than ours.
    #[error("the headers Content-Digest, Signature-Input and Signature are not as a key service takes them (RFC 9421)")]
    Form,
    /// The body is another one.
    #[error("the body does not match its digest")]
    Digest,
    /// The signature is not of this message by this wallet.
    #[error("the signature does not match the message")]
    Mismatch,
}

/// Now, as [`Signed::created`] has it: in seconds since 1970 by this machine's clock.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Signs a message.
#[must_use]
pub fn sign(message: &Message<'_>, wallet: &WalletKey, created: i64, nonce: [u8; 16]) -> Headers {
    let digest = digest(message.body);
    let signed = Signed {
        wallet: wallet.address(),
        created,
        nonce,
    };
    let signature = wallet.sign(base(message, &digest, &signed).as_bytes());
    Headers {
        content_digest: digest,
        signature_input: format!("sig={}", parameters(&signed)),
        signature: format!("sig=:{}:", STANDARD.encode(signature)),
    }
}

/// Checks who signed a message. Whether it was signed in time, and for the first time, is the caller's to ask.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(message: &Message<'_>, headers: &Headers) -> Result<Signed, SignatureError> {
    let signed = read(&headers.signature_input).ok_or(SignatureError::Form)?;
    let digest = digest(message.body);
    if headers.content_digest != digest {
        return Err(SignatureError::Digest);
    }
    let encoded = headers
        .signature
        .strip_prefix("sig=:")
        .and_then(|rest| rest.strip_suffix(':'));
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    let signature = decoded.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.ok_or(SignatureError::Form)?;
    let key = VerifyingKey::from_bytes(&signed.wallet).map_err(|_| SignatureError::Mismatch)?;
    key.verify_strict(base(message, &digest, &signed).as_bytes(), &signature)
        .map_err(|_| SignatureError::Mismatch)?;
    Ok(signed)
}

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(crypto::sha256(&[body])))
}

fn parameters(signed: &Signed) -> String {
    let Signed { wallet, created, nonce } = signed;
    let (nonce, wallet) = (hex::encode(nonce), bs58::encode(wallet).into_string());
    format!(r#"{COMPONENTS};created={created};nonce="{nonce}";alg="ed25519";keyid="{wallet}";tag="{TAG}""#)
}

/// The opposite of [`parameters`], for what that gives and nothing else.
fn read(input: &str) -> Option<Signed> {
    let rest = input.strip_prefix("sig=")?;
    let field = |name: &str| {
        let (_, after) = rest.split_once(&format!(";{name}="))?;
        Some(after.split(';').next().unwrap_or_default().trim_matches('"'))
    };
    let (mut nonce, mut wallet) = ([0; 16], [0; 32]);
    hex::decode_to_slice(field("nonce")?, &mut nonce).ok()?;
    let written = bs58::decode(field("keyid")?).onto(&mut wallet).ok()?;
    let signed = Signed {
        wallet,
        created: field("created")?.parse().ok()?,
        nonce,
    };
    (written == wallet.len() && parameters(&signed) == rest).then_some(signed)
}

/// The signature base (RFC 9421, section 2.5).
fn base(message: &Message<'_>, digest: &str, signed: &Signed) -> String {
    let mut base = String::new();
    let lines = [
        ("@method", message.method),
        ("@authority", message.authority),
        ("@path", message.path),
        (CONTENT_DIGEST, digest),
    ];
    for (name, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(base, r#""{name}": {value}"#);
    }
    let _ = write!(base, r#""@signature-params": {}"#, parameters(signed));
    base
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MESSAGE: Message<'_> = Message {
        method: "POST",
        authority: "keys.example:8903",
        path: "/v1/calls",
        body: b"{}",
    };

    fn signed() -> (WalletKey, Headers) {
        let wallet = WalletKey::generate().unwrap();
        let headers = sign(&MESSAGE, &wallet, 1_700_000_000, [7; 16]);
        (wallet, headers)
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let (wallet, headers) = signed();
        let expected = Signed {
            wallet: wallet.address(),
            created: 1_700_000_000,
            nonce: [7; 16],
        };
        assert_eq!(verify(&MESSAGE, &headers), Ok(expected));
    }

    #[test]
    fn the_signature_base_is_that_of_the_rfc() {
        let (wallet, _) = signed();
        let signed = Signed {
            wallet: wallet.address(),
            created: 5,
            nonce: [0; 16],
        };
        let keyid = bs58::encode(wallet.address()).into_string();
        let digest = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:";
        let expected = format!(
            "\"@method\": POST\n\"@authority\": keys.example:8903\n\"@path\": /v1/calls\n\"content-digest\": {digest}\n\
             \"@signature-params\": (\"@method\" \"@authority\" \"@path\" \"content-digest\");created=5;\
             nonce=\"00000000000000000000000000000000\";alg=\"ed25519\";keyid=\"{keyid}\";tag=\"chartseal-key-service\""
        );
        assert_eq!(super::digest(b"{}"), digest);
        assert_eq!(base(&MESSAGE, digest, &signed), expected);
    }

    #[test]
    fn a_message_that_differs_in_anything_does_not_match() {
        let (_, headers) = signed();
        for other in [
            Message {
                method: "PUT",
                ..MESSAGE
            },
            Message {
                authority: "keys.evil:8903",
                ..MESSAGE
            },
            Message {
                path: "/v1/call",
                ..MESSAGE
            },
        ] {
            assert_eq!(verify(&other, &headers), Err(SignatureError::Mismatch), "{other:?}");
        }
        let other = Message {
            body: b"{ }",
            ..MESSAGE
        };
        assert_eq!(verify(&other, &headers), Err(SignatureError::Digest));
    }

    #[test]
    fn headers_that_differ_in_anything_do_not_match() {
        let (_, headers) = signed();
        let other = WalletKey::generate().unwrap();
        let (old, new) = (&headers.signature_input, bs58::encode(other.address()).into_string());
        let keyid = old.split("keyid=\"").nth(1).unwrap().split('"').next().unwrap();
        for input in [
            old.replace("1700000000", "1700000001"),
            old.replace("0707", "0708"),
            old.replace(keyid, &new),
        ] {
            let headers = Headers {
                signature_input: input,
                ..headers.clone()
            };
            assert_eq!(verify(&MESSAGE, &headers), Err(SignatureError::Mismatch), "{headers:?}");
        }
    }

    #[test]
    fn another_form_of_the_same_is_refused() {
        let (_, headers) = signed();
        let old = &headers.signature_input;
        for input in [
            String::new(),
            old.replace("sig=", "sig2="),
            old.replace("created=", "created=0"),
            old.replace("created=", "created=+"),
            old.replace("\"@method\" ", ""),
            old.replace("ed25519", "rsa"),
            old.replace(TAG, "other"),
            format!("{old};created=9"),
            format!("{old} "),
        ] {
            let headers = Headers {
                signature_input: input,
                ..headers.clone()
            };
            assert_eq!(verify(&MESSAGE, &headers), Err(SignatureError::Form), "{headers:?}");
        }
        for signature in ["", "sig=::", "sig=:AA==:", "sig=AA==", &headers.signature[..20]] {
            let headers = Headers {
                signature: signature.to_owned(),
                ..headers.clone()
            };
            assert_eq!(verify(&MESSAGE, &headers), Err(SignatureError::Form), "{headers:?}");
        }
    }
}
