//! The slot of a grant that is claimed, which alone is read through `unsafe` (see `state::slot`): what it takes, and
//! that nothing in it is ever written through a second reference.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    instructions::{AccessRecordArgs, AmendRecordArgs},
    seeds::{address, Id, NO_ID},
    state::Grant,
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{AccountMeta, Instruction};
use solana_signer::Signer;

use crate::common::*;

/// Where the slot stands among the accounts of an actor.
const SLOT: usize = 8;

impl World {
    /// The insurer asks by this grant; its slot is then changed by the test.
    fn claim(&mut self, grant: Id) -> (Instruction, Person) {
        let (record, insurer) = (self.record(), self.insurer.clone());
        let access = self.access_ix(&insurer.acting().claiming(grant), record, Purpose::Payment);
        assert_eq!(access.accounts[SLOT].pubkey, address::grant(&self.patient.id, &grant));
        (access, insurer)
    }
}

#[test]
fn account_of_another_type_is_no_grant() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let other = world.chain.patient(90);
    for account in [
        world.doctor.address(),
        world.hospital.address(),
        address::patient(&other.id),
        address::access_log(&other.id),
        address::refusal_log(&other.id),
    ] {
        let (mut access, insurer) = world.claim(grant);
        access.accounts[SLOT].pubkey = account;
        world
            .chain
            .refuse(access, &[&insurer.wallet], ChartsealError::NotAGrantSlot);
    }
}

#[test]
fn account_that_stands_elsewhere_in_the_instruction_is_refused() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let (access, _) = world.claim(grant);
    // The program's own address stands for an account that is left out.
    let places = 0..access.accounts.len();
    for place in places.filter(|&place| place != SLOT && access.accounts[place].pubkey != ID) {
        let (mut access, insurer) = world.claim(grant);
        access.accounts[SLOT].pubkey = access.accounts[place].pubkey;
        world.chain.refuse_at_the_door(access, &[&insurer.wallet], DUPLICATE);
    }
}

#[test]
fn grant_that_also_stands_as_a_written_record_is_refused() {
    let mut world = World::new();
    let (grant, record, doctor) = (world.enrol(), world.record(), world.doctor.clone());
    let args = AmendRecordArgs {
        request: id(1),
        expected_version: 1,
        purpose: Purpose::Treatment,
        grant,
        content: content(4),
    };
    let patient = world.patient.id;
    let mut amend = ix::amend_record(&doctor.acting().claiming(grant), None, &patient, &record, args);
    substitute(
        &mut amend,
        address::record(&patient, &record),
        address::grant(&patient, &grant),
    );
    world.chain.refuse_at_the_door(amend, &[&doctor.wallet], DUPLICATE);
}

#[test]
fn grant_passed_again_after_the_declared_accounts_is_used_once() {
    let mut world = World::new();
    let grant = world.insure(|terms| terms.uses = 3);
    let (mut access, insurer) = world.claim(grant);
    access
        .accounts
        .push(AccountMeta::new(address::grant(&world.patient.id, &grant), false));
    // Whether Anchor takes accounts beyond those declared is its own affair; that a use is taken twice is not.
    let allowed = world.chain.send(&[access], &[&insurer.wallet]).is_ok();
    assert_eq!(world.granted(&grant).uses_left, if allowed { 2 } else { 3 });
}

#[test]
fn grant_passed_as_read_only_is_refused() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let (mut access, insurer) = world.claim(grant);
    access.accounts[SLOT].is_writable = false;
    world.chain.refuse_at_the_door(access, &[&insurer.wallet], READ_ONLY);
}

#[test]
fn grant_of_another_program_is_no_grant() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let mut account = world
        .chain
        .svm
        .get_account(&address::grant(&world.patient.id, &grant))
        .unwrap();
    account.owner = Address::new_from_array([8; 32]);
    let fake = Address::new_from_array([9; 32]);
    world.chain.svm.set_account(fake, account).unwrap();
    let (mut access, insurer) = world.claim(grant);
    access.accounts[SLOT].pubkey = fake;
    world
        .chain
        .refuse(access, &[&insurer.wallet], ChartsealError::NotAGrantSlot);
}

#[test]
fn account_too_short_for_a_grant_is_none() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let account = world
        .chain
        .svm
        .get_account(&address::grant(&world.patient.id, &grant))
        .unwrap();
    let short = Address::new_from_array([9; 32]);
    for len in [0, 7, 8, account.data.len() - 1] {
        let mut cut = account.clone();
        cut.data.resize(len, 0);
        world.chain.svm.set_account(short, cut).unwrap();
        let (mut access, insurer) = world.claim(grant);
        access.accounts[SLOT].pubkey = short;
        world
            .chain
            .refuse(access, &[&insurer.wallet], ChartsealError::NotAGrantSlot);
    }
}

#[test]
fn empty_address_of_something_else_proves_no_absence() {
    let mut world = World::new();
    let (grant, missing) = (world.insure(|_| {}), world.grant_id());
    let patient = world.patient.id;
    for (claimed, empty) in [
        (grant, address::grant_slot(&patient, &missing)),
        (grant, Address::new_from_array([7; 32])),
        (grant, world.chain.wallet().pubkey()),
        (missing, address::grant_slot(&id(90), &missing)),
    ] {
        let (record, insurer) = (world.record(), world.insurer.clone());
        let mut access = world.access_ix(&insurer.acting().claiming(claimed), record, Purpose::Payment);
        access.accounts[SLOT].pubkey = empty;
        world
            .chain
            .refuse(access, &[&insurer.wallet], ChartsealError::NotAGrantSlot);
    }
}

#[test]
fn lamports_at_an_empty_address_make_no_grant_of_it() {
    let mut world = World::new();
    let (record, missing, insurer) = (world.record(), world.grant_id(), world.insurer.clone());
    world
        .chain
        .svm
        .airdrop(&address::grant_slot(&world.patient.id, &missing), 1_000_000)
        .unwrap();
    assert_eq!(
        world.asks(&insurer, Some(missing), record, Purpose::Payment),
        Err(Reason::NoGrant)
    );
}

#[test]
fn slot_is_the_grants_address_wherever_there_can_be_one() {
    let mut world = World::new();
    let patient = world.patient.id;
    for _ in 0..16 {
        let drawn = world.grant_id();
        assert_eq!(address::grant_slot(&patient, &drawn), address::grant(&patient, &drawn));
    }
}

// Regression: `one_grant_used_another_written_down`. The id in the arguments was not compared with the account.

#[test]
fn grant_is_not_used_under_another_ones_id() {
    let mut world = World::new();
    let (used, named) = (world.insure(|_| {}), world.insure(|_| {}));
    for named in [named, world.grant_id(), NO_ID] {
        let (record, insurer) = (world.record(), world.insurer.clone());
        let args = AccessRecordArgs {
            request: id(1),
            version: 1,
            purpose: Purpose::Payment,
            grant: named,
        };
        let acting = insurer.acting().claiming(used);
        let access = ix::access_record(&acting, &world.patient.id, &record, args);
        world
            .chain
            .refuse(access, &[&insurer.wallet], ChartsealError::GrantMismatch);
    }
}

#[test]
fn grant_is_not_named_without_being_shown() {
    let mut world = World::new();
    let grant = world.insure(|_| {});
    let (mut access, insurer) = world.claim(grant);
    access.accounts[SLOT].pubkey = ID;
    world
        .chain
        .refuse(access, &[&insurer.wallet], ChartsealError::GrantMismatch);
}

#[test]
fn grant_is_not_read_as_it_was_before_the_instruction() {
    let mut world = World::new();
    let (record, grant, insurer) = (
        world.record(),
        world.insure(|terms| terms.uses = 1),
        world.insurer.clone(),
    );
    // Two accesses in one transaction: the second one sees the use that the first one took.
    let acting = insurer.acting().claiming(grant);
    let both = [1, 2].map(|_| world.access_ix(&acting, record, Purpose::Payment));
    let sent = world.chain.transact(&both, &[&insurer.wallet]).unwrap();
    let [AnyEvent::AccessAllowed(_), AnyEvent::ActionRefused(second)] = &events(&sent)[..] else {
        panic!()
    };
    assert_eq!(second.reason, Reason::GrantExhausted);
    assert_eq!(
        world
            .chain
            .read::<Grant>(&address::grant(&world.patient.id, &grant))
            .uses_left,
        0
    );
}
