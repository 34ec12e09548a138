//! Batches, with the longest proofs that fit a transaction.

use chartseal_program::{
    builders as ix,
    instructions::*,
    log::sha256_of,
    merkle::{Hash, Leaf},
    seeds::{address, BATCH},
};
use solana_signer::Signer;

use super::{ways::Way, Case, Entry, Stage, ANY, PROOF};
use crate::common::*;

// A batch of 65,536 records has proofs of depth 16. Whoever claims more, or lets another pay, has room for shorter ones.
#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("anchor_batch", "", ANY, anchor),
    ("promote_batched", "by the patient, depth 16", PROOF, |stage| promote(stage, Way::Patient, 16)),
    ("promote_batched", "by a member's grant, depth 16", PROOF, |stage| promote(stage, Way::MemberGrant, 16)),
    ("promote_batched", "by a policy, depth 16", PROOF, |stage| promote(stage, Way::Policy, 16)),
    ("promote_batched", "in an emergency, depth 16", PROOF, |stage| promote(stage, Way::Emergency, 16)),
    ("promote_batched", "by a steward's member, depth 16", PROOF, |stage| promote(stage, Way::Steward, 16)),
    ("promote_batched", "by a delegate, depth 16", PROOF, |stage| promote(stage, Way::Delegate, 16)),
    ("promote_batched", "by consent, depth 13", PROOF, |stage| promote(stage, Way::Consent, 13)),
    ("promote_batched", "three ancestors, depth 13", PROOF, |stage| promote(stage, Way::Line, 13)),
    ("promote_batched", "refused, no claim, depth 16", PROOF, |stage| promote(stage, Way::NoClaim, 16)),
    ("promote_batched", "refused, missing grant, depth 16", PROOF, |stage| promote(stage, Way::Missing, 16)),
    ("promote_batched", "refused, first ancestor revoked, depth 13", PROOF, |stage| promote(stage, Way::LineRevoked, 13)),
];

fn anchor_args(stage: &mut Stage, root: Hash, depth: u32) -> AnchorBatchArgs {
    let hospital = stage.world.hospital.id;
    AnchorBatchArgs {
        id: address::draw(BATCH, &hospital, || stage.world.id()),
        root,
        locator: [8; 32],
        count: 1 << depth,
    }
}

fn anchor(stage: &mut Stage) -> Case {
    let (args, doctor) = (anchor_args(stage, [5; 32], 16), &stage.world.doctor);
    let wallet = doctor.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, stage.payer(), &doctor.institution, &doctor.id, args);
    Case::new(anchor, &[&doctor.wallet])
}

/// The root over the last leaf of a full tree, all of whose siblings are given. Building the tree itself would only take
/// time.
fn root(leaf: Hash, proof: &[Hash]) -> Hash {
    let top = proof.iter().fold(leaf, |hash, sibling| {
        sha256_of(&[b"chartseal/batch-node/v1", sibling, &hash])
    });
    let count = 1u32 << proof.len();
    sha256_of(&[b"chartseal/batch-root/v1", &count.to_le_bytes(), &top])
}

/// Promotes the last record of a batch with proofs of this depth. Whoever promotes pays.
fn promote(stage: &mut Stage, way: Way, depth: u32) -> Case {
    let actor = stage.actor(way);
    let (doctor, patient) = (stage.world.doctor.clone(), stage.world.patient.id);
    let mut anchoring = anchor_args(stage, [0; 32], depth);
    let (index, record, content) = (anchoring.count - 1, stage.world.record_id(), content(1));
    let leaf = Leaf {
        institution: &doctor.institution,
        batch: &anchoring.id,
        index,
        patient: &patient,
        record: &record,
        class: 0,
        content: &content,
    };
    let proof = vec![[5; 32]; depth as usize];
    anchoring.root = root(leaf.hash(), &proof);
    let wallet = doctor.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, wallet, &doctor.institution, &doctor.id, anchoring);
    stage.world.chain.must(anchor, &[&doctor.wallet]);
    let args = PromoteBatchedArgs {
        request: stage.world.id(),
        record,
        class: 0,
        purpose: actor.purpose,
        grant: actor.acting.claimed(),
        content,
        index,
        proof,
    };
    let consent = actor.consent.as_ref().map(Signer::pubkey);
    let promote = ix::promote_batched(
        &actor.acting,
        actor.wallet.pubkey(),
        consent,
        &patient,
        &doctor.institution,
        &anchoring.id,
        args,
    );
    Case::new(promote, &actor.signers())
        .expecting(actor.answer)
        .paid_by_signer()
}
