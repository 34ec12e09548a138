//! Grants and their end. The patient decides, or a delegate, or the steward of one without a wallet; whoever else tries is
//! told so by the chain.

use std::time::{Duration, SystemTime};

use chartseal_program::{seeds::NO_ID, state::UNLIMITED};

use super::{
    Chart, Class, Error, GrantId, InstitutionId, MemberId, Purpose, Reason, RecordId, Right, Wallet, class,
    names::People,
    terms::{Terms, purposes, record, rights, terms},
    time::system,
};
use crate::ops::{self, GrantRequest};

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
    pub(super) fn of(granted: ops::Granted) -> Self {
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
}
