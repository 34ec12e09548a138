//! Requests: a member asks a patient for rights, and the patient answers, with as much of them as it likes.

use chartseal_program::{
    builders,
    instructions::{Approval, DecideRequestArgs, RequestAccessArgs},
    seeds::{Id, NO_ID, REQUEST, address},
    state::{Request as RequestAccount, UNLIMITED},
    vocabulary::{Action, Purpose},
};

use super::{Granted, OpError, Session, draw_id};
use crate::{
    ledger::{Listed, Receipt},
    store::{BlobStore, KeyStore},
};

/// What a member asks for.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// Whom it asks.
    pub patient: Id,
    /// On one record ...
    pub record: Option<Id>,
    /// ... or on classes, one bit each.
    pub classes: u32,
    /// What it wants to do.
    pub rights: Vec<Action>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// How long, in seconds since 1970.
    pub until: i64,
}

/// What of a request a patient gives: what is not said is given as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Narrower {
    /// Classes, one bit each.
    pub classes: Option<u32>,
    /// What is allowed.
    pub rights: Option<Vec<Action>>,
    /// What for.
    pub purposes: Option<Vec<Purpose>>,
    /// Valid from, in seconds since 1970; at once where none is named.
    pub not_before: Option<i64>,
    /// Valid until just before, in seconds since 1970.
    pub expires: Option<i64>,
    /// How often; without limit where none is named.
    pub uses: Option<u32>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// The requests that this member ever made, to whatever patients.
    ///
    /// # Errors
    /// [`OpError::Ledger`]; [`OpError::Usage`] where this wallet is no member.
    pub async fn own_requests(&self) -> Result<Listed<RequestAccount>, OpError> {
        let (institution, member) = self.membership().await?.ok_or_else(not_a_member)?;
        Ok(self.ledger.requests_of(&address::member(&institution, &member)).await?)
    }

    /// Asks a patient for rights, as a member; the request's id.
    ///
    /// # Errors
    /// [`OpError::Ledger`]; [`OpError::Usage`] where this wallet is no member.
    pub async fn request_access(&self, request: &AccessRequest) -> Result<(Id, Receipt), OpError> {
        let (institution, member) = self.membership().await?.ok_or_else(not_a_member)?;
        let id = draw_id(|id| address::fits(REQUEST, &request.patient, id))?;
        let args = RequestAccessArgs {
            id,
            record: request.record.unwrap_or(NO_ID),
            classes: request.classes,
            rights: rights_mask(&request.rights),
            purposes: purposes_mask(&request.purposes),
            until: request.until,
        };
        let wallet = self.wallet();
        let instruction = builders::request_access(
            wallet,
            self.payer().await?,
            (&institution, &member),
            &request.patient,
            args,
        );
        Ok((id, self.send(instruction).await?))
    }

    /// Approves a request, and wraps the keys of the records that it is about for the member who asked.
    ///
    /// # Errors
    /// As [`grant`](Self::grant).
    pub async fn approve_request(&self, patient: &Id, request: &Id, narrower: &Narrower) -> Result<Granted, OpError> {
        let asked = self.ledger.request(patient, request).await?;
        let patient = self.ledger.patient(patient).await?;
        let grant = draw_id(|id| address::fits_grant(&patient.id, id))?;
        let approval = Approval {
            grant,
            rights: narrower.rights.as_deref().map_or(asked.rights, rights_mask),
            purposes: narrower.purposes.as_deref().map_or(asked.purposes, purposes_mask),
            classes: narrower.classes.unwrap_or(asked.classes),
            not_before: narrower.not_before.unwrap_or_default(),
            expires: narrower.expires.unwrap_or(asked.until),
            uses: narrower.uses.unwrap_or(UNLIMITED),
        };
        let by = self.deciding(&patient).await?;
        let record = (asked.record != NO_ID).then_some(&asked.record);
        let args = DecideRequestArgs {
            approval: Some(approval),
        };
        let instruction = builders::decide_request(&by, self.payer().await?, &patient.id, (request, record), args);
        let receipt = self.send(instruction).await?;
        Ok(self.granted(&patient.id, &grant, approval.rights, &receipt).await)
    }

    /// Denies a request.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn deny_request(&self, patient: &Id, request: &Id) -> Result<Receipt, OpError> {
        let asked = self.ledger.request(patient, request).await?;
        let patient = self.ledger.patient(patient).await?;
        let by = self.deciding(&patient).await?;
        let record = (asked.record != NO_ID).then_some(&asked.record);
        let args = DecideRequestArgs { approval: None };
        self.send(builders::decide_request(
            &by,
            self.payer().await?,
            &patient.id,
            (request, record),
            args,
        ))
        .await
    }
}

fn not_a_member() -> OpError {
    OpError::Usage("only members of institutions ask for rights, and this wallet is no member".into())
}

/// One bit for each right.
pub(super) fn rights_mask(rights: &[Action]) -> u8 {
    rights.iter().fold(0, |mask, right| mask | right.bit())
}

/// One bit for each purpose.
pub(super) fn purposes_mask(purposes: &[Purpose]) -> u8 {
    purposes.iter().fold(0, |mask, purpose| mask | purpose.bit())
}
