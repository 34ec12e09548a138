#![allow(clippy::unwrap_used)]
use super::*;
use crate::keys::{Origin, POST_QUANTUM_KEY_LEN};

const CONTEXT: EnvelopeContext = EnvelopeContext {
    cluster: [1; 32],
    program: [2; 32],
    patient: [3; 16],
    record: [4; 16],
    version: 5,
    manifest_hash: [6; 32],
    recipient: [7; 32],
    recipient_key_epoch: 8,
};

const SUITES: [Suite; 2] = [Suite::X25519, Suite::XWing];

fn key_for(suite: Suite, recipient: &EncryptionKey) -> Vec<u8> {
    match suite {
        Suite::X25519 => recipient.public().to_vec(),
        Suite::XWing => recipient.post_quantum().unwrap().to_vec(),
    }
}

fn wrap_in(suite: Suite, key: &DataKey, public: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    match suite {
        Suite::X25519 => wrap(key, <&[u8; 32]>::try_from(public).unwrap(), &CONTEXT),
        Suite::XWing => wrap(key, RecipientKey::XWing(public), &CONTEXT),
    }
}

fn wrapped(suite: Suite) -> (DataKey, EncryptionKey, Vec<u8>) {
    let (key, recipient) = (DataKey::generate().unwrap(), EncryptionKey::generate().unwrap());
    let envelope = wrap_in(suite, &key, &key_for(suite, &recipient)).unwrap();
    (key, recipient, envelope)
}

#[test]
fn an_envelope_opens_for_its_recipient_and_says_how_it_is_wrapped() {
    for suite in SUITES {
        let (key, recipient, envelope) = wrapped(suite);
        let opened = open(&envelope, &recipient, &CONTEXT).unwrap();
        assert_eq!(opened.as_bytes(), key.as_bytes());
        assert_eq!(wrapping(&envelope).unwrap(), Wrapping { suite, key_epoch: 8 });
        assert!(envelope.len() < MAX_LEN);
    }
}

#[test]
fn an_envelope_opens_for_nobody_else() {
    let classical = EncryptionKey::new(Origin::X25519, &[9; 32]).unwrap();
    for suite in SUITES {
        let (_, _, envelope) = wrapped(suite);
        for stranger in [EncryptionKey::generate().unwrap(), classical.clone()] {
            let opened = open(&envelope, &stranger, &CONTEXT);
            assert!(matches!(opened, Err(EnvelopeError::DoesNotOpen)), "{suite:?}");
        }
    }
}

#[test]
fn an_envelope_opens_in_no_other_context() {
    for suite in SUITES {
        opens_in_no_other_context(suite);
    }
}

fn opens_in_no_other_context(suite: Suite) {
    let (_, recipient, envelope) = wrapped(suite);
    for context in [
        EnvelopeContext {
            cluster: [9; 32],
            ..CONTEXT
        },
        EnvelopeContext {
            program: [9; 32],
            ..CONTEXT
        },
        EnvelopeContext {
            patient: [9; 16],
            ..CONTEXT
        },
        EnvelopeContext {
            record: [9; 16],
            ..CONTEXT
        },
        EnvelopeContext { version: 9, ..CONTEXT },
        EnvelopeContext {
            manifest_hash: [9; 32],
            ..CONTEXT
        },
    ] {
        assert!(
            matches!(open(&envelope, &recipient, &context), Err(EnvelopeError::DoesNotOpen)),
            "{context:?}"
        );
    }
    let other = EnvelopeContext {
        recipient: [9; 32],
        ..CONTEXT
    };
    assert!(matches!(
        open(&envelope, &recipient, &other),
        Err(EnvelopeError::OtherRecipient)
    ));
    let rotated = EnvelopeContext {
        recipient_key_epoch: 9,
        ..CONTEXT
    };
    let error = open(&envelope, &recipient, &rotated).unwrap_err();
    assert!(matches!(error, EnvelopeError::OtherKeyEpoch { expected: 9, found: 8 }));
}

#[test]
fn a_readdressed_envelope_does_not_open() {
    for suite in SUITES {
        let (_, recipient, envelope) = wrapped(suite);
        let mut forged = parse(&envelope).unwrap();
        forged.recipient = [9; 32];
        forged.recipient_key_epoch = 9;
        let context = EnvelopeContext {
            recipient: [9; 32],
            recipient_key_epoch: 9,
            ..CONTEXT
        };
        let opened = open(&borsh::to_vec(&forged).unwrap(), &recipient, &context);
        assert!(matches!(opened, Err(EnvelopeError::DoesNotOpen)));
    }
}

#[test]
fn an_envelope_altered_or_cut_anywhere_does_not_open() {
    for suite in SUITES {
        let (_, recipient, envelope) = wrapped(suite);
        // Of X-Wing's encapsulated key every eighth byte: a decapsulation takes milliseconds in a build for tests.
        let step =
            |position: &usize| suite == Suite::X25519 || !(8..1120).contains(position) || position.is_multiple_of(8);
        for position in (0..envelope.len()).filter(step) {
            let mut altered = envelope.clone();
            altered[position] ^= 1;
            assert!(
                open(&altered, &recipient, &CONTEXT).is_err(),
                "{suite:?}: byte {position}"
            );
            let cut = open(&envelope[..position], &recipient, &CONTEXT);
            assert!(cut.is_err(), "{suite:?}: cut at {position}");
        }
        let longer = open(&[&envelope[..], &[0]].concat(), &recipient, &CONTEXT);
        assert!(matches!(longer, Err(EnvelopeError::Malformed)));
    }
}

#[test]
fn an_envelope_of_one_suite_is_none_of_the_other() {
    for (suite, other) in [(Suite::X25519, Suite::XWing), (Suite::XWing, Suite::X25519)] {
        let (_, recipient, mut envelope) = wrapped(suite);
        envelope[1] = other.byte();
        let opened = open(&envelope, &recipient, &CONTEXT);
        assert!(
            matches!(opened, Err(EnvelopeError::Malformed)),
            "{suite:?} as {other:?}"
        );
        assert!(matches!(wrapping(&envelope), Err(EnvelopeError::Malformed)));

        // Neither with an encapsulated key of the other's length.
        let mut forged = parse(&wrapped(suite).2).unwrap();
        forged.suite = other.byte();
        forged.encapped_key.resize(other.encapped_len(), 7);
        let opened = open(&borsh::to_vec(&forged).unwrap(), &recipient, &CONTEXT);
        assert!(
            matches!(opened, Err(EnvelopeError::DoesNotOpen)),
            "{suite:?} as {other:?}"
        );
    }
}

#[test]
fn what_a_newer_release_wrapped_is_said_to_be_its() {
    let recipient = EncryptionKey::generate().unwrap();
    let version = open(&[2, 1], &recipient, &CONTEXT);
    assert!(matches!(version, Err(EnvelopeError::UnknownVersion(2))));
    for suite in [0, 3] {
        let opened = open(&[1, suite], &recipient, &CONTEXT);
        assert!(matches!(opened, Err(EnvelopeError::UnknownSuite(found)) if found == suite));
    }
}

#[test]
fn an_envelope_longer_than_any_is_none() {
    let mut forged = parse(&wrapped(Suite::XWing).2).unwrap();
    forged.ciphertext.resize(MAX_LEN, 0);
    let bytes = borsh::to_vec(&forged).unwrap();
    assert!(matches!(wrapping(&bytes), Err(EnvelopeError::Malformed)));
    // A length that is not there is no reason to allocate it.
    let huge = [&[VERSION, 2][..], &u32::MAX.to_le_bytes(), &[0; 100]].concat();
    assert!(matches!(wrapping(&huge), Err(EnvelopeError::Malformed)));
}

#[test]
fn a_key_that_everybody_knows_the_secret_of_is_no_recipient() {
    let key = DataKey::generate().unwrap();
    let zeros = wrap_in(Suite::X25519, &key, &[0; 32]);
    assert!(matches!(zeros, Err(EnvelopeError::BadRecipientKey)));
    // The X25519 half of an X-Wing key is its end: u = 0 and u = 1 are of low order.
    let good = EncryptionKey::generate().unwrap().post_quantum().unwrap().to_vec();
    check_post_quantum_key(&good).unwrap();
    for first in [0, 1] {
        let mut bad = good.clone();
        bad[POST_QUANTUM_KEY_LEN - 32..].fill(0);
        bad[POST_QUANTUM_KEY_LEN - 32] = first;
        assert!(matches!(
            check_post_quantum_key(&bad),
            Err(EnvelopeError::BadRecipientKey)
        ));
        let wrapped = wrap_in(Suite::XWing, &key, &bad);
        assert!(matches!(wrapped, Err(EnvelopeError::BadRecipientKey)));
    }
}

#[test]
fn what_is_no_x_wing_key_is_no_recipient() {
    let good = EncryptionKey::generate().unwrap().post_quantum().unwrap().to_vec();
    // Coefficients of 12 bits that are not below the modulus, 3,329 (FIPS 203, section 7.2).
    let mut outside = good.clone();
    outside[..3].fill(0xff);
    let long = [&good[..], &[0]].concat();
    for bad in [&[][..], &good[..32], &good[..POST_QUANTUM_KEY_LEN - 1], &long, &outside] {
        let wrapped = wrap_in(Suite::XWing, &DataKey::generate().unwrap(), bad);
        assert!(
            matches!(wrapped, Err(EnvelopeError::BadRecipientKey)),
            "{} bytes",
            bad.len()
        );
    }
}
