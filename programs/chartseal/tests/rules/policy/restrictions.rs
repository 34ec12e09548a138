//! What takes something away from whoever acts, whatever it had.

use chartseal_program::{seeds::NO_ID, state::*, vocabulary::*};

use super::case::*;

/// Its name, and what it does.
pub(super) type Restriction = (&'static str, fn(&mut Case));

pub(super) const OF_THE_CASE: &[Restriction] = &[
    ("the record is erased", |case| case.erased = true),
    ("no consent", |case| case.consent = false),
    ("nothing is claimed", |case| case.claim = Claimed::Nothing),
    ("somebody else is the author", |case| case.author = Some(key(SOMEBODY))),
    ("somebody else wrote the first version", |case| {
        case.origin = Some(key(SOMEBODY))
    }),
    ("the record was always there", |case| case.created_at = i64::MIN),
    ("the patient has a wallet", |case| case.patient.wallet = key(1)),
    ("another is the steward", |case| case.patient.steward = [8; 16]),
    ("there is no steward", |case| case.patient.steward = NO_ID),
];

pub(super) const OF_THE_CREDENTIAL: &[Restriction] = &[
    ("the member is suspended", |case| {
        case.member.standing = Standing::Suspended.byte()
    }),
    ("the member did not accept", |case| {
        case.member.standing = Standing::Invited.byte()
    }),
    ("the member's standing is no word", |case| case.member.standing = 77),
    ("the membership ends now", |case| case.member.expires = NOW),
    ("the institution is suspended", |case| {
        case.institution.standing = Standing::Suspended.byte()
    }),
    ("the institution did not accept", |case| {
        case.institution.standing = Standing::Invited.byte()
    }),
    ("the institution's standing is no word", |case| {
        case.institution.standing = 77
    }),
    ("the institution's approval ends now", |case| {
        case.institution.expires = NOW
    }),
    ("the institution is another one", |case| {
        case.member.institution = [8; 16]
    }),
    ("the role is to audit", |case| case.member.role = Role::Auditor.byte()),
    ("the role is no word", |case| case.member.role = 77),
];

pub(super) const OF_THE_GRANT: &[Restriction] = &[
    ("the grant is another patient's", |case| {
        case.on_grant(|grant| grant.patient = OTHER)
    }),
    ("the grant is revoked", |case| case.on_grant(|grant| grant.revoked = 1)),
    ("the grant ends now", |case| case.on_grant(|grant| grant.expires = NOW)),
    ("the grant begins later", |case| {
        case.on_grant(|grant| grant.not_before = NOW + 1)
    }),
    ("the grant has no uses left", |case| {
        case.on_grant(|grant| grant.uses_left = 0)
    }),
    ("the grant names another", |case| {
        case.on_grant(|grant| grant.grantee = key(SOMEBODY))
    }),
    ("the grant's grantee is of no kind", |case| {
        case.on_grant(|grant| grant.grantee_kind = 77)
    }),
    ("the grant is on another record", |case| {
        case.on_grant(|grant| (grant.record, grant.classes) = (OTHER, 0));
    }),
    ("the right is not granted", |case| {
        let bit = case.action.bit();
        case.on_grant(|grant| grant.rights &= !bit);
    }),
    ("the purpose is not granted", |case| {
        let bit = case.purpose.bit();
        case.on_grant(|grant| grant.purposes &= !bit);
    }),
    ("the grant descends from one that is nowhere", |case| {
        case.on_grant(|grant| grant.parent = [99; 16]);
    }),
];

/// What takes an ancestor away: its name, and what it does.
type Lapse = (&'static str, fn(&mut Option<Grant>));

/// Of each grant that the claimed one descends from.
pub(super) const OF_AN_ANCESTOR: &[Lapse] = &[
    ("is left out", |ancestor| *ancestor = None),
    ("is another grant", |ancestor| {
        change(ancestor, |grant| grant.id = OTHER)
    }),
    ("is another patient's", |ancestor| {
        change(ancestor, |grant| grant.patient = OTHER)
    }),
    ("is revoked", |ancestor| change(ancestor, |grant| grant.revoked = 1)),
    ("ends now", |ancestor| change(ancestor, |grant| grant.expires = NOW)),
    ("begins later", |ancestor| {
        change(ancestor, |grant| grant.not_before = NOW + 1)
    }),
    ("has no uses left", |ancestor| {
        change(ancestor, |grant| grant.uses_left = 0)
    }),
];

fn change(ancestor: &mut Option<Grant>, by: impl FnOnce(&mut Grant)) {
    if let Some(grant) = ancestor {
        by(grant);
    }
}

pub(super) const OF_THE_POLICY: &[Restriction] = &[
    ("the policy is another patient's", |case| {
        on_policy(case, |policy| policy.patient = OTHER)
    }),
    ("the policy names another institution", |case| {
        on_policy(case, |policy| policy.institution = [8; 16])
    }),
    ("the policy ends now", |case| {
        on_policy(case, |policy| policy.expires = NOW)
    }),
    ("the policy was withdrawn", |case| {
        on_policy(case, |policy| policy.classes = 0)
    }),
    ("the policy began later", |case| {
        let later = case.created_at + 1;
        on_policy(case, |policy| policy.since = [later; 32]);
    }),
    ("the purpose is not in the policy", |case| {
        let bit = case.purpose.bit();
        on_policy(case, |policy| policy.purposes &= !bit);
    }),
];

fn on_policy(case: &mut Case, change: impl FnOnce(&mut Policy)) {
    if let Claimed::Policy(policy) = &mut case.claim {
        change(policy);
    }
}

pub(super) const OF_THE_EMERGENCY: &[Restriction] = &[
    ("the emergency is another patient's", |case| {
        on_emergency(case, |emergency| emergency.patient = OTHER)
    }),
    ("another member opened it", |case| {
        on_emergency(case, |emergency| emergency.member = key(SOMEBODY))
    }),
    ("the emergency ends now", |case| {
        on_emergency(case, |emergency| emergency.expires = NOW)
    }),
    ("the member has no credential for it", |case| {
        case.member.emergency_credential = 0
    }),
    ("it is for treatment", |case| case.purpose = Purpose::Treatment),
];

fn on_emergency(case: &mut Case, change: impl FnOnce(&mut Emergency)) {
    if let Claimed::Emergency(emergency) = &mut case.claim {
        change(emergency);
    }
}

pub(super) const OF_THE_DELEGATE: &[Restriction] = &[
    ("the delegation is about another patient", |case| {
        case.delegate.patient = OTHER
    }),
    ("the delegation is revoked", |case| case.delegate.revoked = 1),
    ("the delegate did not accept", |case| case.delegate.key_epoch = 0),
    ("the delegation ends now", |case| case.delegate.expires = NOW),
    ("the delegate has no such right", |case| {
        case.delegate.rights &= !case.action.bit()
    }),
];
