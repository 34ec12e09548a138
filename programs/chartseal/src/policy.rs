//! The decision: who may do what, with which record, for what purpose, now.
//!
//! [`decide`] is a pure function. It looks at nothing but its arguments, so the program, the key store that releases a
//! wrapped key and the tests all ask the very same rules. Whoever acts has been authenticated before: the caller has
//! checked signatures and that the accounts are of this program. A credential that is not passed gives no right.

use anchor_lang::prelude::*;

use crate::{
    events::Terms,
    seeds::{Id, NO_ID},
    state::{
        Delegate, Emergency, Grant, Institution, Member, Patient, Policy, Record, DAY, DEEPEST,
        INSTITUTION_EMERGENCIES_PER_DAY, MEMBER_EMERGENCIES_PER_DAY, MOST_UNREVIEWED,
    },
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
    /// This delegate's wallet signed. The address is that of the Patient account.
    Delegate {
        delegate: &'a Delegate,
        patient_address: &'a Address,
    },
}

/// What the actor rests its right on, where it needs anything beside its capacity.
#[derive(Clone, Copy, Debug)]
pub enum Claim<'a> {
    Nothing,
    /// A grant and, where it was passed on, the grants that it descends from: parent first.
    Grant(&'a Grant, [Option<&'a Grant>; DEEPEST as usize]),
    Policy(&'a Policy),
    Emergency(&'a Emergency),
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
    /// Seconds since 1970 at which it was created: now, where it is only being made.
    pub created_at: i64,
    pub erased: bool,
}

impl<'a> Subject<'a> {
    /// A record that exists.
    pub fn of(record: &'a Record) -> Self {
        Self {
            record: &record.id,
            class: record.class,
            author: Some(&record.author),
            origin: Some(&record.origin),
            created_at: record.created_at,
            erased: record.is_erased(),
        }
    }

    /// A record, or several of a class, that nobody wrote yet.
    pub fn new(record: &'a Id, class: u8, now: i64) -> Self {
        Self {
            record,
            class,
            author: None,
            origin: None,
            created_at: now,
            erased: false,
        }
    }

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
    /// What the actor claims.
    pub claim: Claim<'a>,
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
        Capacity::Delegate {
            delegate,
            patient_address,
        } => as_delegate(delegate, patient_address, query),
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
    match query.claim {
        Claim::Nothing => Err(Reason::NoGrant),
        Claim::Grant(grant, ancestors) => check_grant(query, grant, &ancestors, |kind, grantee| match kind {
            GranteeKind::Member => grantee == credential.address,
            GranteeKind::Institution => grantee == credential.institution_address,
            GranteeKind::Person => false,
        }),
        Claim::Policy(policy) => check_policy(credential, policy, query),
        Claim::Emergency(emergency) => check_emergency(credential, emergency, query),
    }
}

/// A delegate does what the patient does, as far as its rights go, and never for a profession's purposes.
fn as_delegate(delegate: &Delegate, patient: &Address, query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    if delegate.patient != query.patient.id {
        return Err(Reason::DelegateForeign);
    }
    if let Some(fault) = delegate.fault(query.now) {
        return Err(fault);
    }
    if query.purpose != Purpose::Personal {
        return Err(Reason::PurposeNotPersonal);
    }
    if !delegate.has(query.action) {
        return Err(Reason::RightNotGranted);
    }
    if query.action == Action::Amend && query.subject.origin != Some(patient) {
        return Err(Reason::NotTheAuthor);
    }
    Ok(Basis::Delegate)
}

/// A person reads, for itself. Writing into a chart takes a profession.
fn as_person(wallet: &Address, query: &Query<'_>) -> core::result::Result<Basis, Reason> {
    if query.action != Action::Read {
        return Err(Reason::RoleForbidsAction);
    }
    if query.purpose != Purpose::Personal {
        return Err(Reason::PurposeNotPersonal);
    }
    let Claim::Grant(grant, ancestors) = query.claim else {
        return Err(Reason::NoGrant);
    };
    check_grant(query, grant, &ancestors, |kind, grantee| {
        kind == GranteeKind::Person && grantee == wallet
    })
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
    if !credential.institution.is_active(now) || credential.member.institution != credential.institution.id {
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
    grant: &Grant,
    ancestors: &[Option<&Grant>; DEEPEST as usize],
    names: impl Fn(GranteeKind, &Address) -> bool,
) -> core::result::Result<Basis, Reason> {
    if grant.patient != query.patient.id {
        return Err(Reason::GrantForeign);
    }
    if !GranteeKind::from_byte(grant.grantee_kind).is_some_and(|kind| names(kind, &grant.grantee)) {
        return Err(Reason::GrantNotYours);
    }
    if let Some(fault) = grant.fault(query.now) {
        return Err(fault);
    }
    check_ancestors(grant, ancestors, query.now)?;
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

/// A grant that was passed on lives as long as every grant that it descends from: so revoking one is a single write
/// and takes all below with it.
fn check_ancestors(
    grant: &Grant,
    ancestors: &[Option<&Grant>; DEEPEST as usize],
    now: i64,
) -> core::result::Result<(), Reason> {
    let mut child = grant;
    for ancestor in ancestors {
        if child.parent == NO_ID {
            return Ok(());
        }
        let parent = ancestor
            .filter(|parent| parent.id == child.parent && parent.patient == child.patient)
            .ok_or(Reason::AncestorMissing)?;
        if parent.fault(now).is_some() {
            return Err(Reason::AncestorLapsed);
        }
        child = parent;
    }
    // The deepest there is descends from none further.
    if child.parent == NO_ID {
        Ok(())
    } else {
        Err(Reason::AncestorMissing)
    }
}

/// Whether a policy shares the record with the actor's institution or, for a new one, enrols it as author.
fn check_policy(
    credential: &Credential<'_>,
    policy: &Policy,
    query: &Query<'_>,
) -> core::result::Result<Basis, Reason> {
    if policy.patient != query.patient.id {
        return Err(Reason::PolicyForeign);
    }
    if policy.institution != credential.institution.id {
        return Err(Reason::PolicyNotYours);
    }
    if query.now >= policy.expires {
        return Err(Reason::PolicyExpired);
    }
    if !policy.shares(query.subject.class, query.subject.created_at) {
        return Err(Reason::PolicyOtherClass);
    }
    match query.action {
        Action::Read => {}
        Action::Append if policy.enrols != 0 => {}
        Action::Append => return Err(Reason::NotEnrolled),
        Action::Amend | Action::Share | Action::Aggregate => return Err(Reason::RightNotGranted),
    }
    if policy.purposes & query.purpose.bit() == 0 {
        return Err(Reason::PurposeNotGranted);
    }
    Ok(Basis::Policy)
}

/// Whether the actor's own emergency about this patient is open. It reads and it adds; it does nothing else.
fn check_emergency(
    credential: &Credential<'_>,
    emergency: &Emergency,
    query: &Query<'_>,
) -> core::result::Result<Basis, Reason> {
    if emergency.patient != query.patient.id {
        return Err(Reason::EmergencyForeign);
    }
    if emergency.member != *credential.address {
        return Err(Reason::EmergencyNotYours);
    }
    if credential.member.emergency_credential == 0 {
        return Err(Reason::NoEmergencyCredential);
    }
    if query.now >= emergency.expires {
        return Err(Reason::EmergencyOver);
    }
    if query.purpose != Purpose::Emergency {
        return Err(Reason::PurposeNotEmergency);
    }
    match query.action {
        Action::Read | Action::Append => Ok(Basis::Emergency),
        Action::Amend | Action::Share | Action::Aggregate => Err(Reason::RightNotGranted),
    }
}

/// Whether a member may open an emergency now: with the credential of an approved hospital, none of its own awaiting
/// review, and within the caps of member and institution.
///
/// # Errors
/// The reason of the refusal.
pub fn may_open_emergency(credential: &Credential<'_>, now: i64) -> core::result::Result<(), Reason> {
    let Credential {
        member, institution, ..
    } = credential;
    check_credential(credential, now)?;
    check_role(member.role(), Action::Read, Purpose::Emergency)?;
    if member.emergency_credential == 0 || institution.kind() != Some(InstitutionKind::Hospital) {
        return Err(Reason::NoEmergencyCredential);
    }
    if member.unreviewed_emergencies != 0 || institution.unreviewed_emergencies >= MOST_UNREVIEWED {
        return Err(Reason::EmergencyUnreviewed);
    }
    let room = member.emergencies.has_room(DAY, MEMBER_EMERGENCIES_PER_DAY, now)
        && institution
            .emergencies
            .has_room(DAY, INSTITUTION_EMERGENCIES_PER_DAY, now);
    if room {
        Ok(())
    } else {
        Err(Reason::EmergencyCap)
    }
}

/// Whether a grant may be passed on with these terms: it gives no more than its parent, and not to a person, whom only
/// the patient names. `class` is that of the record that the terms are about, where they are about one.
///
/// # Errors
/// The reason of the refusal.
pub fn may_pass_on(parent: &Grant, terms: &Terms, class: Option<u8>) -> core::result::Result<(), Reason> {
    if parent.depth >= DEEPEST {
        return Err(Reason::TooDeep);
    }
    if terms.grantee_kind == GranteeKind::Person || !parent.contains(terms, class) {
        return Err(Reason::BeyondParent);
    }
    Ok(())
}

/// Whether a role may ask for these rights and purposes at all.
pub fn may_request(role: Option<Role>, rights: u8, purposes: u8) -> bool {
    role.and_then(reach)
        .is_some_and(|(actions, allowed)| rights & !actions == 0 && purposes & !allowed == 0)
}

/// Whether a role can hold the credential to open emergencies.
pub fn may_hold_emergency_credential(kind: Option<InstitutionKind>, role: Option<Role>) -> bool {
    kind == Some(InstitutionKind::Hospital) && check_role(role, Action::Read, Purpose::Emergency).is_ok()
}
