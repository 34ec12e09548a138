//! Storing: seal, upload, wrap the key for everybody who may read, and then let the chain decide. A version that the
//! chain does not take leaves no envelope behind, and nobody holds its key.

use chartseal_program::{
    builders,
    events::{AnyEvent, Content},
    instructions::{AmendRecordArgs, CreateRecordArgs},
    seeds::{Id, address},
    state::{Patient, Record},
    vocabulary::{Action, Purpose},
};
use tokio::io::AsyncRead;

use super::{
    OpError, Session,
    acting::Wish,
    draw_id,
    keys::{PublicKey, Recipients, Version},
    new_id,
};
use crate::{
    ledger::{LedgerError, Receipt},
    seal::{ProgressFn, RecordIds, SealOptions, SealStats, Sealed, seal_stream},
    store::{BlobStore, KeyStore},
};

/// A new record.
#[derive(Clone, Debug)]
pub struct PutRequest {
    /// Whose it is.
    pub patient: Id,
    /// Its sharing class, 0 to 31.
    pub class: u8,
    /// What it is written for.
    pub purpose: Purpose,
    /// The grant to claim; the one that fits best where none is named.
    pub grant: Option<Id>,
    /// How it is sealed.
    pub seal: SealOptions,
}

/// A new version of a record.
#[derive(Clone, Debug)]
pub struct AmendRequest {
    /// Whose it is.
    pub patient: Id,
    /// Which record.
    pub record: Id,
    /// The version that it takes the place of; the newest where none is named. Where another came first, it fails.
    pub expected_version: Option<u32>,
    /// What it is written for.
    pub purpose: Purpose,
    /// The grant to claim; the one that fits best where none is named.
    pub grant: Option<Id>,
    /// How it is sealed.
    pub seal: SealOptions,
}

/// A version that stands on chain.
#[derive(Clone, Debug)]
pub struct Put {
    /// The record.
    pub record: Id,
    /// The version.
    pub version: u32,
    /// The transaction.
    pub signature: String,
    /// What stands on chain of it.
    pub content: Content,
    /// The media type that was found.
    pub media_type: String,
    /// Figures.
    pub stats: SealStats,
    /// Accounts that have an envelope.
    pub readers: usize,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Seals a file and stores it as a new record of a patient.
    ///
    /// # Errors
    /// [`OpError::Refused`] where this session may not write for the patient; otherwise what failed. Ciphertext that was
    /// uploaded by then stays where it is; no envelope of it is kept.
    pub async fn put(
        &self,
        request: &PutRequest,
        reader: impl AsyncRead + Unpin + Send,
        progress: ProgressFn<'_>,
    ) -> Result<Put, OpError> {
        let patient = self.ledger.patient(&request.patient).await?;
        let record = draw_id(|id| address::fits_record(&patient.id, id))?;
        let wish = Wish {
            action: Action::Append,
            purpose: request.purpose,
            record,
            class: request.class,
            grant: request.grant,
        };
        let author = self.acting(&patient, &wish).await?;
        let ids = RecordIds {
            patient: patient.id,
            record,
            version: 1,
        };
        let sealed = seal_stream(
            reader,
            ids,
            &request.seal,
            &self.identity.storage,
            &self.store,
            progress,
        )
        .await?;
        let (version, readers) = self.deliver(&patient, ids, request.class, &author, &sealed).await?;

        let args = CreateRecordArgs {
            request: new_id()?,
            record,
            class: request.class,
            purpose: request.purpose,
            grant: author.claimed(),
            content: content(&sealed),
        };
        let instruction = builders::create_record(&author, self.wallet(), None, &patient.id, args);
        let submitted = self.ledger.submit(instruction, &[&self.identity.wallet]).await;
        self.conclude(submitted, &version, &readers, sealed).await
    }

    /// Seals a file and puts it in the place of a record's newest version.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`LedgerError::Contract`] where another version came first.
    pub async fn amend(
        &self,
        request: &AmendRequest,
        reader: impl AsyncRead + Unpin + Send,
        progress: ProgressFn<'_>,
    ) -> Result<Put, OpError> {
        let patient = self.ledger.patient(&request.patient).await?;
        let Record {
            id: record,
            class,
            version: newest,
            ..
        } = self.ledger.record(&patient.id, &request.record).await?;
        let expected_version = request.expected_version.unwrap_or(newest);
        if expected_version != newest {
            return Err(OpError::Usage(format!(
                "the record is at version {newest}, not {expected_version}: read it again and amend that one"
            )));
        }
        let next = newest
            .checked_add(1)
            .ok_or_else(|| OpError::Usage("the record has no further version".into()))?;
        let wish = Wish {
            action: Action::Amend,
            purpose: request.purpose,
            record,
            class,
            grant: request.grant,
        };
        let author = self.acting(&patient, &wish).await?;
        let ids = RecordIds {
            patient: patient.id,
            record,
            version: next,
        };
        let sealed = seal_stream(
            reader,
            ids,
            &request.seal,
            &self.identity.storage,
            &self.store,
            progress,
        )
        .await?;
        let (version, readers) = self.deliver(&patient, ids, class, &author, &sealed).await?;

        let args = AmendRecordArgs {
            request: new_id()?,
            expected_version,
            purpose: request.purpose,
            grant: author.claimed(),
            content: content(&sealed),
        };
        let instruction = builders::amend_record(&author, None, &patient.id, &record, args);
        let submitted = self.ledger.submit(instruction, &[&self.identity.wallet]).await;
        self.conclude(submitted, &version, &readers, sealed).await
    }

    /// Wraps the key for everybody who may read, the author first of all: before the chain decides, because a version
    /// that stands there and that nobody can open would be lost.
    async fn deliver(
        &self,
        patient: &Patient,
        ids: RecordIds,
        class: u8,
        author: &builders::As,
        sealed: &Sealed,
    ) -> Result<(Version, Recipients), OpError> {
        let mut readers = self.readers(patient, &ids.record, class).await?;
        if let Some((institution, member)) = author.member {
            let account = self.ledger.member(&institution, &member).await?;
            let key = PublicKey {
                key: account.keys.encryption,
                epoch: account.key_epoch,
            };
            readers.insert(address::member(&institution, &member).to_bytes(), key);
        }
        let version = Version {
            patient: ids.patient,
            record: ids.record,
            version: ids.version,
            manifest_hash: sealed.on_chain.manifest_hash,
        };
        self.wrap_all(&sealed.data_key, &version, &readers).await?;
        Ok((version, readers))
    }

    /// Learns what the chain decided; takes the envelopes back where it did not take the version.
    async fn conclude(
        &self,
        submitted: Result<Receipt, LedgerError>,
        version: &Version,
        readers: &Recipients,
        sealed: Sealed,
    ) -> Result<Put, OpError> {
        let done = |receipt: &Receipt| Put {
            record: version.record,
            version: version.version,
            signature: receipt.signature.to_string(),
            content: content(&sealed),
            media_type: sealed.media_type.clone(),
            stats: sealed.stats,
            readers: readers.len(),
        };
        let error = match submitted {
            Ok(receipt) => match &receipt.event {
                AnyEvent::RecordCreated(_) | AnyEvent::RecordAmended(_) => return Ok(done(&receipt)),
                event => refusal(event),
            },
            // It may stand on chain after all: then its envelopes are the only keys there are.
            Err(error @ (LedgerError::Unknown { .. } | LedgerError::Malformed { .. })) => return Err(error.into()),
            Err(error) => error.into(),
        };
        self.unwrap_all(version, readers).await?;
        Err(error)
    }
}

/// What stands on chain of a sealed file.
fn content(sealed: &Sealed) -> Content {
    Content {
        manifest_hash: sealed.on_chain.manifest_hash,
        root: sealed.on_chain.content_root,
        locator: sealed.locator,
        padded_size: sealed.padded_size,
    }
}

/// An event that is not what was asked for: a refusal.
pub(super) fn refusal(event: &AnyEvent) -> OpError {
    match event {
        AnyEvent::ActionRefused(refused) => OpError::Refused {
            reason: refused.reason.word().into(),
            request: hex::encode(refused.request),
        },
        other => LedgerError::Malformed {
            what: format!("the answer {}", other.name()),
        }
        .into(),
    }
}
