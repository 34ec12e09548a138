//! Importing an archive: many files are sealed and stored as any other, and one transaction commits the institution to all
//! of them. None of them is in anybody's chart yet: each is put there by whoever may add to it, with a proof.
//!
//! An import is long, so it keeps a [`journal`]: run again, it goes on where it was. What is sealed of a batch's list is
//! described in [`list`].

mod journal;
mod list;
mod opening;
mod promoting;
mod storing;

use std::path::{Path, PathBuf};

use chartseal_program::{
    builders,
    instructions::AnchorBatchArgs,
    merkle::Hash,
    policy,
    seeds::{BATCH, Id, address},
    state::{Batch, Member},
    vocabulary::{Action, CLASSES, Purpose},
};

pub use list::{Batched, Entry, List, MOST_RECORDS, Proof};
pub use promoting::Promoted;

use self::journal::{Import, Journal};
use super::{OpError, Session, draw_id};
use crate::{
    crypto::sha256,
    seal::RecordIds,
    store::{BlobStore, FileError, KeyStore},
};

/// A file to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// Whose it is.
    pub patient: Id,
    /// Its sharing class, 0 to 31.
    pub class: u8,
    /// Where it is.
    pub path: PathBuf,
}

/// A batch that stands on chain.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// Id of the institution.
    pub institution: Id,
    /// Id of the batch.
    pub batch: Id,
    /// What commits to its records.
    pub root: Hash,
    /// How many there are.
    pub count: u32,
    /// The transaction; `None` where an earlier run had sent it.
    pub signature: Option<String>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Seals and stores files and anchors them as one batch. Run again with the same files and journal after whatever
    /// broke it off, it goes on: what is stored is not stored twice, and a batch is anchored once.
    ///
    /// `progress` is told how many files are stored.
    ///
    /// # Errors
    /// [`OpError`]; what was stored by then is in the journal.
    pub async fn anchor(
        &self,
        files: &[ImportedFile],
        journal: &Path,
        progress: impl Fn(usize) + Send + Sync,
    ) -> Result<Anchored, OpError> {
        check_files(files)?;
        let author = self.author().await?;
        let import = Import {
            institution: author.institution,
            member: author.member,
            files: fingerprint(files),
        };
        let mut journal = Journal::open(journal, &import, || {
            Ok(draw_id(|id| address::fits(BATCH, &author.institution, id))?)
        })?;
        self.store_files(files, &author, &mut journal, progress).await?;

        let list = List {
            institution: author.institution,
            batch: journal.batch(),
            entries: journal.stored().values().cloned().collect(),
        };
        let tree = list
            .tree()
            .filter(|tree| usize::try_from(tree.count()) == Ok(files.len()))
            .ok_or_else(|| {
                OpError::Usage("the journal is not of these files; name another journal (--journal)".into())
            })?;
        let at = address::batch(&list.institution, &list.batch);
        let mut anchored = Anchored {
            institution: list.institution,
            batch: list.batch,
            root: tree.root(),
            count: tree.count(),
            signature: None,
        };
        if let Some(before) = self.ledger.try_read::<Batch>(&at).await? {
            if (before.root, before.count) == (anchored.root, anchored.count) {
                return Ok(anchored);
            }
            return Err(OpError::Usage(
                "the journal does not say what was anchored of this batch: it was altered since".into(),
            ));
        }
        let locator = match journal.locator() {
            Some(locator) => locator,
            None => {
                let locator = self.store_list(&list).await?;
                journal.set_locator(locator)?;
                locator
            }
        };
        let args = AnchorBatchArgs {
            id: list.batch,
            root: anchored.root,
            locator,
            count: anchored.count,
        };
        let wallet = self.wallet();
        let instruction =
            builders::anchor_batch(wallet, self.payer().await?, &author.institution, &author.member, args);
        let receipt = self.ledger.submit(instruction, &[&self.identity.wallet]).await?;
        anchored.signature = Some(receipt.signature.to_string());
        Ok(anchored)
    }
}

/// What a list is sealed as. It belongs to no patient, so a hash of the institution's id stands where a patient's would.
fn list_ids(institution: &Id, batch: &Id) -> RecordIds {
    let mut owner = [0; 16];
    owner.copy_from_slice(&sha256(&[b"chartseal/batch-list/v1", institution])[..16]);
    RecordIds {
        patient: owner,
        record: *batch,
        version: 1,
    }
}

fn writes(member: &Member) -> bool {
    policy::may_request(member.role(), Action::Append.bit(), Purpose::Treatment.bit())
}

/// Finds what cannot be imported before hours are spent on the rest.
fn check_files(files: &[ImportedFile]) -> Result<(), OpError> {
    if files.is_empty() {
        return Err(OpError::Usage("there is nothing to import".into()));
    }
    if files.len() > MOST_RECORDS {
        return Err(OpError::Usage(format!(
            "{} files are more than the {MOST_RECORDS} of the largest batch; import them in parts",
            files.len()
        )));
    }
    for file in files {
        if file.class >= CLASSES {
            let highest = CLASSES - 1;
            return Err(OpError::Usage(format!(
                "sharing class {} is none: 0 to {highest}",
                file.class
            )));
        }
        let at = |source| FileError::new("read", &file.path, source);
        let found = std::fs::metadata(&file.path).map_err(at)?;
        if !found.is_file() {
            return Err(OpError::Usage(format!("{} is no file", file.path.display())));
        }
    }
    Ok(())
}

/// Tells one import from another: by whose files they are, where, and in which order.
fn fingerprint(files: &[ImportedFile]) -> [u8; 32] {
    use std::os::unix::ffi::OsStrExt as _;
    let mut all = b"chartseal/import/v1".to_vec();
    for file in files {
        let path = file.path.as_os_str().as_bytes();
        all.extend_from_slice(&file.patient);
        all.push(file.class);
        all.extend_from_slice(&(path.len() as u64).to_le_bytes());
        all.extend_from_slice(path);
    }
    sha256(&[&all])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u8, path: &str) -> ImportedFile {
        ImportedFile {
            patient: [n; 16],
            class: n,
            path: path.into(),
        }
    }

    #[test]
    fn another_import_has_another_fingerprint() {
        let imports = [
            vec![file(1, "a"), file(2, "b")],
            vec![file(2, "b"), file(1, "a")],
            vec![file(1, "a")],
            vec![file(1, "ab"), file(2, "")],
            vec![file(1, ""), file(2, "ab")],
            vec![
                ImportedFile {
                    class: 9,
                    ..file(1, "a")
                },
                file(2, "b"),
            ],
        ];
        for (place, one) in imports.iter().enumerate() {
            for other in &imports[place + 1..] {
                assert_ne!(fingerprint(one), fingerprint(other));
            }
        }
    }

    #[test]
    fn what_cannot_be_imported_is_said_before_anything_is_done() {
        let missing = check_files(&[file(1, "/nowhere/at/all")]);
        assert!(matches!(missing, Err(OpError::File(error)) if error.is_not_found()));
        assert!(matches!(check_files(&[file(1, "/")]), Err(OpError::Usage(_))));
        assert!(matches!(check_files(&[]), Err(OpError::Usage(_))));
        assert!(matches!(check_files(&[file(32, "/nowhere")]), Err(OpError::Usage(why)) if why.contains("class 32")));
        assert!(matches!(
            check_files(&vec![file(1, "/"); MOST_RECORDS + 1]),
            Err(OpError::Usage(why)) if why.contains("65536")
        ));
    }
}
