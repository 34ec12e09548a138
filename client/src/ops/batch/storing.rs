//! Storing the files of an import, some at a time, and the list of what was stored.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chartseal_program::{
    policy::Subject,
    seeds::{Id, address},
    state::{Institution, Member},
};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Mutex;

use super::{Entry, ImportedFile, List, journal::Journal, list_ids, writes};
use crate::{
    ledger::standing::TO_COME,
    ops::{
        OpError, Session,
        break_glass::Holders,
        chart::{Chart, PublicKey, Recipients},
        draw_id,
        keys::Version,
    },
    seal::{Input, RecordIds, SealOptions, Sealed, seal_stream},
    store::{BlobStore, FileError, KeyStore},
};

/// Files that are being sealed and uploaded at a time.
const AT_A_TIME: usize = 4;
/// How long a patient's grants are taken as they were read. An import lasts for hours, and consent changes.
const FRESH: Duration = Duration::from_secs(60);
/// A list's media type, in its sealed manifest.
const MEDIA_TYPE: &str = "application/vnd.chartseal.batch-list";

/// Who imports.
pub(super) struct Author {
    pub(super) institution: Id,
    pub(super) member: Id,
    account: [u8; 32],
    key: PublicKey,
}

/// The charts of the patients whose files are being imported.
#[derive(Default)]
struct Charts(Mutex<HashMap<Id, (Instant, Arc<Chart>)>>);

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// The member that this session imports as, if the chain would let it anchor: better known now than hours later.
    pub(super) async fn author(&self) -> Result<Author, OpError> {
        let Some((institution, member)) = self.membership().await? else {
            return Err(OpError::Usage(
                "only members of an institution anchor batches; this wallet is none's".into(),
            ));
        };
        let account = self.ledger.member(&institution, &member).await?;
        let now = self.ledger.now().await?;
        if !account.is_active(now) || !writes(&account) {
            return Err(OpError::Usage(
                "this member may not write: its role is another, or it is suspended or expired".into(),
            ));
        }
        Ok(Author {
            institution,
            member,
            account: address::member(&institution, &member).to_bytes(),
            key: key_of(&account),
        })
    }

    /// Stores the files that are not in the journal yet.
    pub(super) async fn store_files(
        &self,
        files: &[ImportedFile],
        author: &Author,
        journal: &mut Journal,
        progress: impl Fn(usize),
    ) -> Result<(), OpError> {
        let missing: Vec<(u32, &ImportedFile)> = (0..)
            .zip(files)
            .filter(|(index, _)| !journal.stored().contains_key(index))
            .collect();
        let charts = &Charts::default();
        let mut storing = stream::iter(missing)
            .map(|(index, file)| async move { Ok::<_, OpError>((index, self.store_file(file, author, charts).await?)) })
            .buffer_unordered(AT_A_TIME);
        progress(journal.stored().len());
        while let Some((index, entry)) = storing.try_next().await? {
            journal.add(index, entry)?;
            progress(journal.stored().len());
        }
        Ok(())
    }

    /// Seals and uploads one file, and wraps its key for everybody who could read it if it were in the chart now.
    async fn store_file(&self, file: &ImportedFile, author: &Author, charts: &Charts) -> Result<Entry, OpError> {
        let chart = charts.read(self, &file.patient).await?;
        let patient = file.patient;
        let record = draw_id(|id| address::fits_record(&patient, id))?;
        let mut readers = chart.readers(&Subject::new(&record, file.class, TO_COME));
        readers.insert(author.account, author.key);
        self.insist_on_post_quantum(&readers, Some(&chart.holders)).await?;
        let source = tokio::fs::File::open(&file.path)
            .await
            .map_err(|source| FileError::new("read", &file.path, source))?;
        let source = Input::File(source.into_std().await);
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let ids = RecordIds {
            patient,
            record,
            version: 1,
        };
        let seal = SealOptions::named(name);
        let sealed = seal_stream(source, ids, &seal, &self.identity.storage, &self.stores, &|_| {}).await?;
        self.deliver_key(&sealed, ids, &readers, Some(&chart.holders)).await?;
        Ok(Entry {
            patient,
            record,
            class: file.class,
            manifest_hash: sealed.on_chain.manifest_hash,
            content_root: sealed.on_chain.content_root,
            locator: sealed.locator,
            padded_size: sealed.padded_size,
        })
    }

    /// Seals and uploads the list, for the institution and its members who write.
    pub(super) async fn store_list(&self, list: &List) -> Result<[u8; 32], OpError> {
        let institution = self.ledger.institution(&list.institution).await?;
        let now = self.ledger.now().await?;
        let staff = self.ledger.members(&list.institution).await?;
        let mut holders: Recipients = staff
            .iter()
            .filter(|found| found.account.is_active(now) && writes(&found.account))
            .map(|found| (found.address.to_bytes(), key_of(&found.account)))
            .collect();
        holders.insert(
            address::institution(&list.institution).to_bytes(),
            key_of_institution(&institution),
        );
        let ids = list_ids(&list.institution, &list.batch);
        let seal = SealOptions {
            media_type: Some(MEDIA_TYPE.into()),
            ..SealOptions::named("")
        };
        let source = Input::stream(std::io::Cursor::new(list.to_bytes()?));
        let sealed = seal_stream(source, ids, &seal, &self.identity.storage, &self.stores, &|_| {}).await?;
        self.deliver_key(&sealed, ids, &holders, None).await?;
        Ok(sealed.locator)
    }

    /// Wraps a data key for its readers, and shares it among those who hold it for emergencies; where that does not work,
    /// nobody keeps it.
    async fn deliver_key(
        &self,
        sealed: &Sealed,
        ids: RecordIds,
        readers: &Recipients,
        holders: Option<&Holders>,
    ) -> Result<(), OpError> {
        let version = Version {
            patient: ids.patient,
            record: ids.record,
            version: ids.version,
            manifest_hash: sealed.on_chain.manifest_hash,
        };
        let outcome = self.try_to_deliver_key(sealed, &version, readers, holders).await;
        if outcome.is_err() {
            self.discard_all(&version, readers, &[]).await;
        }
        outcome
    }

    async fn try_to_deliver_key(
        &self,
        sealed: &Sealed,
        version: &Version,
        readers: &Recipients,
        holders: Option<&Holders>,
    ) -> Result<(), OpError> {
        if self.wrap_all(&sealed.data_key, version, readers).await? == readers.len() {
            return Err(OpError::Usage(
                "nobody who may read this has a usable encryption key; it would be lost, so it was not stored".into(),
            ));
        }
        if let Some(holders) = holders {
            self.share_out(&sealed.data_key, version, holders).await?;
        }
        Ok(())
    }
}

impl Charts {
    /// A patient's chart as it was at most a minute ago.
    async fn read<S: BlobStore, K: KeyStore>(
        &self,
        session: &Session<S, K>,
        patient: &Id,
    ) -> Result<Arc<Chart>, OpError> {
        let mut charts = self.0.lock().await;
        if let Some((since, chart)) = charts.get(patient)
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(chart));
        }
        charts.retain(|_, (since, _)| since.elapsed() < FRESH);
        let chart = Arc::new(session.chart(patient).await?);
        charts.insert(*patient, (Instant::now(), Arc::clone(&chart)));
        Ok(chart)
    }
}

fn key_of(member: &Member) -> PublicKey {
    PublicKey::of(&member.keys, member.key_epoch)
}

fn key_of_institution(institution: &Institution) -> PublicKey {
    PublicKey::of(&institution.keys, institution.key_epoch)
}
