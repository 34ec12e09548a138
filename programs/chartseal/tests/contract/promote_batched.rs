//! Making a record of one leaf of a batch.

use chartseal_program::{
    builders::{self as ix, As},
    events::{AnyEvent, Content, Terms},
    instructions::PromoteBatchedArgs,
    merkle::Tree,
    seeds::{address, Id, BATCH, BUMP, NO_ID, RECORD},
    state::{Record, RING},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_message::Message;
use solana_signer::Signer;

use super::anchor_batch::Records;
use crate::common::*;

/// Compute units that a promotion may cost, with a proof of depth 16.
const PROMOTE: u64 = 25_000;
/// Bytes of the largest transaction.
const TRANSACTION: usize = 1_232;

impl World {
    fn promote_ix(&self, acting: &As, records: &Records, args: PromoteBatchedArgs) -> Instruction {
        let args = PromoteBatchedArgs {
            grant: acting.claimed(),
            ..args
        };
        let patient = &records.patient;
        ix::promote_batched(
            acting,
            acting.wallet,
            None,
            patient,
            &records.institution,
            &records.id,
            args,
        )
    }

    /// The doctor's attempt: the basis, or the reason against it.
    fn promote(&mut self, records: &Records, index: u32, grant: Option<Id>) -> Result<Basis, Reason> {
        let doctor = self.doctor.clone();
        let acting = As {
            grant,
            ..doctor.acting()
        };
        let args = records.promoting(self, index);
        let (record, promote) = (args.record, self.promote_ix(&acting, records, args));
        let event = self.chain.must(promote, &[&doctor.wallet]);
        let exists = self
            .chain
            .svm
            .get_account(&address::record(&records.patient, &record))
            .is_some();
        match event {
            AnyEvent::RecordPromoted(event) => {
                assert!(exists);
                Ok(event.basis)
            }
            AnyEvent::ActionRefused(event) => {
                assert!(!exists, "a refused record has no account");
                assert_eq!((event.action, event.record), (Action::Append, record));
                Err(event.reason)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The patient's promotion, which needs no other right.
    fn own_promotion(&self, records: &Records, args: PromoteBatchedArgs) -> Instruction {
        self.promote_ix(&self.patient.acting(), records, args)
    }
}

#[test]
fn promoted_record_says_what_the_leaf_says() {
    let mut world = World::new();
    let records = world.anchored(5);
    let nurse = world.chain.member(&world.hospital.clone(), 70, Role::Nurse);
    let grant = world.enrol();
    world.wait(100);
    let (acting, args) = (nurse.acting().claiming(grant), records.promoting(&mut world, 4));
    let promote = world.promote_ix(&acting, &records, args.clone());
    let AnyEvent::RecordPromoted(event) = world.chain.must(promote, &[&nurse.wallet]) else {
        panic!()
    };
    let (patient, doctor, hospital) = (world.patient.id, world.doctor.address(), world.hospital.id);
    let record: Record = world.chain.read(&address::record(&patient, &args.record));
    assert_eq!((record.id, record.patient, record.class), (args.record, patient, 0));
    assert_eq!(
        (record.author, record.origin, record.institution),
        (doctor, doctor, hospital),
        "the author is who anchored the batch"
    );
    assert_eq!(
        (record.version, record.previous, record.content()),
        (1, [0; 32], args.content)
    );
    assert_eq!(
        (record.created_at, record.updated_at, record.is_erased()),
        (GENESIS + 100, GENESIS + 100, false)
    );
    assert_eq!(
        (event.request, event.record, event.class, event.content),
        (args.request, args.record, 0, args.content)
    );
    assert_eq!(
        (event.institution, event.batch, event.index, event.author),
        (hospital, records.id, 4, doctor)
    );
    assert_eq!(
        (event.actor.kind, event.actor.wallet, event.actor.credential),
        (ActorKind::Member, nurse.wallet.pubkey(), nurse.address())
    );
    assert_eq!(
        (event.basis, event.under, event.purpose),
        (Basis::Grant, grant, Purpose::Treatment)
    );
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
    let entry = log.ring.entries[event.link.seq as usize % RING];
    assert_eq!(
        (entry.seq, entry.id, entry.outcome),
        (event.link.seq, args.record, Basis::Grant.byte())
    );
}

#[test]
fn author_reads_what_was_promoted_and_who_promoted_it_does_not() {
    let mut world = World::new();
    let records = world.anchored(2);
    let nurse = world.chain.member(&world.hospital.clone(), 70, Role::Nurse);
    let terms = world.terms(GranteeKind::Member, nurse.address());
    let grant = world.grant(Terms {
        rights: Action::Append.bit(),
        ..terms
    });
    let args = records.promoting(&mut world, 0);
    let record = args.record;
    let promote = world.promote_ix(&nurse.acting().claiming(grant), &records, args);
    world.chain.must(promote, &[&nurse.wallet]);
    let doctor = world.doctor.clone();
    assert_eq!(world.asks(&doctor, None, record, Purpose::Treatment), Ok(Basis::Author));
    assert_eq!(
        world.asks(&nurse, Some(grant), record, Purpose::Treatment),
        Err(Reason::RightNotGranted)
    );
}

#[test]
fn promotion_takes_a_right_to_write_and_a_refusal_is_logged() {
    let mut world = World::new();
    let records = world.anchored(3);
    assert_eq!(
        world.promote(&records, 0, None),
        Err(Reason::NoGrant),
        "having anchored it is no right"
    );
    let terms = world.terms(GranteeKind::Member, world.doctor.address());
    let reading = world.grant(Terms {
        rights: Action::Read.bit(),
        ..terms
    });
    assert_eq!(world.promote(&records, 0, Some(reading)), Err(Reason::RightNotGranted));
    let elsewhere = world.grant(Terms { classes: 2, ..terms });
    assert_eq!(
        world.promote(&records, 0, Some(elsewhere)),
        Err(Reason::GrantOtherSubject)
    );
    assert_eq!(world.refusals().chain.seq, 3);
    let once = world.grant(Terms { uses: 1, ..terms });
    assert_eq!(world.promote(&records, 0, Some(once)), Ok(Basis::Grant));
    assert_eq!(world.promote(&records, 1, Some(once)), Err(Reason::GrantExhausted));
    assert_eq!(world.granted(&once).uses_left, 0);
}

#[test]
fn patient_promotes_or_consents() {
    let mut world = World::new();
    let records = world.anchored(2);
    let (patient, doctor) = (world.patient.clone(), world.doctor.clone());
    let own = records.promoting(&mut world, 0);
    let own = world.own_promotion(&records, own);
    let event = world.chain.must(own, &[&patient.wallet]);
    assert!(matches!(event, AnyEvent::RecordPromoted(event)
        if event.basis == Basis::Patient && event.author == doctor.address()));
    let args = records.promoting(&mut world, 1);
    let with_consent = |wallet| {
        ix::promote_batched(
            &doctor.acting(),
            doctor.wallet.pubkey(),
            Some(wallet),
            &patient.id,
            &records.institution,
            &records.id,
            args.clone(),
        )
    };
    let stranger = world.chain.wallet();
    world.chain.refuse(
        with_consent(stranger.pubkey()),
        &[&doctor.wallet, &stranger],
        ChartsealError::NotPatient,
    );
    let unsigned = unsign(with_consent(patient.wallet.pubkey()), patient.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&doctor.wallet], InstructionError::MissingRequiredSignature);
    let event = world.chain.must(
        with_consent(patient.wallet.pubkey()),
        &[&doctor.wallet, &patient.wallet],
    );
    assert!(matches!(event, AnyEvent::RecordPromoted(event) if event.basis == Basis::Consent));
}

#[test]
fn steward_promotes_for_a_patient_without_a_wallet() {
    let mut world = World::new();
    world.steward_patient();
    let records = world.anchored(2);
    assert_eq!(world.promote(&records, 1, None), Ok(Basis::Steward));
}

#[test]
fn stranger_promotes_nothing() {
    let mut world = World::new();
    let (records, stranger) = (world.anchored(2), world.chain.wallet());
    let args = records.promoting(&mut world, 0);
    let promote = world.promote_ix(&As::wallet(stranger.pubkey()), &records, args);
    world.chain.refuse(promote, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn whatever_differs_from_the_leaf_is_not_in_the_batch() {
    let mut world = World::new();
    let records = world.anchored(11);
    let (patient, other) = (world.patient.clone(), world.record_id());
    let good = records.promoting(&mut world, 6);
    let mut wrong = vec![
        PromoteBatchedArgs {
            record: other,
            ..good.clone()
        },
        PromoteBatchedArgs {
            class: 1,
            ..good.clone()
        },
    ];
    for index in (0..20).filter(|index| *index != 6).chain([u32::MAX]) {
        wrong.push(PromoteBatchedArgs { index, ..good.clone() });
    }
    let contents = [
        Content {
            manifest_hash: [1; 32],
            ..good.content
        },
        Content {
            root: [1; 32],
            ..good.content
        },
        Content {
            locator: [1; 32],
            ..good.content
        },
        Content {
            padded_size: 1,
            ..good.content
        },
    ];
    wrong.extend(contents.map(|content| PromoteBatchedArgs {
        content,
        ..good.clone()
    }));
    let mut with_proof = |change: &dyn Fn(&mut Vec<[u8; 32]>)| {
        let mut args = good.clone();
        change(&mut args.proof);
        wrong.push(args);
    };
    for level in 0..good.proof.len() {
        with_proof(&|proof| proof[level][17] ^= 1);
        with_proof(&|proof| proof.truncate(level));
        with_proof(&|proof| *proof = proof[level + 1..].to_vec());
    }
    with_proof(&|proof| proof.push([0; 32]));
    with_proof(&|proof| proof.clear());
    with_proof(&|proof| proof.swap(0, 1));
    for args in wrong {
        let promote = world.own_promotion(&records, args);
        world
            .chain
            .refuse(promote, &[&patient.wallet], ChartsealError::NotInBatch);
    }
    let promote = world.own_promotion(&records, good);
    world.chain.must(promote, &[&patient.wallet]);
}

#[test]
fn record_that_is_not_in_the_batch_is_an_error_also_without_a_right() {
    let mut world = World::new();
    let (records, doctor) = (world.anchored(3), world.doctor.clone());
    let mut args = records.promoting(&mut world, 0);
    args.class = 1;
    let promote = world.promote_ix(&doctor.acting(), &records, args);
    world
        .chain
        .refuse(promote, &[&doctor.wallet], ChartsealError::NotInBatch);
    assert_eq!(world.refusals().chain.seq, 0);
}

/// Somebody who holds a leaf of one patient cannot put it into another's chart, and not into its own.
#[test]
fn leaf_of_one_patient_is_not_put_into_anothers_chart() {
    let mut world = World::new();
    let records = world.anchored(2);
    let other = world.chain.patient(90);
    let mut args = records.promoting(&mut world, 0);
    args.record = loop {
        // An id that is fit for both, so that nothing but the leaf keeps them apart.
        let id = world.record_id();
        if address::fits_record(&other.id, &id) {
            break id;
        }
    };
    let list = vec![(args.record, 0, args.content); 2];
    let records = Records::holding(&mut world, records.patient, list);
    let (anchor, doctor) = (world.anchor_ix(records.anchoring()), world.doctor.clone());
    world.chain.must(anchor, &[&doctor.wallet]);
    args.proof = records.tree.path(0).unwrap();
    let promote = ix::promote_batched(
        &other.acting(),
        other.wallet.pubkey(),
        None,
        &other.id,
        &records.institution,
        &records.id,
        args.clone(),
    );
    world
        .chain
        .refuse(promote, &[&other.wallet], ChartsealError::NotInBatch);
    let (patient, promote) = (world.patient.clone(), world.own_promotion(&records, args));
    world.chain.must(promote, &[&patient.wallet]);
}

/// The same tree under another batch's or another institution's id proves nothing.
#[test]
fn proof_of_one_batch_is_none_of_another() {
    let mut world = World::new();
    let records = world.anchored(4);
    let patient = world.patient.clone();
    let again = Records {
        id: address::draw(BATCH, &records.institution, || world.id()),
        list: records.list.clone(),
        tree: records.tree.clone(),
        ..records
    };
    let (anchor, doctor) = (world.anchor_ix(again.anchoring()), world.doctor.clone());
    world.chain.must(anchor, &[&doctor.wallet]);
    let args = again.promoting(&mut world, 2);
    let promote = world.own_promotion(&again, args);
    world
        .chain
        .refuse(promote, &[&patient.wallet], ChartsealError::NotInBatch);
    let laboratory = world.chain.institution(80, InstitutionKind::Laboratory);
    let technician = world.chain.member(&laboratory, 81, Role::Technician);
    let copied = Records {
        institution: laboratory.id,
        id: address::draw(BATCH, &laboratory.id, || world.id()),
        ..again
    };
    let wallet = technician.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, wallet, &laboratory.id, &technician.id, copied.anchoring());
    world.chain.must(anchor, &[&technician.wallet]);
    let args = copied.promoting(&mut world, 2);
    let promote = world.own_promotion(&copied, args);
    world
        .chain
        .refuse(promote, &[&patient.wallet], ChartsealError::NotInBatch);
}

#[test]
fn record_is_promoted_once() {
    let mut world = World::new();
    let records = world.anchored(4);
    let patient = world.patient.clone();
    let args = records.promoting(&mut world, 3);
    let promote = world.own_promotion(&records, args);
    world.chain.must(promote, &[&patient.wallet]);
    let args = records.promoting(&mut world, 3);
    let again = world.own_promotion(&records, args);
    world.chain.refuse_at_the_door(again, &[&patient.wallet], EXISTS);
}

#[test]
fn erased_record_is_not_promoted_again() {
    let mut world = World::new();
    let records = world.anchored(4);
    let patient = world.patient.clone();
    let args = records.promoting(&mut world, 3);
    let record = args.record;
    let promote = world.own_promotion(&records, args);
    world.chain.must(promote, &[&patient.wallet]);
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    world.chain.must(erase, &[&patient.wallet]);
    let args = records.promoting(&mut world, 3);
    let again = world.own_promotion(&records, args);
    world.chain.refuse_at_the_door(again, &[&patient.wallet], EXISTS);
    let account: Record = world.chain.read(&address::record(&patient.id, &record));
    assert!(account.is_erased());
}

#[test]
fn leaf_without_content_is_no_record() {
    let mut world = World::new();
    let empty = Content {
        locator: [0; 32],
        ..content(1)
    };
    let list = vec![(world.record_id(), 0, empty)];
    let patient = world.patient.id;
    let records = Records::holding(&mut world, patient, list);
    let (anchor, doctor, patient) = (
        world.anchor_ix(records.anchoring()),
        world.doctor.clone(),
        world.patient.clone(),
    );
    world.chain.must(anchor, &[&doctor.wallet]);
    let args = records.promoting(&mut world, 0);
    let promote = world.own_promotion(&records, args);
    world
        .chain
        .refuse(promote, &[&patient.wallet], ChartsealError::NoContent);
}

#[test]
fn ids_and_class_are_checked() {
    let mut world = World::new();
    let patient = world.patient_where_zeros_fit(RECORD);
    let other_bump = loop {
        let id = world.id();
        if anchor_lang::prelude::Address::find_program_address(&[RECORD, &patient.id, &id], &ID).1 != BUMP {
            break id;
        }
    };
    let (fit, doctor) = (world.record_id(), world.doctor.clone());
    // Each is in the batch, so that nothing but its own check refuses it.
    let list = vec![
        (NO_ID, 0, content(1)),
        (other_bump, 0, content(1)),
        (fit, CLASSES, content(1)),
        (fit, 0, content(1)),
    ];
    let records = Records::holding(&mut world, patient.id, list);
    let anchor = world.anchor_ix(records.anchoring());
    world.chain.must(anchor, &[&doctor.wallet]);
    for (index, error) in [
        (0, ChartsealError::ZeroId),
        (1, ChartsealError::BumpNot255),
        (2, ChartsealError::BadClass),
    ] {
        let args = records.promoting(&mut world, index);
        let promote = world.own_promotion(&records, args);
        world.chain.refuse(promote, &[&patient.wallet], error);
    }
    let args = PromoteBatchedArgs {
        request: NO_ID,
        ..records.promoting(&mut world, 3)
    };
    let promote = world.own_promotion(&records, args);
    world.chain.refuse(promote, &[&patient.wallet], ChartsealError::ZeroId);
}

#[test]
fn pause_stops_promotion() {
    let mut world = World::new();
    let (records, patient) = (world.anchored(2), world.patient.clone());
    let args = records.promoting(&mut world, 0);
    let promote = world.own_promotion(&records, args);
    world.set_paused(true);
    world
        .chain
        .refuse(promote.clone(), &[&patient.wallet], ChartsealError::Paused);
    world.set_paused(false);
    world.chain.must(promote, &[&patient.wallet]);
}

/// A suspension of the author or of its institution ends their rights, not the truth of what they had anchored.
#[test]
fn batch_of_a_suspended_institution_can_still_be_promoted_by_the_patient() {
    let mut world = World::new();
    let (records, patient, hospital) = (world.anchored(2), world.patient.clone(), world.hospital.clone());
    world.set_institution_standing(&hospital, Standing::Suspended);
    assert_eq!(
        world.promote(&records, 0, None),
        Err(Reason::InstitutionNotActive),
        "its own members promote nothing"
    );
    let args = records.promoting(&mut world, 0);
    let promote = world.own_promotion(&records, args);
    world.chain.must(promote, &[&patient.wallet]);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (records, patient) = (world.anchored(2), world.patient.clone());
    let args = records.promoting(&mut world, 0);
    let address = address::record(&patient.id, &args.record);
    world.chain.svm.airdrop(&address, 1_000_000).unwrap();
    let promote = world.own_promotion(&records, args);
    world.chain.must(promote, &[&patient.wallet]);
}

#[test]
fn account_of_another_kind_is_no_batch() {
    let mut world = World::new();
    let (records, patient, record) = (world.anchored(2), world.patient.clone(), world.record());
    let args = records.promoting(&mut world, 0);
    let batch = address::batch(&records.institution, &records.id);
    for other in [
        address::record(&patient.id, &record),
        world.hospital.address(),
        patient.wallet.pubkey(),
    ] {
        let mut promote = world.own_promotion(&records, args.clone());
        let place = promote.accounts.iter().position(|meta| meta.pubkey == batch).unwrap();
        promote.accounts[place].pubkey = other;
        let failure = world.chain.fail(&[promote], &[&patient.wallet]);
        assert!(
            matches!(failure, Failure::Runtime(_)),
            "refused before its proof is looked at: {failure:?}"
        );
    }
}

/// A batch of 65,536 records: the largest proof that a member by a grant can send with one signature.
#[test]
fn proof_of_depth_sixteen_fits_a_transaction_and_its_budget() {
    let mut world = World::new();
    let mut records = Records::of(&mut world, 3);
    let mut leaves: Vec<_> = (0..3).map(|index| records.leaf(index)).collect();
    leaves.resize(1 << 16, [5; 32]);
    records.tree = Tree::new(leaves).unwrap();
    let (doctor, grant) = (world.doctor.clone(), world.enrol());
    let anchor = world.anchor_ix(records.anchoring());
    world.chain.must(anchor, &[&doctor.wallet]);
    let acting = doctor.acting().claiming(grant);
    for (index, acting) in [(0, acting), (1, doctor.acting()), (2, acting)] {
        let args = records.promoting(&mut world, index);
        assert_eq!(args.proof.len(), 16);
        let promote = world.promote_ix(&acting, &records, args);
        let message = Message::new(std::slice::from_ref(&promote), Some(&doctor.wallet.pubkey()));
        let size = 1 + 64 + message.serialize().len();
        assert!(size <= TRANSACTION, "{size} bytes");
        let done = world.chain.send(&[promote], &[&doctor.wallet]).unwrap();
        assert!(done.cu <= PROMOTE, "{} compute units for {:?}", done.cu, done.event);
        println!("{size} bytes, {} compute units", done.cu);
    }
}
