//! What a node says of its ledger, in the shape in which Agave answers.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;

use super::{
    super::{faults::Fault, ledger::Block, wire, world::Executed},
    Knowledge,
    listing::listing,
};

/// The part of the ledger that an answer is about.
pub(super) struct View<'a> {
    pub(super) blocks: &'a [Block],
    final_slot: u64,
    slot: u64,
}

impl View<'_> {
    pub(super) fn status(&self, slot: u64) -> &'static str {
        if slot <= self.final_slot {
            "finalized"
        } else {
            "confirmed"
        }
    }
}

pub(super) type Answer = Result<Value, (i64, String)>;

/// The answer to a question, as one of the faults has it.
pub(super) fn result(knows: &mut Knowledge, method: &str, params: &Value, fault: Option<Fault>) -> Answer {
    let commitment = commitment(params);
    let Knowledge { ledger, faults, .. } = knows;
    let mut blocks = ledger.blocks();
    let (mut slot, final_slot) = (ledger.slot(), ledger.final_slot());
    if let Some(Fault::Behind(by)) = fault {
        blocks = blocks.get(..blocks.len().saturating_sub(by)).unwrap_or_default();
        slot = blocks.last().map_or(0, |block| block.slot);
    }
    let final_slot = final_slot.min(slot);
    if commitment == "finalized" {
        let settled = blocks.iter().take_while(|block| block.slot <= final_slot).count();
        blocks = blocks.get(..settled).unwrap_or_default();
        slot = final_slot;
    }
    let view = View {
        blocks,
        final_slot,
        slot,
    };
    let config = params
        .as_array()
        .and_then(|params| params.iter().rev().find(|part| part.is_object()));
    let least = config.and_then(|config| config["minContextSlot"].as_u64());
    if least.is_some_and(|least| view.slot < least) {
        return Err((-32016, "Minimum context slot has not been reached".to_owned()));
    }
    match method {
        "getSlot" | "getBlockHeight" => Ok(json!(view.slot)),
        "getHealth" => Ok(json!("ok")),
        "getVersion" => Ok(json!({ "solana-core": "3.1.0", "feature-set": null })),
        "getGenesisHash" => Ok(json!(bs58::encode([5_u8; 32]).into_string())),
        "getFirstAvailableBlock" | "minimumLedgerSlot" => Ok(json!(0)),
        "getSignaturesForAddress" => Ok(listing(&view, &params[1], fault, faults)),
        "getSignatureStatuses" => Ok(statuses(&view, &params[0])),
        "getTransaction" => Ok(transaction(&view, params[0].as_str().unwrap_or_default())),
        "getBlock" => block(&view, &params[0], config.unwrap_or(&Value::Null)),
        "getBlocks" => Ok(slots(&view, &params[0], &params[1])),
        "getBlockTime" => block(&view, &params[0], &Value::Null).map(|block| block["blockTime"].clone()),
        "getProgramAccounts" => Ok(accounts(ledger.accounts(), &params[1], view.slot)),
        _ => Err((-32601, "Method not found".to_owned())),
    }
}

fn commitment(params: &Value) -> String {
    let parts = params.as_array().into_iter().flatten();
    let mut stated = parts.rev().filter_map(|part| part.get("commitment")?.as_str());
    match stated.next() {
        // Statuses come with how settled each is.
        Some(stated) => stated.to_owned(),
        None if params[0].is_array() => "confirmed".to_owned(),
        None => "finalized".to_owned(),
    }
}

fn statuses(view: &View<'_>, signatures: &Value) -> Value {
    let status = |signature: &Value| {
        let (block, executed) = find(view, signature.as_str()?)?;
        let error = wire::error(executed);
        let settled = block.slot <= view.final_slot;
        Some(json!({
            "slot": block.slot,
            "confirmations": if settled { Value::Null } else { json!(view.slot.saturating_sub(block.slot)) },
            "status": if error.is_null() { json!({ "Ok": null }) } else { json!({ "Err": error }) },
            "err": error,
            "confirmationStatus": view.status(block.slot),
        }))
    };
    let values: Vec<_> = signatures.as_array().into_iter().flatten().map(status).collect();
    json!({ "context": { "slot": view.slot }, "value": values })
}

fn find<'a>(view: &View<'a>, signature: &str) -> Option<(&'a Block, &'a Executed)> {
    let wanted: Signature = signature.parse().ok()?;
    view.blocks.iter().rev().find_map(|block| {
        let mut transactions = block.transactions.iter();
        let found = transactions.find(|executed| executed.transaction.signatures.first() == Some(&wanted))?;
        Some((block, found))
    })
}

fn transaction(view: &View<'_>, signature: &str) -> Value {
    let Some((block, executed)) = find(view, signature) else {
        return Value::Null;
    };
    let mut answer = wire::transaction(executed);
    answer["slot"] = json!(block.slot);
    answer["blockTime"] = json!(block.time);
    answer
}

fn block(view: &View<'_>, slot: &Value, config: &Value) -> Answer {
    let slot = slot.as_u64().unwrap_or(u64::MAX);
    if slot > view.slot {
        return Err((-32004, format!("Block not available for slot {slot}")));
    }
    let Some(block) = view.blocks.iter().rev().find(|block| block.slot == slot) else {
        return Err((
            -32007,
            format!("Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"),
        ));
    };
    let mut answer = json!({
        "previousBlockhash": bs58::encode(block.parent.1).into_string(),
        "blockhash": bs58::encode(block.hash).into_string(),
        "parentSlot": block.parent.0, "blockTime": block.time, "blockHeight": block.slot,
    });
    let signatures = || block.transactions.iter().map(wire::signature).collect::<Vec<_>>();
    match config["transactionDetails"].as_str().unwrap_or("full") {
        "none" => {}
        "signatures" => answer["signatures"] = json!(signatures()),
        _ => answer["transactions"] = block.transactions.iter().map(wire::transaction).collect(),
    }
    Ok(answer)
}

fn slots(view: &View<'_>, from: &Value, to: &Value) -> Value {
    let from = from.as_u64().unwrap_or(0);
    let to = to.as_u64().unwrap_or(u64::MAX);
    let slots = view.blocks.iter().map(|block| block.slot);
    slots.filter(|slot| (from..=to).contains(slot)).collect()
}

/// The program's accounts, with the filters and the slice that are asked for.
fn accounts(all: Vec<(Address, Vec<u8>)>, config: &Value, slot: u64) -> Value {
    let filters: Vec<(usize, Vec<u8>)> = config["filters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|filter| {
            let compared = &filter["memcmp"];
            let offset = usize::try_from(compared["offset"].as_u64()?).ok()?;
            Some((offset, bs58::decode(compared["bytes"].as_str()?).into_vec().ok()?))
        })
        .collect();
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let (offset, length) = (
        number(&config["dataSlice"]["offset"]),
        number(&config["dataSlice"]["length"]),
    );
    let fits = |data: &[u8]| {
        let mut filters = filters.iter();
        filters.all(|(offset, bytes)| data.get(*offset..).is_some_and(|rest| rest.starts_with(bytes)))
    };
    let accounts = all.into_iter().filter(|(_, data)| fits(data)).map(|(address, data)| {
        let from = offset.unwrap_or(0).min(data.len());
        let to = length.map_or(data.len(), |length| from.saturating_add(length).min(data.len()));
        json!({
            "pubkey": address.to_string(),
            "account": {
                "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                "space": data.len(), "data": [BASE64_STANDARD.encode(data.get(from..to).unwrap_or_default()), "base64"],
            },
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    match config["withContext"].as_bool() {
        Some(true) => json!({ "context": { "slot": slot }, "value": accounts }),
        _ => json!(accounts),
    }
}
