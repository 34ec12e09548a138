//! What a node answers, of what it knows.

use anchor_lang::{Discriminator, prelude::Address};
use base64::{Engine, prelude::BASE64_STANDARD};
use chartseal_audit::ExportedChain;
use chartseal_indexer::source::{Call, Transaction, show};
use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::Id,
    state::{AccessLog, GrantTree, Institution, RefusalLog, Registry},
};
use serde_json::{Value, json};

use super::Knowledge;
use crate::ledger::blockhash;

pub(super) fn result(knowledge: &Knowledge, method: &str, params: &Value) -> Option<Value> {
    Some(match method {
        "getSlot" if params[0]["commitment"] == "finalized" => json!(knowledge.final_tip()),
        "getSlot" => json!(knowledge.tip()),
        "getSignaturesForAddress" => signatures(knowledge, &params[1]),
        "getSignatureStatuses" => statuses(knowledge, &params[0]),
        "getTransaction" => transaction(knowledge, params[0].as_str()?),
        "getBlock"
            if knowledge
                .early_from()
                .is_some_and(|slot| params[0].as_u64() >= Some(slot)) =>
        {
            Value::Null
        }
        "getBlock" => block(knowledge, params[0].as_u64()?, &params[1]),
        "getMultipleAccounts" => several(knowledge, &params[0]),
        "getGenesisHash" => json!(bs58::encode(GENESIS).into_string()),
        "getProgramAccounts" => accounts(knowledge, &params[1]),
        _ => return None,
    })
}

fn signatures(knowledge: &Knowledge, config: &Value) -> Value {
    let before = config["before"].as_str();
    let limit = config["limit"].as_u64().unwrap() as usize;
    let newest_first = knowledge.transactions().iter().enumerate().rev();
    let wanted = |index: &usize| match config["commitment"] == "finalized" {
        true => knowledge.status(*index) == "finalized",
        false => true,
    };
    let newest_first = newest_first.filter(|(index, _)| wanted(index));
    let listed = newest_first.filter(|(_, transaction)| !knowledge.unlisted.contains(&transaction.signature));
    let after_before =
        listed.skip_while(|(_, transaction)| before.is_some_and(|before| show(&transaction.signature) != before));
    let entries = after_before
        .skip(usize::from(before.is_some()))
        .flat_map(|entry| std::iter::repeat_n(entry, 1 + usize::from(knowledge.stutters)))
        .take(limit)
        .map(|(index, transaction)| {
            let error = knowledge
                .ledger
                .is_failed(index)
                .then(|| json!({ "InstructionError": [0, { "Custom": 1 }] }));
            json!({
                "signature": show(&transaction.signature), "slot": transaction.slot, "err": error, "memo": null,
                "blockTime": transaction.block_time, "confirmationStatus": knowledge.status(index),
            })
        });
    entries.collect()
}

fn statuses(knowledge: &Knowledge, signatures: &Value) -> Value {
    let status = |signature: &Value| {
        let found = knowledge
            .transactions()
            .iter()
            .position(|t| Some(show(&t.signature).as_str()) == signature.as_str());
        found.map(|index| {
            json!({
                "slot": knowledge.transactions()[index].slot, "confirmations": null, "status": { "Ok": null }, "err": null,
                "confirmationStatus": knowledge.status(index),
            })
        })
    };
    let values: Vec<_> = signatures.as_array().unwrap().iter().map(status).collect();
    json!({ "context": { "slot": knowledge.tip() }, "value": values })
}

fn block(knowledge: &Knowledge, slot: u64, config: &Value) -> Value {
    let of = |slot| {
        let mut transactions = knowledge.transactions().iter();
        let hash = transactions
            .find(|transaction| transaction.slot == slot)
            .map(|transaction| transaction.blockhash);
        bs58::encode(hash.unwrap_or_else(|| blockhash(slot))).into_string()
    };
    let mut block = json!({
        "previousBlockhash": of(slot - 1),
        "blockhash": of(slot),
        "parentSlot": slot - 1, "blockTime": 1_750_000_000 + slot, "blockHeight": slot,
    });
    if config["transactionDetails"] == "full" && !knowledge.hides_transactions {
        let here = knowledge.transactions().iter().filter(|one| one.slot == slot);
        let given = here.filter(|one| !knowledge.withheld.contains(&one.signature));
        block["transactions"] = given.map(|one| encode(one, knowledge.version)).collect();
        // Somebody else's, of a kind that this version does not know.
        let stranger = json!({ "transaction": { "signatures": ["?"] }, "meta": { "err": "Unheard" }, "version": 1 });
        block["transactions"].as_array_mut().unwrap().insert(0, stranger);
    }
    block
}

fn transaction(knowledge: &Knowledge, signature: &str) -> Value {
    let found = knowledge
        .transactions()
        .iter()
        .find(|transaction| show(&transaction.signature) == signature);
    match found {
        Some(transaction) if !knowledge.withheld.contains(&transaction.signature) => {
            let mut answer = encode(transaction, knowledge.version);
            if knowledge.forgets_inner {
                answer["meta"]["innerInstructions"] = Value::Null;
            }
            answer
        }
        _ => Value::Null,
    }
}

/// As `getTransaction` answers. The last key comes from a lookup table, where the version has them.
fn encode(transaction: &Transaction, version: u64) -> Value {
    let mut keys: Vec<Address> = Vec::new();
    for key in transaction
        .calls
        .iter()
        .flat_map(|call| call.accounts.iter().chain([&call.program]))
    {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    let instruction = |call: &Call| {
        let index = |key: &Address| keys.iter().position(|known| known == key).unwrap();
        json!({
            "programIdIndex": index(&call.program),
            "accounts": call.accounts.iter().map(index).collect::<Vec<_>>(),
            "data": bs58::encode(&call.data).into_string(),
            "stackHeight": call.depth,
        })
    };
    let outer: Vec<&Call> = transaction.calls.iter().filter(|call| call.inner.is_none()).collect();
    let groups: Vec<Value> = outer
        .iter()
        .map(|outer| {
            let inner = transaction
                .calls
                .iter()
                .filter(|call| call.inner.is_some() && call.outer == outer.outer);
            json!({ "index": outer.outer, "instructions": inner.map(instruction).collect::<Vec<_>>() })
        })
        .collect();
    let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let (stated, loaded) = texts.split_at(texts.len() - usize::from(version == 0));
    let mut message = json!({
        "header": { "numRequiredSignatures": 1, "numReadonlySignedAccounts": 0, "numReadonlyUnsignedAccounts": 0 },
        "accountKeys": stated,
        "recentBlockhash": bs58::encode([3u8; 32]).into_string(),
        "instructions": outer.into_iter().map(instruction).collect::<Vec<_>>(),
    });
    match version {
        0 => message["addressTableLookups"] = json!([]),
        _ => {
            message["transactionConfig"] = json!({
                "priorityFee": 1, "computeUnitLimit": 200_000, "loadedAccountsDataSizeLimit": null, "heapSize": null,
            });
        }
    }
    json!({
        "slot": transaction.slot,
        "blockTime": transaction.block_time,
        "version": version,
        "transaction": { "signatures": [show(&transaction.signature)], "message": message },
        "meta": {
            "err": null, "status": { "Ok": null }, "fee": 5_000, "preBalances": [], "postBalances": [],
            "innerInstructions": groups, "logMessages": [], "preTokenBalances": [], "postTokenBalances": [],
            "rewards": [], "loadedAddresses": { "writable": [], "readonly": loaded }, "computeUnitsConsumed": 1,
        },
    })
}

/// Accounts by discriminator, cut as asked.
fn accounts(knowledge: &Knowledge, config: &Value) -> Value {
    let wanted = bs58::decode(config["filters"][0]["memcmp"]["bytes"].as_str().unwrap())
        .into_vec()
        .unwrap();
    let length = config["dataSlice"]["length"].as_u64();
    let fitting = knowledge.ledger.heads.iter().map(|((kind, subject), chain)| {
        let address = ExportedChain::account_of(*kind, subject);
        (address, account(knowledge, *kind, subject, *chain))
    });
    fitting
        .filter(|(_, data)| data.starts_with(&wanted))
        .map(|(address, data)| {
            json!({
                "pubkey": bs58::encode(address).into_string(),
                "account": {
                    "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                    "space": data.len(), "data": [BASE64_STANDARD.encode(&data[..length.map_or(data.len(), |length| length as usize)]), "base64"],
                },
            })
        })
        .collect()
}

/// What names this node's cluster.
pub(crate) const GENESIS: [u8; 32] = [0x6e; 32];

/// The accounts that keep chains, by address. A patient's two logs are made together.
fn several(knowledge: &Knowledge, addresses: &Value) -> Value {
    let heads = &knowledge.ledger.heads;
    let mut there: Vec<(ChainKind, Id, Chain)> = heads.iter().map(|((kind, id), chain)| (*kind, *id, *chain)).collect();
    for (kind, id) in heads.keys() {
        if *kind == ChainKind::Log && !heads.contains_key(&(ChainKind::Refusals, *id)) {
            there.push((ChainKind::Refusals, *id, Chain::begin(ChainKind::Refusals, id)));
        }
    }
    let find = |wanted: &Value| {
        let found = there.iter().find(|(kind, id, _)| {
            Address::new_from_array(ExportedChain::account_of(*kind, id)).to_string() == wanted.as_str().unwrap()
        });
        found.map(|(kind, id, chain)| {
            let data = account(knowledge, *kind, id, *chain);
            json!({
                "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                "space": data.len(), "data": [BASE64_STANDARD.encode(&data), "base64"],
            })
        })
    };
    let values: Vec<_> = addresses.as_array().unwrap().iter().map(find).collect();
    json!({ "context": { "slot": knowledge.tip() }, "value": values })
}

fn account(knowledge: &Knowledge, kind: ChainKind, subject: &Id, chain: Chain) -> Vec<u8> {
    fn bytes<T: bytemuck::Pod + Discriminator>(account: &T) -> Vec<u8> {
        [T::DISCRIMINATOR, bytemuck::bytes_of(account)].concat()
    }
    match kind {
        ChainKind::Registry => bytes(&Registry {
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Institution => bytes(&Institution {
            id: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Log => bytes(&AccessLog {
            patient: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Refusals => bytes(&RefusalLog {
            patient: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Tree => bytes(&GrantTree {
            chain,
            ..knowledge.ledger.trees[subject].account
        }),
    }
}
