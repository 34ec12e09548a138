//! Envelopes, shares and identity files. Any bytes: they are refused with an error. What was wrapped opens for its
//! reader, and with one bit altered, cut, or in another context it does not. Of the first byte's bits the low ones say
//! which of these an input is.

use std::sync::OnceLock;

use chartseal::fuzzing;
use chartseal::keys::shares::{Share, combine};
use chartseal::keys::{EncryptionKey, Passphrase};
use chartseal::media::FrameIndex;
use chartseal::seal::break_glass::{self, KeyShare, ReleaseContext};
use chartseal::seal::envelope::{self, EnvelopeContext, RecipientKey, Suite};
use chartseal::seal::recovery_share::{self, RecoveryShare, ShareContext};
use chartseal::seal::{DataKey, Manifest, ManifestBody, RecordIds};
use sha2::{Digest as _, Sha256};

use super::{data_key, shards};
use crate::bytes::Bytes;

/// The most that deriving a key may cost here, in KiB and passes: what a file asks for more is left alone.
const AFFORDABLE: (u32, u32) = (64, 1);

pub(super) fn run(input: &[u8]) {
    let mut input = Bytes(input);
    match input.byte() % 8 {
        0 => anything(input.rest()),
        1 => wrapped_key(&mut input),
        2 => held_share(&mut input),
        3 => guardians_share(&mut input),
        4 => identity(input.rest()),
        5 => shares_of_anything(&mut input),
        6 => combined_shares(&mut input),
        _ => share_encoding(input.rest()),
    }
}

/// A reader, of this release or of an earlier one.
fn reader(input: &mut Bytes<'_>) -> EncryptionKey {
    let earlier_release = input.byte() % 2 == 1;
    fuzzing::encryption_key(&input.array(), earlier_release).expect("any 32 bytes are a key")
}

/// One of the public keys that a reader has.
fn public<'a>(key: &'a EncryptionKey, x25519: &'a [u8; 32], input: &mut Bytes<'_>) -> RecipientKey<'a> {
    let x_wing = key.post_quantum().filter(|_| input.byte() % 2 == 1);
    x_wing.map_or(RecipientKey::X25519(x25519), RecipientKey::XWing)
}

pub(crate) fn context(byte: u8) -> EnvelopeContext {
    EnvelopeContext {
        cluster: [byte; 32],
        program: [2; 32],
        patient: [3; 16],
        record: [4; 16],
        version: 5,
        manifest_hash: [6; 32],
        recipient: [7; 32],
        recipient_key_epoch: 8,
    }
}

const RELEASE: ReleaseContext = ReleaseContext {
    holder: [9; 32],
    emergency: [10; 16],
};

pub(crate) fn share_context(sealed_to: [u8; 32]) -> ShareContext {
    ShareContext {
        cluster: [1; 32],
        program: [2; 32],
        patient: [3; 16],
        key_epoch: 4,
        dealing: [5; 16],
        guardian: [6; 32],
        sealed_to,
    }
}

/// Whoever gets what nobody wrapped for anybody.
pub(crate) fn stranger() -> &'static EncryptionKey {
    static KEY: OnceLock<EncryptionKey> = OnceLock::new();
    KEY.get_or_init(|| fuzzing::encryption_key(&[11; 32], false).expect("any 32 bytes are a key"))
}

fn anything(bytes: &[u8]) {
    let key = stranger();
    let context = context(1);
    assert!(envelope::open(bytes, key, &context).is_err());
    assert!(break_glass::open(bytes, key, &context).is_err());
    assert!(break_glass::open_released(bytes, key, &context, &RELEASE).is_err());
    assert!(recovery_share::open(bytes, key, &share_context(key.public())).is_err());
    let _ = envelope::wrapping(bytes);
    let _ = envelope::check_post_quantum_key(bytes);
}

/// One way to damage bytes; never leaves them as they are.
fn damaged(whole: &[u8], input: &mut Bytes<'_>) -> Vec<u8> {
    let (how, place, by) = (
        input.byte(),
        usize::from(input.u16()) % whole.len(),
        input.byte().max(1),
    );
    let mut damaged = whole.to_vec();
    match how % 3 {
        0 => damaged[place] ^= by,
        1 => damaged.truncate(place),
        _ => damaged.insert(place, by ^ damaged[place]),
    }
    damaged
}

fn wrapped_key(input: &mut Bytes<'_>) {
    let (data_key, key) = (data_key(&input.array()), reader(input));
    let x25519 = key.public();
    let public = public(&key, &x25519, input);
    let envelope = envelope::wrap(&data_key, public, &context(1)).expect("a key of ours is usable");
    let opened = envelope::open(&envelope, &key, &context(1)).expect("it opens for its reader");
    assert!(fuzzing::same_data_key(&opened, &data_key));
    let wrapping = envelope::wrapping(&envelope).expect("it is an envelope");
    assert_eq!(
        (wrapping.key_epoch, wrapping.suite == Suite::XWing),
        (8, matches!(public, RecipientKey::XWing(_)))
    );
    assert!(envelope::open(&envelope, &key, &context(2)).is_err());
    assert!(
        break_glass::open(&envelope, &key, &context(1)).is_err(),
        "a key is no share"
    );
    assert!(envelope::open(&damaged(&envelope, input), &key, &context(1)).is_err());
}

fn held_share(input: &mut Bytes<'_>) {
    let key = reader(input);
    let x25519 = key.public();
    let public = public(&key, &x25519, input);
    let share = key_share(input, 5);
    let held = break_glass::wrap(&share, public, &context(1)).expect("a key of ours is usable");
    assert!(break_glass::open(&held, &key, &context(1)).is_ok_and(|opened| opened == share));
    let released = break_glass::wrap_released(&share, public, &context(1), &RELEASE).expect("a key of ours is usable");
    let opened = break_glass::open_released(&released, &key, &context(1), &RELEASE);
    assert!(opened.is_ok_and(|opened| opened == share));
    assert!(
        break_glass::open(&released, &key, &context(1)).is_err(),
        "a released share is not held"
    );
    assert!(break_glass::open(&damaged(&held, input), &key, &context(1)).is_err());
}

fn guardians_share(input: &mut Bytes<'_>) {
    let key = reader(input);
    let context = share_context(key.public());
    let KeyShare { threshold, share, .. } = key_share(input, u8::MAX);
    let share = RecoveryShare { threshold, share };
    let sealed = recovery_share::seal(&share, &context).expect("a key of ours is usable");
    assert!(recovery_share::open(&sealed, &key, &context).is_ok_and(|opened| opened == share));
    assert!(recovery_share::open(&damaged(&sealed, input), &key, &context).is_err());
}

/// An identity file, also one with the checksum that its bytes should have.
fn identity(bytes: &[u8]) {
    let mended = [bytes, &Sha256::digest(bytes)].concat();
    for bytes in [bytes, &mended] {
        // Memory and passes stand after the magic, the version and the name of the derivation.
        let asked = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|field| Some(u32::from_le_bytes(field.try_into().ok()?)))
        };
        let (memory, passes) = AFFORDABLE;
        if asked(11).is_none_or(|asked| asked <= memory) && asked(15).is_none_or(|asked| asked <= passes) {
            let passphrase = Passphrase::new("fuzz").expect("it is not empty");
            assert!(fuzzing::decode_identity(bytes, &passphrase).is_err());
        }
    }
}

/// What holders give back is put together without a panic, whatever they give.
fn shares_of_anything(input: &mut Bytes<'_>) {
    let mut shares = Vec::new();
    let kinds = input.byte();
    while !input.0.is_empty() && shares.len() < 48 {
        let mut share = key_share(input, u8::MAX);
        // Of few sharings, or none has two.
        share.sharing = [share.sharing[0] & kinds; 16];
        shares.push(share);
    }
    let manifest = manifest_of(&data_key(&[0x5a; 32]));
    assert!(break_glass::combine(&shares, &manifest).is_err());
    let _ = combine(&shares.iter().map(|share| share.share.clone()).collect::<Vec<_>>());
}

/// Any k of n give the key back, also beside a wrong one.
fn combined_shares(input: &mut Bytes<'_>) {
    let secret: [u8; 32] = input.array();
    let (threshold, count) = (input.byte() % 7, input.byte() % 7);
    let key = data_key(&secret);
    let Ok(mut shares) = break_glass::split(&key, threshold, count) else {
        assert!(threshold == 0 || threshold > count);
        return;
    };
    let manifest = manifest_of(&key);
    shares.rotate_left(usize::from(input.byte() % count));
    if count > threshold {
        shares[0].share.value[usize::from(input.byte() % 32)] ^= 1;
    }
    let combined = break_glass::combine(&shares, &manifest).expect("enough of them are right");
    assert!(fuzzing::same_data_key(&combined, &key));
    shares.truncate(usize::from(threshold) - 1);
    assert!(break_glass::combine(&shares, &manifest).is_err(), "fewer than it takes");
}

fn share_encoding(bytes: &[u8]) {
    if let Ok(share) = fuzzing::decode_share(bytes) {
        assert!((1..=5).contains(&share.threshold) && (1..=5).contains(&share.share.index));
        assert_eq!(fuzzing::encode_share(&share).expect("it is short").as_slice(), bytes);
    }
}

/// A share whose threshold and index are from 1 to `most`.
fn key_share(input: &mut Bytes<'_>, most: u8) -> KeyShare {
    let from_one = |byte: u8| if most == u8::MAX { byte } else { byte % most + 1 };
    KeyShare {
        sharing: input.array(),
        threshold: from_one(input.byte()),
        share: Share {
            index: from_one(input.byte()),
            value: input.array().into(),
        },
    }
}

fn manifest_of(key: &DataKey) -> Manifest {
    let (shards, placing) = shards(0, 16);
    let ids = RecordIds {
        patient: [3; 16],
        record: [4; 16],
        version: 5,
    };
    let body = ManifestBody {
        ids,
        name: String::new(),
        media_type: String::new(),
        length: 0,
        sha256: None,
        frames: FrameIndex::default(),
    };
    let bytes = fuzzing::seal_manifest(key, [1; 32], &shards, &placing, &body).expect("an empty record has a manifest");
    Manifest::parse(&bytes).expect("what we seal parses")
}
