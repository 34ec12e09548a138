//! Events as they go out: one for each instruction, among the inner instructions, and from nobody but the program.

use anchor_lang::event::EVENT_IX_TAG_LE;
use chartseal_program::{events::AnyEvent, seeds::address, vocabulary::*, ID};
use solana_instruction::{error::InstructionError, AccountMeta, Instruction};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn event_is_a_call_of_the_program_to_itself() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let done = world
        .access(&doctor.wallet, doctor.acting(), record, Purpose::Treatment)
        .unwrap();
    let inner: Vec<_> = done.meta.inner_instructions.iter().flatten().collect();
    assert_eq!(inner.len(), 1, "reading calls nothing but itself");
    assert_eq!(
        inner[0].instruction.accounts.len(),
        1,
        "the event authority and nothing else"
    );
    assert!(inner[0].instruction.data.starts_with(EVENT_IX_TAG_LE));
    assert_eq!(done.event.encode(), inner[0].instruction.data[8..]);
}

#[test]
fn refused_creation_calls_the_system_program_for_nothing() {
    let mut world = World::new();
    let (_, done) = world.create(0, None);
    assert!(matches!(done.event, AnyEvent::ActionRefused(_)));
    assert_eq!(done.meta.inner_instructions.iter().flatten().count(), 1);
}

#[test]
fn nobody_else_emits_an_event() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let done = world
        .access(&doctor.wallet, doctor.acting(), record, Purpose::Treatment)
        .unwrap();
    let data = [EVENT_IX_TAG_LE, &done.event.encode()].concat();
    let forge = |accounts| Instruction {
        program_id: ID,
        accounts,
        data: data.clone(),
    };
    let wallet = &doctor.wallet;
    // By a signer that is not the event authority, ...
    let by_wallet = forge(vec![AccountMeta::new_readonly(wallet.pubkey(), true)]);
    world.chain.fail(&[by_wallet], &[wallet]);
    // ... by the event authority, which does not sign, ...
    let unsigned = forge(vec![AccountMeta::new_readonly(address::event_authority(), false)]);
    let missing = InstructionError::MissingRequiredSignature;
    world.chain.refuse_at_the_door(unsigned, &[wallet], missing);
    // ... and by nobody.
    world.chain.fail(&[forge(vec![])], &[wallet]);
}

#[test]
fn event_authority_of_another_program_is_refused() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let mut access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
    let other = anchor_lang::prelude::Address::new_from_array([9; 32]);
    substitute(&mut access, address::event_authority(), other);
    world
        .chain
        .refuse_at_the_door(access, &[&doctor.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn instruction_that_does_not_exist_is_refused() {
    let mut world = World::new();
    let wallet = world.doctor.wallet.insecure_clone();
    for data in [vec![], vec![1], vec![0; 8], vec![0xFF; 40]] {
        let unknown = Instruction {
            program_id: ID,
            accounts: vec![],
            data,
        };
        world.chain.fail(&[unknown], &[&wallet]);
    }
}
