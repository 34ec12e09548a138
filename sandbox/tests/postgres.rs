//! Postgres as a client sees it, and what is left of it when the sandbox is gone.
//!
//! These tests need Postgres on the machine, as the sandbox does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use chartseal_sandbox::{Postgres, PostgresConfig, PostgresError};
use common::{Process, folder, wait_for};
use sqlx::{Connection as _, PgConnection};

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn numbers(connection: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar("SELECT n FROM numbers ORDER BY n")
        .fetch_all(connection)
        .await
        .unwrap()
}

/// The server's process, if one runs in that folder. Its command line tells, which every user may read.
fn server(folder: &Path) -> Option<u32> {
    let cluster = folder.join("cluster").into_os_string().into_encoded_bytes();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        words.find(|word| *word == b"-D")?;
        (words.next()? == cluster).then_some(pid)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_survives_a_kill_and_nothing_is_left_running() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let process = Process::start(folder.path(), &[]);
    let url = process.endpoints.database.clone().unwrap();
    let mut connection = connect(&url).await;
    for setting in ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(value, "on", "{setting}");
    }
    let listens: String = sqlx::query_scalar("SELECT current_setting('listen_addresses')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(listens, "");
    sqlx::query("CREATE TABLE numbers (n int)")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("INSERT INTO numbers VALUES (1), (2)")
        .execute(&mut connection)
        .await
        .unwrap();
    assert!(server(&data).is_some());
    process.kill();

    // At once, while the old server may still be about to end.
    let process = Process::start(folder.path(), &[]);
    assert_eq!(
        process.endpoints.database.as_deref(),
        Some(url.as_str()),
        "it is found where it was"
    );
    let mut connection = connect(&url).await;
    assert_eq!(numbers(&mut connection).await, [1, 2]);
    process.kill();
    wait_for("the end of Postgres", || server(&data).is_none().then_some(()));

    let process = Process::start(folder.path(), &[]);
    assert_eq!(numbers(&mut connect(&url).await).await, [1, 2]);
    assert!(process.terminate(), "also while a connection was open");
    assert_eq!(server(&data), None);
    let socket = url.split_once("host=").unwrap().1;
    assert!(!Path::new(socket).exists());
}

/// As root in a container: the right to look into other users' processes is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_starts_again_where_nobody_may_look_into_other_processes() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let start = || {
        if rustix::process::geteuid().is_root() {
            let without = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"];
            Process::start_by(&without, folder.path(), &[])
        } else {
            Process::start(folder.path(), &[])
        }
    };
    let mut url = None;
    for _ in 0..3 {
        let process = start();
        assert!(server(&data).is_some());
        let now = process.endpoints.database.clone();
        assert_eq!(url.get_or_insert_with(|| now.clone()), &now);
        connect(now.as_deref().unwrap()).await;
        process.kill();
    }
    assert!(start().terminate());
    assert_eq!(server(&data), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_has_its_cluster_and_nothing_beside_it() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = folder();
    let data = folder.path().join("postgres");
    let postgres = Postgres::start(PostgresConfig { folder: data.clone() }).await.unwrap();
    let owner = |path: &Path| std::fs::symlink_metadata(path).unwrap().uid();
    let us = rustix::process::geteuid().as_raw();
    for ours in [data.clone(), data.join("socket-folder"), data.join("server.log")] {
        assert_eq!(owner(&ours), us, "{}", ours.display());
    }
    let cluster = data.join("cluster");
    assert_eq!(owner(&cluster) == us, !rustix::process::geteuid().is_root());
    assert_eq!(std::fs::symlink_metadata(&cluster).unwrap().mode() & 0o777, 0o700);
    postgres.stop().await.unwrap();
}

#[test]
fn a_folder_that_leads_elsewhere_is_refused_and_nothing_changes_there() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let (folder, victim) = (folder(), folder());
    std::fs::set_permissions(victim.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let before = std::fs::metadata(victim.path()).unwrap();
    symlink(victim.path(), folder.path().join("postgres")).unwrap();
    let (succeeded, log) = common::run(folder.path(), &[]);
    assert!(!succeeded && log.contains("is no folder, or a link"), "{log}");

    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (succeeded, log) = common::run(folder.path(), &[]);
    assert!(!succeeded && log.contains("chmod go-w"), "{log}");

    let after = std::fs::metadata(victim.path()).unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    assert_eq!(std::fs::read_dir(victim.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_takes_the_sandbox_with_it() {
    let folder = folder();
    let process = Process::start(folder.path(), &[]);
    let pid = server(&folder.path().join("postgres")).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
    assert!(!process.ended(), "it says that it failed");
    assert!(!folder.path().join("ready.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_and_starts_on_its_own() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let config = || PostgresConfig { folder: data.clone() };
    let first = Postgres::start(config()).await.unwrap();
    let url = first.url().to_owned();
    sqlx::query("CREATE TABLE numbers (n int)")
        .execute(&mut connect(&url).await)
        .await
        .unwrap();
    first.stop().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());

    let second = Postgres::start(config()).await.unwrap();
    assert_eq!(second.url(), url);
    assert_eq!(numbers(&mut connect(&url).await).await, [0; 0]);
    assert!(server(&data).is_some());
    drop(second);
    assert_eq!(server(&data), None, "dropping it ends it too");
    assert!(!Path::new(url.split_once("host=").unwrap().1).exists());

    std::fs::write(data.join("cluster/PG_VERSION"), "7\n").unwrap();
    let error = Postgres::start(config()).await.unwrap_err();
    assert!(
        matches!(&error, PostgresError::OtherVersion { version, .. } if version == "7"),
        "{error}"
    );
}
