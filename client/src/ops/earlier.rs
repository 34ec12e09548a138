//! Keys of versions before the newest. The patient and its delegates may read them, so whatever was amended since, and whatever
//! became of the patient's key, their envelopes of these are made up for like any other.

use chartseal_program::{policy::Subject, state::Record};

use super::{
    OpError, Rewrapped, Session,
    chart::{Chart, Recipients},
    keys::Version,
};
use crate::{
    ledger::LedgerError,
    store::{BlobStore, KeyStore},
};

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Makes up for the envelopes of a record's earlier versions.
    pub(super) async fn rewrap_earlier(
        &self,
        chart: &Chart,
        record: &Record,
        done: &mut Rewrapped,
    ) -> Result<(), OpError> {
        let earlier = match self.missing_earlier(chart, record).await {
            // The newest versions are none the worse for it.
            Err(OpError::Ledger(error @ LedgerError::BrokenHistory { .. })) => {
                done.because = Some(error.to_string());
                return Ok(());
            }
            earlier => earlier?,
        };
        for (version, missing) in earlier {
            let missing = self.within_reach(missing, done).await?;
            if missing.is_empty() {
                continue;
            }
            match self.reopen(chart, record, version.version).await {
                Ok(key) => {
                    self.wrap_missing(&key, &version, &missing, done).await?;
                }
                Err(error) => {
                    done.pending += missing.len();
                    done.because = Some(error.to_string());
                }
            }
        }
        Ok(())
    }

    /// The versions before the newest of which the patient or a delegate has no envelope for its present key, and who that is.
    pub(super) async fn missing_earlier(
        &self,
        chart: &Chart,
        record: &Record,
    ) -> Result<Vec<(Version, Recipients)>, OpError> {
        let versions = self.ledger.record_versions(record, 1).await?;
        let owners = chart.owners(&Subject::of(record));
        let mut earlier = Vec::new();
        for version in versions.iter().skip(1).map(Version::of) {
            let missing = self.without_envelope(&version, chart, owners.clone()).await?;
            if !missing.is_empty() {
                earlier.push((version, missing));
            }
        }
        Ok(earlier)
    }
}
