//! How the envelopes of a version come into the key store, and how those that are missing are made up for.

use chartseal_program::{
    ID,
    policy::Subject,
    seeds::{Id, address},
    state::Record,
    vocabulary::Action,
};

use super::{
    OpError, Session,
    acting::Chosen,
    chart::{Chart, Recipients},
    get::Reading,
    post_quantum::recipient_key,
};
use crate::{
    ledger::{standing::Question, versions::may_read_version},
    seal::{
        DataKey,
        envelope::{self, EnvelopeContext, EnvelopeError},
    },
    store::{
        BlobStore, KeyStore,
        keystore::{EnvelopeKind, EnvelopeSlot},
    },
};

/// The version that a data key opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) patient: Id,
    pub(super) record: Id,
    pub(super) version: u32,
    pub(super) manifest_hash: [u8; 32],
}

/// What became of the keys of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Envelopes that were made.
    pub wrapped: usize,
    /// Envelopes that are still missing.
    pub pending: usize,
    /// Why, as far as it is one thing.
    pub because: Option<String>,
}

impl Version {
    /// A record's newest version.
    pub(super) fn of(record: &Record) -> Self {
        Self {
            patient: record.patient,
            record: record.id,
            version: record.version,
            manifest_hash: record.manifest_hash,
        }
    }

    pub(super) fn slot(&self, recipient: [u8; 32]) -> EnvelopeSlot {
        EnvelopeSlot {
            patient: self.patient,
            record: self.record,
            version: self.version,
            manifest_hash: self.manifest_hash,
            recipient,
            kind: EnvelopeKind::Reader,
        }
    }
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Makes up for envelopes that readers of a patient's records (or of one) ought to have and do not: of somebody who
    /// joined an institution, was reinstated, or was granted while nobody who holds the key was at hand. For each such
    /// record this session opens its own envelope, by an access that is logged like any other. Of versions before the newest
    /// it does so for the patient and its delegates, who may read them.
    ///
    /// # Errors
    /// [`OpError`] where ledger or key store cannot be asked; a key that cannot be wrapped is counted as pending.
    pub async fn rewrap(&self, patient: &Id, record: Option<&Id>) -> Result<Rewrapped, OpError> {
        self.rewrap_as(patient, record, false).await
    }

    /// The same; `post_quantum` where envelopes wrapped by X25519 are to be wrapped again by X-Wing, for readers who have
    /// such a key.
    ///
    /// # Errors
    /// As [`rewrap`](Self::rewrap).
    pub async fn rewrap_as(&self, patient: &Id, record: Option<&Id>, post_quantum: bool) -> Result<Rewrapped, OpError> {
        let mut chart = self.chart(patient).await?;
        chart.prefers_post_quantum |= post_quantum;
        let mut done = Rewrapped::default();
        for found in self.ledger.records(&chart.patient.id).await? {
            let ours = record.is_none_or(|id| *id == found.account.id);
            if ours && !found.account.is_erased() {
                self.rewrap_one(&chart, &found.account, &mut done).await?;
                self.rewrap_earlier(&chart, &found.account, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// The same for one record.
    pub(super) async fn rewrap_one(&self, chart: &Chart, record: &Record, done: &mut Rewrapped) -> Result<(), OpError> {
        done.pending += chart.keyless(&Subject::of(record));
        let version = Version::of(record);
        let missing = self.missing(chart, record).await?;
        let missing = self.within_reach(missing, done).await?;
        let shares_due = self.shares_due(&version, chart).await?;
        let nameless = self.one_time_keys_without(chart, record).await?;
        if missing.is_empty() && nameless.is_empty() && !shares_due {
            return Ok(());
        }
        match self.reopen(chart, record, record.version).await {
            Ok(key) => {
                self.wrap_missing(&key, &version, &missing, done).await?;
                let refused = self.wrap_anonymously(&key, &version, &nameless).await?;
                done.wrapped += nameless.len() - refused;
                done.pending += refused;
                if shares_due {
                    match self.share_out(&key, &version, &chart.holders).await {
                        Ok(shares) => done.wrapped += shares,
                        Err(error @ OpError::Usage(_)) => done.because = Some(error.to_string()),
                        Err(error) => return Err(error),
                    }
                }
            }
            // The grant stands, the rest can be made up for later: what failed is told, not lost.
            Err(error) => {
                done.pending += missing.len() + nameless.len();
                done.because = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// The readers of a record who have no envelope, or one for a key that they have replaced since.
    pub(super) async fn missing(&self, chart: &Chart, record: &Record) -> Result<Recipients, OpError> {
        self.without_envelope(&Version::of(record), chart, chart.readers(&Subject::of(record)))
            .await
    }

    /// Those of `missing` who have no envelope of a version, or one for a key that they have replaced since.
    pub(super) async fn without_envelope(
        &self,
        version: &Version,
        chart: &Chart,
        mut missing: Recipients,
    ) -> Result<Recipients, OpError> {
        for slot in self.keys.slots(version.patient, version.record).await? {
            let ours = slot == version.slot(slot.recipient);
            if ours
                && let Some(reader) = missing.get(&slot.recipient)
                && self.is_wrapped(slot, reader, chart.prefers_post_quantum).await?
            {
                missing.remove(&slot.recipient);
            }
        }
        Ok(missing)
    }

    /// This session's own copy of the data key of a version. The chain is asked only where it would allow it: the attempts on
    /// a whole chart must not fill somebody's log with refusals.
    pub(super) async fn reopen(&self, chart: &Chart, record: &Record, version: u32) -> Result<DataKey, OpError> {
        let question = Question {
            action: Action::Read,
            purpose: self.usual_purpose(&chart.patient.id).await?,
            record: &record.id,
            class: record.class,
            existing: Some(record),
            now: chart.now,
        };
        let Chosen { acting, verdict } = self.choose(&chart.patient, &chart.grants, &question, None).await?;
        let verdict = verdict.and_then(|basis| {
            let credential = acting
                .member
                .map(|(institution, member)| address::member(&institution, &member));
            may_read_version(record, version, basis, credential)
        });
        if let Err(reason) = verdict {
            return Err(OpError::Usage(format!(
                "this identity may not read record {} ({}); somebody who may has to run `chartseal rewrap`",
                hex::encode(record.id),
                reason.word()
            )));
        }
        let reading = Reading {
            version,
            ..Reading::newest(record, question.purpose)
        };
        let (key, _, _) = self.obtain_key_as(&acting, &chart.patient, &reading).await?;
        Ok(key)
    }

    /// Wraps a data key for readers who lack it, and counts what became of that.
    pub(super) async fn wrap_missing(
        &self,
        key: &DataKey,
        version: &Version,
        missing: &Recipients,
        done: &mut Rewrapped,
    ) -> Result<(), OpError> {
        let refused = self.wrap_all(key, version, missing).await?;
        done.wrapped += missing.len() - refused;
        done.pending += refused;
        Ok(())
    }

    /// Wraps a data key for readers, by X-Wing for those who have such a key, and puts the envelopes into the key store. How
    /// many published a key that nothing can be wrapped to, or none that this session insists on: that is their loss, and must
    /// not be the others'.
    pub(super) async fn wrap_all(
        &self,
        key: &DataKey,
        version: &Version,
        readers: &Recipients,
    ) -> Result<usize, OpError> {
        let mut refused = 0;
        for (recipient, public) in readers {
            let context = self.context(version, *recipient, public.epoch).await?;
            let x_wing = self.x_wing_key(public).await?;
            if x_wing.is_none() && self.requires_post_quantum {
                refused += 1;
                continue;
            }
            match envelope::wrap(key, recipient_key(public, x_wing.as_deref()), &context) {
                Ok(envelope) => self.keys.put(version.slot(*recipient), &envelope).await?,
                Err(EnvelopeError::BadRecipientKey) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(refused)
    }

    /// Takes back the envelopes of a version that did not come to stand on chain. They open nothing that anybody could
    /// find, so one that stays behind is litter and no more; the reason that led here matters more than it.
    pub(super) async fn discard_all(&self, version: &Version, readers: &Recipients, nameless: &[[u8; 32]]) {
        for recipient in readers.keys() {
            let _ = self.keys.discard(version.slot(*recipient)).await;
        }
        for one_time_key in nameless {
            let _ = self.keys.discard(version.anonymous_slot(*one_time_key)).await;
        }
        for slot in self.held(version).await.unwrap_or_default() {
            let _ = self.keys.discard(slot).await;
        }
    }

    /// What an envelope is bound to.
    pub(super) async fn context(
        &self,
        version: &Version,
        recipient: [u8; 32],
        recipient_key_epoch: u32,
    ) -> Result<EnvelopeContext, OpError> {
        Ok(EnvelopeContext {
            cluster: self.ledger.cluster().await?,
            program: ID.to_bytes(),
            patient: version.patient,
            record: version.record,
            version: version.version,
            manifest_hash: version.manifest_hash,
            recipient,
            recipient_key_epoch,
        })
    }
}
