//! Arweave's deep hash: SHA-384 over a tree of byte strings, with every string and list bound to its length, so that no
//! two different trees share a hash.

use sha2::{Digest as _, Sha384};

/// A tree of byte strings.
pub(super) enum Chunk<'a> {
    Blob(&'a [u8]),
    /// A byte string of which only length and SHA-384 are at hand.
    Hashed {
        len: usize,
        sha384: &'a [u8; 48],
    },
    List(&'a [Chunk<'a>]),
}

/// The deep hash of a tree. Trees are built by us, so their depth is known.
pub(super) fn deep_hash(chunk: &Chunk<'_>) -> [u8; 48] {
    match chunk {
        Chunk::Blob(bytes) => blob(bytes.len(), &Sha384::digest(bytes).into()),
        Chunk::Hashed { len, sha384 } => blob(*len, sha384),
        Chunk::List(chunks) => {
            let start = Sha384::digest(format!("list{}", chunks.len())).into();
            chunks.iter().fold(start, |hash, chunk| pair(&hash, &deep_hash(chunk)))
        }
    }
}

fn blob(len: usize, sha384: &[u8; 48]) -> [u8; 48] {
    pair(&Sha384::digest(format!("blob{len}")).into(), sha384)
}

fn pair(left: &[u8; 48], right: &[u8; 48]) -> [u8; 48] {
    Sha384::new().chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// Transaction t3K1b8IhvtGWxAGsipZE5NafmEGrtj3OAcYikJ0edeU of Arweave, and the deep hash that its signature is over.
    #[test]
    fn the_deep_hash_of_a_real_transaction_is_the_one_it_was_signed_with() {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let owner = decode(concat!(
            "pjdss8ZaDfEH6K6U7GeW2nxDqR4IP049fk1fK0lndimbMMVBdPv_hSpm8T8EtBDxrUdi1OHZfMhUixGaut-3nQ4GG9nM249oxhCtxqqNvE",
            "XrmQRGqczyLxuh-fKn9Fg--hS9UpazHpfVAFnB5aCfXoNhPuI8oByyFKMKaOVgHNqP5NBEqabiLftZD3W_lsFCPGuzr4Vp0YS7zS2hDYSc",
            "C2oOMu4rGU1LcMZf39p3153Cq7bS2Xh6Y-vw5pwzFYZdjQxDn8x8BG3fJ6j8TGLXQsbKH1218_HcUJRvMwdpbUQG5nvA2GXVqLqdwp054L",
            "zk9_B_f1lVrmOKuHjTNHq48w"
        ));
        let target = decode("PAgdonEn9f5xd-UbYdCX40Sj28eltQVnxz6bbUijeVY");
        let last_tx = decode("ddvXNxatQmS3LeKi_x1RJn6g9G0esUaTEgT40a6f_WYyawZaSK3w8WC2czAuLgmT");
        let tag = [Chunk::Blob(b"test"), Chunk::Blob(b"test")];
        let tags = [Chunk::List(&tag)];
        let transaction = [
            Chunk::Blob(b"2"),
            Chunk::Blob(&owner),
            Chunk::Blob(&target),
            Chunk::Blob(b"100000"),
            Chunk::Blob(b"600912"),
            Chunk::Blob(&last_tx),
            Chunk::List(&tags),
            Chunk::Blob(b"0"),
            Chunk::Blob(b""),
        ];
        assert_eq!(
            hex::encode(deep_hash(&Chunk::List(&transaction))),
            "4a0f4afff8cd2fe56bc3454cd7f922bac51fb2a348364eb313b20184b7e783d592cb06636ae7d7c7b5ab34ffcd37cb75"
        );
    }
}
