#![allow(clippy::unwrap_used)]
use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;
use solana_transaction::Transaction;

use super::{super::encoded, *};
use crate::ledger::{fates::Fates, mock_node::node};

const SLOT: u64 = 10_000;
const LIFE_ENDS_AT: u64 = 150;

fn address(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

/// A transaction of wallet 2, which wallet 1 pays for.
fn signed(data: u8) -> Signed {
    let accounts = vec![AccountMeta::new_readonly(address(2), true)];
    let instruction = Instruction {
        program_id: address(3),
        accounts,
        data: vec![data],
    };
    let message = Message::new(&[instruction], Some(&address(1)));
    Signed {
        transaction: Transaction {
            signatures: vec![Signature::default(), Signature::from([2; 64])],
            message,
        },
        last_valid: LIFE_ENDS_AT,
    }
}

fn signature(number: usize) -> String {
    let mut bytes = [7; 64];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Signature::from(bytes).to_string()
}

fn stands(signed: &Signed) -> Value {
    json!({ "slot": SLOT, "blockTime": 1, "meta": null, "transaction": [STANDARD.encode(encoded(&signed.transaction)), "base64"] })
}

fn entry(number: usize, slot: u64) -> Value {
    json!({ "signature": signature(number), "slot": slot, "err": null, "memo": null, "blockTime": 1 })
}

/// A ledger at the end of that blockhash's life. `named` gives the page after a signature, `found` the transaction of one.
fn ledger(
    named: impl Fn(Option<&str>) -> Vec<Value> + Send + Sync + 'static,
    found: impl Fn(&str) -> Value + Send + Sync + 'static,
) -> Ledger {
    let node = node(CommitmentConfig::confirmed(), move |request, params| match request {
        RpcRequest::GetEpochInfo => json!({
            "epoch": 0, "slotIndex": SLOT, "slotsInEpoch": 432_000, "absoluteSlot": SLOT,
            "blockHeight": LIFE_ENDS_AT + 1, "transactionCount": 1,
        }),
        RpcRequest::GetSignaturesForAddress => {
            assert_eq!(params[1]["minContextSlot"], SLOT, "of a node that has seen the end");
            json!(named(params[1]["before"].as_str()))
        }
        RpcRequest::GetTransaction => found(params[0].as_str().unwrap()),
        _ => {
            let status = json!({
                "slot": 7, "confirmations": 5, "status": { "Ok": null }, "err": null, "confirmationStatus": "confirmed",
            });
            json!({ "context": { "slot": SLOT }, "value": [status] })
        }
    });
    let rpc = Arc::new(node);
    let patience = Duration::from_millis(200);
    Ledger {
        fates: Fates::new(Arc::clone(&rpc), None, patience),
        rpc,
        patience,
        ..Ledger::new("http://127.0.0.1:1")
    }
}

#[tokio::test]
async fn a_transaction_is_found_behind_a_page_of_others() {
    let page = |before: Option<&str>| match before {
        None => (0..PAGE).map(|number| entry(number, SLOT)).collect(),
        Some(last) => {
            assert_eq!(last, signature(PAGE - 1));
            vec![entry(PAGE, SLOT)]
        }
    };
    let ledger = ledger(page, |asked| stands(&signed(u8::from(asked == signature(PAGE)))));
    let found = ledger.landed(&mut signed(1)).await.unwrap();
    assert_eq!(found.map(|found| found.to_string()), Some(signature(PAGE)));
}

#[tokio::test]
async fn what_is_older_than_the_transaction_can_be_ends_the_search() {
    let page = |before: Option<&str>| {
        assert!(before.is_none());
        (0..PAGE)
            .map(|number| entry(number, SLOT - SLOTS * number.min(1) as u64))
            .collect()
    };
    let ledger = ledger(page, |_| stands(&signed(0)));
    assert_eq!(ledger.landed(&mut signed(1)).await.unwrap(), None);
}

#[tokio::test]
async fn where_too_much_names_the_wallet_nothing_is_known() {
    let page = |_: Option<&str>| (0..PAGE).map(|number| entry(number, SLOT)).collect();
    let ledger = ledger(page, |_| stands(&signed(0)));
    let error = ledger.landed(&mut signed(1)).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("transaction of {}", address(2))),
        "{error}"
    );
    assert!(error.may_stand());
}

#[tokio::test]
async fn where_it_cannot_be_looked_up_nothing_is_known() {
    let ledger = ledger(|_| vec![entry(0, SLOT)], |_| Value::Null);
    let error = ledger.landed(&mut signed(1)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Unknown { .. }), "{error}");
}
