//! Every way of hashing that this processor has gives what the standard's test vectors and the `sha2` crate give, for
//! any number of inputs of any lengths at any address.

use chartseal_kernels::hash::*;
use proptest::prelude::*;
use sha2::Digest as _;

/// FIPS 180-4's examples, as NIST publishes them with the standard: inputs, SHA-256 and SHA-384.
const VECTORS: [(&[u8], &str, &str); 4] = [
    (
        b"",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    ),
    (
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6b0455a8520bc4e6f5fe95b1fe3c8452b",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039",
    ),
];
/// The same of a million times the letter a.
const MILLION_SHA256: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
const MILLION_SHA384: &str =
    "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985";

fn hex(digest: &[u8]) -> String {
    digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// Bytes that repeat only after 251, a prime: a block taken from the wrong place is a wrong block.
fn bytes(len: usize) -> Vec<u8> {
    (0..251).cycle().take(len).collect()
}

/// The first lengths, and those around every change of the padding or of the number of blocks.
fn lengths() -> impl Iterator<Item = usize> {
    let multiples = (5..=20).map(|n| n * 64).chain([4096, 65_536, 65_536 + 2048]);
    (0..=300).chain(multiples.flat_map(|n| [n - 17, n - 16, n - 9, n - 8, n - 1, n, n + 1, n + 56, n + 112]))
}

macro_rules! tests_of {
    (
        $name:ident, $backend:ty, $backends:ident, $each:ident, $into:ident,
        $reference:ty, $len:literal, $vector:ident, $million:ident
    ) => {
        mod $name {
            use super::*;

            fn assert_right(backend: $backend, inputs: &[&[u8]]) {
                let mut digests = vec![[0xee; $len]; inputs.len()];
                backend.each_into(inputs, &mut digests);
                for (i, (input, digest)) in inputs.iter().zip(&digests).enumerate() {
                    let lengths: Vec<_> = inputs.iter().map(|input| input.len()).collect();
                    let expected = <$reference>::digest(input);
                    assert_eq!(
                        digest[..],
                        expected[..],
                        "{}, input {i} of {lengths:?}",
                        backend.name()
                    );
                }
            }

            #[test]
            fn every_backend_gives_the_vectors_of_the_standard() {
                let million = vec![b'a'; 1_000_000];
                let vectors = VECTORS.map(|(input, sha256, sha384)| (input, $vector(sha256, sha384)));
                for backend in $backends() {
                    for (input, expected) in vectors.into_iter().chain([(&million[..], $million)]) {
                        for count in [1, 16] {
                            let mut digests = vec![[0; $len]; count];
                            backend.each_into(&vec![input; count], &mut digests);
                            for digest in digests {
                                assert_eq!(
                                    hex(&digest),
                                    expected,
                                    "{}, {} bytes",
                                    backend.name(),
                                    input.len()
                                );
                            }
                        }
                    }
                }
            }

            #[test]
            fn the_portable_backend_comes_first_and_names_differ() {
                let backends = $backends();
                assert_eq!((backends[0].name(), backends[0].lanes()), ("portable", 1));
                for (i, one) in backends.iter().enumerate() {
                    assert!((1..=16).contains(&one.lanes()), "{}", one.name());
                    assert!(
                        backends[..i].iter().all(|other| other.name() != one.name()),
                        "{}",
                        one.name()
                    );
                }
            }

            #[test]
            fn inputs_of_any_one_length_are_hashed() {
                let bytes = bytes(16 + 65_536 + 2048 + 112);
                for backend in $backends() {
                    for len in lengths() {
                        let inputs: Vec<&[u8]> = (0..16).map(|at| &bytes[at..at + len]).collect();
                        assert_right(backend, &inputs);
                    }
                }
            }

            #[test]
            fn any_number_of_inputs_is_hashed() {
                let bytes = bytes(4096);
                for backend in $backends() {
                    for count in 0..=40 {
                        let equal: Vec<&[u8]> = (0..count).map(|at| &bytes[at..at + 1000]).collect();
                        assert_right(backend, &equal);

                        let mut last_is_shorter = equal;
                        if let Some(last) = last_is_shorter.last_mut() {
                            *last = &last[..77];
                        }
                        assert_right(backend, &last_is_shorter);

                        let all_differ: Vec<&[u8]> = (0..count).map(|at| &bytes[at..at + (count - at) * 61]).collect();
                        assert_right(backend, &all_differ);
                    }
                }
            }

            #[test]
            fn inputs_at_any_address_are_hashed() {
                let bytes = bytes(20 * 1000);
                for backend in $backends() {
                    for offset in 0..64 {
                        let inputs: Vec<&[u8]> = bytes[offset..].chunks_exact(449).take(16).collect();
                        assert_right(backend, &inputs);
                    }
                }
            }

            #[test]
            fn digests_without_an_input_stay_and_inputs_without_a_digest_are_left() {
                let mut digests = [[0xee; $len]; 3];
                $into(&[b"abc", b"def"], &mut digests);
                assert_eq!(digests[1][..], <$reference>::digest(b"def")[..]);
                assert_eq!(digests[2], [0xee; $len]);

                let mut one = [[0xee; $len]];
                $into(&[b"abc", b"def"], &mut one);
                assert_eq!(one, digests[..1]);
            }

            proptest! {
                #[test]
                fn mixed_inputs_are_hashed(
                    inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 0..=40),
                ) {
                    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
                    for backend in $backends() {
                        assert_right(backend, &inputs);
                    }
                    let expected: Vec<[u8; $len]> =
                        inputs.iter().map(|input| <$reference>::digest(input).into()).collect();
                    prop_assert_eq!($each(&inputs), expected);
                }
            }
        }
    };
}

fn first<'a>(sha256: &'a str, _: &'a str) -> &'a str {
    sha256
}

fn second<'a>(_: &'a str, sha384: &'a str) -> &'a str {
    sha384
}

tests_of!(
    sha256,
    Sha256Backend,
    sha256_backends,
    sha256_each,
    sha256_into,
    sha2::Sha256,
    32,
    first,
    MILLION_SHA256
);
tests_of!(
    sha384,
    Sha384Backend,
    sha384_backends,
    sha384_each,
    sha384_into,
    sha2::Sha384,
    48,
    second,
    MILLION_SHA384
);
