//! A log in one file: it says what the ledger says, and nothing in it can be changed unnoticed.

use chartseal_audit::{Audit, CheckError, Checked, ExportedChain, SigningKey, Subject, check, write};
use chartseal_indexer::audit::{ExportError, export};
use chartseal_program::{
    events::{AnyEvent, InstitutionRegistered, PolicySet},
    log::{ChainKind, sha256_of},
    seeds::{Id, NO_ID},
    vocabulary::InstitutionKind,
};

use crate::{
    cluster::Database,
    indexing::index,
    node::{GENESIS, Node},
    story,
};

fn auditor() -> SigningKey {
    SigningKey::from_bytes(&[0xa7; 32])
}

fn key_of(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

struct Scene {
    node: Node,
    database: Database,
}

impl Scene {
    async fn set() -> Self {
        let node = Node::start(story::tell()).await;
        let database = Database::new().await;
        index(&node, &database).await;
        Self { node, database }
    }

    async fn exports(&self, subject: Subject) -> Result<Vec<u8>, ExportError> {
        let exported = export(&self.node.url, &self.database.url, subject, Some(&auditor())).await?;
        Ok(exported.bytes)
    }

    async fn changes(&self, statement: &'static str) {
        let mut connection = self.database.connect().await;
        let disarmed = "SET session_replication_role = replica";
        for statement in [disarmed, statement] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }
}

async fn patients_file() -> Vec<u8> {
    Scene::set()
        .await
        .exports(Subject::Patient(story::PATIENT))
        .await
        .unwrap()
}

fn opened(bytes: &[u8]) -> Checked {
    check(bytes, Some(&key_of(&auditor()))).unwrap()
}

/// Whether a file that somebody without the key made of this content is believed where nobody's signature is demanded.
fn holds_unsigned(audit: &Audit) -> Result<(), CheckError> {
    check(&write(audit, None).unwrap(), None).map(drop)
}

#[tokio::test]
async fn a_file_holds_a_patients_chains_and_those_that_give_names() {
    let scene = Scene::set().await;
    let checked = opened(&scene.exports(Subject::Patient(story::PATIENT)).await.unwrap());
    let Audit {
        chains,
        genesis_hash,
        frontier,
        ..
    } = &checked.audit;
    assert_eq!(*genesis_hash, GENESIS);
    assert_eq!(checked.signer, Some(key_of(&auditor())));
    let kinds: Vec<_> = chains
        .iter()
        .map(|chain| (chain.kind().unwrap(), chain.subject))
        .collect();
    let expected = [
        (ChainKind::Log, story::PATIENT),
        (ChainKind::Refusals, story::PATIENT),
        (ChainKind::Registry, NO_ID),
        (ChainKind::Institution, story::HOSPITAL),
        (ChainKind::Institution, story::INSURER),
    ];
    assert_eq!(kinds, expected);
    let knows = scene.node.knows();
    for chain in chains {
        let head = knows.ledger.heads[&(chain.kind().unwrap(), chain.subject)];
        assert_eq!(chain.chain(), head);
        assert_eq!(chain.events.len() as u64, head.seq);
        assert!(chain.events.iter().all(|placed| placed.slot <= frontier.slot));
    }
    let reader = checked.events[0].iter().find_map(|event| match event {
        AnyEvent::AccessAllowed(access) if access.actor.institution == story::INSURER => Some(access.actor.credential),
        _ => None,
    });
    let (role, institution) = checked.names.member(&reader.unwrap()).unwrap();
    assert_eq!((role.word(), institution), ("insurer", story::INSURER));
}

#[tokio::test]
async fn institutions_and_the_registry_have_files_too() {
    let scene = Scene::set().await;
    for subject in [
        Subject::Registry,
        Subject::Institution(story::INSURER),
        Subject::Patient(story::WARD),
    ] {
        let checked = opened(&scene.exports(subject).await.unwrap());
        assert_eq!(checked.audit.subject, subject);
        assert!(!checked.events[0].is_empty());
    }
}

#[tokio::test]
async fn no_byte_of_a_file_can_be_changed() {
    let bytes = patients_file().await;
    opened(&bytes);
    let mut altered = bytes.clone();
    for place in 0..bytes.len() {
        altered[place] ^= 1 << (place % 8);
        assert!(check(&altered, None).is_err(), "byte {place} of {}", bytes.len());
        altered[place] = bytes[place];
    }
    assert_eq!(altered, bytes);
}

#[tokio::test]
async fn no_byte_of_a_file_can_be_missing_or_added() {
    let bytes = patients_file().await;
    for length in 0..bytes.len() {
        assert!(
            check(&bytes[..length], None).is_err(),
            "{length} of {} bytes",
            bytes.len()
        );
    }
    for more in [&[0][..], &[0xff], &[0; 64]] {
        assert!(check(&[&bytes[..], more].concat(), None).is_err());
    }
    let unsigned = write(&opened(&bytes).audit, None).unwrap();
    assert!(check(&unsigned, None).is_ok());
    assert!(check(&[&unsigned[..], &[0; 64]].concat(), None).is_err());
}

/// Makes the chain anew from the event at `from` on, as the program would have.
fn rehash(chain: &mut ExportedChain, from: usize) {
    let kind = chain.kind().unwrap();
    let mut before: [u8; 32] = match from {
        0 => chartseal_program::log::Chain::begin(kind, &chain.subject).head,
        from => chain.events[from - 1].body.last_chunk().copied().unwrap(),
    };
    for (index, placed) in chain.events.iter_mut().enumerate().skip(from) {
        let seq = (index as u64 + 1).to_le_bytes();
        // Discriminator, subject, then the place in the chain.
        placed.body[24..32].copy_from_slice(&seq);
        let end = placed.body.len() - 32;
        let parts = [
            kind.domain(),
            chartseal_program::ID.as_ref(),
            &chain.subject,
            &seq,
            &before,
        ];
        before = sha256_of(&[&parts.concat(), &placed.body[..end]]);
        placed.body[end..].copy_from_slice(&before);
    }
}

#[tokio::test]
async fn whoever_writes_the_digest_anew_is_found_by_the_chains_and_else_by_the_signature() {
    let whole = opened(&patients_file().await).audit;
    assert_eq!(holds_unsigned(&whole), Ok(()));
    let forged = |change: &dyn Fn(&mut Audit)| {
        let mut audit = whole.clone();
        change(&mut audit);
        assert_ne!(audit, whole);
        audit
    };
    // What contradicts itself, whoever signed it.
    let contradictions: [&dyn Fn(&mut Audit); 12] = [
        &|audit| audit.chains[0].events.swap(1, 2),
        &|audit| drop(audit.chains[0].events.remove(1)),
        &|audit| drop(audit.chains[0].events.pop()),
        &|audit| {
            audit.chains[0].events.remove(1);
            rehash(&mut audit.chains[0], 1);
        },
        &|audit| audit.chains[0].events[3].body[60] ^= 1,
        &|audit| {
            let twice = audit.chains[0].events[2].clone();
            audit.chains[0].events.insert(2, twice);
            rehash(&mut audit.chains[0], 2);
        },
        &|audit| audit.chains[0].head[0] ^= 1,
        &|audit| audit.chains[0].account[0] ^= 1,
        &|audit| drop(audit.chains.remove(1)),
        &|audit| audit.chains.swap(2, 3),
        &|audit| audit.program[0] ^= 1,
        // Before the event that it follows.
        &|audit| audit.chains[0].events.last_mut().unwrap().slot = 1,
    ];
    for (index, change) in contradictions.into_iter().enumerate() {
        assert!(holds_unsigned(&forged(change)).is_err(), "contradiction {index}");
    }
    // What another ledger could have said: only who signed it tells.
    let lies: [&dyn Fn(&mut Audit); 4] = [
        &|audit| {
            let chain = &mut audit.chains[0];
            chain.events.remove(1);
            rehash(chain, 1);
            chain.seq -= 1;
            chain.head = chain.events.last().unwrap().body.last_chunk().copied().unwrap();
        },
        &|audit| audit.chains[0].events[0].signature[0] ^= 1,
        &|audit| audit.exported_at += 1,
        &|audit| audit.genesis_hash[0] ^= 1,
    ];
    let demanded = key_of(&auditor());
    let stranger = SigningKey::from_bytes(&[1; 32]);
    for change in lies {
        let lie = forged(change);
        assert_eq!(
            check(&write(&lie, None).unwrap(), Some(&demanded)).unwrap_err(),
            CheckError::Unsigned
        );
        let signed = write(&lie, Some(&stranger)).unwrap();
        assert!(matches!(
            check(&signed, Some(&demanded)).unwrap_err(),
            CheckError::OtherSigner { .. }
        ));
        // The right name with the stranger's signature.
        let honest = write(&lie, Some(&auditor())).unwrap();
        let forged = [&honest[..honest.len() - 64], &signed[signed.len() - 64..]].concat();
        assert_eq!(check(&forged, Some(&demanded)).unwrap_err(), CheckError::Signature);
    }
}

#[tokio::test]
async fn no_file_is_written_of_rows_that_the_ledger_does_not_bear_out() {
    let scene = Scene::set().await;
    let subject = Subject::Patient(story::PATIENT);
    let unknown: Id = [0x99; 16];
    assert!(matches!(
        scene.exports(Subject::Patient(unknown)).await,
        Err(ExportError::NoSuch(_))
    ));
    scene
        .changes("UPDATE events SET slot = 1 WHERE chain = 'refusals' AND seq = 2")
        .await;
    assert!(matches!(scene.exports(subject).await, Err(ExportError::Broken(_))));
    scene
        .changes("UPDATE events SET slot = e.slot FROM events e WHERE events.slot = 1 AND e.chain = 'refusals' AND e.seq = 1")
        .await;
    scene
        .changes("UPDATE events SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE chain = 'log' AND seq = 2")
        .await;
    assert!(matches!(scene.exports(subject).await, Err(ExportError::Broken(_))));
    scene
        .changes("DELETE FROM events WHERE chain = 'log' AND seq = 2")
        .await;
    match scene.exports(subject).await {
        Err(ExportError::Behind { here, there, .. }) => assert_eq!(here + 1, there),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_ends_where_the_ledger_is_final() {
    let scene = Scene::set().await;
    let before = opened(&scene.exports(Subject::Patient(story::PATIENT)).await.unwrap());
    // The database has one more event than the head that is final says.
    let head = {
        let mut knows = scene.node.knows();
        story::read_once_more(&mut knows.ledger);
        before.audit.chains[0].chain()
    };
    index(&scene.node, &scene.database).await;
    scene
        .node
        .knows()
        .ledger
        .heads
        .insert((ChainKind::Log, story::PATIENT), head);
    let after = opened(&scene.exports(Subject::Patient(story::PATIENT)).await.unwrap());
    assert_ne!(after.audit.frontier, before.audit.frontier);
    assert_eq!(after.audit.chains[0].chain(), head);
    assert_eq!(after.events.len(), before.events.len());
    assert!(after.events == before.events, "the file has what is not final");
}

#[tokio::test]
async fn who_is_named_only_by_what_is_not_final_need_not_be_there() {
    const NEWCOMER: Id = [0x77; 16];
    let scene = Scene::set().await;
    let before = opened(&scene.exports(Subject::Patient(story::PATIENT)).await.unwrap());
    {
        let ledger = &mut scene.node.knows().ledger;
        ledger.emit(&NEWCOMER, |link| InstitutionRegistered {
            link,
            institution: story::wallet(0x77),
            kind: InstitutionKind::Hospital,
            authority: story::wallet(0x78),
            expires: i64::MAX,
            head: [0; 32],
        });
        ledger.emit(&story::PATIENT, |link| PolicySet {
            link,
            institution: NEWCOMER,
            classes: 1,
            purposes: 1,
            enrols: false,
            expires: i64::MAX,
            by: story::wallet(0x79),
            head: [0; 32],
        });
    }
    index(&scene.node, &scene.database).await;
    {
        // What is final of it: the institution is not there yet.
        let heads = &mut scene.node.knows().ledger.heads;
        heads.remove(&(ChainKind::Institution, NEWCOMER));
        heads.insert((ChainKind::Log, story::PATIENT), before.audit.chains[0].chain());
    }
    let after = opened(&scene.exports(Subject::Patient(story::PATIENT)).await.unwrap());
    assert!(after.events == before.events, "the file has what is not final");
}
