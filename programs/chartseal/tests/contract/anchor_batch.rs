//! Committing an institution to many records in one transaction.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, Content},
    instructions::{AnchorBatchArgs, PromoteBatchedArgs},
    merkle::{verify, Hash, Leaf, Tree},
    seeds::{address, Id, BATCH, BUMP, NO_ID},
    state::{Batch, Institution, Member},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

/// A batch as its author knows it.
pub(crate) struct Records {
    pub(crate) institution: Id,
    pub(crate) id: Id,
    pub(crate) patient: Id,
    /// Id, class and content of each, in their order.
    pub(crate) list: Vec<(Id, u8, Content)>,
    pub(crate) tree: Tree,
}

impl Records {
    /// What the doctor's hospital holds of one patient: so many records of class 0.
    pub(crate) fn of(world: &mut World, count: usize) -> Self {
        let list = (0..count)
            .map(|n| (world.record_id(), 0, content((n % 200) as u8)))
            .map(|(id, class, content)| {
                let manifest_hash = [7; 32];
                (
                    id,
                    class,
                    Content {
                        manifest_hash,
                        ..content
                    },
                )
            })
            .collect();
        let patient = world.patient.id;
        Self::holding(world, patient, list)
    }

    /// What the doctor's hospital holds of one patient.
    pub(crate) fn holding(world: &mut World, patient: Id, list: Vec<(Id, u8, Content)>) -> Self {
        let institution = world.hospital.id;
        let id = address::draw(BATCH, &institution, || world.id());
        Self::new(institution, id, patient, list)
    }

    fn new(institution: Id, id: Id, patient: Id, list: Vec<(Id, u8, Content)>) -> Self {
        let leaves = (0..)
            .zip(&list)
            .map(|(index, record)| leaf(&institution, &id, &patient, index, record))
            .collect();
        let tree = Tree::new(leaves).unwrap();
        Self {
            institution,
            id,
            patient,
            list,
            tree,
        }
    }

    pub(crate) fn leaf(&self, index: u32) -> Hash {
        leaf(
            &self.institution,
            &self.id,
            &self.patient,
            index,
            &self.list[index as usize],
        )
    }

    pub(crate) fn anchoring(&self) -> AnchorBatchArgs {
        AnchorBatchArgs {
            id: self.id,
            root: self.tree.root(),
            locator: [8; 32],
            count: self.tree.count(),
        }
    }

    /// What promotes one of them, for treatment and without a grant.
    pub(crate) fn promoting(&self, world: &mut World, index: u32) -> PromoteBatchedArgs {
        let (record, class, content) = self.list[index as usize];
        PromoteBatchedArgs {
            request: world.id(),
            record,
            class,
            purpose: Purpose::Treatment,
            grant: NO_ID,
            content,
            index,
            proof: self.tree.path(index).unwrap(),
        }
    }
}

fn leaf(institution: &Id, batch: &Id, patient: &Id, index: u32, record: &(Id, u8, Content)) -> Hash {
    let (record, class, content) = record;
    Leaf {
        institution,
        batch,
        index,
        patient,
        record,
        class: *class,
        content,
    }
    .hash()
}

impl World {
    /// The doctor's transaction.
    pub(crate) fn anchor_ix(&self, args: AnchorBatchArgs) -> Instruction {
        let wallet = self.doctor.wallet.pubkey();
        ix::anchor_batch(wallet, wallet, &self.hospital.id, &self.doctor.id, args)
    }

    /// A batch of so many records of the patient, anchored by the doctor.
    pub(crate) fn anchored(&mut self, count: usize) -> Records {
        let records = Records::of(self, count);
        let (anchor, doctor) = (self.anchor_ix(records.anchoring()), self.doctor.clone());
        self.chain.must(anchor, &[&doctor.wallet]);
        records
    }

    fn batch_args(&mut self) -> AnchorBatchArgs {
        Records::of(self, 1).anchoring()
    }
}

#[test]
fn one_transaction_anchors_ten_thousand_records_and_each_proves_inclusion() {
    let mut world = World::new();
    world.wait(60);
    let records = world.anchored(10_000);
    let batch: Batch = world.chain.read(&address::batch(&world.hospital.id, &records.id));
    assert_eq!(batch.count, 10_000);
    for index in 0..10_000 {
        let path = records.tree.path(index).unwrap();
        assert!(path.len() <= 14);
        assert!(verify(&records.leaf(index), index, batch.count, &path, &batch.root));
    }
    // And the chain agrees, at both ends and where the tree is uneven.
    let patient = world.patient.clone();
    for index in [0, 1, 8_191, 8_192, 9_984, 9_998, 9_999] {
        let args = records.promoting(&mut world, index);
        let wallet = patient.wallet.pubkey();
        let promote = ix::promote_batched(
            &patient.acting(),
            wallet,
            None,
            &patient.id,
            &records.institution,
            &records.id,
            args,
        );
        world.chain.must(promote, &[&patient.wallet]);
    }
}

#[test]
fn batch_says_what_was_sent() {
    let mut world = World::new();
    world.wait(60);
    let records = Records::of(&mut world, 3);
    let (args, doctor) = (records.anchoring(), world.doctor.clone());
    let anchor = world.anchor_ix(args);
    let AnyEvent::BatchAnchored(event) = world.chain.must(anchor, &[&doctor.wallet]) else {
        panic!()
    };
    let batch: Batch = world.chain.read(&address::batch(&world.hospital.id, &args.id));
    assert_eq!(
        (batch.id, batch.institution, batch.author),
        (args.id, world.hospital.id, doctor.address())
    );
    assert_eq!(
        (batch.root, batch.locator, batch.count, batch.created_at),
        (args.root, args.locator, 3, GENESIS + 60)
    );
    assert_eq!(
        (event.batch, event.author, event.wallet),
        (args.id, doctor.address(), doctor.wallet.pubkey())
    );
    assert_eq!(
        (event.root, event.locator, event.count),
        (args.root, args.locator, args.count)
    );
    let institution: Institution = world.chain.read(&world.hospital.address());
    assert_eq!(
        (event.link.subject, event.link.seq, event.head),
        (world.hospital.id, institution.chain.seq, institution.chain.head)
    );
}

#[test]
fn batch_has_no_more_records_than_can_be_proven() {
    let mut world = World::new();
    let (args, doctor) = (world.batch_args(), world.doctor.clone());
    for count in [65_537, u32::MAX] {
        let anchor = world.anchor_ix(AnchorBatchArgs { count, ..args });
        world.chain.refuse(anchor, &[&doctor.wallet], ChartsealError::BadBatch);
    }
    let anchor = world.anchor_ix(AnchorBatchArgs { count: 65_536, ..args });
    let AnyEvent::BatchAnchored(event) = world.chain.must(anchor, &[&doctor.wallet]) else {
        panic!()
    };
    assert_eq!(event.count, 65_536);
}

#[test]
fn batch_of_nothing_is_none() {
    let mut world = World::new();
    let (args, doctor) = (world.batch_args(), world.doctor.clone());
    for args in [
        AnchorBatchArgs { count: 0, ..args },
        AnchorBatchArgs { root: [0; 32], ..args },
        AnchorBatchArgs {
            locator: [0; 32],
            ..args
        },
    ] {
        let anchor = world.anchor_ix(args);
        world.chain.refuse(anchor, &[&doctor.wallet], ChartsealError::BadBatch);
    }
}

#[test]
fn only_who_may_write_anchors() {
    let mut world = World::new();
    let (hospital, insurance) = (world.hospital.clone(), world.insurance.clone());
    let args = world.batch_args();
    for (n, role) in [(70, Role::Researcher), (71, Role::Auditor)] {
        let member = world.chain.member(&hospital, n, role);
        let wallet = member.wallet.pubkey();
        let anchor = ix::anchor_batch(wallet, wallet, &hospital.id, &member.id, args);
        world
            .chain
            .refuse(anchor, &[&member.wallet], ChartsealError::BeyondRole);
    }
    let insurer = world.insurer.clone();
    let args = AnchorBatchArgs {
        id: address::draw(BATCH, &insurance.id, || world.id()),
        ..args
    };
    let wallet = insurer.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, wallet, &insurance.id, &insurer.id, args);
    world
        .chain
        .refuse(anchor, &[&insurer.wallet], ChartsealError::BeyondRole);
    for (n, role) in [(72, Role::Nurse), (73, Role::Technician)] {
        let member = world.chain.member(&hospital, n, role);
        let args = world.batch_args();
        let wallet = member.wallet.pubkey();
        let anchor = ix::anchor_batch(wallet, wallet, &hospital.id, &member.id, args);
        world.chain.must(anchor, &[&member.wallet]);
    }
}

#[test]
fn nobody_anchors_in_anothers_name() {
    let mut world = World::new();
    let (stranger, authority) = (world.chain.wallet(), world.hospital.authority.insecure_clone());
    let (doctor, args) = (world.doctor.clone(), world.batch_args());
    for by in [&stranger, &authority, &world.insurer.wallet.insecure_clone()] {
        let wallet = by.pubkey();
        let anchor = ix::anchor_batch(wallet, wallet, &world.hospital.id, &doctor.id, args);
        world.chain.refuse(anchor, &[by], ChartsealError::Stranger);
    }
    let anchor = unsign(
        ix::anchor_batch(
            doctor.wallet.pubkey(),
            stranger.pubkey(),
            &world.hospital.id,
            &doctor.id,
            args,
        ),
        doctor.wallet.pubkey(),
    );
    world
        .chain
        .refuse_at_the_door(anchor, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn member_anchors_for_its_own_institution_only() {
    let mut world = World::new();
    let other = world.chain.institution(80, InstitutionKind::Laboratory);
    let (doctor, records) = (world.doctor.clone(), Records::of(&mut world, 1));
    let args = AnchorBatchArgs {
        id: address::draw(BATCH, &other.id, || world.id()),
        ..records.anchoring()
    };
    let wallet = doctor.wallet.pubkey();
    let mut anchor = ix::anchor_batch(wallet, wallet, &other.id, &doctor.id, args);
    substitute(&mut anchor, address::member(&other.id, &doctor.id), doctor.address());
    world
        .chain
        .refuse(anchor, &[&doctor.wallet], ChartsealError::ForeignMember);
}

#[test]
fn suspended_and_expired_do_not_anchor() {
    let mut world = World::new();
    let (hospital, doctor, args) = (world.hospital.clone(), world.doctor.clone(), world.batch_args());
    world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    let anchor = world.anchor_ix(args);
    world
        .chain
        .refuse(anchor.clone(), &[&doctor.wallet], ChartsealError::MemberNotActive);
    world.set_member_standing(&hospital, &doctor, Standing::Active);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world
        .chain
        .refuse(anchor.clone(), &[&doctor.wallet], ChartsealError::InstitutionNotActive);
    world.set_institution_standing(&hospital, Standing::Active);
    let member: Member = world.chain.read(&doctor.address());
    world.chain.set_time(member.expires);
    world
        .chain
        .refuse(anchor.clone(), &[&doctor.wallet], ChartsealError::MemberNotActive);
    world.chain.set_time(member.expires - 1);
    world.chain.must(anchor, &[&doctor.wallet]);
}

#[test]
fn pause_stops_anchoring() {
    let mut world = World::new();
    let (doctor, args) = (world.doctor.clone(), world.batch_args());
    let anchor = world.anchor_ix(args);
    world.set_paused(true);
    world
        .chain
        .refuse(anchor.clone(), &[&doctor.wallet], ChartsealError::Paused);
    world.set_paused(false);
    world.chain.must(anchor, &[&doctor.wallet]);
}

#[test]
fn batch_is_anchored_once() {
    let mut world = World::new();
    let records = world.anchored(2);
    let doctor = world.doctor.clone();
    let args = AnchorBatchArgs {
        root: [9; 32],
        ..records.anchoring()
    };
    let anchor = world.anchor_ix(args);
    world.chain.refuse_at_the_door(anchor, &[&doctor.wallet], EXISTS);
}

#[test]
fn ids_of_a_batch_are_drawn_for_their_address() {
    let mut world = World::new();
    let (doctor, hospital, args) = (world.doctor.clone(), world.hospital.id, world.batch_args());
    let other_bump = loop {
        let id = world.id();
        if Address::find_program_address(&[BATCH, &hospital, &id], &ID).1 != BUMP {
            break id;
        }
    };
    let anchor = world.anchor_ix(AnchorBatchArgs { id: other_bump, ..args });
    world
        .chain
        .refuse(anchor, &[&doctor.wallet], ChartsealError::BumpNot255);
    let n = (100..)
        .find(|n| Address::find_program_address(&[BATCH, &id(*n), &NO_ID], &ID).1 == BUMP)
        .unwrap();
    let other = world.chain.institution(n, InstitutionKind::Hospital);
    let member = world.chain.member(&other, 81, Role::Doctor);
    let wallet = member.wallet.pubkey();
    let anchor = ix::anchor_batch(
        wallet,
        wallet,
        &other.id,
        &member.id,
        AnchorBatchArgs { id: NO_ID, ..args },
    );
    world.chain.refuse(anchor, &[&member.wallet], ChartsealError::ZeroId);
}
