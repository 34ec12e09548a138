//! Events that somebody else than the program would emit.

use anchor_lang::{event::EVENT_IX_TAG_LE, prelude::Address};
use chartseal_program::{seeds::address, ID};
use solana_instruction::{error::InstructionError, AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{catalogue::stories, common::*, story::Story};

/// The place of the event authority, the last but one.
fn with_authority(story: &Story, authority: Address) -> Instruction {
    let places = story.places();
    let place = places.iter().find(|place| place.name == "event_authority").unwrap();
    assert_eq!(
        (place.address, place.index),
        (address::event_authority(), places.len() - 2)
    );
    story.with(place, authority)
}

#[test]
fn look_alike_event_authority() {
    for mut story in stories() {
        let other = Address::new_from_array([9; 32]);
        let seeds: &[&[u8]] = &[b"__event_authority"];
        let (_, bump) = Address::find_program_address(seeds, &ID);
        let lower = (0..bump)
            .rev()
            .find_map(|bump| Address::create_program_address(&[seeds[0], &[bump]], &ID).ok());
        for authority in [
            Address::find_program_address(seeds, &other).0,
            lower.unwrap(),
            Keypair::new().pubkey(),
            ID,
        ] {
            let forged = with_authority(&story, authority);
            story.fail("another event authority", &forged);
        }
    }
}

#[test]
fn wallet_that_signs_as_event_authority() {
    for mut story in stories() {
        let wallet = story.chain.wallet();
        story.signers.push(wallet.insecure_clone());
        let mut forged = with_authority(&story, wallet.pubkey());
        let last = forged.accounts.len() - 2;
        forged.accounts[last].is_signer = true;
        story.fail("a wallet is the event authority", &forged);
    }
}

/// The event instruction is called by a transaction, with the very event that the program emits and with one that it
/// does not, by whoever acts, by the event authority without its signature, and by nobody.
#[test]
fn event_instruction_called_directly() {
    for mut story in stories() {
        let event = story.again().succeed().event.encode();
        let mut altered = event.clone();
        altered[8] ^= 1;
        let signer = story.signers[0].pubkey();
        for event in [event, altered, vec![]] {
            let forge = |accounts| Instruction {
                program_id: ID,
                accounts,
                data: [EVENT_IX_TAG_LE, &event].concat(),
            };
            let authority = AccountMeta::new_readonly(address::event_authority(), false);
            let wallet = AccountMeta::new_readonly(signer, true);
            let unsigned = story.fail("by nobody's signature", &forge(vec![authority.clone()]));
            assert_eq!(unsigned, Failure::Runtime(InstructionError::MissingRequiredSignature));
            story.fail("by a wallet", &forge(vec![wallet.clone()]));
            story.fail("by a wallet beside the authority", &forge(vec![authority, wallet]));
            story.fail("without accounts", &forge(vec![]));
            story.fail("with the story's accounts", &forge(story.instruction.accounts.clone()));
        }
    }
}
