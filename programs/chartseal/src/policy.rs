//! The decision: who may do what, with which record, for what purpose, now.
//!
//! [`decide`] is a pure function. It looks at nothing but its arguments, so the program, the key store that releases a
//! wrapped key and the tests all ask the very same rules. Whoever acts has been authenticated before: the caller has
//! checked signatures and that the accounts are of this program. A credential that is not passed gives no right.

use anchor_lang::prelude::*;

use crate::{
    seeds::Id,
    state::{Grant, Institution, Member, Patient},
    vocabulary::{Action, Basis, GranteeKind, InstitutionKind, Purpose, Reason, Role, Standing},
};

/// In what capacity somebody acts.
#[derive(Clone, Copy, Debug)]
pub enum Capacity<'a> {
    /// The patient's own wallet signed. The address is that of the Patient account.
    Patient { address: &'a Address },
    /// This member's wallet signed.
    Member(Credential<'a>),
    /// A wallet that a grant names, and no profession.
    Person { wallet: &'a Address },
}

/// A membership: the Member account and the Institution account that it belongs to, with their addresses.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    pub address: &'a Address,
    pub member: &'a Member,
    pub institution_address: &'a Address,
    pub institution: &'a Institution,
}

/// What the action is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub record: &'a Id,
    /// Sharing class.
    pub class: u8,
    /// Address of the author's Member or Patient account; `None` where the record is only being made.
    pub author: Option<&'a Address>,
    /// The same of whoever wrote the first version.
    pub origin: Option<&'a Address>,
    pub erased: bool,
}

impl Subject<'_> {
    /// Whether this account wrote the first version or the newest.
    fn is_by(&self, account: &Address) -> bool {
        self.author == Some(account) || self.origin == Some(account)
    }
}

/// A question to the policy.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub patient: &'a Patient,
    pub capacity: Capacity<'a>,
    pub subject: Subject<'a>,
    pub action: Action,
    pub purpose: Purpose,
    /// The grant that the actor claims.
    pub grant: Option<&'a Grant>,
    /// Whether the patient's wallet signed the same transaction.
    pub consent: bool,
    /// Seconds since 1970.
    pub now: i64,
}

/// Answers a question: the basis on which the action is allowed, or the first reason against it.
///
/// # Errors
/// The reason of the refusal.
pub fn decide(query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    if query.subject.erased {
        return Err(Reason::RecordErased);
    }
    match query.capacity {
        Capacity::Patient { address } => as_patient(address, query),
        Capacity::Member(credential) => as_member(&credential, query),
        Capacity::Person { wallet } => as_person(wallet, query),
    }
}

/// Patients do as they like with their own, but do not rewrite what somebody else wrote.
fn as_patient(address: &Address, query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    if query.action == Action::Amend && query.subject.origin != Some(address) {
        return Err(Reason::NotTheAuthor);
    }
    Ok(Basis::Patient)
}

fn as_member(credential: &Credential<'_>, query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    check_credential(credential, query.now)?;
    check_role(credential.member.role(), query.action, query.purpose)?;
    if query.consent {
        return Ok(Basis::Consent);
    }
    if query.action == Action::Read && query.subject.is_by(credential.address) {
        return Ok(Basis::Author);
    }
    // Whoever is taken in without a wallet has to be written down. Reading takes a grant, as always.
    if query.action == Action::Append && query.patient.is_steward(&credential.institution.id) {
        return Ok(Basis::Steward);
    }
    check_grant(query, |kind, grantee| match kind {
        GranteeKind::Member => grantee == credential.address,
        GranteeKind::Institution => grantee == credential.institution_address,
        GranteeKind::Person => false,
    })
}

/// A person reads, for itself. Writing into a chart takes a profession.
fn as_person(wallet: &Address, query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    if query.action != Action::Read {
        return Err(Reason::RoleForbidsAction);
    }
    if query.purpose != Purpose::Personal {
        return Err(Reason::PurposeNotPersonal);
    }
    check_grant(query, |kind, grantee| kind == GranteeKind::Person && grantee == wallet)
}

fn check_credential(credential: &Credential<'_>, now: i64) -> core::result::Result<(), Reason> {
    match credential.member.standing() {
        Standing::Active => {}
        Standing::Invited => return Err(Reason::MemberInvited),
        Standing::Suspended => return Err(Reason::MemberSuspended),
    }
    if now >= credential.member.expires {
        return Err(Reason::MemberExpired);
    }
    if !credential.institution.is_active() || credential.member.institution != credential.institution.id {
        return Err(Reason::InstitutionNotActive);
    }
    Ok(())
}

/// What a role may do at all, whatever a grant says. Professions do not act for personal purposes.
fn check_role(role: Option<Role>, action: Action, purpose: Purpose) -> core::result::Result<(), Reason> {
    let Some((actions, purposes)) = role.and_then(reach) else {
        return Err(Reason::RoleForbidsContent);
    };
    if actions & action.bit() == 0 {
        return Err(Reason::RoleForbidsAction);
    }
    if purposes & purpose.bit() == 0 {
        return Err(Reason::RoleForbidsPurpose);
    }
    Ok(())
}

/// Actions and purposes of a role, as masks. `None`: it has to do with the log and never with content.
const fn reach(role: Role) -> Option<(u8, u8)> {
    let care = Action::Read.bit() | Action::Append.bit() | Action::Amend.bit() | Action::Share.bit();
    Some(match role {
        Role::Doctor => (
            care | Action::Aggregate.bit(),
            Purpose::Treatment.bit()
                | Purpose::Operations.bit()
                | Purpose::Research.bit()
                | Purpose::Legal.bit()
                | Purpose::Emergency.bit(),
        ),
        Role::Nurse => (
            care,
            Purpose::Treatment.bit() | Purpose::Operations.bit() | Purpose::Emergency.bit(),
        ),
        Role::Technician => (
            Action::Read.bit() | Action::Append.bit() | Action::Amend.bit(),
            Purpose::Treatment.bit() | Purpose::Operations.bit(),
        ),
        Role::Insurer => (Action::Read.bit() | Action::Aggregate.bit(), Purpose::Payment.bit()),
        Role::Researcher => (Action::Read.bit() | Action::Aggregate.bit(), Purpose::Research.bit()),
        Role::Auditor => return None,
    })
}

/// Whether an institution of this kind has members of this role.
///
/// A role limits what its bearer may ask for, and the institution chooses the roles. Were every choice open to it, an
/// insurer could name a doctor, and read for treatment what it may see for payment only.
pub const fn employs(kind: InstitutionKind, role: Role) -> bool {
    use InstitutionKind::{Hospital, Insurer, Laboratory, ResearchBody};
    match role {
        Role::Doctor | Role::Nurse | Role::Technician => matches!(kind, Hospital | Laboratory),
        Role::Researcher => matches!(kind, Hospital | Laboratory | ResearchBody),
        Role::Insurer => matches!(kind, Insurer),
        Role::Auditor => true,
    }
}

/// Whether the claimed grant is alive, names the actor (`names`), and covers what is asked.
fn check_grant(
    query: &Query<'_>,
    names: impl Fn(GranteeKind, &Address) -> bool,
) -> core::result::Result<Basis, Reason> {
    let grant = query.grant.ok_or(Reason::NoGrant)?;
    if grant.patient != query.patient.id {
        return Err(Reason::GrantForeign);
    }
    if !GranteeKind::from_byte(grant.grantee_kind).is_some_and(|kind| names(kind, &grant.grantee)) {
        return Err(Reason::GrantNotYours);
    }
    if let Some(fault) = grant.fault(query.now) {
        return Err(fault);
    }
    if !grant.covers(query.subject.record, query.subject.class) {
        return Err(Reason::GrantOtherSubject);
    }
    if grant.rights & query.action.bit() == 0 {
        return Err(Reason::RightNotGranted);
    }
    if grant.purposes & query.purpose.bit() == 0 {
        return Err(Reason::PurposeNotGranted);
    }
    Ok(Basis::Grant)
}
