//! Passing on: a grantee who may share gives what it has, or less, to a colleague. It wraps the keys itself, of what it can
//! open; the rest stays pending.

use chartseal_program::{
    builders::{self, As},
    events::{AnyEvent, Terms},
    instructions::PassOnGrantArgs,
    seeds::{Id, NO_ID, address},
    state::{Grant, Record},
    vocabulary::{Action, Purpose, Reason},
};

use super::{
    Granted, Grantee, OpError, Rewrapped, Session,
    acting::Chosen,
    chart::Chart,
    draw_id,
    get::Reading,
    keys::Version,
    new_id,
    put::refusal,
    request::{purposes_mask, rights_mask},
};
use crate::{
    ledger::standing::Question,
    store::{BlobStore, KeyStore},
};

/// What is passed on. What is not said is as in the grant that it comes from.
#[derive(Clone, Debug)]
pub struct PassOnRequest {
    /// Whose records they are.
    pub patient: Id,
    /// To whom: a member or an institution.
    pub grantee: Grantee,
    /// On one record ...
    pub record: Option<Id>,
    /// ... or on classes, one bit each.
    pub classes: u32,
    /// What is allowed.
    pub rights: Vec<Action>,
    /// What for.
    pub purposes: Option<Vec<Purpose>>,
    /// Valid until just before, in seconds since 1970.
    pub expires: Option<i64>,
    /// How often.
    pub uses: Option<u32>,
    /// The grant that is passed on; the one that fits best where none is named.
    pub grant: Option<Id>,
    /// What this is done for.
    pub purpose: Purpose,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Passes on a grant, and wraps the keys of the records that this session can open for the new grantee.
    ///
    /// # Errors
    /// [`OpError::Refused`] where the terms give more than the grant does, or it cannot be passed on.
    pub async fn pass_on(&self, request: &PassOnRequest) -> Result<Granted, OpError> {
        let chart = self.chart(&request.patient).await?;
        let patient = chart.patient.id;
        let class = match &request.record {
            Some(record) => self.ledger.record(&patient, record).await?.class,
            // As the contract does: the lowest stands for all.
            None => u8::try_from(request.classes.trailing_zeros()).unwrap_or(u8::MAX),
        };
        let record = request.record.unwrap_or(NO_ID);
        let question = Question {
            action: Action::Share,
            purpose: request.purpose,
            record: &record,
            class,
            existing: None,
            now: chart.now,
        };
        let Chosen { acting, verdict } = self
            .choose(&chart.patient, &chart.grants, &question, request.grant)
            .await?;
        let parent = acting
            .grant
            .and_then(|id| chart.grants.iter().find(|grant| grant.id == id));
        let Some(parent) = parent else {
            let reason = verdict.err().unwrap_or(Reason::NoGrant).word();
            return Err(OpError::Usage(format!(
                "there is no grant to pass on ({reason}); only a grant that was given to you with the right to share can be"
            )));
        };

        let (id, terms) = (draw_id(|id| address::fits_grant(&patient, id))?, request.terms(parent));
        let args = PassOnGrantArgs {
            request: new_id()?,
            id,
            purpose: request.purpose,
            grant: parent.id,
            terms,
        };
        let instruction = builders::pass_on_grant(&acting, self.payer().await?, &patient, args);
        let receipt = self.send(instruction).await?;
        if !matches!(receipt.event, AnyEvent::GrantPassedOn(_)) {
            return Err(refusal(&receipt.event));
        }
        let mut keys = Rewrapped::default();
        if terms.rights & Action::Read.bit() != 0
            && let Err(error) = self
                .wrap_passed_on(&acting, request.purpose, (&patient, &id), &mut keys)
                .await
        {
            keys.because = Some(error.to_string());
        }
        Ok(Granted {
            grant: id,
            signature: receipt.signature.to_string(),
            keys,
        })
    }

    async fn wrap_passed_on(
        &self,
        acting: &As,
        purpose: Purpose,
        (patient, grant): (&Id, &Id),
        keys: &mut Rewrapped,
    ) -> Result<(), OpError> {
        let chart = self.chart(patient).await?;
        let grant = self.ledger.grant(patient, grant).await?;
        for record in self.covered(&grant).await? {
            let pending = self.wrap_for(acting, purpose, &chart, (&grant, &record), keys).await;
            if let Err(error) = pending {
                keys.because = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// Opens this session's own envelope of a record, by the grant that was passed on, and wraps the key for those whom the
    /// new grant names.
    async fn wrap_for(
        &self,
        acting: &As,
        purpose: Purpose,
        chart: &Chart,
        (grant, record): (&Grant, &Record),
        keys: &mut Rewrapped,
    ) -> Result<(), OpError> {
        let mut missing = self.missing(chart, record).await?;
        missing.retain(|account, _| chart.reaches(grant, account));
        if missing.is_empty() {
            return Ok(());
        }
        keys.pending += missing.len();
        let reading = Reading::newest(record, purpose);
        let (key, _, record) = self.obtain_key_as(acting, &chart.patient, &reading).await?;
        let refused = self.wrap_all(&key, &Version::of(&record), &missing).await?;
        keys.wrapped += missing.len() - refused;
        keys.pending -= missing.len() - refused;
        Ok(())
    }
}

impl PassOnRequest {
    fn terms(&self, parent: &Grant) -> Terms {
        let (grantee_kind, grantee) = self.grantee.address();
        Terms {
            record: self.record.unwrap_or(NO_ID),
            classes: self.classes,
            grantee_kind,
            grantee,
            grantee_key: [0; 32],
            rights: rights_mask(&self.rights),
            purposes: self.purposes.as_deref().map_or(parent.purposes, purposes_mask),
            not_before: parent.not_before,
            expires: self.expires.unwrap_or(parent.expires),
            uses: self.uses.unwrap_or(parent.uses_left),
        }
    }
}
