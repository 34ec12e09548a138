//! Patients, who acts for them, and their recovery.

use chartseal_program::{
    builders as ix,
    instructions::*,
    seeds::Id,
    state::{MOST_GUARDIANS, SHORTEST_DELAY},
    vocabulary::*,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANY};
use crate::{common::*, people::*};

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("open_patient", "by itself", ANY, |stage| open_patient(stage, false)),
    ("open_patient", "by a steward", ANY, |stage| open_patient(stage, true)),
    ("propose_wallet", "by the patient", ANY, |stage| propose_wallet(stage, false)),
    ("propose_wallet", "by a steward", ANY, |stage| propose_wallet(stage, true)),
    ("accept_wallet", "of a patient", ANY, |stage| accept_wallet(stage, false)),
    ("accept_wallet", "of a steward's patient", ANY, |stage| accept_wallet(stage, true)),
    ("rotate_patient_key", "", ANY, rotate_patient_key),
    ("name_delegate", "", ANY, name_delegate),
    ("accept_delegation", "", ANY, accept_delegation),
    ("revoke_delegate", "by the patient", ANY, |stage| revoke_delegate(stage, false)),
    ("revoke_delegate", "by the delegate", ANY, |stage| revoke_delegate(stage, true)),
    ("set_guardians", "five", ANY, |stage| set_guardians(stage, false)),
    ("set_guardians", "five in place of five who voted", ANY, |stage| set_guardians(stage, true)),
    ("set_break_glass", "five", ANY, |stage| set_break_glass(stage, false)),
    ("set_break_glass", "five in place of five", ANY, |stage| set_break_glass(stage, true)),
    ("vote_recovery", "the first of five", ANY, first_vote),
    ("vote_recovery", "the fifth, which decides", ANY, deciding_vote),
    ("vote_recovery", "changed, so that five agree no more", ANY, changed_vote),
    ("object_to_recovery", "of five", ANY, object_to_recovery),
    ("finish_recovery", "of five", ANY, finish_recovery),
];

fn open_patient(stage: &mut Stage, stewarded: bool) -> Case {
    let args = OpenPatientArgs {
        id: stage.random_id(),
        keys: keys(3),
    };
    let hospital = stage.world.hospital.clone();
    let (opener, steward) = match stewarded {
        true => (hospital.authority, Some(&hospital.id)),
        false => (Keypair::new(), None),
    };
    let open = ix::open_patient(opener.pubkey(), stage.payer(), steward, args);
    Case::new(open, &[&opener])
}

/// Who hands the patient over: the steward of one without a wallet, or the patient.
fn issuer(stage: &mut Stage, stewarded: bool) -> (Keypair, Option<Id>) {
    if stewarded {
        let by = stage.steward_patient();
        (stage.world.hospital.authority.insecure_clone(), by.steward)
    } else {
        (stage.world.patient.wallet.insecure_clone(), None)
    }
}

fn propose_wallet(stage: &mut Stage, stewarded: bool) -> Case {
    let (issuer, steward) = issuer(stage, stewarded);
    let next = Keypair::new().pubkey();
    let propose = ix::propose_wallet(issuer.pubkey(), steward.as_ref(), &stage.world.patient.id, next);
    Case::new(propose, &[&issuer])
}

fn accept_wallet(stage: &mut Stage, stewarded: bool) -> Case {
    let ((issuer, steward), next) = (issuer(stage, stewarded), Keypair::new());
    let (patient, steward) = (stage.world.patient.id, steward.as_ref());
    let propose = ix::propose_wallet(issuer.pubkey(), steward, &patient, next.pubkey());
    stage.world.chain.must(propose, &[&issuer]);
    Case::new(ix::accept_wallet(next.pubkey(), steward, &patient, keys(7)), &[&next])
}

fn rotate_patient_key(stage: &mut Stage) -> Case {
    let patient = &stage.world.patient;
    let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(7));
    Case::new(rotate, &[&patient.wallet])
}

fn name_delegate(stage: &mut Stage) -> Case {
    let args = stage.world.delegation(&Keypair::new(), Action::MASK);
    let patient = &stage.world.patient;
    let name = ix::name_delegate(patient.wallet.pubkey(), stage.payer(), &patient.id, args);
    Case::new(name, &[&patient.wallet])
}

fn accept_delegation(stage: &mut Stage) -> Case {
    let carer = stage.world.named_delegate(Action::MASK);
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &stage.world.patient.id, &carer.id, keys(8));
    Case::new(accept, &[&carer.wallet])
}

fn revoke_delegate(stage: &mut Stage, by_itself: bool) -> Case {
    let carer = stage.world.delegate(Action::MASK);
    let patient = &stage.world.patient;
    let wallet = if by_itself { &carer.wallet } else { &patient.wallet };
    Case::new(ix::revoke_delegate(wallet.pubkey(), &patient.id, &carer.id), &[wallet])
}

fn set_guardians(stage: &mut Stage, again: bool) -> Case {
    if again {
        agreed(stage);
    }
    let wallets: Vec<_> = (0..MOST_GUARDIANS).map(|_| Keypair::new()).collect();
    let args = SetGuardiansArgs {
        guardians: named(&wallets),
        threshold: MOST_GUARDIANS as u8,
        delay: SHORTEST_DELAY,
    };
    let patient = &stage.world.patient;
    let set = ix::set_guardians(patient.wallet.pubkey(), stage.payer(), &patient.id, args);
    Case::new(set, &[&patient.wallet])
}

fn set_break_glass(stage: &mut Stage, again: bool) -> Case {
    let mut holders: Vec<_> = (1..MOST_GUARDIANS)
        .map(|_| {
            let number = stage.number();
            stage.world.chain.institution(number, InstitutionKind::Hospital).id
        })
        .collect();
    holders.push(stage.world.hospital.id);
    let (patient, threshold) = (stage.world.patient.clone(), MOST_GUARDIANS as u8);
    let wallet = patient.wallet.pubkey();
    if again {
        let set = ix::set_break_glass(wallet, wallet, &patient.id, &holders, threshold);
        stage.world.chain.must(set, &[&patient.wallet]);
        holders.reverse();
    }
    let set = ix::set_break_glass(wallet, stage.payer(), &patient.id, &holders, threshold);
    Case::new(set, &[&patient.wallet])
}

/// Five guardians, all of whom have to agree.
fn guardians(stage: &mut Stage) -> Vec<Keypair> {
    stage.world.guardians(MOST_GUARDIANS, MOST_GUARDIANS as u8)
}

/// Five guardians who agreed on a wallet.
fn agreed(stage: &mut Stage) -> (Vec<Keypair>, Keypair) {
    let (guardians, next) = (guardians(stage), Keypair::new());
    for guardian in &guardians {
        stage.world.vote(guardian, &next);
    }
    (guardians, next)
}

fn first_vote(stage: &mut Stage) -> Case {
    let guardians = guardians(stage);
    let vote = stage.world.vote_ix(&guardians[0], Keypair::new().pubkey(), keys(6));
    Case::new(vote, &[&guardians[0]])
}

fn deciding_vote(stage: &mut Stage) -> Case {
    let (guardians, next) = (guardians(stage), Keypair::new());
    let (last, others) = guardians.split_last().unwrap();
    for guardian in others {
        stage.world.vote(guardian, &next);
    }
    Case::new(stage.world.vote_ix(last, next.pubkey(), keys(6)), &[last])
}

fn changed_vote(stage: &mut Stage) -> Case {
    let (guardians, _) = agreed(stage);
    let last = &guardians[MOST_GUARDIANS - 1];
    Case::new(stage.world.vote_ix(last, Keypair::new().pubkey(), keys(6)), &[last])
}

fn object_to_recovery(stage: &mut Stage) -> Case {
    agreed(stage);
    let patient = &stage.world.patient;
    let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
    Case::new(object, &[&patient.wallet])
}

fn finish_recovery(stage: &mut Stage) -> Case {
    let (_, next) = agreed(stage);
    stage.world.wait(SHORTEST_DELAY);
    Case::new(ix::finish_recovery(next.pubkey(), &stage.world.patient.id), &[&next])
}
