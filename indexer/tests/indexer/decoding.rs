//! What counts as an event of ours, and what does not.

use anchor_lang::{event::EVENT_IX_TAG_LE, prelude::Address};
use chartseal_indexer::decode::decode;
use chartseal_program::{events::RegistryCreated, seeds::NO_ID};

use crate::{
    ledger::{Ledger, STRANGER, emission, instruction},
    story,
};

fn an_event() -> Vec<u8> {
    Ledger::new().event(&NO_ID, |link| RegistryCreated {
        link,
        admin: story::wallet(1),
        head: [0; 32],
    })
}

#[test]
fn events_come_in_the_order_in_which_they_were_emitted() {
    let mut ledger = Ledger::new();
    let bytes: Vec<Vec<u8>> = (0..4)
        .map(|n| {
            ledger.event(&NO_ID, |link| RegistryCreated {
                link,
                admin: story::wallet(n),
                head: [0; 32],
            })
        })
        .collect();
    let transaction = ledger.add(&[&bytes[..2], &[], &bytes[2..]]).clone();
    let decoded = decode(&transaction).unwrap();
    let places: Vec<_> = decoded
        .events
        .iter()
        .map(|located| (located.place.outer, located.place.inner))
        .collect();
    assert_eq!(places, [(0, 0), (0, 1), (2, 0), (2, 1)]);
    assert_eq!(
        decoded
            .events
            .iter()
            .map(|located| located.bytes.clone())
            .collect::<Vec<_>>(),
        bytes
    );
    assert_eq!(decoded.look_alikes, 0);
}

#[test]
fn an_event_of_the_program_called_by_another_program_counts() {
    let mut ledger = Ledger::new();
    let mut outer = instruction(0);
    outer.program = STRANGER;
    let mut ours = instruction(0);
    (ours.inner, ours.depth) = (Some(0), 2);
    let mut event = emission(0, 1, &an_event());
    event.depth = 3;
    let transaction = ledger.push(vec![outer, ours, event]).clone();
    assert_eq!(decode(&transaction).unwrap().events.len(), 1);
}

#[test]
fn forged_events_are_ignored_and_counted() {
    let bytes = an_event();
    let mut another_program = emission(0, 0, &bytes);
    another_program.program = STRANGER;
    let mut another_authority = emission(0, 1, &bytes);
    another_authority.accounts = vec![STRANGER];
    let mut more_accounts = emission(0, 2, &bytes);
    more_accounts.accounts.push(STRANGER);
    let mut no_account = emission(0, 3, &bytes);
    no_account.accounts.clear();
    let mut outer = instruction(0);
    outer.data = [EVENT_IX_TAG_LE, &bytes].concat();
    outer.accounts = emission(0, 0, &bytes).accounts;
    let mut ledger = Ledger::new();
    let calls = vec![outer, another_program, another_authority, more_accounts, no_account];
    let decoded = decode(&ledger.push(calls).clone()).unwrap();
    assert_eq!((decoded.events.len(), decoded.look_alikes), (0, 5));
}

#[test]
fn an_event_that_another_program_called_for_is_forged() {
    let mut stranger = instruction(0);
    stranger.program = STRANGER;
    let mut ledger = Ledger::new();
    let decoded = decode(&ledger.push(vec![stranger, emission(0, 0, &an_event())]).clone()).unwrap();
    assert_eq!((decoded.events.len(), decoded.look_alikes), (0, 1));
    // The program came before it, but a stranger called.
    let mut ours = instruction(0);
    (ours.inner, ours.depth) = (Some(0), 2);
    let mut stranger_outside = instruction(0);
    stranger_outside.program = STRANGER;
    let decoded = decode(
        &ledger
            .push(vec![stranger_outside, ours, emission(0, 1, &an_event())])
            .clone(),
    )
    .unwrap();
    assert_eq!((decoded.events.len(), decoded.look_alikes), (0, 1));
}

#[test]
fn events_of_other_anchor_programs_are_none_of_our_business() {
    let mut theirs = emission(0, 0, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    theirs.program = STRANGER;
    theirs.accounts = vec![Address::new_from_array([4; 32])];
    let mut ledger = Ledger::new();
    let decoded = decode(&ledger.push(vec![instruction(0), theirs]).clone()).unwrap();
    assert_eq!((decoded.events.len(), decoded.look_alikes), (0, 0));
}

#[test]
fn an_event_of_ours_that_does_not_decode_is_an_error() {
    let whole = an_event();
    let cut = &whole[..whole.len() - 1];
    let longer = [&whole[..], &[0]].concat();
    let unknown = [&[0xff; 8], &whole[8..]].concat();
    for bytes in [cut, &longer, &unknown, &[][..]] {
        let mut ledger = Ledger::new();
        let transaction = ledger.push(vec![instruction(0), emission(0, 0, bytes)]).clone();
        let error = decode(&transaction).unwrap_err();
        assert_eq!((error.outer, error.inner, error.length), (0, 0, bytes.len()));
    }
}
