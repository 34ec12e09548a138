//! A new Arweave wallet as a JSON Web Key, made for one test: the parts of an RSA key are read out of its PKCS #8 form.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Takes a DER element off the front: its tag and its content.
fn element<'a>(rest: &mut &'a [u8]) -> (u8, &'a [u8]) {
    let (tag, first) = (rest[0], rest[1]);
    let (header, length) = if first < 0x80 {
        (2, usize::from(first))
    } else {
        let bytes = usize::from(first & 0x7f);
        let length = rest[2..2 + bytes]
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        (2 + bytes, length)
    };
    let content = &rest[header..header + length];
    *rest = &rest[header + length..];
    (tag, content)
}

/// A key of 2048 bits.
pub fn wallet() -> Value {
    let pkcs8 = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let (_, mut outer) = element(&mut pkcs8.as_ref());
    let (_, _version) = element(&mut outer);
    let (_, _algorithm) = element(&mut outer);
    let (tag, mut key) = element(&mut outer);
    assert_eq!(tag, 4, "an octet string");
    let (_, mut parts) = element(&mut key);
    let mut part = || {
        let (tag, number) = element(&mut parts);
        assert_eq!(tag, 2, "an integer");
        let leading = number.iter().take_while(|byte| **byte == 0).count();
        BASE64_URL_SAFE_NO_PAD.encode(&number[leading..])
    };
    part();
    let [n, e, d, p, q, dp, dq, qi] = std::array::from_fn(|_| part());
    json!({ "kty": "RSA", "n": n, "e": e, "d": d, "p": p, "q": q, "dp": dp, "dq": dq, "qi": qi })
}
