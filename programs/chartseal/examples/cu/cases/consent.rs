//! Grants, policies and requests.

use chartseal_program::{
    builders::{self as ix, By},
    events::Terms,
    instructions::*,
    seeds::Id,
    vocabulary::*,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANCESTORS, ANY, CREATE};
use crate::common::*;

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("create_grant", "to a member", CREATE, |stage| create_grant(stage, Decider::Patient, GranteeKind::Member)),
    ("create_grant", "to an institution", CREATE, |stage| create_grant(stage, Decider::Patient, GranteeKind::Institution)),
    ("create_grant", "to a person", CREATE, |stage| create_grant(stage, Decider::Patient, GranteeKind::Person)),
    ("create_grant", "by a steward", CREATE, |stage| create_grant(stage, Decider::Steward, GranteeKind::Member)),
    ("create_grant", "by a delegate", CREATE, |stage| create_grant(stage, Decider::Delegate, GranteeKind::Member)),
    ("revoke_grant", "by the patient", ANY, |stage| revoke_grant(stage, Decider::Patient)),
    ("revoke_grant", "by a steward", ANY, |stage| revoke_grant(stage, Decider::Steward)),
    ("revoke_grant", "by a delegate", ANY, |stage| revoke_grant(stage, Decider::Delegate)),
    ("revoke_grant", "by who passed it on", ANY, revoke_passed_on),
    ("pass_on_grant", "that the patient gave", ANY, |stage| pass_on_grant(stage, 0)),
    ("pass_on_grant", "at depth 1, one ancestor", ANY, |stage| pass_on_grant(stage, 1)),
    ("pass_on_grant", "at depth 2, two ancestors", ANCESTORS, |stage| pass_on_grant(stage, 2)),
    ("pass_on_grant", "at depth 3, refused", ANCESTORS, |stage| pass_on_grant(stage, 3)),
    ("set_policy", "by the patient", ANY, |stage| set_policy(stage, Decider::Patient, Policy::New)),
    ("set_policy", "by a steward", ANY, |stage| set_policy(stage, Decider::Steward, Policy::New)),
    ("set_policy", "by a delegate", ANY, |stage| set_policy(stage, Decider::Delegate, Policy::New)),
    ("set_policy", "changed", ANY, |stage| set_policy(stage, Decider::Delegate, Policy::Changed)),
    ("set_policy", "withdrawn", ANY, |stage| set_policy(stage, Decider::Delegate, Policy::Withdrawn)),
    ("request_access", "to a class", ANY, |stage| request_access(stage, false)),
    ("request_access", "to a record", ANY, |stage| request_access(stage, true)),
    ("decide_request", "approving, by the patient", ANY, |stage| decide_request(stage, Decider::Patient, true)),
    ("decide_request", "approving, by a steward", ANY, |stage| decide_request(stage, Decider::Steward, true)),
    ("decide_request", "approving, by a delegate", ANY, |stage| decide_request(stage, Decider::Delegate, true)),
    ("decide_request", "denying, by a delegate", ANY, |stage| decide_request(stage, Decider::Delegate, false)),
];

#[derive(Clone, Copy, PartialEq)]
enum Decider {
    Patient,
    Steward,
    Delegate,
}

/// Who decides for the patient, and with which wallet.
fn deciding(stage: &mut Stage, decider: Decider) -> (By, Keypair) {
    match decider {
        Decider::Patient => {
            let patient = stage.world.patient.clone();
            (patient.deciding(), patient.wallet)
        }
        Decider::Steward => {
            let by = stage.steward_patient();
            (by, stage.world.hospital.authority.insecure_clone())
        }
        Decider::Delegate => {
            let carer = stage.world.delegate(Action::MASK);
            (carer.deciding(), carer.wallet)
        }
    }
}

/// A record of the patient, whoever decides for it.
fn record(stage: &mut Stage, decider: Decider) -> Id {
    if decider == Decider::Steward {
        let doctor = stage.world.doctor.clone();
        let (record, answer) = stage
            .world
            .write(&doctor.wallet, &doctor.acting(), 0, Purpose::Treatment);
        assert_eq!(answer, Ok(Basis::Steward));
        record
    } else {
        stage.world.record()
    }
}

fn create_grant(stage: &mut Stage, decider: Decider, kind: GranteeKind) -> Case {
    let (by, wallet) = deciding(stage, decider);
    let record = record(stage, decider);
    let grantee = match kind {
        GranteeKind::Member => stage.world.insurer.address(),
        GranteeKind::Institution => stage.world.insurance.address(),
        GranteeKind::Person => Keypair::new().pubkey(),
    };
    let key = if kind == GranteeKind::Person { [7; 32] } else { [0; 32] };
    let terms = Terms {
        record,
        classes: 0,
        grantee_key: key,
        uses: 9,
        ..stage.world.terms(kind, grantee)
    };
    let id = stage.world.grant_id();
    let args = CreateGrantArgs { id, terms };
    let create = ix::create_grant(&by, stage.payer(), &stage.world.patient.id, args);
    Case::new(create, &[&wallet])
}

fn revoke_grant(stage: &mut Stage, decider: Decider) -> Case {
    let (by, wallet) = deciding(stage, decider);
    let grant = stage.given(&by, &wallet);
    let revoke = ix::revoke_grant(&by, &stage.world.patient.id, &grant);
    Case::new(revoke, &[&wallet])
}

fn revoke_passed_on(stage: &mut Stage) -> Case {
    let line = stage.world.passed_on(|_| {});
    let wallet = line.wallet(2);
    let revoke = ix::revoke_grant(&By::wallet(wallet.pubkey()), &stage.world.patient.id, &line.grants[3]);
    Case::new(revoke, &[wallet])
}

/// Passes on, for one record, a grant that has this depth.
fn pass_on_grant(stage: &mut Stage, depth: usize) -> Case {
    let record = stage.world.record();
    let line = stage.world.passed_on(|terms| terms.uses = 9);
    let terms = Terms {
        record,
        classes: 0,
        uses: 1,
        ..stage.world.terms(GranteeKind::Member, stage.world.insurer.address())
    };
    let acting = line.acting(depth);
    let args = stage.world.pass_on_args(&acting, terms);
    let pass = ix::pass_on_grant(&acting, stage.payer(), &stage.world.patient.id, args);
    let case = Case::new(pass, &[line.wallet(depth)]);
    if depth == 3 {
        case.expecting(Err(Reason::TooDeep))
    } else {
        case
    }
}

#[derive(Clone, Copy)]
enum Policy {
    New,
    Changed,
    Withdrawn,
}

fn set_policy(stage: &mut Stage, decider: Decider, policy: Policy) -> Case {
    let (by, wallet) = deciding(stage, decider);
    let hospital = stage.world.hospital.clone();
    let all = SetPolicyArgs {
        classes: u32::MAX,
        purposes: Purpose::MASK,
        enrols: true,
        ..stage.world.policy_args()
    };
    let args = match policy {
        Policy::New => all,
        Policy::Changed => {
            stage.world.set_policy(&hospital, |_| {});
            all
        }
        Policy::Withdrawn => {
            stage.world.set_policy(&hospital, |args| *args = all);
            SetPolicyArgs {
                classes: 0,
                purposes: 0,
                enrols: false,
                ..all
            }
        }
    };
    let set = ix::set_policy(&by, stage.payer(), &stage.world.patient.id, &hospital.id, args);
    Case::new(set, &[&wallet])
}

fn request_access(stage: &mut Stage, to_record: bool) -> Case {
    let (doctor, mut args) = (stage.world.doctor.clone(), stage.world.request_args());
    if to_record {
        (args.record, args.classes) = (stage.world.record(), 0);
    }
    let (wallet, member) = (doctor.wallet.pubkey(), (&doctor.institution, &doctor.id));
    let request = ix::request_access(wallet, stage.payer(), member, &stage.world.patient.id, args);
    Case::new(request, &[&doctor.wallet])
}

fn decide_request(stage: &mut Stage, decider: Decider, approving: bool) -> Case {
    let (by, wallet) = deciding(stage, decider);
    let (record, doctor) = (record(stage, decider), stage.world.doctor.clone());
    let request = stage
        .world
        .request(&doctor, |args| (args.record, args.classes) = (record, 0));
    let approval = Approval {
        grant: stage.world.grant_id(),
        rights: Action::Read.bit(),
        purposes: Purpose::Treatment.bit(),
        classes: 0,
        not_before: 0,
        expires: stage.world.chain.now() + DAY,
        uses: 3,
    };
    let args = DecideRequestArgs {
        approval: approving.then_some(approval),
    };
    let subject = (&request, Some(&record));
    let decide = ix::decide_request(&by, stage.payer(), &stage.world.patient.id, subject, args);
    Case::new(decide, &[&wallet])
}
