//! The rules once more, slowly and from their prose alone: every reason that applies, in the order in which they are
//! given, of which the first is the answer.

use chartseal_program::{
    events::Terms,
    state::{Grant, Policy},
    vocabulary::*,
};

use super::case::*;

/// The table of the design: what a role may do, and what for.
pub(super) fn table(role: Role) -> (&'static [Action], &'static [Purpose]) {
    use Action::{Aggregate, Amend, Append, Read, Share};
    use Purpose::{Emergency, Legal, Operations, Payment, Research, Treatment};
    match role {
        Role::Doctor => (
            &[Read, Append, Amend, Share, Aggregate],
            &[Treatment, Operations, Research, Legal, Emergency],
        ),
        Role::Nurse => (&[Read, Append, Amend, Share], &[Treatment, Operations, Emergency]),
        Role::Technician => (&[Read, Append, Amend], &[Treatment, Operations]),
        Role::Insurer => (&[Read, Aggregate], &[Payment]),
        Role::Researcher => (&[Read, Aggregate], &[Research]),
        Role::Auditor => (&[], &[]),
    }
}

/// What speaks against, in order.
#[derive(Default)]
struct Objections(Vec<Reason>);

impl Objections {
    fn object(&mut self, applies: bool, reason: Reason) {
        if applies {
            self.0.push(reason);
        }
    }

    fn first<T>(&self, otherwise: T) -> Result<T, Reason> {
        self.0.first().map_or(Ok(otherwise), |&reason| Err(reason))
    }

    /// A member in good standing, of an institution in good standing, whose role goes that far.
    fn credential(&mut self, case: &Case, action: Action, purpose: Purpose) {
        let (member, institution) = (&case.member, &case.institution);
        self.object(member.standing == 0, Reason::MemberInvited);
        self.object(member.standing >= 2, Reason::MemberSuspended);
        self.object(member.expires <= NOW, Reason::MemberExpired);
        let active = institution.standing == 1 && NOW < institution.expires && institution.id == member.institution;
        self.object(!active, Reason::InstitutionNotActive);
        let (actions, purposes) = Role::from_byte(member.role).map_or((&[][..], &[][..]), table);
        self.object(actions.is_empty(), Reason::RoleForbidsContent);
        self.object(!actions.contains(&action), Reason::RoleForbidsAction);
        self.object(!purposes.contains(&purpose), Reason::RoleForbidsPurpose);
    }

    fn grant(&mut self, case: &Case, grant: &Grant, ancestors: &Ancestors) {
        self.object(grant.patient != PATIENT, Reason::GrantForeign);
        let named = match (case.capacity, grant.grantee_kind) {
            (ActorKind::Member, 0) => grant.grantee == key(MEMBER_ACCOUNT),
            (ActorKind::Member, 1) => grant.grantee == key(INSTITUTION_ACCOUNT),
            (ActorKind::Person, 2) => grant.grantee == key(PERSON_WALLET),
            _ => false,
        };
        self.object(!named, Reason::GrantNotYours);
        self.object(grant.revoked != 0, Reason::GrantRevoked);
        self.object(NOW < grant.not_before, Reason::GrantNotYetValid);
        self.object(grant.expires <= NOW, Reason::GrantExpired);
        self.object(grant.uses_left == 0, Reason::GrantExhausted);
        self.line(grant, ancestors);
        let covered = covers(grant, case.class, RECORD);
        self.object(!covered, Reason::GrantOtherSubject);
        self.object(!has(grant.rights, case.action.byte()), Reason::RightNotGranted);
        self.object(!has(grant.purposes, case.purpose.byte()), Reason::PurposeNotGranted);
    }

    /// Each grant that it descends from is there, and lives.
    fn line(&mut self, grant: &Grant, ancestors: &Ancestors) {
        let mut wanted = grant.parent;
        for ancestor in ancestors {
            if wanted == [0; 16] {
                return;
            }
            match ancestor {
                Some(parent) if parent.id == wanted && parent.patient == grant.patient => {
                    let lives = parent.revoked == 0
                        && parent.uses_left > 0
                        && (parent.not_before..parent.expires).contains(&NOW);
                    self.object(!lives, Reason::AncestorLapsed);
                    wanted = parent.parent;
                }
                _ => return self.object(true, Reason::AncestorMissing),
            }
        }
        self.object(wanted != [0; 16], Reason::AncestorMissing);
    }

    fn policy(&mut self, case: &Case, policy: &Policy) {
        self.object(policy.patient != PATIENT, Reason::PolicyForeign);
        self.object(policy.institution != case.institution.id, Reason::PolicyNotYours);
        self.object(policy.expires <= NOW, Reason::PolicyExpired);
        // Only what was made after the patient chose the class is shared.
        let class = usize::from(case.class);
        let shared = class < 32 && has(policy.classes, case.class) && case.created_at >= policy.since[class];
        self.object(!shared, Reason::PolicyOtherClass);
        let enrolled = case.action != Action::Append || policy.enrols != 0;
        self.object(!enrolled, Reason::NotEnrolled);
        let known = [Action::Read, Action::Append].contains(&case.action);
        self.object(!known, Reason::RightNotGranted);
        self.object(!has(policy.purposes, case.purpose.byte()), Reason::PurposeNotGranted);
    }
}

fn has(mask: impl Into<u64>, bit: u8) -> bool {
    mask.into() >> bit & 1 == 1
}

fn covers(grant: &Grant, class: u8, record: [u8; 16]) -> bool {
    if grant.classes == 0 {
        grant.record == record
    } else {
        class < 32 && has(grant.classes, class)
    }
}

pub(super) fn decision(case: &Case) -> Result<Basis, Reason> {
    let mut against = Objections::default();
    against.object(case.erased, Reason::RecordErased);
    let begun_by_patient = case.origin == Some(key(PATIENT_ACCOUNT));
    let rewrites = case.action == Action::Amend && !begun_by_patient;
    match case.capacity {
        ActorKind::Patient => {
            against.object(rewrites, Reason::NotTheAuthor);
            against.first(Basis::Patient)
        }
        ActorKind::Delegate => {
            let delegate = &case.delegate;
            against.object(delegate.patient != case.patient.id, Reason::DelegateForeign);
            against.object(delegate.revoked != 0, Reason::DelegateRevoked);
            against.object(delegate.key_epoch == 0, Reason::DelegateNotAccepted);
            against.object(delegate.expires <= NOW, Reason::DelegateExpired);
            against.object(case.purpose != Purpose::Personal, Reason::PurposeNotPersonal);
            against.object(!has(delegate.rights, case.action.byte()), Reason::RightNotGranted);
            against.object(rewrites, Reason::NotTheAuthor);
            against.first(Basis::Delegate)
        }
        ActorKind::Person => {
            against.object(case.action != Action::Read, Reason::RoleForbidsAction);
            against.object(case.purpose != Purpose::Personal, Reason::PurposeNotPersonal);
            match &case.claim {
                Claimed::Grant(line) => against.grant(case, &line.0, &line.1),
                _ => against.object(true, Reason::NoGrant),
            }
            against.first(Basis::Grant)
        }
        ActorKind::Member => as_member(case, against),
    }
}

fn as_member(case: &Case, mut against: Objections) -> Result<Basis, Reason> {
    against.credential(case, case.action, case.purpose);
    let wrote = [case.author, case.origin].contains(&Some(key(MEMBER_ACCOUNT)));
    let stewarded =
        case.patient.wallet == key(0) && case.patient.steward == case.institution.id && case.patient.steward != [0; 16];
    if case.consent {
        return against.first(Basis::Consent);
    }
    if case.action == Action::Read && wrote {
        return against.first(Basis::Author);
    }
    if case.action == Action::Append && stewarded {
        return against.first(Basis::Steward);
    }
    match &case.claim {
        Claimed::Nothing => {
            against.object(true, Reason::NoGrant);
            against.first(Basis::Grant)
        }
        Claimed::Grant(line) => {
            against.grant(case, &line.0, &line.1);
            against.first(Basis::Grant)
        }
        Claimed::Policy(policy) => {
            against.policy(case, policy);
            against.first(Basis::Policy)
        }
        Claimed::Emergency(emergency) => {
            against.object(emergency.patient != PATIENT, Reason::EmergencyForeign);
            against.object(emergency.member != key(MEMBER_ACCOUNT), Reason::EmergencyNotYours);
            against.object(case.member.emergency_credential == 0, Reason::NoEmergencyCredential);
            against.object(emergency.expires <= NOW, Reason::EmergencyOver);
            against.object(case.purpose != Purpose::Emergency, Reason::PurposeNotEmergency);
            let known = [Action::Read, Action::Append].contains(&case.action);
            against.object(!known, Reason::RightNotGranted);
            against.first(Basis::Emergency)
        }
    }
}

/// Emergencies that a member, and the members of an institution, open within 24 hours; and how many an institution may
/// leave unreviewed. Written out, so that changing one is a decision.
pub(super) const OF_A_MEMBER: u32 = 4;
pub(super) const OF_AN_INSTITUTION: u32 = 40;
pub(super) const UNREVIEWED: u32 = 20;
pub(super) const A_DAY: i64 = 24 * 60 * 60;

pub(super) fn opening(case: &Case) -> Result<(), Reason> {
    let (member, institution) = (&case.member, &case.institution);
    let mut against = Objections::default();
    against.credential(case, Action::Read, Purpose::Emergency);
    let hospital = institution.kind == 0;
    against.object(
        member.emergency_credential == 0 || !hospital,
        Reason::NoEmergencyCredential,
    );
    let waits = member.unreviewed_emergencies > 0 || institution.unreviewed_emergencies >= UNREVIEWED;
    against.object(waits, Reason::EmergencyUnreviewed);
    let full = |since: i64, count: u32, cap: u32| NOW - since < A_DAY && count >= cap;
    against.object(
        full(member.emergencies.since, member.emergencies.count, OF_A_MEMBER)
            || full(
                institution.emergencies.since,
                institution.emergencies.count,
                OF_AN_INSTITUTION,
            ),
        Reason::EmergencyCap,
    );
    against.first(())
}

/// Whether everything that the terms would allow is allowed by the parent too: tried out, one question after another.
pub(super) fn passing_on(parent: &Grant, terms: &Terms, class: Option<u8>) -> Result<(), Reason> {
    let mut against = Objections::default();
    against.object(parent.depth >= 3, Reason::TooDeep);
    let mut beyond = terms.grantee_kind == GranteeKind::Person || terms.uses > parent.uses_left;
    match class {
        Some(class) => beyond |= !covers(parent, class, terms.record),
        // Records of a class that exist, and those that nobody made yet.
        None => {
            for class in (0..32).filter(|&class| has(terms.classes, class)) {
                beyond |= !covers(parent, class, RECORD) || !covers(parent, class, OTHER);
            }
        }
    }
    for bit in 0..8 {
        beyond |= has(terms.rights, bit) && !has(parent.rights, bit);
        beyond |= has(terms.purposes, bit) && !has(parent.purposes, bit);
    }
    let lives = |not_before: i64, expires: i64, at: i64| not_before <= at && at < expires;
    for at in [terms.not_before, terms.expires - 1] {
        beyond |= lives(terms.not_before, terms.expires, at) && !lives(parent.not_before, parent.expires, at);
    }
    against.object(beyond, Reason::BeyondParent);
    against.first(())
}
