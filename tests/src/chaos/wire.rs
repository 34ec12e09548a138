//! Transactions as `getTransaction` answers them, in the JSON of a validator.

use serde_json::{Value, json};

use super::world::Executed;

/// The transaction's name.
pub(super) fn signature(executed: &Executed) -> String {
    let first = executed.transaction.signatures.first();
    first.map(ToString::to_string).unwrap_or_default()
}

/// How it failed; null where it did not.
pub(super) fn error(executed: &Executed) -> Value {
    serde_json::to_value(&executed.error).unwrap_or(Value::Null)
}

/// All but the slot and the time of its block.
pub(super) fn transaction(executed: &Executed) -> Value {
    let message = &executed.transaction.message;
    let keys: Vec<String> = message.account_keys.iter().map(ToString::to_string).collect();
    let instruction = |program: u8, accounts: &[u8], data: &[u8], height: u32| {
        json!({
            "programIdIndex": program, "accounts": accounts, "data": bs58::encode(data).into_string(),
            "stackHeight": height,
        })
    };
    let outer = message.instructions.iter();
    let outer: Vec<_> = outer
        .map(|i| instruction(i.program_id_index, &i.accounts, &i.data, 1))
        .collect();
    let inner = executed.meta.inner_instructions.iter().enumerate();
    let inner = inner.filter(|(_, calls)| !calls.is_empty()).map(|(index, calls)| {
        let calls = calls.iter().map(|call| {
            let of = &call.instruction;
            instruction(
                of.program_id_index,
                &of.accounts,
                &of.data,
                u32::from(call.stack_height),
            )
        });
        json!({ "index": index, "instructions": calls.collect::<Vec<_>>() })
    });
    let inner: Vec<_> = inner.collect();
    let failed = error(executed);
    json!({
        "version": "legacy",
        "transaction": {
            "signatures": executed.transaction.signatures.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "message": {
                "header": {
                    "numRequiredSignatures": message.header.num_required_signatures,
                    "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
                    "numReadonlyUnsignedAccounts": message.header.num_readonly_unsigned_accounts,
                },
                "accountKeys": keys,
                "recentBlockhash": message.recent_blockhash.to_string(),
                "instructions": outer,
            },
        },
        "meta": {
            "err": failed,
            "status": if failed.is_null() { json!({ "Ok": null }) } else { json!({ "Err": failed }) },
            "fee": executed.meta.fee, "preBalances": [], "postBalances": [],
            "innerInstructions": inner, "logMessages": executed.meta.logs,
            "preTokenBalances": [], "postTokenBalances": [], "rewards": [],
            "loadedAddresses": { "writable": [], "readonly": [] },
            "computeUnitsConsumed": executed.meta.compute_units_consumed,
        },
    })
}
