//! Records read from anywhere in them, by the SDK and by the command, over the real stack.

#![allow(clippy::unwrap_used)]

use std::{fs, io::SeekFrom};

use chartseal::{
    keys::{Identity, Passphrase},
    ledger::Ledger,
    ops::{GetRequest, Session},
    store::{FolderKeyStore, Gateway, GatewayOptions},
};
use chartseal_program::{seeds::Id, vocabulary::Purpose};
use chartseal_tests::memory::one_patient;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

fn id(text: &str) -> Id {
    let mut id = Id::default();
    hex::decode_to_slice(text, &mut id).unwrap();
    id
}

#[test]
fn a_record_is_read_from_anywhere_in_it() {
    let (stack, patient, of) = one_patient().unwrap();
    let bytes: Vec<u8> = (0..9_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let (file, out) = (stack.folder().join("film"), stack.folder().join("part"));
    fs::write(&file, &bytes).unwrap();
    let stored = patient
        .does(&["put", &of, file.to_str().unwrap(), "--no-compression"])
        .unwrap();
    let record = stored.text("record").unwrap();

    let passphrase = fs::read(patient.passphrase()).unwrap();
    let first = passphrase.split(|byte| *byte == b'\n').next().unwrap();
    let session = Session::new(
        Identity::load(&patient.identity(), &Passphrase::new(first).unwrap()).unwrap(),
        Ledger::new(&stack.endpoints().rpc),
        Gateway::new(&stack.endpoints().gateway, GatewayOptions::default()).unwrap(),
        FolderKeyStore::existing(patient.key_store()),
    );
    let request = GetRequest {
        patient: id(&of),
        record: id(&record),
        version: None,
        purpose: Purpose::Personal,
        grant: None,
        payment: None,
        range: None,
        partial: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut reader = session.open_reader(&request).await.unwrap();
        assert_eq!((reader.length(), reader.name()), (bytes.len() as u64, "film"));
        for from in [30_000_000, 5, 8_386_550, bytes.len() - 9] {
            reader.seek(SeekFrom::Start(from as u64)).await.unwrap();
            let mut part = Vec::new();
            (&mut reader).take(100_000).read_to_end(&mut part).await.unwrap();
            assert!(part == bytes[from..bytes.len().min(from + 100_000)], "from {from}");
        }
    });

    let words = [
        "get",
        &of,
        &record,
        "--out",
        out.to_str().unwrap(),
        "--range",
        "8386550..8486550",
    ];
    patient.does(&words).unwrap();
    assert!(fs::read(&out).unwrap() == bytes[8_386_550..8_486_550]);
    stack.stop().unwrap();
}
