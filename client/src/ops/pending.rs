//! Grants as they stand: what has ended and why, and which of their records' keys the grantee still waits for.

use chartseal_program::{
    policy::Subject,
    seeds::Id,
    state::{Grant, Record},
    vocabulary::{Action, GranteeKind, Reason},
};

use super::{OpError, Session, acting::stands, chart::Chart};
use crate::store::{BlobStore, KeyStore};

/// A grant, and what it gives now.
#[derive(Clone, Debug)]
pub struct GrantState {
    /// The grant.
    pub grant: Grant,
    /// Why it gives no right now, if it does not.
    pub fault: Option<Reason>,
    /// Records that the grantee may read and has no wrapped key for.
    pub pending: Vec<Id>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// All grants that a patient ever gave.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn grants(&self, patient: &Id) -> Result<Vec<GrantState>, OpError> {
        let chart = self.chart(patient).await?;
        let mut states: Vec<_> = chart.grants.iter().map(|grant| state_of(&chart, grant)).collect();
        for found in self.ledger.records(patient).await? {
            let record = &found.account;
            if !record.is_erased() && states.iter().any(|state| is_for(state, record)) {
                self.add_pending(&chart, record, &mut states).await?;
            }
        }
        Ok(states)
    }

    async fn add_pending(&self, chart: &Chart, record: &Record, states: &mut [GrantState]) -> Result<(), OpError> {
        let missing = self.missing(chart, record).await?;
        for state in states.iter_mut().filter(|state| is_for(state, record)) {
            let person = state.grant.grantee_kind == GranteeKind::Person.byte();
            let keyless = person && state.grant.grantee_key == [0; 32];
            if keyless || missing.keys().any(|account| chart.reaches(&state.grant, account)) {
                state.pending.push(record.id);
            }
        }
        Ok(())
    }
}

fn state_of(chart: &Chart, grant: &Grant) -> GrantState {
    let own = grant.fault(chart.now);
    let inherited = (!stands(grant, &chart.grants, chart.now)).then_some(Reason::AncestorLapsed);
    GrantState {
        grant: *grant,
        fault: own.or(inherited),
        pending: Vec::new(),
    }
}

/// Whether a grant gives the reading of a record now, or will when it begins.
fn is_for(state: &GrantState, record: &Record) -> bool {
    let subject = Subject::of(record);
    matches!(state.fault, None | Some(Reason::GrantNotYetValid))
        && state.grant.rights & Action::Read.bit() != 0
        && state.grant.covers(subject.record, subject.class)
}
