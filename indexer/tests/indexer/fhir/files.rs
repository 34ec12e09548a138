//! What an export is as a whole: the same bytes, what was asked for, and a file that is whole or not there.

use std::{os::unix::fs::PermissionsExt, process::Command};

use chartseal_indexer::{
    Indexer, Options,
    fhir::{Exported, FhirError, Format, Selection, export},
    sink::Instant,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{of_kind, resources, told, write};
use crate::{
    cluster::Database,
    indexing::{index, options},
    node::Node,
    story::{self, HEIR},
};

#[tokio::test]
async fn the_same_events_give_the_same_bytes_however_they_were_read() {
    let node = Node::start(story::tell()).await;
    let (one, other) = (Database::new().await, Database::new().await);
    index(&node, &one).await;
    let mut indexer = Indexer::new(Options {
        batch: 1000,
        ..options(&node, &other)
    });
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
    let (first, _) = write(&one.url, Selection::default(), Format::Ndjson).await;
    let (again, _) = write(&one.url, Selection::default(), Format::Ndjson).await;
    let (elsewhere, _) = write(&other.url, Selection::default(), Format::Ndjson).await;
    assert!(first == again && first == elsewhere);
}

#[tokio::test]
async fn a_patient_and_a_time_are_selected() {
    let database = told().await;
    let all = resources(&database, Selection::default()).await;
    let patient = Selection {
        patient: Some(HEIR),
        ..Selection::default()
    };
    let one = resources(&database, patient).await;
    let heir = hex::encode(HEIR);
    let own = |resource: &&Value| resource["id"].as_str().unwrap().starts_with(&heir);
    assert!(one.iter().eq(all.iter().filter(own)) && one.len() < all.len());

    // Two halves are the whole, of what never changes.
    let middle = Some(Instant(1_750_000_000 + 400));
    let (before, after) = (
        Selection {
            until: middle,
            ..Selection::default()
        },
        Selection {
            since: middle,
            ..Selection::default()
        },
    );
    let (before, after) = (resources(&database, before).await, resources(&database, after).await);
    for kind in ["AuditEvent", "Consent", "DocumentReference", "Provenance"] {
        let (a, b) = (of_kind(&before, kind).len(), of_kind(&after, kind).len());
        assert_eq!(a + b, of_kind(&all, kind).len(), "{kind}");
        assert!(a > 0 && b > 0, "{kind}: {a} and {b}");
    }
}

#[tokio::test]
async fn an_export_that_is_stopped_says_so() {
    let database = told().await;
    let stop = CancellationToken::new();
    let mut out = Vec::new();
    let halt = |done: &Exported| {
        if done.total() == 3 {
            stop.cancel();
        }
    };
    let error = export(
        &database.url,
        &Selection::default(),
        Format::Ndjson,
        &mut out,
        halt,
        &stop,
    )
    .await;
    assert!(matches!(error, Err(FhirError::Stopped)), "{error:?}");
}

#[tokio::test]
async fn a_file_is_whole_or_as_it_was() {
    let database = told().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.ndjson");
    let run = |url: &str| {
        Command::new(env!("CARGO_BIN_EXE_chartseal-indexer"))
            .args(["fhir", "export", "--database", url, "--out"])
            .arg(&path)
            .output()
            .unwrap()
    };
    std::fs::write(&path, "before").unwrap();
    let empty = Database::new().await;
    let refused = run(&empty.url);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("chartseal-indexer migrate"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");

    let done = run(&database.url);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let (expected, counts) = write(&database.url, Selection::default(), Format::Ndjson).await;
    assert_eq!(std::fs::read(&path).unwrap(), expected);
    assert!(said.contains(&format!("{} resources", counts.total())), "{said}");
    // Others need not read it, and nothing else is left.
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
