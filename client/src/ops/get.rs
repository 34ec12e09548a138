//! Opening: ask the chain, take the wrapped key against its decision, and open what matches the hashes that stand there.

use std::ops::Range;
use std::path::PathBuf;

use chartseal_program::{
    builders::{self, As},
    events::AnyEvent,
    instructions::AccessRecordArgs,
    seeds::Id,
    state::{Patient, Record},
    vocabulary::{Action, Basis, Purpose, Reason},
};
use solana_instruction::Instruction;
use tokio::io::AsyncWrite;

use super::{
    OpError, Payment, Session, acting::Chosen, chart::PERSON_KEY_EPOCH, keys::Version, new_id, off_thread, put::refusal,
};
use crate::{
    ledger::{LedgerError, LedgerGate, standing::Question},
    seal::{
        DataKey, OnChain, OpenError, Opened, ProgressFn, RecordIds, SealedReader, Verified,
        envelope::{self, EnvelopeContext, EnvelopeError},
        fetch_manifest, open_stream, verify_stream,
    },
    store::{BlobStore, Kept, KeyStore, Stores, keystore::ReleaseRequest},
};

/// A record to be opened.
#[derive(Clone, Debug)]
pub struct GetRequest {
    /// Whose it is.
    pub patient: Id,
    /// Which record.
    pub record: Id,
    /// Which version, from 1; the newest where none is named. Earlier ones are for the patient, its delegates, and whoever
    /// wrote the first.
    pub version: Option<u32>,
    /// What it is read for.
    pub purpose: Purpose,
    /// The grant to claim; the one that fits best where none is named.
    pub grant: Option<Id>,
    /// What it is paid by, in the same transaction; then purpose and grant are those of the payment.
    pub payment: Option<Payment>,
    /// Original bytes; all of them where none are named.
    pub range: Option<Range<u64>>,
    /// A folder for what is fetched, so that a download that is broken off is gone on with; see [`Kept`]. It stays: when what
    /// was opened is where it should be, [`Kept::remove`] it.
    pub partial: Option<PathBuf>,
}

/// A record that was opened.
#[derive(Clone, Debug)]
pub struct Got {
    /// What the chain decided.
    pub access: Access,
    /// The version.
    pub version: u32,
    /// The file.
    pub opened: Opened,
}

/// A decision that allowed reading.
#[derive(Clone, Debug)]
pub struct Access {
    /// Names the decision to the key store.
    pub request: Id,
    /// The transaction.
    pub signature: String,
    /// Why it was allowed.
    pub basis: Basis,
}

/// How often a record that others amend meanwhile is looked at.
const LOOKS: usize = 3;

/// What is to be read of a record, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// As it stands on chain.
    pub(super) record: &'a Record,
    /// From 1 to the record's.
    pub(super) version: u32,
    pub(super) purpose: Purpose,
}

impl<'a> Reading<'a> {
    pub(super) fn newest(record: &'a Record, purpose: Purpose) -> Self {
        Self {
            record,
            version: record.version,
            purpose,
        }
    }
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Opens a record into `writer`. Write to an [`AtomicFile`](crate::store::AtomicFile) and commit it on success only.
    ///
    /// # Errors
    /// [`OpError::Refused`] where this session may not read it: nothing was fetched then. An error for which
    /// [`OpError::is_tampered`] holds where the bytes are not those on chain.
    pub async fn get<W>(&self, request: &GetRequest, writer: &mut W, progress: ProgressFn<'_>) -> Result<Got, OpError>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let patient = self.ledger.patient(&request.patient).await?;
        let (key, access, record) = self.obtain_key_looking(&patient, request).await?;
        let found = Found {
            record: &record,
            key: &key,
        };
        let range = request.range.clone();
        let opened = match &request.partial {
            None => found.open(&self.stores, range, writer, progress).await?,
            Some(folder) => {
                let path = folder.clone();
                let kept = off_thread(move || Kept::open(path)).await??;
                let stores = self.stores.map(|store| kept.before(store));
                let opened = found.open(&stores, range, writer, progress).await;
                // Answers that nobody waits for any more must not come into a folder that is being removed.
                off_thread(move || kept.close()).await?;
                if opened.as_ref().is_err_and(OpenError::is_tampered) {
                    // What a store lied about may be among what was kept: the next run asks anew. The lie is what matters.
                    let path = folder.clone();
                    let _ = off_thread(move || Kept::remove(&path)).await?;
                }
                opened?
            }
        };
        Ok(Got {
            access,
            version: record.version,
            opened,
        })
    }

    /// Opens a record to be read from anywhere in it: what is fetched is what is read, and a little ahead. The request's
    /// range and its folder mean nothing here.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn open_reader(&self, request: &GetRequest) -> Result<SealedReader<S>, OpError>
    where
        S: Clone + 'static,
    {
        let patient = self.ledger.patient(&request.patient).await?;
        let (key, _, record) = self.obtain_key_looking(&patient, request).await?;
        let on_chain = on_chain(&record);
        let manifest = fetch_manifest(&self.stores, record.locator, on_chain.manifest_hash).await?;
        let stores = self.stores.clone();
        Ok(SealedReader::open(&manifest, &on_chain, ids(&record), &key, stores)?)
    }

    /// Fetches all that is stored of a record and holds it against the chain. It needs no right and no key.
    ///
    /// # Errors
    /// An error for which [`OpError::is_tampered`] holds where the bytes are not those on chain.
    pub async fn verify(&self, patient: &Id, record: &Id, progress: ProgressFn<'_>) -> Result<Verified, OpError> {
        let record = self.ledger.record(patient, record).await?;
        let on_chain = on_chain(&record);
        let manifest = fetch_manifest(&self.stores, record.locator, on_chain.manifest_hash).await?;
        Ok(verify_stream(&manifest, &on_chain, &self.stores, progress).await?)
    }

    /// Looks at a record and asks for its key. A version that was the newest when it was looked at may not be by the time the
    /// chain decides: then the record is looked at again.
    async fn obtain_key_looking(
        &self,
        patient: &Patient,
        request: &GetRequest,
    ) -> Result<(DataKey, Access, Record), OpError> {
        let mut looks = 0;
        loop {
            let record = self.ledger.record(&patient.id, &request.record).await?;
            let obtained = match &request.payment {
                Some(_) if request.version.is_some_and(|version| version != record.version) => {
                    return Err(OpError::Usage("only the newest version of a record is paid for".into()));
                }
                Some(payment) => self.obtain_key_paid(patient, &record, payment).await,
                None => self.obtain_key(patient, &record, request).await,
            };
            looks += 1;
            match obtained {
                Err(OpError::Refused { reason, .. })
                    if request.version.is_none() && reason == Reason::OlderVersion.word() && looks < LOOKS => {}
                obtained => return obtained,
            }
        }
    }

    /// Asks for access, on chain, and takes the data key against the decision. The record comes back in the version that
    /// the decision is about.
    async fn obtain_key(
        &self,
        patient: &Patient,
        record: &Record,
        request: &GetRequest,
    ) -> Result<(DataKey, Access, Record), OpError> {
        let (purpose, grant) = (request.purpose, request.grant);
        let Chosen { acting: reader, .. } = self.choose_reader(patient, record, purpose, grant).await?;
        let reading = Reading {
            version: request.version.unwrap_or(record.version),
            ..Reading::newest(record, purpose)
        };
        self.obtain_key_as(&reader, patient, &reading).await
    }

    /// The same, paid for in the same transaction.
    async fn obtain_key_paid(
        &self,
        patient: &Patient,
        record: &Record,
        payment: &Payment,
    ) -> Result<(DataKey, Access, Record), OpError> {
        let (purpose, grant) = self.paid_claim(&patient.id, payment).await?;
        let Chosen { acting, verdict } = self.choose_reader(patient, record, purpose, Some(grant)).await?;
        // Nobody pays for being refused: the refusal is logged, and that is all.
        let settle = match verdict {
            Ok(_) => self.settlement_of(record, payment).await?,
            Err(_) => None,
        };
        self.obtain_key_with(&acting, patient, &Reading::newest(record, purpose), settle)
            .await
    }

    /// As who this session reads, and what it claims.
    async fn choose_reader(
        &self,
        patient: &Patient,
        record: &Record,
        purpose: Purpose,
        grant: Option<Id>,
    ) -> Result<Chosen, OpError> {
        let grants: Vec<_> = self
            .ledger
            .grants(&patient.id)
            .await?
            .into_iter()
            .map(|found| found.account)
            .collect();
        let question = Question {
            action: Action::Read,
            purpose,
            record: &record.id,
            class: record.class,
            existing: Some(record),
            now: self.ledger.now().await?,
        };
        self.choose(patient, &grants, &question, grant).await
    }

    /// The same where it is settled what is claimed.
    pub(super) async fn obtain_key_as(
        &self,
        reader: &As,
        patient: &Patient,
        reading: &Reading<'_>,
    ) -> Result<(DataKey, Access, Record), OpError> {
        self.obtain_key_with(reader, patient, reading, None).await
    }

    async fn obtain_key_with(
        &self,
        reader: &As,
        patient: &Patient,
        reading: &Reading<'_>,
        settle: Option<Instruction>,
    ) -> Result<(DataKey, Access, Record), OpError> {
        let request = new_id()?;
        let args = AccessRecordArgs {
            request,
            version: reading.version,
            purpose: reading.purpose,
            grant: reader.claimed(),
        };
        // Found first: nothing is asked of the chain about a version that nobody could open then.
        let record = self.ledger.record_version(reading.record, reading.version).await?;
        let mut instructions = vec![builders::access_record(reader, &patient.id, &record.id, args)];
        instructions.extend(settle);
        let receipt = self.ledger.submit_all(&instructions, &[&self.identity.wallet]).await?;
        let Some(AnyEvent::AccessAllowed(allowed)) = receipt.events.first() else {
            return Err(receipt.events.first().map_or_else(no_answer, refusal));
        };
        let recipient = Self::own_account(patient, reader).to_bytes();
        let gate = LedgerGate::new(&self.ledger, receipt.signature);
        let asked = ReleaseRequest {
            request_id: request,
            recipient,
        };
        let released = self.keys.release(&asked, &gate).await;
        let epoch = self.own_epoch(patient, reader).await?;
        let access = Access {
            request,
            signature: receipt.signature.to_string(),
            basis: allowed.basis,
        };
        let key = match released {
            Ok(released) => {
                let context = self.context(&Version::of(&record), recipient, epoch).await?;
                self.open_envelope(&released.envelope, context)?
            }
            Err(error) if error.is_lack() && allowed.basis == Basis::Emergency => {
                self.combine_released(&record, (recipient, epoch), &access, allowed.under)
                    .await?
            }
            Err(error) => return Err(error.into()),
        };
        Ok((key, access, record))
    }

    /// Opens an envelope with any of this identity's keys: those that it had before stay good for what was wrapped to them.
    pub(super) fn open_envelope(&self, envelope: &[u8], mut context: EnvelopeContext) -> Result<DataKey, OpError> {
        let (expected, found) = (context.recipient_key_epoch, envelope::key_epoch(envelope)?);
        context.recipient_key_epoch = found.min(expected);
        let mut keys = self.identity.encryption_keys();
        let opened = keys.find_map(|key| match envelope::open(envelope, key, &context) {
            Err(EnvelopeError::DoesNotOpen) => None,
            other => Some(other),
        });
        let nobody = || match found < expected {
            true => EnvelopeError::OtherKeyEpoch { expected, found },
            false => EnvelopeError::DoesNotOpen,
        };
        Ok(opened.unwrap_or_else(|| Err(nobody()))?)
    }

    /// The epoch of the key that this session's envelopes are wrapped to. A person's never changes: it is in the grant.
    async fn own_epoch(&self, patient: &Patient, acting: &As) -> Result<u32, OpError> {
        Ok(match (acting.member, acting.delegate) {
            _ if patient.is_wallet(&self.wallet()) => patient.key_epoch,
            (Some((institution, member)), _) => self.ledger.member(&institution, &member).await?.key_epoch,
            (None, Some(delegate)) => self.ledger.delegate(&patient.id, &delegate).await?.key_epoch,
            (None, None) => PERSON_KEY_EPOCH,
        })
    }
}

/// A record, and the key that opens it.
pub(super) struct Found<'a> {
    pub(super) record: &'a Record,
    pub(super) key: &'a DataKey,
}

impl Found<'_> {
    pub(super) async fn open<S, W>(
        &self,
        stores: &Stores<S>,
        range: Option<Range<u64>>,
        writer: &mut W,
        progress: ProgressFn<'_>,
    ) -> Result<Opened, OpenError>
    where
        S: BlobStore,
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let on_chain = on_chain(self.record);
        let manifest = fetch_manifest(stores, self.record.locator, on_chain.manifest_hash).await?;
        open_stream(
            &manifest,
            &on_chain,
            ids(self.record),
            self.key,
            stores,
            range,
            writer,
            progress,
        )
        .await
    }
}

fn ids(record: &Record) -> RecordIds {
    RecordIds {
        patient: record.patient,
        record: record.id,
        version: record.version,
    }
}

fn no_answer() -> OpError {
    let what = "the answer to an access".into();
    LedgerError::Malformed { what }.into()
}

/// What stands on chain of a record.
pub(super) fn on_chain(record: &Record) -> OnChain {
    OnChain {
        manifest_hash: record.manifest_hash,
        content_root: record.content_root,
    }
}
