//! A hostile program that calls the contract: it passes on what it was called with, and signs for its own addresses.
//!
//! It is native, because the runtime checks the privileges of its calls as it does those of any other program.

use anchor_lang::{event::EVENT_IX_TAG_LE, prelude::Address};
use chartseal_program::{seeds::address, ID};
use solana_instruction::{error::InstructionError, AccountMeta, Instruction};
use solana_program_runtime::declare_process_instruction;

use crate::{catalogue::stories, common::*, story::Story};

const HOSTILE: Address = Address::new_from_array([66; 32]);

/// What the hostile program would have taken for the event authority.
fn its_event_authority() -> Address {
    Address::find_program_address(&[b"__event_authority"], &HOSTILE).0
}

declare_process_instruction!(PassOn, 1, |invoke_context| {
    let call = {
        let context = invoke_context.transaction_context.get_current_instruction_context()?;
        let accounts = (0..context.get_number_of_instruction_accounts()).map(|index| {
            let pubkey = *context.get_key_of_instruction_account(index)?;
            Ok(AccountMeta {
                pubkey,
                is_signer: context.is_instruction_account_signer(index)? || pubkey == its_event_authority(),
                is_writable: context.is_instruction_account_writable(index)?,
            })
        });
        let mut accounts = accounts.collect::<Result<Vec<_>, InstructionError>>()?;
        // The first account is who is called.
        let program_id = accounts.remove(0).pubkey;
        // The first byte says whether to claim a signature that nobody gave.
        let (claims, data) = context.get_instruction_data().split_first().unwrap();
        accounts
            .iter_mut()
            .for_each(|account| account.is_signer |= *claims == 1);
        Instruction {
            program_id,
            accounts,
            data: data.to_vec(),
        }
    };
    invoke_context.native_invoke(call, &[its_event_authority()])
});

/// The call that the hostile program is asked for.
fn by_hostile(call: &Instruction, claims: bool) -> Instruction {
    let program = AccountMeta::new_readonly(call.program_id, false);
    Instruction {
        program_id: HOSTILE,
        accounts: [&[program], &call.accounts[..]].concat(),
        data: [&[u8::from(claims)], &call.data[..]].concat(),
    }
}

/// Every story, on a ledger where the hostile program stands.
fn hostile_stories() -> impl Iterator<Item = Story> {
    stories().map(|mut story| {
        story.chain.svm.add_builtin(HOSTILE, PassOn::vm);
        story
    })
}

#[test]
fn forged_event() {
    for mut story in hostile_stories() {
        let event = story.again().succeed().event.encode();
        let forge = |accounts| Instruction {
            program_id: ID,
            accounts,
            data: [EVENT_IX_TAG_LE, &event].concat(),
        };
        let authority = AccountMeta::new_readonly(address::event_authority(), false);
        let unsigned = by_hostile(&forge(vec![authority.clone()]), false);
        let failure = story.fail("another program emits our event", &unsigned);
        assert_eq!(failure, Failure::Runtime(InstructionError::MissingRequiredSignature));
        let claimed = by_hostile(&forge(vec![authority]), true);
        let failure = story.fail("another program claims to be the event authority", &claimed);
        assert_eq!(failure, Failure::Runtime(InstructionError::PrivilegeEscalation));
        let own = by_hostile(
            &forge(vec![AccountMeta::new_readonly(its_event_authority(), false)]),
            false,
        );
        story.fail("another program signs by its own event authority", &own);
    }
}

#[test]
fn program_that_signs_for_somebody() {
    for mut story in hostile_stories() {
        for place in story.places().into_iter().filter(|place| place.signer && !place.absent) {
            let unsigned = unsign(story.instruction.clone(), place.address);
            let attack = format!("another program signs as {}", place.name);
            let failure = story.fail(&attack, &by_hostile(&unsigned, true));
            assert_eq!(
                failure,
                Failure::Runtime(InstructionError::PrivilegeEscalation),
                "{attack}"
            );
            story.fail(&attack, &by_hostile(&unsigned, false));
        }
    }
}

/// Whoever signs may act by another program, and what comes of it is what would have come of it directly.
#[test]
fn program_in_between_changes_nothing() {
    for story in hostile_stories() {
        let mut through = story.again();
        let called = by_hostile(&story.instruction, false);
        assert!(through.send(&called).is_ok(), "{}", story.name);
        story.change_nothing("by another program", &called);
    }
}
