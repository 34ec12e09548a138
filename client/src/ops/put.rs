//! Storing: seal, upload, wrap the key for everybody who may read, and then let the chain decide. Whoever would be
//! refused is refused before anything is uploaded. Of a version that the chain does not take nobody holds the key.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chartseal_program::{
    builders::{self, As},
    events::{AnyEvent, Content},
    instructions::{AmendRecordArgs, CreateRecordArgs},
    seeds::{Id, address},
    state::{Member, Record},
    vocabulary::{Action, Purpose},
};
use solana_instruction::Instruction;

use super::{
    OpError, Session,
    acting::Chosen,
    break_glass::Holders,
    chart::{Chart, PublicKey, Recipients},
    draw_id,
    keys::Version,
    new_id, off_thread,
};
use crate::{
    CryptoError,
    ledger::{LedgerError, standing::Question},
    seal::{Input, Journal, ProgressFn, RecordIds, SealOptions, SealStats, Sealed, Sealer, Upload},
    store::{BlobStore, FileError, KeyStore},
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
    /// Where it is written down how far the upload is, so that it can be gone on with after whatever broke it off. For files;
    /// a stream cannot be read again.
    pub journal: Option<PathBuf>,
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
    /// Where it is written down how far the upload is, so that it can be gone on with after whatever broke it off. For files;
    /// a stream cannot be read again.
    pub journal: Option<PathBuf>,
}

/// A version that stands on chain.
#[derive(Clone, Debug)]
pub struct Put {
    /// The record.
    pub record: Id,
    /// The version.
    pub version: u32,
    /// The transaction; `None` where an earlier run sent it and was broken off before it heard of it.
    pub signature: Option<String>,
    /// What stands on chain of it.
    pub content: Content,
    /// The media type that was found.
    pub media_type: String,
    /// Figures.
    pub stats: SealStats,
    /// Accounts that have an envelope, and one-time keys of readers without a name.
    pub readers: usize,
    /// Institutions that hold a share of its key for emergencies.
    pub holders: usize,
    /// Whether the patient named holders, and too few of them have a usable key: in an emergency nobody could open it.
    pub holders_too_few: bool,
    /// Whether guardians could help the patient to a new wallet, should it be lost.
    pub recoverable: bool,
}

/// What an attempt to write is about, whether it makes a record or amends one.
struct Attempt<'a> {
    ids: RecordIds,
    question: Question<'a>,
    grant: Option<Id>,
    seal: &'a SealOptions,
    journal: Option<Arc<Journal>>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Seals a file and stores it as a new record of a patient.
    ///
    /// # Errors
    /// [`OpError::Refused`] where this session may not write for the patient: nothing was uploaded then. Otherwise what
    /// failed; ciphertext that was uploaded by then stays where it is, and nobody but
    /// the journal has its key.
    pub async fn put(&self, request: &PutRequest, input: Input<'_>, progress: ProgressFn<'_>) -> Result<Put, OpError> {
        let chart = self.chart(&request.patient).await?;
        let patient = chart.patient.id;
        let new = move || {
            let record = draw_id(|id| address::fits_record(&patient, id))?;
            Ok(RecordIds {
                patient,
                record,
                version: 1,
            })
        };
        let what = format!(
            "a record of class {} of patient {}",
            request.class,
            hex::encode(patient)
        );
        let journal = self
            .journal(request.journal.as_deref(), input.file(), what, &request.seal, new)
            .await?;
        let ids = journal.as_ref().map_or_else(new, |journal| Ok(journal.ids()))?;
        let record = ids.record;
        let question = Question {
            action: Action::Append,
            purpose: request.purpose,
            record: &record,
            class: request.class,
            existing: None,
            now: chart.now,
        };
        let attempt = Attempt {
            ids,
            question,
            grant: request.grant,
            seal: &request.seal,
            journal,
        };
        let payer = self.payer().await?;
        let instruction = |author: &As, content: Content| {
            let args = CreateRecordArgs {
                request: new_id()?,
                record,
                class: request.class,
                purpose: request.purpose,
                grant: author.claimed(),
                content,
            };
            Ok(builders::create_record(author, payer, None, &patient, args))
        };
        self.write(&chart, attempt, input, progress, instruction).await
    }

    /// Seals a file and puts it in the place of a record's newest version.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`LedgerError::Contract`] where another version came first.
    pub async fn amend(
        &self,
        request: &AmendRequest,
        input: Input<'_>,
        progress: ProgressFn<'_>,
    ) -> Result<Put, OpError> {
        let chart = self.chart(&request.patient).await?;
        let patient = chart.patient.id;
        let existing = self.ledger.record(&patient, &request.record).await?;
        let newest = existing.version;
        let next = newest
            .checked_add(1)
            .ok_or_else(|| OpError::Usage("the record has no further version".into()))?;
        let new = || {
            Ok(RecordIds {
                patient,
                record: request.record,
                version: next,
            })
        };
        let (of, record) = (hex::encode(patient), hex::encode(request.record));
        let what = format!("an amendment of record {record} of patient {of}");
        let journal = self
            .journal(request.journal.as_deref(), input.file(), what, &request.seal, new)
            .await?;
        let ids = journal.as_ref().map_or_else(new, |journal| Ok(journal.ids()))?;
        // An earlier run may have been broken off after the chain took what it sent.
        let done = ids.version == newest
            && journal
                .as_ref()
                .is_some_and(|journal| journal.manifest_hash() == Some(existing.manifest_hash));
        let expected_version = request.expected_version.unwrap_or(ids.version - 1);
        if !done && (expected_version != newest || ids.version != next) {
            let anew = if ids.version == next { "" } else { ", anew (--restart)" };
            return Err(OpError::Usage(format!(
                "the record is at version {newest}, not {expected_version}: read it again and amend that one{anew}"
            )));
        }
        let question = Question {
            action: Action::Amend,
            purpose: request.purpose,
            record: &existing.id,
            class: existing.class,
            existing: Some(&existing),
            now: chart.now,
        };
        let attempt = Attempt {
            ids,
            question,
            grant: request.grant,
            seal: &request.seal,
            journal,
        };
        let instruction = |author: &As, content: Content| {
            let args = AmendRecordArgs {
                request: new_id()?,
                expected_version,
                purpose: request.purpose,
                grant: author.claimed(),
                content,
            };
            Ok(builders::amend_record(author, None, &patient, &existing.id, args))
        };
        self.write(&chart, attempt, input, progress, instruction).await
    }

    /// Seals, uploads, wraps the key for everybody who may read, and lets the chain decide: in this order, because a
    /// version that stands on chain and that nobody can open would be lost.
    async fn write(
        &self,
        chart: &Chart,
        attempt: Attempt<'_>,
        input: Input<'_>,
        progress: ProgressFn<'_>,
        instruction: impl Fn(&As, Content) -> Result<Instruction, OpError>,
    ) -> Result<Put, OpError> {
        let Attempt {
            ids,
            question,
            grant,
            seal,
            journal,
        } = attempt;
        let Chosen {
            acting: author,
            verdict,
        } = self.choose(&chart.patient, &chart.grants, &question, grant).await?;
        if verdict.is_err() {
            // Asked before anything is uploaded for good. By the chain, so that the refusal is logged.
            match self
                .ledger
                .submit(instruction(&author, NOTHING)?, &[&self.identity.wallet])
                .await
            {
                Ok(receipt) => return Err(refusal(&receipt.event)),
                // Allowed meanwhile: then there is something to seal.
                Err(LedgerError::Contract { name: "NoContent", .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut readers = chart.readers(&question.subject());
        let own = author
            .member
            .map(|(institution, member)| address::member(&institution, &member));
        let earlier = question.existing.map(|record| [record.origin, record.author]);
        for account in own.into_iter().chain(earlier.into_iter().flatten()) {
            // A patient who wrote is among the readers already, and its account is no member's.
            if readers.contains_key(&account.to_bytes()) {
                continue;
            }
            if let Some(member) = self.ledger.try_read::<Member>(&account).await? {
                let key = PublicKey::of(&member.keys, member.key_epoch);
                readers.insert(account.to_bytes(), key);
            }
        }
        self.insist_on_post_quantum(&readers, Some(&chart.holders)).await?;
        // Read before anything is uploaded: a node that does not tell of them all would have some of them left out.
        let nameless = match question.existing {
            Some(record) => self.one_time_keys(chart, &record.patient, &record.id).await?,
            None => Vec::new(),
        };

        let gone_on_with = journal
            .as_ref()
            .is_some_and(|journal| journal.manifest_hash().is_some());
        let sealer = Sealer {
            ids,
            options: seal,
            storage_key: &self.identity.storage,
            stores: &self.stores,
            journal: journal.as_ref(),
            progress,
        };
        let sealed = sealer.seal(input).await?;
        let version = Version {
            patient: ids.patient,
            record: ids.record,
            version: ids.version,
            manifest_hash: sealed.on_chain.manifest_hash,
        };
        let recoverable = self.is_recoverable(&chart.patient).await?;
        let outcome = self
            .deliver(
                &author,
                &sealed,
                &version,
                (&readers, &nameless, &chart.holders),
                gone_on_with,
                instruction,
            )
            .await
            .map(|stored| Put { recoverable, ..stored });
        if let (Ok(_), Some(journal)) = (&outcome, journal.and_then(Arc::into_inner)) {
            // One that stays says of a stored file that it may be gone on with; the next run finds it done.
            let _ = off_thread(move || journal.remove()).await?;
        }
        match &outcome {
            // It may stand on chain after all, sent now or by an earlier run: then its envelopes are all the keys there are.
            Ok(_) => {}
            Err(OpError::Ledger(error)) if error.may_stand() => {}
            Err(_) if gone_on_with => {}
            Err(_) => self.discard_all(&version, &readers, &nameless).await,
        }
        outcome
    }

    async fn deliver(
        &self,
        author: &As,
        sealed: &Sealed,
        version: &Version,
        (readers, nameless, holders): (&Recipients, &[[u8; 32]], &Holders),
        gone_on_with: bool,
        instruction: impl Fn(&As, Content) -> Result<Instruction, OpError>,
    ) -> Result<Put, OpError> {
        let refused = self.wrap_all(&sealed.data_key, version, readers).await?;
        if refused == readers.len() {
            return Err(OpError::Usage(
                "nobody who may read this has a usable encryption key; it would be lost, so it was not stored".into(),
            ));
        }
        let nameless = nameless.len() - self.wrap_anonymously(&sealed.data_key, version, nameless).await?;
        let holders_too_few = holders.are_too_few();
        let holders = self.share_out(&sealed.data_key, version, holders).await?;
        let content = content(sealed);
        let stored = Put {
            record: version.record,
            version: version.version,
            signature: None,
            content,
            media_type: sealed.media_type.clone(),
            stats: sealed.stats,
            readers: readers.len() - refused + nameless,
            recoverable: false,
            holders,
            holders_too_few,
        };
        if gone_on_with && self.stands(version).await? {
            return Ok(stored);
        }
        let receipt = self
            .ledger
            .submit(instruction(author, content)?, &[&self.identity.wallet])
            .await?;
        match &receipt.event {
            AnyEvent::RecordCreated(_) | AnyEvent::RecordAmended(_) => Ok(Put {
                signature: Some(receipt.signature.to_string()),
                ..stored
            }),
            event => Err(refusal(event)),
        }
    }

    /// Whether this very version stands on chain, or stood there before others took its place.
    async fn stands(&self, version: &Version) -> Result<bool, OpError> {
        let at = address::record(&version.patient, &version.record);
        let Some(newest) = self.ledger.try_read::<Record>(&at).await? else {
            return Ok(false);
        };
        if newest.version < version.version {
            return Ok(false);
        }
        let found = self.ledger.record_version(&newest, version.version).await?;
        Ok(found.manifest_hash == version.manifest_hash)
    }

    /// Opens or begins the journal of an upload, where there is one.
    async fn journal(
        &self,
        path: Option<&Path>,
        file: Option<&File>,
        purpose: String,
        options: &SealOptions,
        new: impl FnOnce() -> Result<RecordIds, CryptoError>,
    ) -> Result<Option<Arc<Journal>>, OpError> {
        let (Some(path), Some(file)) = (path, file) else {
            return Ok(None);
        };
        let at = |source| FileError::new("read", path, source);
        let (code, owner) = (self.stores.code(), self.identity.storage.address());
        let upload = Upload::of(file, purpose, options, code, owner).map_err(at)?;
        let ids = new()?;
        let (path, identity) = (path.to_path_buf(), self.identity.clone());
        let journal = off_thread(move || Journal::open(&path, &upload, &identity, || Ok(ids))).await??;
        Ok(Some(Arc::new(journal)))
    }
}

/// The content of an attempt that only asks: the contract refuses it by policy, or because it is none.
const NOTHING: Content = Content {
    manifest_hash: [0; 32],
    root: [0; 32],
    locator: [0; 32],
    padded_size: 0,
};

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
