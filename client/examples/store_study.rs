//! A clinic's system stores a study: every file of a folder goes into a patient's chart, three at a time. What is stored is
//! listed in the folder, so it can be run again after whatever broke it off: no file is stored twice, and a large one goes
//! on where it was.
//!
//! ```text
//! store_study IDENTITY PASSPHRASE-FILE PATIENT FOLDER
//! ```
//!
//! Ledger, stores and key store are where the environment says, as for `chartseal` itself (`cargo xtask localnet env`).

use std::{
    collections::HashSet,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use chartseal::client::{Chart, Class, Client, Error, Passphrase, Purpose, RecordId, Stored};
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

    let folder = Path::new(folder);
    let mut list = List::open(folder)?;
    let files = files(folder, &list)?;
    let mut uploads = stream::iter(files)
        .map(|file| async move { (store(chart, &file).await, file) })
        .buffer_unordered(AT_ONCE);
    let mut refused = 0;
    while let Some((stored, file)) = uploads.next().await {
        match stored {
            Ok(stored) => {
                list.add(&file, stored.record)?;
                println!(
                    "{}: record {} ({}, {} of {} bytes after compression)",
                    file.display(),
                    stored.record,
                    stored.media_type,
                    stored.stored_bytes,
                    stored.bytes
                );
            }
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

/// The files of a folder that are still to be stored.
fn files(folder: &Path, list: &List) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))? {
        let path = entry?.path();
        let is_journal = path
            .extension()
            .is_some_and(|extension| extension == "chartseal-upload");
        if path.is_file() && !is_journal && path != list.path && !list.has(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What of a folder is stored: a line for each file, its record's id and its name.
struct List {
    path: PathBuf,
    file: File,
    names: HashSet<String>,
}

impl List {
    fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("stored.txt");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let text = std::fs::read_to_string(&path)?;
        let names = text.lines().filter_map(|line| line.split_once(' '));
        let names = names.map(|(_, name)| name.to_owned()).collect();
        Ok(Self { path, file, names })
    }

    fn has(&self, file: &Path) -> bool {
        self.names.contains(&name(file))
    }

    fn add(&mut self, file: &Path, record: RecordId) -> Result<()> {
        writeln!(self.file, "{record} {}", name(file))?;
        self.file.sync_data().context("cannot write what is stored")
    }
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
