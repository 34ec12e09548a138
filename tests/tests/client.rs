//! The clinic's API of the SDK, against a real ledger, gateway and key store.

#![allow(clippy::unwrap_used)]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chartseal::client::{
    Basis, Chart, Class, Client, Error, Grantee, InstitutionKind, Passphrase, PatientId, Purpose, Reason, Right, Role,
    What,
};
use chartseal_tests::{clinic::Clinic, people::Person};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

const NOTES: Class = Class::new(2).unwrap();
const IMAGES: Class = Class::new(1).unwrap();

/// Somebody of the clinic, as a program.
async fn client(clinic: &Clinic, who: &Person) -> Client {
    let endpoints = clinic.stack.endpoints();
    Client::builder()
        .rpc(&endpoints.rpc)
        .store(&endpoints.gateway)
        .key_store(who.key_store())
        .identity_file(who.identity(), Passphrase::from_file(who.passphrase()).unwrap())
        .build()
        .await
        .unwrap()
}

fn patient(clinic: &Clinic) -> PatientId {
    clinic.patient_id.parse().unwrap()
}

/// Opens a record in memory.
async fn reads(chart: Chart<'_>, record: chartseal::client::RecordId) -> Result<Vec<u8>, Error> {
    chart.get(record).to_vec(1 << 20).await
}

/// Flips a byte of everything long that the gateway keeps.
fn alter_shards(clinic: &Clinic) {
    let items = std::fs::read_dir(clinic.stack.gateway_items()).unwrap();
    let paths = items.map(|item| item.unwrap().path());
    let shards: Vec<_> = paths.filter(|path| path.metadata().unwrap().len() > 1 << 20).collect();
    assert!(!shards.is_empty());
    for shard in shards {
        let mut bytes = std::fs::read(&shard).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&shard, bytes).unwrap();
    }
}

#[tokio::test]
async fn a_record_is_stored_read_amended_shared_and_taken_back() {
    let clinic = Clinic::open().unwrap();
    let doctor_person = clinic.employs("doctor", "doctor").unwrap();
    let doctor = client(&clinic, &doctor_person.person).await;
    let owner = client(&clinic, &clinic.patient).await;
    let (written, own) = (doctor.chart(patient(&clinic)), owner.chart(patient(&clinic)));

    let told = AtomicU64::new(0);
    let note = own
        .put(NOTES)
        .named("note.txt")
        .on_progress(|progress| told.store(progress.original, Ordering::Relaxed))
        .stream(&b"allergic to nuts"[..])
        .await
        .unwrap();
    assert_eq!((note.version, note.bytes, told.into_inner()), (1, 16, 16));
    assert_eq!(reads(own, note.record).await.unwrap(), b"allergic to nuts");

    let refused = reads(written, note.record).await.unwrap_err();
    assert!(refused.is_refusal() && !refused.is_tampered(), "{refused}");
    let grant = own
        .grant(doctor_person.member.parse::<chartseal::client::MemberId>().unwrap())
        .classes([NOTES, IMAGES])
        .rights([Right::Read, Right::Append, Right::Amend])
        .purposes([Purpose::Treatment])
        .lasting(Duration::from_secs(3_600))
        .uses(9)
        .send()
        .await
        .unwrap();
    assert_eq!((grant.wrapped, grant.pending), (1, 0));
    assert_eq!(reads(written, note.record).await.unwrap(), b"allergic to nuts");
    let states = own.grants().await.unwrap();
    assert_eq!(states.len(), 1);
    assert_eq!(
        (states[0].classes.clone(), states[0].uses_left),
        (vec![IMAGES, NOTES], Some(8))
    );
    assert_eq!(states[0].rights, [Right::Read, Right::Append, Right::Amend]);
    assert_eq!((states[0].fault, states[0].revoked), (None, None));
    assert_eq!(
        states[0].grantee,
        Grantee::Member(doctor_person.member.parse().unwrap())
    );
    assert_eq!(states[0].issuer, owner.wallet());

    let folder = clinic.stack.folder();
    let file = folder.join("finding.txt");
    std::fs::write(&file, b"a finding").unwrap();
    let finding = written.put(IMAGES).by(grant.grant).file(&file).await.unwrap();
    let amended = written
        .amend(finding.record)
        .replacing(1)
        .stream(&b"a corrected finding"[..])
        .await
        .unwrap();
    assert_eq!(amended.version, 2);
    let late = written
        .amend(finding.record)
        .replacing(1)
        .stream(&b"late"[..])
        .await
        .unwrap_err();
    assert!(late.to_string().contains("version 2"), "{late}");

    let out = folder.join("out.txt");
    let opened = own.get(finding.record).to_file(&out).await.unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), b"a corrected finding");
    assert_eq!((opened.version, opened.access.basis), (2, Basis::Patient));
    let again = own.get(finding.record).to_file(&out).await.unwrap_err();
    assert!(matches!(again, Error::File(_)), "{again}");
    own.get(finding.record)
        .version(1)
        .replacing()
        .to_file(&out)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), b"a finding");
    let mut part = Vec::new();
    own.get(finding.record).range(2..11).to_writer(&mut part).await.unwrap();
    assert_eq!(part, b"corrected");

    let revoked = own.revoke(grant.grant).await.unwrap();
    assert!(revoked.deleted > 0 && revoked.transaction.is_some(), "{revoked:?}");
    assert_eq!(own.revoke(grant.grant).await.unwrap().transaction, None);
    assert!(reads(written, note.record).await.unwrap_err().is_refusal());

    let records = own.records().await.unwrap();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|state| !state.erased));
    let log = own.log().await.unwrap();
    assert!(log.is_whole(), "{:?}", log.broken);
    let refusals: Vec<_> = log
        .entries
        .iter()
        .filter(|entry| matches!(entry.what, What::Refused { .. }))
        .collect();
    assert_eq!(refusals.len(), 2);
    assert!(refusals.iter().all(|entry| entry.wallet == Some(doctor.wallet())));
    let first = &refusals[0].what;
    let What::Refused {
        right, record, reason, ..
    } = first
    else {
        unreachable!()
    };
    assert_eq!(
        (*right, *record, *reason),
        (Right::Read, Some(note.record), Reason::NoGrant)
    );
    clinic.stack.stop().unwrap();
}

#[tokio::test]
async fn members_ask_and_patients_answer_with_less() {
    let clinic = Clinic::open().unwrap();
    let employed = clinic.employs("doctor", "doctor").unwrap();
    let (doctor, owner) = (
        client(&clinic, &employed.person).await,
        client(&clinic, &clinic.patient).await,
    );
    let (asking, own) = (doctor.chart(patient(&clinic)), owner.chart(patient(&clinic)));
    let ask = || {
        asking
            .ask()
            .classes([NOTES, IMAGES])
            .rights([Right::Read, Right::Append])
            .purposes([Purpose::Treatment])
    };
    let nothing = asking.ask().purposes([Purpose::Treatment]).send().await.unwrap_err();
    assert!(matches!(nothing, Error::Usage(_)), "{nothing}");
    let (first, second) = (ask().send().await.unwrap(), ask().send().await.unwrap());

    let all_unticked = own.approve(first).classes([]).send().await.unwrap_err();
    assert!(all_unticked.to_string().contains("deny"), "{all_unticked}");
    own.approve(first)
        .classes([NOTES])
        .rights([Right::Read])
        .lasting(Duration::from_secs(365 * 24 * 3_600))
        .uses(1)
        .send()
        .await
        .unwrap();
    own.deny(second).await.unwrap();
    let states = own.grants().await.unwrap();
    assert_eq!(states.len(), 1);
    assert_eq!(
        (states[0].classes.clone(), states[0].rights.clone(), states[0].uses_left),
        (vec![NOTES], vec![Right::Read], Some(1))
    );
    let requests = own.requests().await.unwrap();
    assert!(
        requests.len() == 2 && requests.iter().all(|request| !request.is_open()),
        "{requests:?}"
    );
    assert!(
        requests
            .iter()
            .all(|request| request.member.to_string() == employed.member)
    );
    clinic.stack.stop().unwrap();
}

#[tokio::test]
async fn people_come_in_by_the_same_api() {
    let clinic = Clinic::open().unwrap();
    let admin = client(&clinic, &clinic.stack.person("admin")).await;
    let (head, chemist, newcomer) = (
        clinic.stack.person("head"),
        clinic.stack.person("chemist"),
        clinic.stack.person("newcomer"),
    );
    for person in [&head, &chemist, &newcomer] {
        person.arrives().unwrap();
    }
    let (head, chemist, newcomer) = (
        client(&clinic, &head).await,
        client(&clinic, &chemist).await,
        client(&clinic, &newcomer).await,
    );
    let laboratory = admin
        .register_institution(InstitutionKind::Laboratory, head.wallet(), None)
        .await
        .unwrap();
    head.accept_institution(laboratory).await.unwrap();
    let member = head
        .register_member(laboratory, chemist.wallet(), Role::Technician, None)
        .await
        .unwrap();
    chemist.accept_membership(member).await.unwrap();
    let own = newcomer.open_chart().await.unwrap();
    newcomer
        .chart(own)
        .grant(laboratory)
        .classes([NOTES])
        .rights([Right::Append])
        .purposes([Purpose::Treatment])
        .send()
        .await
        .unwrap();
    let result = chemist.chart(own).put(NOTES).stream(&b"iron: 12"[..]).await.unwrap();
    assert_eq!(reads(newcomer.chart(own), result.record).await.unwrap(), b"iron: 12");
    clinic.stack.stop().unwrap();
}

#[tokio::test]
async fn a_film_is_read_from_anywhere_and_what_was_altered_is_told() {
    let clinic = Clinic::open().unwrap();
    let owner = client(&clinic, &clinic.patient).await;
    let own = owner.chart(patient(&clinic));
    // Nothing makes it smaller, so that it is more than one shard.
    let mut film = vec![0; 6_000_000];
    getrandom::fill(&mut film).unwrap();
    let stored = own
        .put(IMAGES)
        .media_type("video/mp4")
        .stream(film.as_slice())
        .await
        .unwrap();
    let mut reader = own.get(stored.record).reader().await.unwrap();
    assert_eq!((reader.length(), reader.media_type()), (film.len() as u64, "video/mp4"));
    reader.seek(std::io::SeekFrom::Start(5_000_000)).await.unwrap();
    let mut shown = [0; 1_000];
    reader.read_exact(&mut shown).await.unwrap();
    assert_eq!(shown[..], film[5_000_000..5_001_000]);
    let short = own.get(stored.record).to_vec(1_000).await.unwrap_err();
    assert!(short.to_string().contains("6000000"), "{short}");

    assert!(own.verify(stored.record).await.unwrap().shards > 1);
    alter_shards(&clinic);
    let altered = own.verify(stored.record).await.unwrap_err();
    assert!(altered.is_tampered(), "{altered}");
    let out = clinic.stack.folder().join("film.mp4");
    let altered = own.get(stored.record).to_file(&out).await.unwrap_err();
    assert!(altered.is_tampered() && !out.exists(), "{altered}");
    clinic.stack.stop().unwrap();
}

#[tokio::test]
async fn what_a_client_lacks_is_said_when_it_is_built() {
    let lacking = |builder: chartseal::client::Builder| async { builder.build().await.unwrap_err().to_string() };
    assert!(lacking(Client::builder()).await.contains("Builder::rpc"));
    let ledger = || Client::builder().rpc("http://127.0.0.1:1");
    assert!(lacking(ledger()).await.contains("Builder::key_store"));
    let folder = chartseal_tests::programs::work_folder().unwrap();
    let keys = || ledger().key_store(folder.path());
    assert!(lacking(keys()).await.contains("store"));
    let stores = || keys().store("http://127.0.0.1:1");
    assert!(lacking(stores()).await.contains("Builder::identity"));
    assert!(lacking(stores().store("http://127.0.0.1:1")).await.contains("twice"));
    assert!(
        lacking(stores().spread("2+1".parse().unwrap()))
            .await
            .contains("3 stores")
    );
    let missing = stores().identity_file("no such file", Passphrase::new("hush").unwrap());
    assert!(lacking(missing).await.contains("no such file"));
}
