//! Every account that an instruction reads is replaced by what could be taken for it, and every list of accounts by one
//! that is too short, too long or names one account twice.

use anchor_lang::prelude::Address;
use chartseal_program::ID;
use solana_account::Account;
use solana_instruction::AccountMeta;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    catalogue::stories,
    common::*,
    story::{account_types, Place, Story},
};

/// Tries an account of the attacker's making in a place: at an address of its own, and even at the true one.
fn replace(story: &mut Story, place: &Place, attack: &str, account: Account) {
    let elsewhere = Keypair::new().pubkey();
    let instruction = story.with(place, elsewhere);
    story.with_account(&elsewhere, account.clone(), |story| {
        story.gain_nothing(attack, &instruction)
    });
    let instruction = story.instruction.clone();
    story.with_account(&place.address, account, |story| {
        story.gain_nothing(attack, &instruction)
    });
}

#[test]
fn wrong_owner() {
    let hostile = Address::new_from_array([8; 32]);
    for mut story in stories() {
        for place in story.data_places() {
            let account = Account {
                owner: hostile,
                ..story.account(&place.address).unwrap()
            };
            replace(
                &mut story,
                &place,
                &format!("{} is another program's", place.name),
                account,
            );
        }
    }
}

#[test]
fn account_of_another_type() {
    let types = account_types();
    for mut story in stories() {
        for place in story.data_places() {
            let account = story.account(&place.address).unwrap();
            if account.owner != ID {
                continue;
            }
            // The very same fields under the name of every other type.
            for (name, discriminator) in types.iter().filter(|(_, other)| account.data[..8] != other[..]) {
                let mut other = account.clone();
                other.data[..8].copy_from_slice(discriminator);
                replace(&mut story, &place, &format!("{} is a {name}", place.name), other);
            }
        }
    }
}

/// Accounts that are kept by their address: that they are of the right type is all that is asked.
const ONLY_NAMED: &[&str] = &["grantee", "holder_1", "holder_2"];

/// What is made where it is not there yet: at the true address, an empty account is none.
const MADE_WHERE_MISSING: &[(&str, &str)] = &[("create_anonymous_grant: on a record that has one", "set")];

#[test]
fn uninitialised_account() {
    for mut story in stories() {
        for place in story.data_places() {
            let account = story.account(&place.address).unwrap();
            let attack = format!("{} is uninitialised", place.name);
            let empty = Account {
                lamports: account.lamports,
                ..Account::default()
            };
            if !MADE_WHERE_MISSING.contains(&(story.name.as_str(), place.name.as_str())) {
                replace(&mut story, &place, &attack, empty);
            }
            let zeros = Account {
                data: vec![0; account.data.len()],
                ..account.clone()
            };
            replace(&mut story, &place, &attack, zeros);
            // No more than the beginning is read of a program's data, of a token account (behind it are extensions) and of
            // an account that is only named.
            let read = match account.data.len() {
                10_000.. => 45,
                _ if ONLY_NAMED.contains(&place.name.as_str()) => 8,
                all if account.owner != ID => all.min(165),
                all => all,
            };
            for length in [0, 7, 8, read - 1].into_iter().filter(|length| *length < read) {
                let mut short = account.clone();
                short.data.truncate(length);
                replace(&mut story, &place, &attack, short);
            }
        }
    }
}

#[test]
fn duplicate_mutable_accounts() {
    for mut story in stories() {
        let places = story.places();
        for place in places
            .iter()
            .filter(|place| place.writable && !place.signer && !place.absent)
        {
            for other in places
                .iter()
                .filter(|other| ![place.address, ID].contains(&other.address))
            {
                let doubled = story.with(place, other.address);
                let attack = format!("{} is {} too", place.name, other.name);
                story.fail(&attack, &doubled);
            }
        }
    }
}

#[test]
fn written_account_passed_as_read_only() {
    for mut story in stories() {
        for place in story
            .places()
            .into_iter()
            .filter(|place| place.writable && !place.absent)
        {
            let mut instruction = story.instruction.clone();
            instruction.accounts[place.index].is_writable = false;
            story.fail(&format!("{} is read-only", place.name), &instruction);
        }
    }
}

#[test]
fn missing_account() {
    for mut story in stories() {
        for place in story.places() {
            let mut instruction = story.instruction.clone();
            instruction.accounts.remove(place.index);
            story.fail(&format!("{} is missing", place.name), &instruction);
            instruction.accounts.truncate(place.index);
            story.fail(&format!("everything from {} on is missing", place.name), &instruction);
        }
    }
}

/// What may be left out because the instruction then is another one, which the same signer may send as well.
const NOT_NEEDED: &[(&str, &str)] = &[("open_patient: by a steward", "steward")];

#[test]
fn credential_or_claim_left_out() {
    for mut story in stories() {
        for place in story
            .places()
            .into_iter()
            .filter(|place| place.optional && !place.absent)
        {
            if NOT_NEEDED.contains(&(story.name.as_str(), place.name.as_str())) {
                continue;
            }
            let mut without = story.instruction.clone();
            without.accounts[place.index] = AccountMeta::new_readonly(ID, false);
            story.gain_nothing(&format!("{} is left out", place.name), &without);
        }
    }
}

#[test]
fn extra_accounts() {
    for story in stories() {
        let stranger = Keypair::new().pubkey();
        let mut extras = vec![AccountMeta::new(stranger, false), AccountMeta::new_readonly(ID, false)];
        // Every account once more, and with more privileges than it has.
        extras.extend(
            story
                .places()
                .iter()
                .map(|place| AccountMeta::new(place.address, false)),
        );
        for extra in extras {
            let attack = format!("{} is appended", extra.pubkey);
            story.change_nothing(&attack, &story.and(extra));
        }
    }
}

/// Where the ids stand by which an account belongs to somebody: from which byte on.
fn subjects(data: &[u8]) -> &'static [usize] {
    let name = account_types()
        .into_iter()
        .find(|(_, discriminator)| data[..8] == discriminator[..]);
    match name.unwrap().0.as_str() {
        // Its own id: it is another patient or institution.
        "Institution" | "Patient" | "Safeguards" | "AccessLog" | "RefusalLog" => &[8],
        // The id of whose it is, behind its own.
        "Member" | "Delegate" | "Record" | "Batch" | "Grant" | "Request" | "Emergency" => &[24],
        // Patient and institution; provider and consumer.
        "Policy" => &[8, 24],
        "Agreement" => &[24, 40],
        // Its own id; tree, patient and record; tree.
        "GrantTree" => &[8],
        "AnonymousSet" => &[8, 24, 40],
        "Nullifier" => &[104],
        // There is one registry, and settlements are not read.
        _ => &[],
    }
}

/// What the same signer may do to another one as well: it is the other's authority, or may choose whom it means.
const ANOTHER_IS_AS_GOOD: &[(&str, &str, usize)] = &[
    ("accept_institution", "institution", 8),
    ("set_institution_standing", "institution", 8),
    ("renew_institution", "institution", 8),
    ("propose_authority: by itself", "institution", 8),
    ("propose_authority: by the admin", "institution", 8),
    ("accept_authority", "institution", 8),
    ("open_patient: by a steward", "steward", 8),
    ("set_break_glass", "holder_1", 8),
    ("set_break_glass", "holder_2", 8),
    ("propose_agreement", "provider", 8),
    // With whomever the consumer has agreed: it may fund each of its agreements.
    ("fund_agreement", "agreement", 24),
    // A proof says nothing of a tree but its root, and this has the same one.
    ("verify_access_proof", "tree", 8),
];

#[test]
fn account_of_another_patient_or_institution() {
    for mut story in stories() {
        for place in story.data_places() {
            let account = story.account(&place.address).unwrap();
            if account.owner != ID {
                continue;
            }
            for &subject in subjects(&account.data) {
                if ANOTHER_IS_AS_GOOD.contains(&(story.name.as_str(), place.name.as_str(), subject)) {
                    continue;
                }
                let mut foreign = account.clone();
                foreign.data[subject..subject + 16].copy_from_slice(&id(9_999));
                let elsewhere = Keypair::new().pubkey();
                let instruction = story.with(&place, elsewhere);
                let attack = format!("{} is another's", place.name);
                story.with_account(&elsewhere, foreign, |story| story.gain_nothing(&attack, &instruction));
            }
        }
    }
}
