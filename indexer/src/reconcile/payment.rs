//! Agreements, and what was paid under them.

use std::collections::HashMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    seeds::Id,
    state::{Agreement, Record, Settlement},
    vocabulary::{AgreementState, Purpose},
};

use super::{
    chain_of,
    expected::{Expected, Gate, address, amount, bytes, classes, time, word},
    log_of,
};

pub(super) fn agreements(accounts: &[(Address, Agreement)]) -> Vec<Expected> {
    accounts
        .iter()
        .flat_map(|(account, agreement)| {
            let consumer = agreement.consumer;
            let key = vec![bytes(consumer), bytes(agreement.id)];
            let mut rows = vec![
                Expected::new("agreements", account, chain_of(&consumer), key.clone())
                    .is("provider", bytes(agreement.provider))
                    .is(
                        "state",
                        word(AgreementState::from_byte(agreement.state), AgreementState::word),
                    )
                    .is("classes", classes(agreement.classes))
                    .is("purpose", word(Purpose::from_byte(agreement.purpose), Purpose::word))
                    .is("mint", address(&agreement.mint))
                    .is("token_program", address(&agreement.token_program))
                    .is("escrow", address(&agreement.escrow))
                    .is("refund", address(&agreement.refund))
                    .is("payee", address(&agreement.payee))
                    .is("price", amount(agreement.price))
                    .is("expires_at", time(agreement.expires))
                    .is("proposed_at", time(agreement.created_at))
                    .set("accepted_at", agreement.payee != Address::default())
                    .set("closed_at", agreement.state == AgreementState::Closed.byte()),
            ];
            if agreement.deposited > 0 {
                let row = Expected::new("agreement_deposits", account, chain_of(&consumer), key.clone());
                rows.push(row.is("received", amount(agreement.deposited)));
            }
            if agreement.settled > 0 {
                let row = Expected::new("settlements (sums)", account, Gate::All, key);
                rows.push(
                    row.is("amount", amount(agreement.paid))
                        .is("settled", agreement.settled),
                );
            }
            rows
        })
        .collect()
}

/// What was paid. A settlement names the accounts of agreement and record, a row their ids.
pub(super) fn settlements(
    accounts: &[(Address, Settlement)],
    agreements: &[(Address, Agreement)],
    records: &[(Address, Record)],
) -> Vec<Expected> {
    let agreements: HashMap<Address, (Id, Id)> = agreements
        .iter()
        .map(|(account, agreement)| (*account, (agreement.consumer, agreement.id)))
        .collect();
    let records: HashMap<Address, (Id, Id)> = records
        .iter()
        .map(|(account, record)| (*account, (record.patient, record.id)))
        .collect();
    let row = |(account, settlement): &(Address, Settlement)| {
        let (consumer, agreement) = agreements.get(&settlement.agreement).copied().unwrap_or_default();
        let (patient, record) = records.get(&settlement.record).copied().unwrap_or_default();
        let key = vec![
            bytes(consumer),
            bytes(agreement),
            bytes(patient),
            bytes(record),
            settlement.version.into(),
        ];
        Expected::new("settlements", account, log_of(&patient), key)
            .is("request", bytes(settlement.request))
            .is("amount", amount(settlement.amount))
            .is("at", time(settlement.at))
    };
    accounts.iter().map(row).collect()
}
