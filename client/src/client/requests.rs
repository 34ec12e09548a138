//! Requests: a member asks a patient for rights, and the patient answers, with as much of them as it likes.

use std::time::{Duration, SystemTime};

use chartseal_program::state;

use super::{
    Chart, Class, Error, Granted, MemberId, Purpose, RecordId, RequestId, RequestState, Right, class,
    names::People,
    terms::{Terms, purposes, record, rights, terms, usage},
    time::{seconds, system},
};
use crate::ops::{AccessRequest, Narrower};

/// A request for rights to be made. Ends with [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before it is sent"]
pub struct Ask<'a> {
    chart: Chart<'a>,
    terms: Terms,
}

impl Ask<'_> {
    terms!();

    /// Asks. The patient sees it with [`Chart::requests`].
    ///
    /// # Errors
    /// [`Error::Usage`] where it is for nothing, or this client is no member of an institution; [`Error::Ledger`].
    pub async fn send(self) -> Result<RequestId, Error> {
        let terms = self.terms.checked()?;
        let session = self.chart.session;
        let request = AccessRequest {
            patient: self.chart.patient.to_bytes(),
            record: terms.record_id(),
            classes: terms.classes().unwrap_or_default(),
            rights: terms.rights(),
            purposes: terms.purposes.clone().unwrap_or_default(),
            until: session.from_now(terms.lasting()).await?,
        };
        let (id, _) = session.request_access(&request).await?;
        Ok(RequestId::new(id))
    }
}

/// A request as it stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub request: RequestId,
    /// Who asks.
    pub member: MemberId,
    /// The one record it is about, ...
    pub record: Option<RecordId>,
    /// ... or the classes.
    pub classes: Vec<Class>,
    /// What is wanted.
    pub rights: Vec<Right>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// How long.
    pub until: SystemTime,
    /// When it was asked.
    pub created: SystemTime,
    /// Whether it was answered, and how; `None` where the chain says something that this version does not know.
    pub state: Option<RequestState>,
}

impl Request {
    fn of(request: &state::Request, member: MemberId) -> Self {
        Self {
            request: RequestId::new(request.id),
            member,
            record: record(request.record),
            classes: class::of_mask(request.classes),
            rights: rights(request.rights),
            purposes: purposes(request.purposes),
            until: system(request.until),
            created: system(request.created_at),
            state: RequestState::from_byte(request.state),
        }
    }

    /// Whether it waits for an answer.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == Some(RequestState::Open)
    }
}

/// A request that is being approved, as it was asked or with less. Ends with [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "nothing is approved before it is sent"]
pub struct Approval<'a> {
    chart: Chart<'a>,
    request: RequestId,
    terms: Terms,
}

impl Approval<'_> {
    terms! {
        classes: "Only on these of the classes that were asked for.",
        rights: "Only to do this, of what was asked for.",
        purposes: "Only for this, of what was asked for.",
        lasting: "For no longer than this from now on, in whole seconds, nor than was asked for."
    }

    /// Only so often; without limit where nothing is said.
    pub fn uses(mut self, uses: u32) -> Self {
        self.terms.uses = Some(uses);
        self
    }

    /// Approves it, and wraps the keys of the records that it is about for who asked.
    ///
    /// # Errors
    /// As [`Grant::send`](super::Grant::send); the chain takes no more than was asked for.
    pub async fn send(self) -> Result<Granted, Error> {
        let Self { chart, request, terms } = self;
        if terms.are_empty() {
            return usage(
                "this approves nothing: an empty list of classes, rights or purposes; deny the request instead",
            );
        }
        let (patient, request) = (chart.patient.to_bytes(), request.to_bytes());
        let expires = match terms.lasting {
            None => None,
            Some(lasting) => {
                let asked = chart.session.ledger().request(&patient, &request).await?;
                Some(chart.session.from_now(seconds(lasting)).await?.min(asked.until))
            }
        };
        let narrower = Narrower {
            classes: terms.classes(),
            rights: terms.rights,
            purposes: terms.purposes,
            not_before: None,
            expires,
            uses: terms.uses,
        };
        let granted = chart.session.approve_request(&patient, &request, &narrower).await?;
        Ok(Granted::of(granted))
    }
}

impl<'a> Chart<'a> {
    /// Asks the patient for rights, as a member of an institution.
    pub fn ask(&self) -> Ask<'a> {
        Ask {
            chart: *self,
            terms: Terms::default(),
        }
    }

    /// All requests that were ever made.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn requests(&self) -> Result<Vec<Request>, Error> {
        let found = self.session.ledger().requests(&self.patient.to_bytes()).await?;
        let mut people = People::new(self.session);
        let mut requests = Vec::with_capacity(found.len());
        for asked in found.iter().map(|found| &found.account) {
            requests.push(Request::of(asked, people.member(&asked.member).await?));
        }
        Ok(requests)
    }

    /// Gives what was asked for, or less of it.
    pub fn approve(&self, request: RequestId) -> Approval<'a> {
        Approval {
            chart: *self,
            request,
            terms: Terms::default(),
        }
    }

    /// Gives nothing of what was asked for.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn deny(&self, request: RequestId) -> Result<(), Error> {
        let (patient, request) = (self.patient.to_bytes(), request.to_bytes());
        self.session.deny_request(&patient, &request).await?;
        Ok(())
    }
}
