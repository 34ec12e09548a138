//! Addresses that the contract makes accounts at: of another bump, of another one's seeds, paid in advance, and taken.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{seeds::*, ID};
use solana_account::Account;

use crate::{
    catalogue::stories,
    story::{account_types, Story},
};

/// The seeds of an account that was made, from what it says of itself.
fn seeds_of(data: &[u8]) -> Vec<Vec<u8>> {
    let name = account_types()
        .into_iter()
        .find(|(_, discriminator)| data[..8] == discriminator[..]);
    let (first, second) = (data[8..24].to_vec(), data[24..40].to_vec());
    let seeds: &[&[u8]] = match name.unwrap().0.as_str() {
        "Registry" => &[REGISTRY],
        "Institution" => &[INSTITUTION, &first],
        "Patient" => &[PATIENT, &first],
        "AccessLog" => &[ACCESS_LOG, &first],
        "RefusalLog" => &[REFUSAL_LOG, &first],
        "Safeguards" => &[SAFEGUARDS, &first],
        "Policy" => &[POLICY, &first, &second],
        "Member" => &[MEMBER, &second, &first],
        "Delegate" => &[DELEGATE, &second, &first],
        "Record" => &[RECORD, &second, &first],
        "Grant" => &[GRANT, &second, &first],
        "Request" => &[REQUEST, &second, &first],
        "Emergency" => &[EMERGENCY, &second, &first],
        "Batch" => &[BATCH, &second, &first],
        "Agreement" => &[AGREEMENT, &data[40..56], &first],
        "Settlement" => &[SETTLEMENT, &data[8..40], &data[40..72], &data[104..108]],
        "GrantTree" => &[TREE, &first],
        "AnonymousSet" => {
            let record: [Id; 2] = [24, 40].map(|at| data[at..at + 16].try_into().unwrap());
            return vec![
                LEAVES.to_vec(),
                first,
                address::record(&record[0], &record[1]).to_bytes().to_vec(),
            ];
        }
        "Nullifier" => &[NULLIFIER, &data[8..40]],
        other => panic!("seeds of {other}"),
    };
    seeds.iter().map(|seed| seed.to_vec()).collect()
}

/// Stories that make accounts, with what each of them looks like afterwards.
fn makers() -> Vec<(Story, Vec<(crate::story::Place, Account)>)> {
    let makers = stories().filter_map(|story| {
        let mut after = story.again();
        after.succeed();
        let made: Vec<_> = story
            .made()
            .into_iter()
            .map(|place| (place.clone(), after.account(&place.address).unwrap()))
            .collect();
        (!made.is_empty()).then_some((story, made))
    });
    makers.collect()
}

#[test]
fn accounts_of_every_type_are_made_by_some_story() {
    let mut made: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (_, accounts) in makers() {
        for (_, account) in accounts.iter().filter(|(_, account)| account.owner == ID) {
            *made.entry(account.data[..8].to_vec()).or_default() += 1;
        }
    }
    for (name, discriminator) in account_types() {
        assert!(made.contains_key(&discriminator[..]), "nobody makes a {name}");
    }
}

#[test]
fn address_of_another_bump() {
    for (mut story, made) in makers() {
        for (place, account) in made {
            let seeds = seeds_of(&account.data);
            let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
            let (canonical, bump) = Address::find_program_address(&seeds, &ID);
            assert_eq!(canonical, place.address, "{}: {}", story.name, place.name);
            let others = (0..bump)
                .rev()
                .filter_map(|bump| Address::create_program_address(&[&seeds[..], &[&[bump]]].concat(), &ID).ok());
            for other in others.take(3) {
                let forged = story.with(&place, other);
                story.fail(&format!("{} at another bump", place.name), &forged);
            }
        }
    }
}

#[test]
fn address_of_another_kind_or_id() {
    for (mut story, made) in makers() {
        for (place, account) in made {
            let mut seeds = seeds_of(&account.data);
            let kind = seeds[0].clone();
            for other in [&b"forged"[..], PATIENT, GRANT, RECORD] {
                seeds[0] = other.to_vec();
                let address = find(&seeds);
                if address != place.address {
                    let forged = story.with(&place, address);
                    story.fail(&format!("{} at the address of a {other:?}", place.name), &forged);
                }
            }
            seeds[0] = kind;
            for n in 1..seeds.len() {
                let mut other = seeds.clone();
                other[n][0] ^= 1;
                let forged = story.with(&place, find(&other));
                story.fail(&format!("{} at the address of another id", place.name), &forged);
            }
        }
    }
}

fn find(seeds: &[Vec<u8>]) -> Address {
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    Address::find_program_address(&seeds, &ID).0
}

/// Lamports sent to an address in advance stop nobody: otherwise whoever knows an id keeps its account from being made.
#[test]
fn lamports_sent_to_an_address_before_it_is_made() {
    for (story, made) in makers() {
        let mut undisturbed = story.again();
        let expected = undisturbed.succeed().event;
        let rent = |account: &Account| story.chain.svm.minimum_balance_for_rent_exemption(account.data.len());
        for (place, account) in &made {
            for lamports in [1, rent(account) - 1, rent(account), rent(account) + 1_000_000] {
                let mut paid = story.again();
                let gift = Account {
                    lamports,
                    ..Account::default()
                };
                paid.chain.svm.set_account(place.address, gift).unwrap();
                assert_eq!(paid.succeed().event, expected, "{}: {}", story.name, place.name);
                let after = paid.account(&place.address).unwrap();
                assert_eq!(
                    (&after.data, after.owner),
                    (&account.data, account.owner),
                    "{}",
                    story.name
                );
                assert_eq!(after.lamports, lamports.max(rent(account)), "{}", story.name);
            }
        }
    }
}

/// What may be set again, because it replaces what was set before.
/// Or because a record can have another grant without a name.
const SET_AGAIN: &[&str] = &[
    "set_policy",
    "set_guardians",
    "set_break_glass",
    "create_anonymous_grant",
];

#[test]
fn account_is_not_initialised_again() {
    for (mut story, made) in makers() {
        if SET_AGAIN.contains(&story.name.split(':').next().unwrap()) {
            continue;
        }
        story.succeed();
        let again = story.instruction.clone();
        story.gain_nothing("the same once more", &again);
        // Not after it was emptied of its content either, nor of its lamports as far as rent allows.
        for (place, account) in made {
            let zeros = Account {
                data: vec![0; account.data.len()],
                ..account
            };
            story.with_account(&place.address, zeros, |story| {
                story.gain_nothing(&format!("{} was zeroed", place.name), &again);
            });
        }
    }
}

/// An account of another program at the address, as a program could leave it that had the key to it.
#[test]
fn address_that_is_taken() {
    for (mut story, made) in makers() {
        let instruction = story.instruction.clone();
        for (place, account) in made {
            for (owner, data) in [
                (Address::new_from_array([8; 32]), account.data.clone()),
                (Address::new_from_array([8; 32]), vec![]),
                (Address::default(), account.data.clone()),
                (ID, vec![0; account.data.len()]),
                (ID, vec![0; account.data.len() + 1]),
                (ID, vec![]),
            ] {
                let taken = Account {
                    owner,
                    data,
                    ..account.clone()
                };
                story.with_account(&place.address, taken, |story| {
                    story.fail(&format!("{} is taken", place.name), &instruction);
                });
            }
        }
    }
}
