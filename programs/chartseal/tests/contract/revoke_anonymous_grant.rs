//! Ending a grant without a name: by whoever may give one, always, also where the path was read some changes ago.

use chartseal_program::{
    builders::{self as ix, By},
    events::AnyEvent,
    instructions::RevokeAnonymousGrantArgs,
    seeds::{address, Id},
    state::{CHANGES, FLOOR_DELAY},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{anonymous::Unnamed, common::*};

fn revoking(world: &World, grant: &Unnamed, args: RevokeAnonymousGrantArgs) -> Instruction {
    let subject = (&grant.patient, &grant.record);
    ix::revoke_anonymous_grant(&world.patient.deciding(), subject, &grant.tree, args)
}

/// A tree with so many grants on one record.
fn grants(world: &mut World, count: usize) -> (Id, Vec<Unnamed>) {
    let (tree, record) = (world.open_tree(), world.record());
    let grants = (0..count).map(|_| world.grant_unnamed(tree, record, |_| {})).collect();
    (tree, grants)
}

#[test]
fn revocation_zeroes_the_leaf_and_is_written_down() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 3);
    world.wait(100);
    let event = world.revoke_unnamed(&grants[1]);
    world.assert_logged(&event, &grants[1].record, &world.patient.wallet.pubkey(), u8::MAX);
    let AnyEvent::AnonymousGrantRevoked(event) = event else {
        panic!()
    };
    assert_eq!((event.tree, event.index, event.number), (tree, 1, 4));
    assert_eq!(event.by, world.patient.wallet.pubkey());
    let account = world.tree(&tree);
    assert_eq!((account.leaves, account.number), (3, 4));
    assert_eq!(
        (*account.root(), event.root),
        (world.leaves(&tree).root(), *account.root())
    );
    let set = world.anonymous_set(&grants[1]);
    assert_eq!((set.made, set.revoked, set.floor), (3, 1, 4));
}

#[test]
fn grants_go_on_being_made_and_revoked_in_any_order() {
    let mut world = World::new();
    let (tree, mut live) = grants(&mut world, 5);
    let record = live[0].record;
    for place in [4, 0, 2, 0, 0] {
        let grant = live.remove(place);
        world.revoke_unnamed(&grant);
        assert_eq!(*world.tree(&tree).root(), world.leaves(&tree).root());
        live.push(world.grant_unnamed(tree, record, |_| {}));
        assert_eq!(*world.tree(&tree).root(), world.leaves(&tree).root());
    }
}

#[test]
fn path_without_its_empty_end_is_enough() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 3);
    let mut args = world.revocation(&grants[0]);
    args.path.truncate(2);
    let revoke = revoking(&world, &grants[0], args);
    world.chain.must(revoke, &[&world.patient.wallet.insecure_clone()]);
    assert_eq!(*world.tree(&tree).root(), world.leaves(&tree).root());
}

#[test]
fn grant_is_revoked_once() {
    let mut world = World::new();
    let (_, grants) = grants(&mut world, 2);
    let stale = world.revocation(&grants[0]);
    world.revoke_unnamed(&grants[0]);
    let wallet = world.patient.wallet.insecure_clone();
    for args in [stale, world.revocation(&grants[0])] {
        let again = revoking(&world, &grants[0], args);
        world.chain.refuse(again, &[&wallet], ChartsealError::NotInTree);
    }
}

#[test]
fn stale_path_is_mended_as_long_as_the_changes_are_remembered() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 3);
    let (wallet, record) = (world.patient.wallet.insecure_clone(), grants[0].record);
    let early = world.revocation(&grants[0]);
    world.revoke_unnamed(&grants[1]);
    for _ in 1..CHANGES {
        world.grant_unnamed(tree, record, |_| {});
    }
    let mut late = world.clone();
    late.grant_unnamed(tree, record, |_| {});
    let revoke = revoking(&late, &grants[0], early.clone());
    late.chain.refuse(revoke, &[&wallet], ChartsealError::StalePath);

    let revoke = revoking(&world, &grants[0], early);
    world.chain.must(revoke, &[&wallet]);
    assert_eq!(*world.tree(&tree).root(), world.leaves(&tree).root());
}

#[test]
fn wrong_leaf_place_path_or_number_revokes_nothing() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 4);
    let wallet = world.patient.wallet.insecure_clone();
    let right = world.revocation(&grants[2]);
    let mut wrong = vec![right.clone(); 12];
    wrong[0].index = 3;
    wrong[1].index = 4;
    wrong[2].index = 2 + (1 << 20);
    wrong[3].index = u32::MAX;
    wrong[4].path[0] = [1; 32];
    wrong[5].path[19] = [1; 32];
    wrong[6].path.truncate(1);
    wrong[7].path.push([0; 32]);
    wrong[8].terms.rights = Action::Aggregate.bit();
    wrong[9].terms.expires += 1;
    wrong[10].terms.key[31] ^= 1;
    wrong[11].terms.commitment[31] ^= 1;
    for args in wrong {
        let revoke = revoking(&world, &grants[2], args);
        world.chain.refuse(revoke, &[&wallet], ChartsealError::NotInTree);
    }
    for number in [5, u64::MAX] {
        let revoke = revoking(
            &world,
            &grants[2],
            RevokeAnonymousGrantArgs {
                number,
                ..right.clone()
            },
        );
        world.chain.refuse(revoke, &[&wallet], ChartsealError::StalePath);
    }
    assert_eq!(world.tree(&tree).number, 4);
    let revoke = revoking(&world, &grants[2], right);
    world.chain.must(revoke, &[&wallet]);
}

#[test]
fn nobody_revokes_another_patients_grant() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 2);
    let args = world.revocation(&grants[0]);
    let (owner, record) = (world.patient.clone(), grants[0].record);
    let other = world.chain.patient(90);
    world.patient = other.clone();
    let own = world.record();
    // By a record of its own, whose leaf this is not, ...
    let by_own = Unnamed {
        patient: other.id,
        record: own,
        ..world.grant_unnamed(tree, own, |_| {})
    };
    let revoke = revoking(&world, &by_own, args.clone());
    world.chain.refuse(revoke, &[&other.wallet], ChartsealError::NotInTree);
    // ... by the record and the set that it is about, ...
    let mut revoke = revoking(&world, &by_own, args.clone());
    let [mine, theirs] =
        [(other.id, own), (owner.id, record)].map(|(patient, record)| address::record(&patient, &record));
    substitute(&mut revoke, mine, theirs);
    world
        .chain
        .refuse(revoke.clone(), &[&other.wallet], ChartsealError::ForeignPatient);
    let sets = [mine, theirs].map(|record| address::anonymous_set(&tree, &record));
    substitute(&mut revoke, sets[0], sets[1]);
    world
        .chain
        .refuse(revoke, &[&other.wallet], ChartsealError::ForeignPatient);
    // ... and in the owner's place.
    world.patient = owner;
    let mut revoke = revoking(&world, &grants[0], args);
    let issuer = world.patient.wallet.pubkey();
    substitute(&mut revoke, issuer, other.wallet.pubkey());
    world.chain.refuse(revoke, &[&other.wallet], ChartsealError::NotPatient);
}

#[test]
fn set_of_another_record_or_tree_is_refused() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 1);
    let wallet = world.patient.wallet.insecure_clone();
    let (other_record, other_tree) = (world.record(), world.open_tree());
    world.grant_unnamed(tree, other_record, |_| {});
    world.grant_unnamed(other_tree, grants[0].record, |_| {});
    let patient = world.patient.id;
    let set = |tree, record| address::anonymous_set(&tree, &address::record(&patient, &record));
    for (theirs, error) in [
        (set(tree, other_record), ChartsealError::ForeignPatient),
        (set(other_tree, grants[0].record), ChartsealError::NotInTree),
    ] {
        let mut revoke = revoking(&world, &grants[0], world.revocation(&grants[0]));
        substitute(&mut revoke, set(tree, grants[0].record), theirs);
        world.chain.refuse(revoke, &[&wallet], error);
    }
}

#[test]
fn patient_must_sign() {
    let mut world = World::new();
    let (_, grants) = grants(&mut world, 1);
    let (wallet, stranger) = (world.patient.wallet.pubkey(), world.chain.wallet());
    let revoke = unsign(revoking(&world, &grants[0], world.revocation(&grants[0])), wallet);
    world
        .chain
        .refuse_at_the_door(revoke, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn revoking_is_never_paused_and_works_for_erased_records_and_ended_grants() {
    let mut world = World::new();
    let (_, grants) = grants(&mut world, 3);
    let patient = world.patient.clone();
    world.set_paused(true);
    world.revoke_unnamed(&grants[0]);
    world.set_paused(false);
    world.wait(2 * DAY);
    world.revoke_unnamed(&grants[1]);
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &grants[0].record);
    world.chain.must(erase, &[&patient.wallet]);
    world.revoke_unnamed(&grants[2]);
}

#[test]
fn delegate_that_shares_and_suspended_steward_take_back() {
    let mut world = World::new();
    let (_, grants) = grants(&mut world, 2);
    let carer = world.delegate(Action::Read.bit() | Action::Share.bit());
    let reader = world.delegate(Action::Read.bit());
    let subject = (&grants[0].patient, &grants[0].record);
    let args = world.revocation(&grants[0]);
    let revoke = |by: &By| ix::revoke_anonymous_grant(by, subject, &grants[0].tree, args.clone());
    let by_reader = revoke(&reader.deciding());
    world
        .chain
        .refuse(by_reader, &[&reader.wallet], ChartsealError::NotPatient);
    world.chain.must(revoke(&carer.deciding()), &[&carer.wallet]);
}

#[test]
fn floor_rises_for_the_record_at_once_and_for_all_a_minute_after_the_first_revocation() {
    let mut world = World::new();
    let (tree, grants) = grants(&mut world, 4);
    let record = grants[0].record;
    let floor = |world: &World, after: i64| world.tree(&tree).floor_at(world.chain.now() + after);
    world.revoke_unnamed(&grants[0]);
    assert_eq!(world.anonymous_set(&grants[0]).floor, 5);
    assert_eq!((floor(&world, FLOOR_DELAY - 1), floor(&world, FLOOR_DELAY)), (0, 5));
    // A second one within the minute rises with the first.
    world.wait(FLOOR_DELAY - 1);
    world.revoke_unnamed(&grants[1]);
    assert_eq!(world.anonymous_set(&grants[1]).floor, 6);
    assert_eq!((floor(&world, 0), floor(&world, 1)), (0, 6));
    // A grant that is made changes nothing of it.
    world.grant_unnamed(tree, record, |_| {});
    assert_eq!((floor(&world, 0), floor(&world, 1)), (0, 6));
    // The next one begins a minute of its own, from the floor that was reached.
    world.wait(10);
    world.revoke_unnamed(&grants[2]);
    assert_eq!((floor(&world, FLOOR_DELAY - 1), floor(&world, FLOOR_DELAY)), (6, 8));
}
