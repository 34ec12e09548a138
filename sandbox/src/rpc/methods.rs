//! Which method is answered by which function. Unknown ones are -32601, whatever their parameters.

use serde_json::Value;

use super::error::RpcError;
use super::params::Params;
use super::{accounts, blocks, transactions};
use crate::ledger::Ledger;

/// Answers one request.
pub(crate) async fn call(ledger: &Ledger, method: &str, params: Option<Value>) -> Result<Value, RpcError> {
    let mut params = Params::new(params)?;
    let p = &mut params;
    let answer = match method {
        "getHealth" => blocks::get_health(ledger).await,
        "getVersion" => blocks::get_version(),
        "getGenesisHash" => Ok(Value::String(ledger.genesis_hash().to_string())),
        "getSlot" | "getBlockHeight" => blocks::get_slot(ledger, p).await,
        "getEpochInfo" => blocks::get_epoch_info(ledger, p).await,
        "getBlock" => blocks::get_block(ledger, p).await,
        "getBlocks" => blocks::get_blocks(ledger, p).await,
        "getBlockTime" => blocks::get_block_time(ledger, p).await,
        "getLatestBlockhash" => blocks::get_latest_blockhash(ledger, p).await,
        "isBlockhashValid" => blocks::is_blockhash_valid(ledger, p).await,
        "getRecentPrioritizationFees" => blocks::get_recent_prioritization_fees(ledger, p).await,

        "getAccountInfo" => accounts::get_account_info(ledger, p).await,
        "getMultipleAccounts" => accounts::get_multiple_accounts(ledger, p).await,
        "getProgramAccounts" => accounts::get_program_accounts(ledger, p).await,
        "getBalance" => accounts::get_balance(ledger, p).await,
        "getMinimumBalanceForRentExemption" => accounts::get_minimum_balance(ledger, p).await,

        "sendTransaction" => transactions::send(ledger, p).await,
        "simulateTransaction" => transactions::simulate(ledger, p).await,
        "requestAirdrop" => transactions::request_airdrop(ledger, p).await,
        "getFeeForMessage" => transactions::get_fee_for_message(ledger, p).await,
        "getTransaction" => transactions::get_transaction(ledger, p).await,
        "getSignatureStatuses" => transactions::get_signature_statuses(ledger, p).await,
        "getSignaturesForAddress" => transactions::get_signatures_for_address(ledger, p).await,
        _ => return Err(RpcError::method_not_found()),
    }?;
    params.end()?;
    Ok(answer)
}
