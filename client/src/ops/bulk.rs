//! Wrapping keys again for everything that an identity can open: after a change of keys, or to move from X25519 to X-Wing.
//! What is right already is left alone, so a run that was broken off goes on where it stopped. Of everything else this
//! session opens its own envelope, once for each version, by an access that the chain decides and logs.

use std::{collections::BTreeSet, sync::Arc};

use chartseal_program::{
    seeds::{Id, address},
    state::{Patient, Record},
};
use futures_util::{StreamExt as _, stream};

use super::{OpError, Rewrapped, Session, chart::Chart};
use crate::{
    ledger::LedgerError,
    store::{BlobStore, KeyStore, keystore::EnvelopeKind},
};

/// Records that are worked on at a time. The ledger is asked for each, and it is others' too.
const AT_A_TIME: usize = 4;

/// What wrapping everything came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkRewrapped {
    /// Patients of whom this identity opens something.
    pub patients: usize,
    /// Records that it opens.
    pub records: usize,
    /// Records of which no envelope was missing.
    pub right: usize,
    /// Envelopes and shares that were made.
    pub wrapped: usize,
    /// Envelopes that are still missing.
    pub pending: usize,
    /// What did not work.
    pub failed: Vec<RewrapFailure>,
}

/// A record, or all of a patient's, whose keys were not wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewrapFailure {
    /// Whose it is.
    pub patient: Id,
    /// The record; none where the patient's chart could not be read.
    pub record: Option<Id>,
    /// Why.
    pub because: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// Records that were looked after.
    pub done: usize,
    /// Records that were found so far.
    pub found: usize,
}

/// A record to be looked after.
struct Work {
    chart: Arc<Chart>,
    record: Record,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Does what [`rewrap_as`](Self::rewrap_as) does for every record of every patient that the key stores keep an envelope
    /// of for this identity. What does not work with one record keeps no other from being done.
    ///
    /// # Errors
    /// [`OpError`] where the key stores cannot be asked, or this wallet belongs to several institutions and does not say as
    /// whom it acts.
    pub async fn rewrap_all(
        &self,
        post_quantum: bool,
        progress: impl Fn(BulkProgress),
    ) -> Result<BulkRewrapped, OpError> {
        let mut total = BulkRewrapped::default();
        let mut at = BulkProgress::default();
        self.membership().await?;
        for patient in self.keys.patients().await? {
            let work = match self.work_on(&patient, post_quantum).await {
                Ok(work) => work,
                Err(error) => {
                    total.failed.push(RewrapFailure {
                        patient,
                        record: None,
                        because: error.to_string(),
                    });
                    continue;
                }
            };
            total.patients += usize::from(!work.is_empty());
            at.found += work.len();
            progress(at);
            let mut working = stream::iter(work)
                .map(|work| async move { (work.record.id, self.look_after(&work).await) })
                .buffer_unordered(AT_A_TIME);
            while let Some((record, outcome)) = working.next().await {
                total.add(patient, record, outcome);
                at.done += 1;
                progress(at);
            }
        }
        Ok(total)
    }

    /// The records of a patient that this identity has an envelope of.
    async fn work_on(&self, patient: &Id, post_quantum: bool) -> Result<Vec<Work>, OpError> {
        let account = match self.ledger.patient(patient).await {
            // A batch's list, which is filed under its institution, or a patient of another cluster.
            Err(LedgerError::NotFound { .. }) => return Ok(Vec::new()),
            account => account?,
        };
        let own = self.own_accounts(&account).await?;
        let mut records = Vec::new();
        for found in self.ledger.records(patient).await? {
            let record = found.account;
            let slots = self.keys.slots(*patient, record.id).await?;
            let ours = slots
                .iter()
                .any(|slot| slot.kind == EnvelopeKind::Reader && own.contains(&slot.recipient));
            if ours && !record.is_erased() {
                records.push(record);
            }
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut chart = self.chart(patient).await?;
        chart.prefers_post_quantum |= post_quantum;
        let chart = Arc::new(chart);
        let work = records.into_iter().map(|record| Work {
            chart: Arc::clone(&chart),
            record,
        });
        Ok(work.collect())
    }

    /// The accounts that envelopes for this identity can be addressed to.
    async fn own_accounts(&self, patient: &Patient) -> Result<BTreeSet<[u8; 32]>, OpError> {
        let wallet = self.wallet();
        let mut own = BTreeSet::from([wallet.to_bytes()]);
        if patient.is_wallet(&wallet) {
            own.insert(address::patient(&patient.id).to_bytes());
        }
        if let Some((institution, member)) = self.membership().await? {
            own.insert(address::member(&institution, &member).to_bytes());
        }
        for delegate in self.delegations(patient).await? {
            own.insert(address::delegate(&patient.id, &delegate.id).to_bytes());
        }
        Ok(own)
    }

    async fn look_after(&self, work: &Work) -> Result<Rewrapped, OpError> {
        let mut done = Rewrapped::default();
        self.rewrap_one(&work.chart, &work.record, &mut done).await?;
        self.rewrap_earlier(&work.chart, &work.record, &mut done).await?;
        Ok(done)
    }
}

impl BulkRewrapped {
    fn add(&mut self, patient: Id, record: Id, outcome: Result<Rewrapped, OpError>) {
        self.records += 1;
        let because = match outcome {
            Ok(done) => {
                self.right += usize::from(done == Rewrapped::default());
                self.wrapped += done.wrapped;
                self.pending += done.pending;
                done.because
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(because) = because {
            self.failed.push(RewrapFailure {
                patient,
                record: Some(record),
                because,
            });
        }
    }
}
