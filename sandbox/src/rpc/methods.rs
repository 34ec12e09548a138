//! Which method is answered by which function. Unknown ones are -32601, whatever their parameters.
//!
//! Most are here because Chartseal's own programs call them. The others are for a developer's ordinary tools:
//! `isBlockhashValid` is how Solana's Rust client (`send_and_confirm_transaction`) finds out that a transaction is lost,
//! `getFeeForMessage` is asked by the `solana` command before it transfers or deploys, `getEpochInfo` by that command and
//! by explorers, and `getHealth`, `getVersion` and `getBalance` by everybody.

use serde_json::Value;

use super::error::RpcError;
use super::params::{Params, Room};
use super::{accounts, blocks, transactions, travel};
use crate::ledger::Ledger;

/// Answers one request, in what room is left for the answer.
pub(crate) async fn call(ledger: &Ledger, method: &str, params: Option<Value>, room: &Room) -> Result<Value, RpcError> {
    let mut params = Params::new(params, room)?;
    let p = &mut params;
    let answer = match method {
        "getHealth" => blocks::get_health(ledger).await,
        "getVersion" => blocks::get_version(),
        "getGenesisHash" => Ok(Value::String(ledger.genesis_hash().to_string())),
        "getSlot" | "getBlockHeight" => blocks::get_slot(ledger, p).await,
        "getEpochInfo" => blocks::get_epoch_info(ledger, p).await,
        "getBlock" => blocks::get_block(ledger, p).await,
        "getLatestBlockhash" => blocks::get_latest_blockhash(ledger, p).await,
        "isBlockhashValid" => blocks::is_blockhash_valid(ledger, p).await,

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

        "surfnet_timeTravel" => travel::time_travel(ledger, p).await,
        _ => return Err(RpcError::method_not_found()),
    }?;
    params.end()?;
    Ok(answer)
}
