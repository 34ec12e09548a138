//! Every way of hashing that this processor has gives what the standard's test vectors and the `sha2` crate give, for
//! any number of inputs of any lengths at any address.

use chartseal_kernels::hash::{Sha256Backend, sha256_backends, sha256_each, sha256_into};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Bytes that repeat only after 251, a prime: a block taken from the wrong place is a wrong block.
fn bytes(len: usize) -> Vec<u8> {
    (0..251).cycle().take(len).collect()
}

/// Lengths where the padding or the number of blocks changes.
fn lengths() -> Vec<usize> {
    let around = (5..=20).map(|n| n * 64).chain([4096, 65_536, 65_536 + 2048]);
    (0..=300)
        .chain(around.flat_map(|n| [n - 9, n - 8, n - 1, n, n + 1, n + 56]))
        .collect()
}

fn assert_sha256(backend: Sha256Backend, inputs: &[&[u8]]) {
    let mut digests = vec![[0xee; 32]; inputs.len()];
    backend.each_into(inputs, &mut digests);
    for (i, (input, digest)) in inputs.iter().zip(&digests).enumerate() {
        let lengths: Vec<_> = inputs.iter().map(|input| input.len()).collect();
        assert_eq!(
            digest[..],
            Sha256::digest(input)[..],
            "{}, input {i} of {lengths:?}",
            backend.name()
        );
    }
}

/// FIPS 180-4's examples, as published by NIST with the secure hash standard.
#[test]
fn every_sha256_gives_the_vectors_of_the_standard() {
    let million = vec![b'a'; 1_000_000];
    let vectors: [(&[u8], &str); 5] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for backend in sha256_backends() {
        for (input, digest) in vectors {
            for count in [1, 16] {
                let mut digests = vec![[0; 32]; count];
                backend.each_into(&vec![input; count], &mut digests);
                for found in digests {
                    assert_eq!(hex(&found), digest, "{}, {} bytes", backend.name(), input.len());
                }
            }
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_portable_sha256_comes_first_and_has_one_lane() {
    let backends = sha256_backends();
    assert_eq!((backends[0].name(), backends[0].lanes()), ("portable", 1));
    assert!(backends.iter().all(|backend| (1..=16).contains(&backend.lanes())));
}

#[test]
fn inputs_of_any_one_length_have_their_sha256() {
    let bytes = bytes(16 + 65_536 + 2048 + 64);
    for backend in sha256_backends() {
        for len in lengths() {
            let inputs: Vec<&[u8]> = (0..16).map(|at| &bytes[at..at + len]).collect();
            assert_sha256(backend, &inputs);
        }
    }
}

#[test]
fn any_number_of_inputs_have_their_sha256() {
    let bytes = bytes(4096);
    for backend in sha256_backends() {
        for count in 0..=40 {
            let equal: Vec<&[u8]> = (0..count).map(|at| &bytes[at..at + 1000]).collect();
            assert_sha256(backend, &equal);
            let last_is_shorter: Vec<&[u8]> = (0..count)
                .map(|at| &bytes[at..at + if at + 1 == count { 77 } else { 1000 }])
                .collect();
            assert_sha256(backend, &last_is_shorter);
            let all_differ: Vec<&[u8]> = (0..count).map(|at| &bytes[at..at + (count - at) * 61]).collect();
            assert_sha256(backend, &all_differ);
        }
    }
}

#[test]
fn inputs_at_any_address_have_their_sha256() {
    let bytes = bytes(20 * 1000);
    for backend in sha256_backends() {
        for offset in 0..64 {
            let inputs: Vec<&[u8]> = bytes[offset..].chunks_exact(449).take(16).collect();
            assert_sha256(backend, &inputs);
        }
    }
}

#[test]
fn digests_beyond_the_inputs_stay_and_inputs_beyond_the_digests_are_left() {
    let mut digests = [[0xee; 32]; 3];
    sha256_into(&[b"abc", b"def"], &mut digests);
    assert_eq!(digests[1][..], Sha256::digest(b"def")[..]);
    assert_eq!(digests[2], [0xee; 32]);

    let mut one = [[0xee; 32]];
    sha256_into(&[b"abc", b"def"], &mut one);
    assert_eq!(one, digests[..1]);
}

proptest! {
    #[test]
    fn mixed_inputs_have_their_sha256(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 0..=40)) {
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        for backend in sha256_backends() {
            assert_sha256(backend, &inputs);
        }
        let expected: Vec<[u8; 32]> = inputs.iter().map(|input| Sha256::digest(input).into()).collect();
        prop_assert_eq!(sha256_each(&inputs), expected);
    }
}
