//! Storing: seal, upload, wrap the key for everybody who may read, and then let the chain decide. Whoever would be
//! refused is refused before anything is uploaded. Of a version that the chain does not take nobody holds the key.

use chartseal_program::{
    builders::{self, As},
    events::{AnyEvent, Content},
    instructions::{AmendRecordArgs, CreateRecordArgs},
    seeds::{Id, address},
    state::Member,
    vocabulary::{Action, Purpose},
};
use solana_instruction::Instruction;
use tokio::io::AsyncRead;

use super::{
    OpError, Session,
    acting::Chosen,
    break_glass::Holders,
    chart::{Chart, PublicKey, Recipients},
    draw_id,
    keys::Version,
    new_id,
};
use crate::{
    ledger::{LedgerError, standing::Question},
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
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Seals a file and stores it as a new record of a patient.
    ///
    /// # Errors
    /// [`OpError::Refused`] where this session may not write for the patient: nothing was uploaded then. Otherwise what
    /// failed; ciphertext that was uploaded by then stays where it is, and nobody has its key.
    pub async fn put(
        &self,
        request: &PutRequest,
        reader: impl AsyncRead + Unpin + Send,
        progress: ProgressFn<'_>,
    ) -> Result<Put, OpError> {
        let chart = self.chart(&request.patient).await?;
        let patient = chart.patient.id;
        let record = draw_id(|id| address::fits_record(&patient, id))?;
        let question = Question {
            action: Action::Append,
            purpose: request.purpose,
            record: &record,
            class: request.class,
            existing: None,
            now: chart.now,
        };
        let ids = RecordIds {
            patient,
            record,
            version: 1,
        };
        let attempt = Attempt {
            ids,
            question,
            grant: request.grant,
            seal: &request.seal,
        };
        let instruction = |author: &As, content: Content| {
            let args = CreateRecordArgs {
                request: new_id()?,
                record,
                class: request.class,
                purpose: request.purpose,
                grant: author.claimed(),
                content,
            };
            Ok(builders::create_record(author, self.wallet(), None, &patient, args))
        };
        self.write(&chart, &attempt, reader, progress, instruction).await
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
        let chart = self.chart(&request.patient).await?;
        let patient = chart.patient.id;
        let existing = self.ledger.record(&patient, &request.record).await?;
        let newest = existing.version;
        let expected_version = request.expected_version.unwrap_or(newest);
        if expected_version != newest {
            return Err(OpError::Usage(format!(
                "the record is at version {newest}, not {expected_version}: read it again and amend that one"
            )));
        }
        let next = newest
            .checked_add(1)
            .ok_or_else(|| OpError::Usage("the record has no further version".into()))?;
        let question = Question {
            action: Action::Amend,
            purpose: request.purpose,
            record: &existing.id,
            class: existing.class,
            existing: Some(&existing),
            now: chart.now,
        };
        let ids = RecordIds {
            patient,
            record: existing.id,
            version: next,
        };
        let attempt = Attempt {
            ids,
            question,
            grant: request.grant,
            seal: &request.seal,
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
        self.write(&chart, &attempt, reader, progress, instruction).await
    }

    /// Seals, uploads, wraps the key for everybody who may read, and lets the chain decide: in this order, because a
    /// version that stands on chain and that nobody can open would be lost.
    async fn write(
        &self,
        chart: &Chart,
        attempt: &Attempt<'_>,
        reader: impl AsyncRead + Unpin + Send,
        progress: ProgressFn<'_>,
        instruction: impl Fn(&As, Content) -> Result<Instruction, OpError>,
    ) -> Result<Put, OpError> {
        let Attempt {
            ids,
            question,
            grant,
            seal,
        } = attempt;
        let Chosen {
            acting: author,
            verdict,
        } = self.choose(&chart.patient, &chart.grants, question, *grant).await?;
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
                let key = PublicKey {
                    key: member.keys.encryption,
                    epoch: member.key_epoch,
                };
                readers.insert(account.to_bytes(), key);
            }
        }

        let sealed = seal_stream(reader, *ids, seal, &self.identity.storage, &self.store, progress).await?;
        let version = Version {
            patient: ids.patient,
            record: ids.record,
            version: ids.version,
            manifest_hash: sealed.on_chain.manifest_hash,
        };
        let recoverable = self.is_recoverable(&chart.patient).await?;
        let outcome = self
            .deliver(&author, &sealed, &version, (&readers, &chart.holders), instruction)
            .await
            .map(|stored| Put { recoverable, ..stored });
        match &outcome {
            // It may stand on chain after all: then its envelopes are the only keys there are.
            Ok(_) | Err(OpError::Ledger(LedgerError::Unknown { .. })) => {}
            Err(_) => self.discard_all(&version, &readers).await,
        }
        outcome
    }

    async fn deliver(
        &self,
        author: &As,
        sealed: &Sealed,
        version: &Version,
        (readers, holders): (&Recipients, &Holders),
        instruction: impl Fn(&As, Content) -> Result<Instruction, OpError>,
    ) -> Result<Put, OpError> {
        let refused = self.wrap_all(&sealed.data_key, version, readers).await?;
        if refused == readers.len() {
            return Err(OpError::Usage(
                "nobody who may read this has a usable encryption key; it would be lost, so it was not stored".into(),
            ));
        }
        let holders_too_few = holders.are_too_few();
        let holders = self.share_out(&sealed.data_key, version, holders).await?;
        let content = content(sealed);
        let receipt = self
            .ledger
            .submit(instruction(author, content)?, &[&self.identity.wallet])
            .await?;
        match &receipt.event {
            AnyEvent::RecordCreated(_) | AnyEvent::RecordAmended(_) => Ok(Put {
                record: version.record,
                version: version.version,
                signature: receipt.signature.to_string(),
                content,
                media_type: sealed.media_type.clone(),
                stats: sealed.stats,
                readers: readers.len() - refused,
                recoverable: false,
                holders,
                holders_too_few,
            }),
            event => Err(refusal(event)),
        }
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
