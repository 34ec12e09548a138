//! Proving keys in files: kept, read again, and refused where they are not the one that is named.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::{fs, sync::LazyLock};

use chartseal_zk::keys::{KeyError, ProvingKey, VerifyingKey};

static KEY: LazyLock<ProvingKey> = LazyLock::new(|| ProvingKey::test_only().unwrap());

#[test]
fn the_key_for_tests_is_made_once_and_then_read() {
    let folder = tempfile::tempdir().unwrap();
    let verifying = VerifyingKey::of_contract().unwrap();
    ProvingKey::test_only_in(folder.path(), &verifying).unwrap();
    let files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let made = fs::metadata(&files[0]).unwrap().modified().unwrap();
    let again = ProvingKey::test_only_in(folder.path(), &verifying).unwrap();
    assert_eq!(*again.verifying_key(), verifying);
    assert_eq!(fs::metadata(&files[0]).unwrap().modified().unwrap(), made);
}

#[test]
fn half_a_key_in_the_cache_is_made_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let verifying = KEY.verifying_key();
    ProvingKey::test_only_in(folder.path(), verifying).unwrap();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    ProvingKey::test_only_in(folder.path(), verifying).unwrap();
    assert!(fs::read(&file).unwrap() == whole);
}

#[test]
fn a_saved_key_is_read_only_under_its_own_verifying_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proving.key");
    KEY.save(&path).unwrap();
    let verifying = KEY.verifying_key().clone();
    assert_eq!(ProvingKey::read(&path, &verifying).unwrap().size(), KEY.size());

    let mut bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), KEY.size());
    bytes[1_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        ProvingKey::read(&path, &verifying),
        Err(KeyError::OtherProvingKey { .. })
    ));

    let missing = folder.path().join("missing.key");
    assert!(matches!(
        ProvingKey::read(&missing, &verifying),
        Err(KeyError::Io { .. })
    ));
}

#[test]
fn a_verifying_key_of_another_circuit_or_seed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proving.key");
    KEY.save(&path).unwrap();
    let mut other = KEY.verifying_key().clone();
    other.circuit[0] ^= 1;
    assert!(matches!(ProvingKey::read(&path, &other), Err(KeyError::OtherCircuit)));
    let mut other = KEY.verifying_key().clone();
    other.proving_key[0] ^= 1;
    assert!(matches!(
        ProvingKey::test_only_in(folder.path(), &other),
        Err(KeyError::OtherProvingKey { .. })
    ));
}
