//! Records: writing, reading, erasing.

use chartseal_program::{
    builders::{self as ix, By},
    instructions::*,
    seeds::Id,
    vocabulary::Reason,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{ways::Way, Case, Entry, Stage, ACCESS, AMEND, ANCESTORS, ANY, CREATE};
use crate::common::*;

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("create_record", "by the patient", CREATE, |stage| create(stage, Way::Patient)),
    ("create_record", "by the patient, all passed along", ANCESTORS, |stage| create(stage, Way::PatientWithAll)),
    ("create_record", "by a delegate", CREATE, |stage| create(stage, Way::Delegate)),
    ("create_record", "by consent", CREATE, |stage| create(stage, Way::Consent)),
    ("create_record", "by a member's grant", CREATE, |stage| create(stage, Way::MemberGrant)),
    ("create_record", "by an institution's grant", CREATE, |stage| create(stage, Way::InstitutionGrant)),
    ("create_record", "by a grant with three ancestors", ANCESTORS, |stage| create(stage, Way::Line)),
    ("create_record", "by consent, three ancestors", ANCESTORS, |stage| create(stage, Way::LineWithConsent)),
    ("create_record", "by a policy", CREATE, |stage| create(stage, Way::Policy)),
    ("create_record", "in an emergency", CREATE, |stage| create(stage, Way::Emergency)),
    ("create_record", "by a steward's member", CREATE, |stage| create(stage, Way::Steward)),
    ("create_record", "refused, no claim", CREATE, |stage| create(stage, Way::NoClaim)),
    ("create_record", "refused, revoked grant", CREATE, |stage| create(stage, Way::Revoked)),
    ("create_record", "refused, missing grant", CREATE, |stage| create(stage, Way::Missing)),
    ("create_record", "refused, first ancestor revoked", ANCESTORS, |stage| create(stage, Way::LineRevoked)),
    ("amend_record", "by the patient", AMEND, |stage| amend(stage, Way::Patient)),
    ("amend_record", "by the patient, all passed along", ANCESTORS, |stage| amend(stage, Way::PatientWithAll)),
    ("amend_record", "by a delegate", AMEND, |stage| amend(stage, Way::Delegate)),
    ("amend_record", "by consent", AMEND, |stage| amend(stage, Way::Consent)),
    ("amend_record", "by a member's grant", AMEND, |stage| amend(stage, Way::MemberGrant)),
    ("amend_record", "by an institution's grant", AMEND, |stage| amend(stage, Way::InstitutionGrant)),
    ("amend_record", "by a grant with three ancestors", ANCESTORS, |stage| amend(stage, Way::Line)),
    ("amend_record", "by consent, three ancestors", ANCESTORS, |stage| amend(stage, Way::LineWithConsent)),
    ("amend_record", "refused, no claim", AMEND, |stage| amend(stage, Way::NoClaim)),
    ("amend_record", "refused, revoked grant", AMEND, |stage| amend(stage, Way::Revoked)),
    ("amend_record", "refused, missing grant", AMEND, |stage| amend(stage, Way::Missing)),
    ("amend_record", "refused, by a policy", AMEND, |stage| amend(stage, Way::PolicyRefused)),
    ("amend_record", "refused, in an emergency", AMEND, |stage| amend(stage, Way::EmergencyRefused)),
    ("amend_record", "refused, first ancestor revoked", ANCESTORS, |stage| amend(stage, Way::LineRevoked)),
    ("access_record", "by the patient", ACCESS, |stage| access(stage, Way::Patient)),
    ("access_record", "by the patient, all passed along", ANCESTORS, |stage| access(stage, Way::PatientWithAll)),
    ("access_record", "by a delegate", ACCESS, |stage| access(stage, Way::Delegate)),
    ("access_record", "by the author", ACCESS, |stage| access(stage, Way::Author)),
    ("access_record", "by a member's grant", ACCESS, |stage| access(stage, Way::MemberGrant)),
    ("access_record", "by an institution's grant", ACCESS, |stage| access(stage, Way::InstitutionGrant)),
    ("access_record", "by a person's grant", ACCESS, |stage| access(stage, Way::PersonGrant)),
    ("access_record", "by a grant with three ancestors", ANCESTORS, |stage| access(stage, Way::Line)),
    ("access_record", "by a policy", ACCESS, |stage| access(stage, Way::Policy)),
    ("access_record", "in an emergency", ACCESS, |stage| access(stage, Way::Emergency)),
    ("access_record", "an earlier version, by its author", ACCESS, |stage| access_earlier(stage, Way::Author)),
    ("access_record", "refused, an earlier version", ACCESS, |stage| access_earlier(stage, Way::MemberGrant)),
    ("access_record", "refused, no claim", ACCESS, |stage| access(stage, Way::NoClaim)),
    ("access_record", "refused, revoked grant", ACCESS, |stage| access(stage, Way::Revoked)),
    ("access_record", "refused, missing grant", ACCESS, |stage| access(stage, Way::Missing)),
    ("access_record", "refused, a person's purpose", ACCESS, |stage| access(stage, Way::PersonRefused)),
    ("access_record", "refused, first ancestor revoked", ANCESTORS, |stage| access(stage, Way::LineRevoked)),
    ("erase_record", "by the patient", ANY, |stage| erase(stage, false)),
    ("erase_record", "by a steward", ANY, |stage| erase(stage, true)),
    ("attest_erasure", "by the patient", ANY, |stage| attest(stage, Witness::Patient)),
    ("attest_erasure", "by a steward", ANY, |stage| attest(stage, Witness::Steward)),
    ("attest_erasure", "by a member", ANY, |stage| attest(stage, Witness::Member)),
];

fn create(stage: &mut Stage, way: Way) -> Case {
    let actor = stage.actor(way);
    let args = CreateRecordArgs {
        purpose: actor.purpose,
        grant: actor.acting.claimed(),
        ..stage.world.record_args(0)
    };
    let consent = actor.consent.as_ref().map(Signer::pubkey);
    let patient = &stage.world.patient.id;
    let create = ix::create_record(&actor.acting, stage.payer(), consent, patient, args);
    Case::new(create, &actor.signers()).expecting(actor.answer)
}

fn amend(stage: &mut Stage, way: Way) -> Case {
    let record = stage.record_for(way);
    let actor = stage.actor(way);
    let args = AmendRecordArgs {
        request: stage.world.id(),
        expected_version: 1,
        purpose: actor.purpose,
        grant: actor.acting.claimed(),
        content: content(9),
    };
    let consent = actor.consent.as_ref().map(Signer::pubkey);
    let amend = ix::amend_record(&actor.acting, consent, &stage.world.patient.id, &record, args);
    Case::new(amend, &actor.signers()).expecting(actor.answer)
}

fn access(stage: &mut Stage, way: Way) -> Case {
    let actor = stage.actor(way);
    // A policy shares what is written after it was set.
    let record = stage.world.record();
    let access = stage.world.access_ix(&actor.acting, record, actor.purpose);
    Case::new(access, &actor.signers()).expecting(actor.answer)
}

/// Asks for the first version of a record that has another since.
fn access_earlier(stage: &mut Stage, way: Way) -> Case {
    let record = stage.world.record();
    let amender = stage.actor(Way::MemberGrant);
    let amended = stage
        .world
        .amend(&amender.wallet, &amender.acting, record, amender.purpose);
    assert_eq!(amended, amender.answer);
    let actor = stage.actor(way);
    let args = AccessRecordArgs {
        request: stage.world.id(),
        version: 1,
        purpose: actor.purpose,
        grant: actor.acting.claimed(),
    };
    let access = ix::access_record(&actor.acting, &stage.world.patient.id, &record, args);
    let answer = match way {
        Way::Author => actor.answer,
        _ => Err(Reason::OlderVersion),
    };
    Case::new(access, &actor.signers()).expecting(answer)
}

/// A record, and who decides for its patient.
fn decided(stage: &mut Stage, stewarded: bool) -> (Id, By, Keypair) {
    if stewarded {
        let actor = stage.actor(Way::Steward);
        let (record, answer) = stage.world.write(&actor.wallet, &actor.acting, 0, actor.purpose);
        assert_eq!(answer, actor.answer);
        let hospital = stage.world.hospital.clone();
        (record, hospital.stewards(), hospital.authority)
    } else {
        let (record, patient) = (stage.world.record(), stage.world.patient.clone());
        (record, patient.deciding(), patient.wallet)
    }
}

fn erase(stage: &mut Stage, stewarded: bool) -> Case {
    let (record, by, wallet) = decided(stage, stewarded);
    Case::new(ix::erase_record(&by, &stage.world.patient.id, &record), &[&wallet])
}

/// Who attests an erasure.
#[derive(Clone, Copy, PartialEq)]
enum Witness {
    Patient,
    Steward,
    Member,
}

fn attest(stage: &mut Stage, witness: Witness) -> Case {
    let (record, by, wallet) = decided(stage, witness == Witness::Steward);
    let (patient, doctor) = (stage.world.patient.id, stage.world.doctor.clone());
    let erase = ix::erase_record(&by, &patient, &record);
    stage.world.chain.must(erase, &[&wallet]);
    let (wallet, institution, member) = match witness {
        Witness::Patient => (wallet, None, None),
        Witness::Steward => (wallet, by.steward, None),
        Witness::Member => (doctor.wallet, Some(doctor.institution), Some(doctor.id)),
    };
    let (institution, member) = (institution.as_ref(), member.as_ref());
    let args = AttestErasureArgs { receipt: [6; 32] };
    let attest = ix::attest_erasure(wallet.pubkey(), institution, member, &patient, &record, args);
    Case::new(attest, &[&wallet])
}
