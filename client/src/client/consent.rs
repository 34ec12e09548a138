//! Who may do what in a chart: grants and their end, and requests that the patient answers. The patient decides, or a
//! delegate, or the steward of one without a wallet; whoever else tries is told so by the chain.

use std::time::{Duration, SystemTime};

use chartseal_program::{
    seeds::{Id, NO_ID},
    state::{self, UNLIMITED},
};

use super::{
    Chart, Class, Error, GrantId, InstitutionId, MemberId, Purpose, Reason, RecordId, RequestId, RequestState, Right,
    Wallet, class,
    names::People,
    time::{seconds, system},
};
use crate::ops::{self, AccessRequest, GrantRequest, Narrower};

/// How long what is given or asked for lasts where nothing is said: 30 days.
const LASTING: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Whom a grant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// A member of an institution.
    Member(MemberId),
    /// An institution, and so all of its members.
    Institution(InstitutionId),
    /// Somebody without an account on chain.
    Person {
        /// Whose signature counts.
        wallet: Wallet,
        /// The X25519 public key that records' keys are wrapped for, as the person gave it to the patient; without it they
        /// stay pending.
        key: Option<[u8; 32]>,
    },
}

impl From<MemberId> for Grantee {
    fn from(member: MemberId) -> Self {
        Self::Member(member)
    }
}

impl From<InstitutionId> for Grantee {
    fn from(institution: InstitutionId) -> Self {
        Self::Institution(institution)
    }
}

impl From<Grantee> for ops::Grantee {
    fn from(grantee: Grantee) -> Self {
        match grantee {
            Grantee::Member(member) => {
                let (institution, member) = member.to_bytes();
                Self::Member { institution, member }
            }
            Grantee::Institution(institution) => Self::Institution(institution.to_bytes()),
            Grantee::Person { wallet, key } => Self::Person {
                wallet: wallet.to_bytes(),
                key,
            },
        }
    }
}

/// What rights are about, and what they are.
#[derive(Clone, Debug, Default)]
struct Terms {
    record: Option<RecordId>,
    // What was said to be nothing is not what was not said.
    classes: Option<Vec<Class>>,
    rights: Option<Vec<Right>>,
    purposes: Option<Vec<Purpose>>,
    lasting: Option<Duration>,
    uses: Option<u32>,
}

impl Terms {
    fn record_id(&self) -> Option<Id> {
        self.record.map(RecordId::to_bytes)
    }

    /// One bit for each class.
    fn classes(&self) -> Option<u32> {
        let classes = self.classes.as_ref()?;
        Some(class::mask(classes.iter().copied()))
    }

    /// Reading, where nothing is said.
    fn rights(&self) -> Vec<Right> {
        self.rights.clone().unwrap_or_else(|| vec![Right::Read])
    }

    fn lasting(&self) -> i64 {
        seconds(self.lasting.unwrap_or(LASTING))
    }

    /// Whether they give nothing, by what was said of them.
    fn are_empty(&self) -> bool {
        let is_empty = |len: Option<usize>| len == Some(0);
        is_empty(self.classes.as_ref().map(Vec::len))
            || is_empty(self.rights.as_ref().map(Vec::len))
            || is_empty(self.purposes.as_ref().map(Vec::len))
    }

    /// Whether somebody said what they are about.
    fn checked(&self) -> Result<&Self, Error> {
        match (self.record, &self.classes) {
            _ if self.are_empty() => usage("rights that are none: an empty list of classes, rights or purposes"),
            (None, None) => usage("rights on nothing: name a record, or classes"),
            (Some(_), Some(_)) => usage("rights are on one record or on classes, not on both: give two grants"),
            _ if self.purposes.is_none() => usage("rights for nothing: say for which purposes"),
            _ => Ok(self),
        }
    }
}

fn usage<T>(what: &str) -> Result<T, Error> {
    Err(Error::Usage(what.to_owned()))
}

/// The terms that can be said of rights, for whoever gives or asks.
macro_rules! terms {
    () => {
        /// On this one record.
        pub fn record(mut self, record: RecordId) -> Self {
            self.terms.record = Some(record);
            self
        }

        /// On all records of these classes, those to come too.
        pub fn classes(mut self, classes: impl IntoIterator<Item = Class>) -> Self {
            self.terms.classes.get_or_insert_default().extend(classes);
            self
        }

        /// To do this; to read, where nothing is said.
        pub fn rights(mut self, rights: impl IntoIterator<Item = Right>) -> Self {
            self.terms.rights.get_or_insert_default().extend(rights);
            self
        }

        /// For this.
        pub fn purposes(mut self, purposes: impl IntoIterator<Item = Purpose>) -> Self {
            self.terms.purposes.get_or_insert_default().extend(purposes);
            self
        }

        /// For so long, from now on, in whole seconds; 30 days where nothing is said.
        pub fn lasting(mut self, duration: Duration) -> Self {
            self.terms.lasting = Some(duration);
            self
        }
    };
}

/// A grant to be given. Ends with [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "nothing is granted before it is sent"]
pub struct Grant<'a> {
    chart: Chart<'a>,
    grantee: Grantee,
    terms: Terms,
}

/// A grant that stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its id.
    pub grant: GrantId,
    /// Keys of records that were wrapped for the grantee.
    pub wrapped: usize,
    /// Keys that still have to be: [`Session::rewrap`](crate::ops::Session::rewrap) makes up for them.
    pub pending: usize,
    /// The transaction, in base58.
    pub transaction: String,
}

impl Grant<'_> {
    terms!();

    /// So often, at most; without limit where nothing is said.
    pub fn uses(mut self, uses: u32) -> Self {
        self.terms.uses = Some(uses);
        self
    }

    /// Gives it, and wraps the keys of the records that it covers for the grantee.
    ///
    /// # Errors
    /// [`Error::Usage`] where it would give nothing; [`Error::Ledger`] where the chain does not take it, for example because
    /// this is not the patient's wallet.
    pub async fn send(self) -> Result<Granted, Error> {
        let terms = self.terms.checked()?;
        let session = self.chart.session;
        let request = GrantRequest {
            patient: self.chart.patient.to_bytes(),
            grantee: self.grantee.into(),
            record: terms.record_id(),
            classes: terms.classes().unwrap_or_default(),
            rights: terms.rights(),
            purposes: terms.purposes.clone().unwrap_or_default(),
            not_before: None,
            expires: session.from_now(terms.lasting()).await?,
            uses: terms.uses,
        };
        session.grant(&request).await.map(Granted::of)
    }
}

impl Granted {
    fn of(granted: ops::Granted) -> Self {
        Self {
            grant: GrantId::new(granted.grant),
            wrapped: granted.keys.wrapped,
            pending: granted.keys.pending,
            transaction: granted.signature,
        }
    }
}

/// A grant that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Wrapped keys that were deleted.
    pub deleted: u64,
    /// The transaction, in base58; `None` where it had been revoked before.
    pub transaction: Option<String>,
}

/// A grant as it stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantState {
    /// Its id.
    pub grant: GrantId,
    /// Whom it names.
    pub grantee: Grantee,
    /// Who signed it: the patient, or whoever passed it on.
    pub issuer: Wallet,
    /// The grant that was passed on; none where the patient gave it.
    pub parent: Option<GrantId>,
    /// The one record it is on, ...
    pub record: Option<RecordId>,
    /// ... or the classes.
    pub classes: Vec<Class>,
    /// What it allows.
    pub rights: Vec<Right>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// When it was given.
    pub created: SystemTime,
    /// When it was taken back.
    pub revoked: Option<SystemTime>,
    /// When it ends by itself.
    pub expires: SystemTime,
    /// How often it can still be used; `None` is without limit.
    pub uses_left: Option<u32>,
    /// Why it gives no right now; `None` where it does.
    pub fault: Option<Reason>,
    /// Records that the grantee may read and has no wrapped key for.
    pub pending: Vec<RecordId>,
}

impl GrantState {
    fn of(found: ops::GrantState, grantee: Grantee) -> Self {
        let grant = &found.grant;
        Self {
            grant: GrantId::new(grant.id),
            grantee,
            issuer: Wallet::from(grant.issuer.to_bytes()),
            parent: (grant.parent != NO_ID).then(|| GrantId::new(grant.parent)),
            created: system(grant.created_at),
            revoked: (grant.revoked != 0).then(|| system(grant.revoked_at)),
            record: record(grant.record),
            classes: class::of_mask(grant.classes),
            rights: rights(grant.rights),
            purposes: purposes(grant.purposes),
            expires: system(grant.expires),
            uses_left: (grant.uses_left != UNLIMITED).then_some(grant.uses_left),
            fault: found.fault,
            pending: found.pending.into_iter().map(RecordId::new).collect(),
        }
    }
}

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
    /// Only on these of the classes that were asked for.
    pub fn classes(mut self, classes: impl IntoIterator<Item = Class>) -> Self {
        self.terms.classes.get_or_insert_default().extend(classes);
        self
    }

    /// Only to do this, of what was asked for.
    pub fn rights(mut self, rights: impl IntoIterator<Item = Right>) -> Self {
        self.terms.rights.get_or_insert_default().extend(rights);
        self
    }

    /// Only for this, of what was asked for.
    pub fn purposes(mut self, purposes: impl IntoIterator<Item = Purpose>) -> Self {
        self.terms.purposes.get_or_insert_default().extend(purposes);
        self
    }

    /// For no longer than this from now on, in whole seconds, nor than was asked for.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.terms.lasting = Some(duration);
        self
    }

    /// Only so often; without limit where nothing is said.
    pub fn uses(mut self, uses: u32) -> Self {
        self.terms.uses = Some(uses);
        self
    }

    /// Approves it, and wraps the keys of the records that it is about for who asked.
    ///
    /// # Errors
    /// As [`Grant::send`]; the chain takes no more than was asked for.
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
    /// Gives rights to somebody.
    pub fn grant(&self, to: impl Into<Grantee>) -> Grant<'a> {
        Grant {
            chart: *self,
            grantee: to.into(),
            terms: Terms::default(),
        }
    }

    /// Ends a grant, and deletes the keys of everybody who could read by it and by nothing else. Once more does no harm.
    ///
    /// # Errors
    /// [`Error`]. Where a key could not be deleted, do it again; nobody gets it meanwhile, because key stores ask the chain.
    pub async fn revoke(&self, grant: GrantId) -> Result<Revoked, Error> {
        let (patient, grant) = (self.patient.to_bytes(), grant.to_bytes());
        let revoked = self.session.revoke(&patient, &grant).await?;
        Ok(Revoked {
            deleted: revoked.envelopes,
            transaction: revoked.signature,
        })
    }

    /// All grants that were ever given, and what each gives now.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn grants(&self) -> Result<Vec<GrantState>, Error> {
        let found = self.session.grants(&self.patient.to_bytes()).await?;
        let mut people = People::new(self.session);
        let mut states = Vec::with_capacity(found.len());
        for state in found {
            let grantee = people.grantee(&state.grant).await?;
            states.push(GrantState::of(state, grantee));
        }
        Ok(states)
    }

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

fn record(id: Id) -> Option<RecordId> {
    (id != NO_ID).then(|| RecordId::new(id))
}

fn rights(mask: u8) -> Vec<Right> {
    Right::ALL
        .iter()
        .copied()
        .filter(|right| mask & right.bit() != 0)
        .collect()
}

fn purposes(mask: u8) -> Vec<Purpose> {
    let all = Purpose::ALL.iter().copied();
    all.filter(|purpose| mask & purpose.bit() != 0).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rights_are_on_something_and_for_something() {
        let record = Some(RecordId::new([1; 16]));
        let classes = || Some(vec![Class::new(1).unwrap()]);
        let purposes = || Some(vec![Purpose::Treatment]);
        let terms = |record, classes, purposes| Terms {
            record,
            classes,
            purposes,
            ..Terms::default()
        };
        assert!(terms(record, None, purposes()).checked().is_ok());
        assert!(terms(None, classes(), purposes()).checked().is_ok());
        for (wrong, said) in [
            (terms(None, None, purposes()), "on nothing"),
            (terms(record, classes(), purposes()), "not on both"),
            (terms(record, None, None), "for which purposes"),
            (terms(record, None, Some(Vec::new())), "rights that are none"),
            (terms(None, Some(Vec::new()), purposes()), "rights that are none"),
        ] {
            let error = wrong.checked().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_said_to_be_nothing_is_not_what_was_not_said() {
        let terms = Terms::default();
        assert_eq!(terms.rights(), [Right::Read]);
        assert_eq!(terms.lasting(), 2_592_000);
        assert!(!terms.are_empty());
        let none = Terms {
            rights: Some(Vec::new()),
            ..Terms::default()
        };
        assert!(none.are_empty() && none.rights().is_empty());
    }
}
