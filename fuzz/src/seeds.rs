//! What the corpora began with: one of each thing that a parser reads, and one of each that a target makes.

use std::path::Path;

use borsh::BorshSerialize;
use chartseal::fuzzing::{self, Coder, FilePlan};
use chartseal::keys::{EncryptionKey, Identity, KdfCost, Passphrase, shares::Share};
use chartseal::media::{Codec, Frame, FrameIndex};
use chartseal::seal::break_glass::{self, KeyShare};
use chartseal::seal::envelope::{self, RecipientKey};
use chartseal::seal::recovery_share::{self, RecoveryShare};
use chartseal::seal::{ManifestBody, Piece, Placing, RecordIds};
use chartseal::store::SignedItem;

use crate::targets::{self, data_key};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
const IDS: RecordIds = RecordIds {
    patient: [3; 16],
    record: [4; 16],
    version: 5,
};

/// Inputs, each with the name of its target.
///
/// # Errors
/// When the fixtures of the tests cannot be read.
pub fn seeds() -> std::io::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut seeds = Vec::new();
    let mut add = |target, inputs: Vec<Vec<u8>>| seeds.extend(inputs.into_iter().map(|input| (target, input)));
    add("codec", codec()?);
    add("data_item", data_item());
    add("envelope", envelope());
    add("frame_index", frame_index());
    add("manifest", manifest());
    add("segment", segment());
    Ok(seeds)
}

fn borsh<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("it is short")
}

fn fixture(name: &str, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(Path::new(FIXTURES).join(name))?;
    bytes.truncate(most);
    Ok(bytes)
}

fn codec() -> std::io::Result<Vec<Vec<u8>>> {
    let mut files = vec![
        fixture("note.txt", 4096)?,
        fixture("voice_note.wav", 3000)?,
        fixture("dicom/MR_small.dcm", 16_384)?,
    ];
    for name in [
        "CT_small",
        "examples_overlay",
        "examples_rgb_color",
        "examples_ybr_color",
        "waveform_ecg",
    ] {
        files.push(fixture(&format!("dicom/{name}.dcm"), 6_000)?);
    }
    files.push(small_dicom());
    files.push(nifti());
    let mut coder = Coder::new()?;
    let mut inputs = vec![];
    for file in &files {
        inputs.push([&[5], &file[..]].concat());
        inputs.push([&[1][..], &[7; 20], &file[..file.len().min(2_500)]].concat());
        let (plan, mut position, mut encoded) = (FilePlan::of(file, true), 0, Vec::new());
        // The coded frames themselves, as if somebody else had made them.
        while position < file.len() {
            let planned = plan.next(position as u64);
            let frame = &file[position..file.len().min(position + planned.original_len())];
            let codec = coder.encode(&planned, frame, &mut encoded);
            if codec != Codec::Raw {
                let number = borsh(&Frame::new(codec, 1, 1))[0];
                let original = u32::try_from(frame.len()).expect("a frame is short").to_le_bytes();
                inputs.push([&[0, number], &original[..], &encoded].concat());
            }
            position += frame.len();
        }
    }
    inputs.push([&[4], &files[0][..]].concat());
    // An image of 16 columns, and its JPEG-LS stream.
    let samples: Vec<u16> = (0..256_u16).map(|at| at % 16 * 3 + at / 16).collect();
    let parameters = chartseal_kernels::pixels::jpegls::Parameters::of_max(255);
    let mut stream = Vec::new();
    chartseal_kernels::pixels::jpegls::Encoder::default().encode(&parameters, 16, &samples, &mut stream);
    inputs.push([&[2, 16, 0, 16, 0], &stream[..]].concat());
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    inputs.push([&[3, 255, 0, 0, 16, 0], &bytes[..]].concat());
    inputs.push([&[3, 255, 15, 1, 3, 0, 7, 0, 21, 0, 64, 16, 0], &bytes[..]].concat());
    Ok(inputs)
}

/// An explicit little endian DICOM file of 24 times 20 pixels of 12 bits in 16.
fn small_dicom() -> Vec<u8> {
    let element = |group: u16, number: u16, kind: &[u8], value: &[u8]| {
        let len = u16::try_from(value.len()).expect("it is short");
        [
            &group.to_le_bytes()[..],
            &number.to_le_bytes(),
            kind,
            &len.to_le_bytes(),
            value,
        ]
        .concat()
    };
    let number = |number: u16, value: u16| element(0x28, number, b"US", &value.to_le_bytes());
    let pixels: Vec<u8> = (0..480_u16)
        .flat_map(|at| (at % 24 * 7 + at / 24 * 5).to_le_bytes())
        .collect();
    let pixels_len = u32::try_from(pixels.len()).expect("it is short").to_le_bytes();
    [
        vec![0; 128],
        b"DICM".to_vec(),
        element(2, 0, b"UL", &28_u32.to_le_bytes()),
        element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0"),
        number(0x02, 1),
        element(0x28, 4, b"CS", b"MONOCHROME2 "),
        number(0x10, 20),
        number(0x11, 24),
        number(0x100, 16),
        number(0x101, 12),
        number(0x102, 11),
        number(0x103, 0),
        [&[0xe0, 0x7f, 0x10, 0], &b"OW\0\0"[..], &pixels_len, &pixels].concat(),
    ]
    .concat()
}

/// A NIfTI file of 20 times 10 times 3 voxels of 16 bits.
fn nifti() -> Vec<u8> {
    let mut file = vec![0; 352];
    file[..4].copy_from_slice(&348_u32.to_le_bytes());
    for (at, value) in [(40, 3_u16), (42, 20), (44, 10), (46, 3), (70, 4), (72, 16)] {
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    file[108..112].copy_from_slice(&352_f32.to_le_bytes());
    file[344..348].copy_from_slice(b"n+1\0");
    file.extend((0..600_u16).flat_map(|at| (at % 20 * 4).to_le_bytes()));
    file
}

fn data_item() -> Vec<Vec<u8>> {
    let item = SignedItem::sign(b"sealed bytes", &fuzzing::storage_key(&[7; 32]));
    let (head, data) = item.bytes().split_at(98);
    let with_tags = |count: u64, tags: &[u8]| {
        let len = tags.len() as u64;
        [head, &[0, 0], &count.to_le_bytes(), &len.to_le_bytes(), tags, data].concat()
    };
    let mut addressed = head.to_vec();
    addressed.extend([1; 33]);
    addressed.extend([1; 33]);
    addressed.extend([0; 16]);
    let mut wallets = item.bytes().to_vec();
    wallets[0] = 4;
    vec![
        item.bytes().to_vec(),
        item.bytes()[..60].to_vec(),
        addressed,
        wallets,
        with_tags(2, b"\x04\x18Content-Type\x14text/plain\x06App\x02x\x00"),
        with_tags(2, b"\x02\x02a\x021\x01\x08\x02b\x022\x00"),
        with_tags(1, b"\x02\x02a\x02b\x00\x00"),
        with_tags(0, b"\x00"),
    ]
}

fn envelope() -> Vec<Vec<u8>> {
    let data_key = data_key(&[9; 32]);
    let key = targets::reader();
    let context = targets::context(1);
    let x25519 = key.public();
    let public = |key: &'static EncryptionKey| key.post_quantum().expect("a key of today has both halves");
    let share = KeyShare {
        sharing: [1; 16],
        threshold: 2,
        share: Share {
            index: 3,
            value: [5; 32].into(),
        },
    };
    let wrapped = envelope::wrap(&data_key, &x25519, &context).expect("the key is usable");
    let held = break_glass::wrap(&share, &x25519, &context).expect("the key is usable");
    let given = RecoveryShare {
        threshold: 2,
        share: share.share.clone(),
    };
    let given = recovery_share::seal(&given, &targets::share_context(x25519)).expect("the key is usable");
    let mut other = envelope::wrap(&data_key, RecipientKey::XWing(public(key)), &context).expect("the key is usable");
    // These do not open: what opens is no input that a target could be given.
    let mut inputs = vec![[&[0], public(key)].concat()];
    for mut sealed in [wrapped, held, given, std::mem::take(&mut other)] {
        let last = sealed.len() - 40;
        sealed[last] ^= 1;
        inputs.push([&[0], &sealed[..]].concat());
    }
    for (kind, len) in [(1, 72), (1, 70), (2, 90), (3, 90), (5, 210), (6, 40)] {
        for half in [0, 1] {
            inputs.push([vec![kind], vec![half; len]].concat());
        }
    }
    inputs.push([&[6], &[8; 32][..], &[2, 3, 1, 4]].concat());
    inputs.push([&[6], &[8; 32][..], &[5, 5, 3, 0]].concat());
    inputs.push([&[4], &identity()[..]].concat());
    inputs.push([&[7], &fuzzing::encode_share(&share).expect("it is short")[..]].concat());
    inputs
}

/// An identity file without its checksum, under another passphrase than the target's.
fn identity() -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("chartseal-seed-{}", std::process::id()));
    let identity = Identity::generate().expect("there is randomness");
    let cost = KdfCost::new(8, 1, 1).expect("it is in bounds");
    identity
        .create(&folder, &Passphrase::new("seed").expect("it is not empty"), cost)
        .expect("it can be written");
    let mut file = std::fs::read(&folder).expect("it was written");
    std::fs::remove_file(&folder).expect("it was written");
    file.truncate(file.len() - 32);
    file
}

fn frame_index() -> Vec<Vec<u8>> {
    let range = |start: u64, end: u64| [start.to_le_bytes(), end.to_le_bytes()].concat();
    let frames = [
        Frame::new(Codec::Zstd, 100, 10),
        Frame::new(Codec::Raw, 100, 100),
        Frame::new(Codec::Pixels, 50, 5),
        Frame::new(Codec::Delta, 7, 6),
        Frame::new(Codec::Raw, 16 << 20, 16 << 20),
    ];
    (0..=frames.len())
        .flat_map(|count| {
            let index = borsh(&frames[..count].to_vec());
            [
                [range(0, 100), index.clone()].concat(),
                [range(5, 1 << 40), index].concat(),
            ]
        })
        .collect()
}

fn index(frames: &[Frame]) -> FrameIndex {
    borsh::from_slice(&borsh(&frames.to_vec())).expect("an index is its frames")
}

fn manifest() -> Vec<Vec<u8>> {
    let body = |name: &str, frames: &[Frame]| {
        let frames = index(frames);
        ManifestBody {
            ids: IDS,
            name: name.to_owned(),
            media_type: "text/plain".to_owned(),
            length: frames.original_len(),
            sha256: (!name.is_empty()).then_some([1; 32]),
            frames,
        }
    };
    let bodies = [
        body("", &[]),
        body("note.txt", &[Frame::new(Codec::Zstd, 1_000, 400)]),
        body(
            "scan.dcm",
            &[Frame::new(Codec::Raw, 100, 100), Frame::new(Codec::Pixels, 9_000, 900)],
        ),
    ];
    let mut inputs = Vec::new();
    for (body, last_segment) in bodies.iter().zip([16_u32, 1_040, 2_000]) {
        for full in [0, 2] {
            let (shards, whole) = targets::shards(full, last_segment);
            let piece = Piece {
                signature: [4; 64],
                sha256: [5; 32],
            };
            let spread = Placing::Spread {
                data: 2,
                parity: 1,
                pieces: vec![piece; 3 * shards.len()],
            };
            for placing in [whole, spread] {
                let sealed = fuzzing::seal_manifest(&data_key(&[9; 32]), [6; 32], &shards, &placing, body);
                inputs.extend(sealed.ok());
                let count = u8::try_from(shards.len()).expect("there are few");
                let mut described = [&[9; 32][..], &[40, 0, 3, count]].concat();
                shards.iter().for_each(|shard| described.extend(borsh(shard)));
                described.extend(borsh(&placing));
                described.extend(borsh(body));
                inputs.push(described);
            }
        }
    }
    inputs
}

fn segment() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for how in 0..14 {
        // Key, ids, number and salt; what is done and where; how long it is, and what it consists of.
        let len = [how % 4, 2, 1];
        let place = [1_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat();
        inputs.push(
            [
                &[6; 32][..],
                &[1; 16],
                &[2; 16],
                &[3; 8],
                &[4; 16],
                &[how],
                &place,
                &len,
                b"pattern",
            ]
            .concat(),
        );
    }
    inputs
}
