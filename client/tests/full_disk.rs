//! No room left: a clear error, and nothing half-written. `/dev/full` stands for a full disk where bytes are streamed; a
//! limit on the size of files, in a process of its own, for one that fills up under a file that should appear by rename.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;

use chartseal::keys::{Identity, KdfCost, KeyError, Passphrase};
use chartseal::seal::{OpenError, Sealed, open_stream};
use chartseal::store::{AtomicFile, Existing, FileError, Stores};
use support::{IDS, MemoryStore, noise, plain_options, seal, silent};

const LIMITED: &str = "CHARTSEAL_TEST_LIMITED_FOLDER";

#[tokio::test]
async fn opening_onto_a_full_disk_says_so() {
    for size in [10, 3_000_000] {
        let store = MemoryStore::default();
        let Sealed {
            manifest,
            on_chain,
            data_key,
            ..
        } = seal(&store, IDS, &noise(size, 1), &plain_options()).await;
        let mut full = tokio::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .await
            .unwrap();
        let opened = open_stream(
            &manifest,
            &on_chain,
            IDS,
            &data_key,
            &Stores::one(&store),
            None,
            &mut full,
            &silent,
        )
        .await;
        let error = opened.unwrap_err();
        assert!(
            matches!(error, OpenError::OutputFull) && !error.is_tampered(),
            "{error}"
        );
    }
}

/// Runs the test below in a process whose files cannot grow beyond 64 KiB.
#[test]
fn a_file_that_does_not_fit_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "what_happens_where_files_cannot_grow", "--nocapture"])
        .env(LIMITED, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(
        limited.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&limited.stderr)
    );
    assert!(said.contains("the limit was felt"), "{said}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn what_happens_where_files_cannot_grow() {
    // Without the variable this is the outer run, which has nothing to do here.
    let Some(folder) = std::env::var_os(LIMITED) else {
        return;
    };
    let target = Path::new(&folder).join("image.dcm");
    let store = MemoryStore::default();
    let Sealed {
        manifest,
        on_chain,
        data_key,
        ..
    } = seal(&store, IDS, &noise(200_000, 1), &plain_options()).await;
    let mut file = AtomicFile::create(&target, Existing::Refuse).unwrap();
    let opened = open_stream(
        &manifest,
        &on_chain,
        IDS,
        &data_key,
        &Stores::one(&store),
        None,
        &mut file,
        &silent,
    )
    .await;
    assert!(matches!(opened, Err(OpenError::OutputFull)), "{opened:?}");
    drop(file);

    let written = chartseal::store::write_file(&target, &[0; 200_000], Existing::Refuse);
    assert!(
        matches!(&written, Err(FileError::DiskFull { path }) if *path == target),
        "{written:?}"
    );
    println!("the limit was felt");
}

#[test]
fn an_identity_in_a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::new("p").unwrap();
    let created = Identity::generate().unwrap().create(
        &folder.path().join("no/id"),
        &passphrase,
        KdfCost::new(8, 1, 1).unwrap(),
    );
    assert!(matches!(created, Err(KeyError::File(FileError::Io { .. }))));
}
