//! Methods about slots, blocks and their hashes.
//!
//! Every slot has a block, also an empty one, so heights and slots are the same. The block of the newest slot is still
//! being filled: it counts for the commitment `processed` only, and `getBlock` does not have it yet. That keeps the
//! promise that a finalized block never changes, although a transaction is final as soon as it is answered.

use serde_json::{Value, json};
use solana_hash::Hash;
use solana_rpc_client_api::config::{RpcBlockConfig, RpcEncodingConfigWrapper};
use solana_rpc_client_api::response::RpcBlockhash;
use solana_transaction_status_client_types::{TransactionDetails, UiConfirmedBlock, UiTransactionEncoding};

use super::encode::{to_json, transaction_with_meta, weight, with_context};
use super::error::RpcError;
use super::params::{ContextConfig, Params, check_context};
use crate::ledger::{Ledger, SLOTS_PER_EPOCH};

pub(crate) async fn get_health(ledger: &Ledger) -> Result<Value, RpcError> {
    ledger.run(|_| ()).await?;
    Ok(json!("ok"))
}

pub(crate) fn get_version() -> Result<Value, RpcError> {
    let api = solana_rpc_client_api::response::RpcApiVersion::default();
    Ok(json!({ "solana-core": api.to_string(), "feature-set": null }))
}

/// The newest slot: for `processed` the one that is being filled, else the newest complete one.
async fn newest(ledger: &Ledger, config: &ContextConfig) -> Result<u64, RpcError> {
    let (slot, complete) = ledger
        .run(|chain| (chain.clock().slot(), chain.clock().complete()))
        .await?;
    check_context(config.min_context_slot, slot)?;
    Ok(if config.processed() { slot } else { complete })
}

pub(crate) async fn get_slot(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let config: ContextConfig = params.config()?;
    Ok(json!(newest(ledger, &config).await?))
}

pub(crate) async fn get_epoch_info(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let config: ContextConfig = params.config()?;
    let slot = newest(ledger, &config).await?;
    let count = ledger.run(|chain| chain.history().len()).await?;
    Ok(epoch_info(slot, count))
}

/// What is known of the epoch that a slot is in.
pub(super) fn epoch_info(slot: u64, transactions: usize) -> Value {
    json!({
        "epoch": slot / SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "absoluteSlot": slot,
        "blockHeight": slot,
        "transactionCount": transactions,
    })
}

pub(crate) async fn get_block(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let slot: u64 = params.required("slot")?;
    let config = params.optional::<RpcEncodingConfigWrapper<RpcBlockConfig>>("config")?;
    let config = config.map(|c| c.convert_to_current()).unwrap_or_default();
    let (encoding, max_version) = (
        config.encoding.unwrap_or(UiTransactionEncoding::Json),
        config.max_supported_transaction_version,
    );
    let details = config.transaction_details.unwrap_or_default();
    if details == TransactionDetails::Accounts {
        return Err(RpcError::invalid_params(
            "Invalid params: the sandbox has transactionDetails full, signatures and none.",
        ));
    }
    let block = ledger
        .run(move |chain| {
            let clock = chain.clock();
            (slot <= clock.complete()).then(|| {
                let parent = slot.saturating_sub(1);
                let transactions = chain.history().in_slot(slot).to_vec();
                (
                    parent,
                    clock.blockhash(parent),
                    clock.blockhash(slot),
                    clock.unix_time(slot),
                    transactions,
                )
            })
        })
        .await?;
    let (parent_slot, previous, blockhash, time, executed) =
        block.ok_or_else(|| RpcError::block_not_available(slot))?;
    params.spend(executed.iter().map(|executed| weight(executed)).sum())?;
    let transactions = match details {
        TransactionDetails::Full => {
            let encoded = executed.iter().map(|e| transaction_with_meta(e, encoding, max_version));
            Some(encoded.collect::<Result<_, _>>()?)
        }
        _ => None,
    };
    let signatures =
        (details == TransactionDetails::Signatures).then(|| executed.iter().map(|e| e.signature.to_string()).collect());
    to_json(UiConfirmedBlock {
        previous_blockhash: previous.to_string(),
        blockhash: blockhash.to_string(),
        parent_slot,
        transactions,
        signatures,
        rewards: config.rewards.unwrap_or(true).then(Vec::new),
        num_reward_partitions: None,
        block_time: Some(time),
        block_height: Some(slot),
    })
}

pub(crate) async fn get_latest_blockhash(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let config: ContextConfig = params.config()?;
    let (slot, (blockhash, last)) = ledger
        .run(|chain| (chain.clock().slot(), chain.clock().latest()))
        .await?;
    check_context(config.min_context_slot, slot)?;
    with_context(
        slot,
        RpcBlockhash {
            blockhash: blockhash.to_string(),
            last_valid_block_height: last,
        },
    )
}

pub(crate) async fn is_blockhash_valid(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let blockhash: String = params.required("blockhash")?;
    let blockhash: Hash = blockhash
        .parse()
        .map_err(|e| RpcError::invalid_params(format!("Invalid param: {e}")))?;
    let config: ContextConfig = params.config()?;
    let (slot, valid) = ledger
        .run(move |chain| (chain.clock().slot(), chain.clock().is_recent(&blockhash)))
        .await?;
    check_context(config.min_context_slot, slot)?;
    with_context(slot, valid)
}
