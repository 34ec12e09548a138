//! Emergencies and their reviews.

use chartseal_program::{
    builders::{self as ix, Reviewing},
    vocabulary::*,
};
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANY};

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("open_emergency", "", ANY, |stage| open(stage, true)),
    ("open_emergency", "refused", ANY, |stage| open(stage, false)),
    ("review_emergency", "by the patient", ANY, |stage| review(stage, ReviewedBy::Patient)),
    ("review_emergency", "by a delegate", ANY, |stage| review(stage, ReviewedBy::Delegate)),
    ("review_emergency", "by the authority", ANY, |stage| review(stage, ReviewedBy::Authority)),
    ("review_emergency", "by an auditor", ANY, |stage| review(stage, ReviewedBy::Auditor)),
    ("review_emergency", "by the authority, turned", ANY, review_turned),
];

fn open(stage: &mut Stage, credential: bool) -> Case {
    let doctor = match credential {
        true => stage.world.emergency_doctor(),
        false => stage.world.doctor.clone(),
    };
    let (args, member) = (stage.world.emergency_args(), (&doctor.institution, &doctor.id));
    let (wallet, patient) = (doctor.wallet.pubkey(), &stage.world.patient.id);
    let open = ix::open_emergency(wallet, stage.payer(), member, patient, args);
    let case = Case::new(open, &[&doctor.wallet]);
    if credential {
        case
    } else {
        case.expecting(Err(Reason::NoEmergencyCredential))
    }
}

#[derive(Clone, Copy)]
enum ReviewedBy {
    Patient,
    Delegate,
    Authority,
    Auditor,
}

fn review(stage: &mut Stage, by: ReviewedBy) -> Case {
    let doctor = stage.world.emergency_doctor();
    let emergency = stage.world.open_emergency(&doctor);
    let hospital = stage.world.hospital.clone();
    let (by, wallet, reviewer) = match by {
        ReviewedBy::Patient => {
            let wallet = stage.world.patient.wallet.insecure_clone();
            (Reviewing::wallet(wallet.pubkey()), wallet, Reviewer::Patient)
        }
        ReviewedBy::Delegate => {
            let carer = stage.world.delegate(Action::Share.bit());
            (carer.reviewing(), carer.wallet, Reviewer::Patient)
        }
        ReviewedBy::Authority => {
            let wallet = hospital.authority;
            (Reviewing::wallet(wallet.pubkey()), wallet, Reviewer::Institution)
        }
        ReviewedBy::Auditor => {
            let number = stage.number();
            let auditor = stage.world.chain.member(&hospital, number, Role::Auditor);
            let by = Reviewing {
                auditor: Some(auditor.id),
                ..Reviewing::wallet(auditor.wallet.pubkey())
            };
            (by, auditor.wallet, Reviewer::Institution)
        }
    };
    let review = stage
        .world
        .review_ix(&by, &doctor, &emergency, reviewer, Verdict::Unjustified);
    Case::new(review, &[&wallet])
}

/// The institution found an emergency justified, and now does not.
fn review_turned(stage: &mut Stage) -> Case {
    let (doctor, hospital) = (stage.world.emergency_doctor(), stage.world.hospital.clone());
    let emergency = stage.world.open_emergency(&doctor);
    stage.world.hospital_reviews(&doctor, &emergency, Verdict::Justified);
    let by = Reviewing::wallet(hospital.authority.pubkey());
    let review = stage
        .world
        .review_ix(&by, &doctor, &emergency, Reviewer::Institution, Verdict::Unjustified);
    Case::new(review, &[&hospital.authority])
}
