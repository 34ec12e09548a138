//! A clinic's system stores a study: every file of a folder goes into a patient's chart, three at a time. Run it again after
//! whatever broke it off: a large file goes on where it was.
//!
//! ```text
//! store_study IDENTITY PASSPHRASE-FILE PATIENT FOLDER
//! ```
//!
//! Ledger, stores and key store are where the environment says, as for `chartseal` itself (`cargo xtask localnet env`).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use chartseal::client::{Chart, Class, Client, Error, Passphrase, Purpose, Stored};
use futures_util::{StreamExt as _, stream};

/// What this clinic and its patients call images.
const IMAGING: Class = Class::new(1).unwrap();

/// Files that are under way at once.
const AT_ONCE: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [identity, passphrase, patient, folder] = arguments.as_slice() else {
        bail!("type: store_study IDENTITY PASSPHRASE-FILE PATIENT FOLDER");
    };
    let client = Client::from_env()?
        .identity_file(identity, Passphrase::from_file(passphrase)?)
        .build()
        .await?;
    let chart = client.chart(patient.parse()?);

    let mut uploads = stream::iter(files(folder)?)
        .map(|file| async move { (store(chart, &file).await, file) })
        .buffer_unordered(AT_ONCE);
    let mut refused = 0;
    while let Some((stored, file)) = uploads.next().await {
        match stored {
            Ok(stored) => println!(
                "{}: record {} ({}, {} of {} bytes after compression)",
                file.display(),
                stored.record,
                stored.media_type,
                stored.stored_bytes,
                stored.bytes
            ),
            Err(error) if error.is_refusal() => {
                refused += 1;
                println!("{}: {error}", file.display());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot store {}", file.display())),
        }
    }
    if refused > 0 {
        bail!("{refused} files were refused: ask the patient for the right to append (`chartseal request`)");
    }
    Ok(())
}

/// Stores one file. What is written down beside it meanwhile has no key in the clear, and is gone at the end.
async fn store(chart: Chart<'_>, file: &Path) -> Result<Stored, Error> {
    let mut journal = file.as_os_str().to_owned();
    journal.push(".chartseal-upload");
    chart
        .put(IMAGING)
        .purpose(Purpose::Treatment)
        .journal(journal)
        .file(file)
        .await
}

/// The files of a folder, but for journals of earlier runs.
fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot look into {folder}"))? {
        let path = entry?.path();
        let is_journal = path
            .extension()
            .is_some_and(|extension| extension == "chartseal-upload");
        if path.is_file() && !is_journal {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
