//! Programs in the place of programs, and sysvars in the place of sysvars.

use anchor_lang::prelude::Address;
use chartseal_program::ID;
use solana_account::Account;
use solana_clock::Clock;
use solana_instruction::AccountMeta;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{catalogue::stories, common::*, tokens::*};

/// Programs that stand on every ledger: a look-alike of the contract, both token programs, memo, the system program.
fn programs(chain: &mut Chain) -> Vec<Address> {
    let theirs = Keypair::new().pubkey();
    chain.svm.add_program(theirs, contract()).unwrap();
    vec![
        theirs,
        CLASSIC,
        TOKEN_2022,
        Address::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
        Address::default(),
        ID,
    ]
}

/// Places of programs that are called. The contract's own address, which Anchor puts last, is not looked at: events go
/// to where the contract is.
const CALLED: &[&str] = &["system_program", "token_program", "this_program"];

#[test]
fn arbitrary_program_in_the_place_of_a_program() {
    for mut story in stories() {
        let mut others = programs(&mut story.chain);
        others.push(story.chain.wallet().pubkey());
        for place in story.places() {
            for other in others.iter().filter(|other| **other != place.address) {
                let (forged, attack) = (story.with(&place, *other), format!("{other} is the {}", place.name));
                if CALLED.contains(&place.name.as_str()) {
                    story.fail(&attack, &forged);
                } else if place.name == "program" {
                    story.change_nothing(&attack, &forged);
                }
            }
        }
    }
}

/// No instruction takes a sysvar's account, so there is none to spoof: time and rent are asked of the runtime. Accounts
/// that say otherwise are looked at by nobody.
#[test]
fn spoofed_sysvars() {
    let sysvars = [
        "SysvarC1ock11111111111111111111111111111111",
        "SysvarRent111111111111111111111111111111111",
        "Sysvar1nstructions1111111111111111111111111",
        "SysvarS1otHashes111111111111111111111111111",
    ]
    .map(Address::from_str_const);
    for mut story in stories() {
        assert!(
            story.places().iter().all(|place| !sysvars.contains(&place.address)),
            "{} takes a sysvar",
            story.name
        );
        // A clock of another year, in an account of the attacker's, is appended.
        let clock = Clock {
            unix_timestamp: GENESIS + 1_000 * DAY,
            ..Clock::default()
        };
        let fake = Keypair::new().pubkey();
        let account = Account {
            lamports: 1_000_000_000,
            data: [clock.slot, 0, 0, 0]
                .map(u64::to_le_bytes)
                .concat()
                .into_iter()
                .chain(clock.unix_timestamp.to_le_bytes())
                .collect(),
            owner: Address::from_str_const("Sysvar1111111111111111111111111111111111111"),
            ..Account::default()
        };
        story.chain.svm.set_account(fake, account).unwrap();
        let with_clock = story.and(AccountMeta::new_readonly(fake, false));
        story.change_nothing("a clock is appended", &with_clock);
    }
}
