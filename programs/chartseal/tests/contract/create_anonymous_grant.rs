//! Granting without a name: by whoever decides for the patient, on a record that is the patient's.

use chartseal_program::{
    builders::{self as ix, By},
    events::AnyEvent,
    membership::{self, AnonymousTerms},
    seeds::address,
    state::AnonymousSet,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

/// A grant as the patient would make it, changed as the test needs it.
fn granting(world: &mut World, change: impl FnOnce(&mut AnonymousTerms)) -> Instruction {
    let (tree, record) = (world.open_tree(), world.record());
    let (_, mut terms) = world.invitation();
    change(&mut terms);
    let patient = &world.patient;
    let wallet = patient.wallet.pubkey();
    ix::create_anonymous_grant(&patient.deciding(), wallet, (&patient.id, &record), &tree, terms)
}

#[test]
fn grant_is_a_leaf_and_no_account() {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let accounts = world.chain.state().len();
    let first = world.grant_unnamed(tree, record, |_| {});
    assert_eq!(world.chain.state().len(), accounts + 1, "the record's set, once");
    let second = world.grant_unnamed(tree, record, |_| {});
    assert_eq!(world.chain.state().len(), accounts + 1);
    assert_eq!((first.index, second.index), (0, 1));

    let account = world.tree(&tree);
    assert_eq!((account.leaves, account.number), (2, 2));
    assert_eq!(*account.root(), world.leaves(&tree).root());
    let set = world.anonymous_set(&first);
    assert_eq!((set.tree, set.patient, set.record), (tree, world.patient.id, record));
    assert_eq!((set.made, set.revoked, set.floor), (2, 0, 0));
}

#[test]
fn grant_is_written_down_in_the_patients_log() {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let grant = world.grant_unnamed(tree, record, |_| {});
    let event = AnyEvent::decode(world.chain.emitted.last().unwrap()).unwrap();
    world.assert_logged(&event, &record, &world.patient.wallet.pubkey(), u8::MAX);
    let AnyEvent::AnonymousGrantCreated(event) = event else {
        panic!()
    };
    assert_eq!((event.record, event.tree, event.index), (record, tree, 0));
    assert_eq!((event.terms, event.number), (grant.terms, 1));
    assert_eq!(event.issuer, world.patient.wallet.pubkey());
    assert_eq!(event.root, *world.tree(&tree).root());
}

#[test]
fn leaf_is_made_from_the_record_that_was_checked() {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let grant = world.grant_unnamed(tree, record, |_| {});
    let named = membership::record(&world.patient.id, &record).unwrap();
    let leaf = grant.terms.leaf(&named).unwrap();
    assert_eq!(world.tree(&tree).frontier[0], leaf);
}

#[test]
fn nobody_grants_on_another_patients_record() {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let (owner, other) = (world.patient.id, world.chain.patient(90));
    let (_, terms) = world.invitation();
    let wallet = other.wallet.pubkey();
    // As the patient whose record it is not, ...
    let mut grant = ix::create_anonymous_grant(&other.deciding(), wallet, (&other.id, &record), &tree, terms);
    let [own, foreign] = [other.id, owner].map(|patient| address::record(&patient, &record));
    substitute(&mut grant, own, foreign);
    substitute(
        &mut grant,
        address::anonymous_set(&tree, &own),
        address::anonymous_set(&tree, &foreign),
    );
    world
        .chain
        .refuse(grant, &[&other.wallet], ChartsealError::ForeignPatient);
    // ... and as the one whose it is.
    let grant = ix::create_anonymous_grant(&other.deciding(), wallet, (&owner, &record), &tree, terms);
    world.chain.refuse(grant, &[&other.wallet], ChartsealError::NotPatient);
}

#[test]
fn set_of_another_record_or_tree_is_refused() {
    let mut world = World::new();
    let (tree, other_tree) = (world.open_tree(), world.open_tree());
    let (record, other) = (world.record(), world.record());
    for unfit in [(tree, other), (other_tree, record)] {
        world.grant_unnamed(unfit.0, unfit.1, |_| {});
        let (_, terms) = world.invitation();
        let patient = world.patient.clone();
        let wallet = patient.wallet.pubkey();
        let mut grant = ix::create_anonymous_grant(&patient.deciding(), wallet, (&patient.id, &record), &tree, terms);
        let at = |record| address::record(&patient.id, record);
        substitute(
            &mut grant,
            address::anonymous_set(&tree, &at(&record)),
            address::anonymous_set(&unfit.0, &at(&unfit.1)),
        );
        world
            .chain
            .refuse_at_the_door(grant, &[&patient.wallet], InstructionError::InvalidSeeds);
    }
}

#[test]
fn only_what_can_be_proved_is_granted() {
    let provable = Action::Read.bit() | Action::Aggregate.bit();
    for rights in 0..=u8::MAX {
        let fits = rights != 0 && rights & !provable == 0;
        if !fits && rights.count_ones() > 2 {
            continue;
        }
        let mut world = World::new();
        let grant = granting(&mut world, |terms| terms.rights = rights);
        let wallet = world.patient.wallet.insecure_clone();
        if fits {
            world.chain.must(grant, &[&wallet]);
        } else {
            world.chain.refuse(grant, &[&wallet], ChartsealError::BadMask);
        }
    }
}

#[test]
fn grant_that_has_ended_is_none() {
    let mut world = World::new();
    let now = world.chain.now();
    for expires in [now, now - 1, 0, -1, i64::MIN] {
        let grant = granting(&mut world, |terms| terms.expires = expires);
        let wallet = world.patient.wallet.insecure_clone();
        world.chain.refuse(grant, &[&wallet], ChartsealError::BadValidity);
    }
    let grant = granting(&mut world, |terms| terms.expires = now + 1);
    let wallet = world.patient.wallet.insecure_clone();
    world.chain.must(grant, &[&wallet]);
}

#[test]
fn commitment_is_a_field_element_and_neither_it_nor_the_key_is_zero() {
    let mut world = World::new();
    let wallet = world.patient.wallet.insecure_clone();
    let order = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";
    let order: [u8; 32] = std::array::from_fn(|n| u8::from_str_radix(&order[2 * n..2 * n + 2], 16).unwrap());
    for (commitment, key, error) in [
        (order, [1; 32], ChartsealError::NotAField),
        ([0xFF; 32], [1; 32], ChartsealError::NotAField),
        ([0; 32], [1; 32], ChartsealError::ZeroId),
        ([1; 32], [0; 32], ChartsealError::ZeroId),
    ] {
        let grant = granting(&mut world, |terms| {
            terms.commitment = commitment;
            terms.key = key;
        });
        world.chain.refuse(grant, &[&wallet], error);
    }
}

#[test]
fn erased_record_gets_no_grant() {
    let mut world = World::new();
    let (tree, record, patient) = (world.open_tree(), world.record(), world.patient.clone());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    world.chain.must(erase, &[&patient.wallet]);
    let (_, terms) = world.invitation();
    let wallet = patient.wallet.pubkey();
    let grant = ix::create_anonymous_grant(&patient.deciding(), wallet, (&patient.id, &record), &tree, terms);
    world
        .chain
        .refuse(grant, &[&patient.wallet], ChartsealError::RecordErased);
}

#[test]
fn nothing_is_granted_while_paused() {
    let mut world = World::new();
    let grant = granting(&mut world, |_| {});
    world.set_paused(true);
    let wallet = world.patient.wallet.insecure_clone();
    world.chain.refuse(grant, &[&wallet], ChartsealError::Paused);
}

#[test]
fn delegate_gives_no_more_than_it_has() {
    let mut world = World::new();
    let (tree, record) = (world.open_tree(), world.record());
    let carer = world.delegate(Action::Read.bit() | Action::Share.bit());
    let patient = world.patient.id;
    let wallet = carer.wallet.pubkey();
    let (_, terms) = world.invitation();
    let grant = |terms| ix::create_anonymous_grant(&carer.deciding(), wallet, (&patient, &record), &tree, terms);
    let beyond = AnonymousTerms {
        rights: Action::Aggregate.bit(),
        ..terms
    };
    world
        .chain
        .refuse(grant(beyond), &[&carer.wallet], ChartsealError::BeyondDelegation);
    let endless = AnonymousTerms {
        expires: i64::MAX,
        ..terms
    };
    world
        .chain
        .refuse(grant(endless), &[&carer.wallet], ChartsealError::BeyondDelegation);
    world.chain.must(grant(terms), &[&carer.wallet]);
}

#[test]
fn steward_grants_for_a_patient_without_a_wallet_until_it_is_suspended() {
    let mut world = World::new();
    let tree = world.open_tree();
    let patient = world.steward_patient();
    let hospital = world.hospital.clone();
    let record = {
        let doctor = world.doctor.clone();
        let args = world.record_args(0);
        let create = ix::create_record(&doctor.acting(), doctor.wallet.pubkey(), None, &patient, args);
        world.chain.must(create, &[&doctor.wallet]);
        args.record
    };
    let authority = hospital.authority.pubkey();
    let (_, terms) = world.invitation();
    let grant = ix::create_anonymous_grant(&hospital.stewards(), authority, (&patient, &record), &tree, terms);
    world.chain.must(grant.clone(), &[&hospital.authority]);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world
        .chain
        .refuse(grant, &[&hospital.authority], ChartsealError::InstitutionNotActive);
}

#[test]
fn patient_must_sign_and_another_may_pay() {
    let mut world = World::new();
    let (tree, record, patient) = (world.open_tree(), world.record(), world.patient.clone());
    let payer = world.chain.wallet();
    let (_, terms) = world.invitation();
    let wallet = patient.wallet.pubkey();
    let subject = (&patient.id, &record);
    let grant = ix::create_anonymous_grant(&By::wallet(wallet), payer.pubkey(), subject, &tree, terms);
    world.chain.refuse_at_the_door(
        unsign(grant.clone(), wallet),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
    world.chain.must(grant, &[&payer, &patient.wallet]);
    let set: AnonymousSet = world
        .chain
        .read(&address::anonymous_set(&tree, &address::record(&patient.id, &record)));
    assert_eq!(set.made, 1);
}
