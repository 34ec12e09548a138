//! Methods that send transactions and ask what became of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_message::VersionedMessage;
use solana_rpc_client_api::config::{
    RpcEncodingConfigWrapper, RpcRequestAirdropConfig, RpcSendTransactionConfig, RpcSignatureStatusConfig,
    RpcSignaturesForAddressConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig,
    RpcTransactionConfig,
};
use solana_rpc_client_api::response::{
    RpcBlockhash, RpcConfirmedTransactionStatusWithSignature, RpcSimulateTransactionResult, UiAccount,
};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{
    TransactionConfirmationStatus, TransactionStatus, UiLoadedAddresses, UiTransactionEncoding,
};

use super::encode::{account, confirmed_transaction, size, to_json, weight, with_context};
use super::error::RpcError;
use super::params::{ContextConfig, Params, check_context, parse_address, parse_signature};
use crate::ledger::{Chain, Executed, Ledger, Simulation};

/// The largest transaction: what fits into one packet of the network.
const MAX_TRANSACTION_BYTES: usize = 1232;

/// The most signatures of one `getSignatureStatuses`, as with a validator.
const MAX_SIGNATURES: usize = 256;

/// The longest page of `getSignaturesForAddress`, as with a validator, and about how long an entry of it is.
const MAX_PAGE: usize = 1_000;
const ENTRY_BYTES: usize = 512;

pub(crate) async fn send(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let data: String = params.required("data")?;
    let config: RpcSendTransactionConfig = params.config()?;
    let transaction = decode_transaction(&data, config.encoding)?;
    // A validator does not look at signatures when it is told to skip its checks; such a transaction is just lost later.
    // To say so at once helps more.
    verify(&transaction)?;
    let signature = transaction.signatures[0];
    let skip_preflight = config.skip_preflight;
    let refused = ledger
        .run(move |chain| {
            check_context(config.min_context_slot, chain.clock().slot())?;
            if skip_preflight {
                return Ok::<_, RpcError>(chain.include(transaction).err().map(Simulation::refused));
            }
            if let Err(err) = chain.admit(&transaction) {
                return Ok(Some(Simulation::refused(err)));
            }
            let simulation = chain.simulate(transaction.clone());
            if simulation.err.is_some() {
                return Ok(Some(simulation));
            }
            Ok(chain.include(transaction).err().map(Simulation::refused))
        })
        .await??;
    match refused {
        None => Ok(Value::String(signature.to_string())),
        // As with a validator, which forwards such a transaction and leaves it to the next leader to drop it.
        Some(Simulation { err: Some(err), .. }) if skip_preflight => {
            tracing::warn!(%signature, %err, "a transaction sent without preflight was dropped");
            Ok(Value::String(signature.to_string()))
        }
        Some(simulation) => {
            let err = simulation.err.clone().unwrap_or(TransactionError::SanitizeFailure);
            let message = format!("Transaction simulation failed: {err}");
            let mut result = simulation_result(simulation);
            result.inner_instructions = None;
            Err(RpcError::preflight_failure(message, to_json(result)?))
        }
    }
}

pub(crate) async fn simulate(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let data: String = params.required("data")?;
    let config: RpcSimulateTransactionConfig = params.config()?;
    if config.sig_verify && config.replace_recent_blockhash {
        return Err(RpcError::invalid_params(
            "sigVerify may not be used with replaceRecentBlockhash",
        ));
    }
    let mut transaction = decode_transaction(&data, config.encoding)?;
    if config.sig_verify {
        verify(&transaction)?;
    }
    let wanted = config.accounts.unwrap_or_default();
    let addresses = wanted
        .addresses
        .iter()
        .map(|a| parse_address(a))
        .collect::<Result<Vec<_>, _>>()?;
    let named = transaction.message.static_account_keys().len()
        + transaction
            .message
            .address_table_lookups()
            .into_iter()
            .flatten()
            .map(|l| l.writable_indexes.len() + l.readonly_indexes.len())
            .sum::<usize>();
    if addresses.len() > named {
        return Err(RpcError::invalid_params(format!(
            "Too many accounts provided; max {named}"
        )));
    }
    let replace = config.replace_recent_blockhash;
    let (slot, simulation, blockhash, unchanged) = ledger
        .run(move |chain| {
            let (latest, last) = chain.clock().latest();
            if replace {
                transaction.message.set_recent_blockhash(latest);
            }
            let simulation = match chain.admit(&transaction) {
                Ok(()) => chain.simulate(transaction),
                Err(err) => Simulation::refused(err),
            };
            let now: Vec<_> = addresses
                .iter()
                .map(|address| (*address, chain.account(address)))
                .collect();
            (chain.clock().slot(), simulation, (latest, last), now)
        })
        .await?;
    check_context(config.min_context_slot, slot)?;
    let accounts = requested_accounts(&wanted, &simulation, unchanged, params)?;
    let mut result = simulation_result(simulation);
    if !config.inner_instructions {
        result.inner_instructions = None;
    }
    result.accounts = accounts;
    result.replacement_blockhash = replace.then(|| RpcBlockhash {
        blockhash: blockhash.0.to_string(),
        last_valid_block_height: blockhash.1,
    });
    with_context(slot, result)
}

/// The accounts that a simulation was asked for, as it would leave them.
fn requested_accounts(
    wanted: &RpcSimulateTransactionAccountsConfig,
    simulation: &Simulation,
    unchanged: Vec<(solana_address::Address, Option<solana_account::AccountSharedData>)>,
    params: &Params,
) -> Result<Option<Vec<Option<UiAccount>>>, RpcError> {
    if wanted.addresses.is_empty() {
        return Ok(None);
    }
    let encoding = wanted.encoding.unwrap_or(UiAccountEncoding::Base64);
    if matches!(encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58) {
        return Err(RpcError::invalid_params("base58 encoding not supported"));
    }
    let accounts = unchanged.into_iter().map(|(address, now)| {
        let after = simulation
            .post_accounts
            .iter()
            .find(|(a, _)| *a == address)
            .map(|(_, after)| after.clone());
        let found = after.or(now);
        params.spend(found.iter().map(|found| size(found, None)).sum())?;
        found.map(|found| account(&found, encoding, None)).transpose()
    });
    accounts.collect::<Result<_, _>>().map(Some)
}

fn simulation_result(simulation: Simulation) -> RpcSimulateTransactionResult {
    let meta = simulation.meta;
    RpcSimulateTransactionResult {
        err: simulation.err.map(Into::into),
        logs: meta.log_messages,
        accounts: None,
        units_consumed: meta.compute_units_consumed,
        loaded_accounts_data_size: None,
        return_data: meta.return_data.map(Into::into),
        inner_instructions: meta
            .inner_instructions
            .map(|all| all.into_iter().map(Into::into).collect()),
        replacement_blockhash: None,
        fee: Some(meta.fee),
        pre_balances: None,
        post_balances: None,
        pre_token_balances: None,
        post_token_balances: None,
        loaded_addresses: Some(UiLoadedAddresses::from(&meta.loaded_addresses)),
    }
}

pub(crate) async fn request_airdrop(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let to = params.address()?;
    let lamports: u64 = params.required("lamports")?;
    let config: RpcRequestAirdropConfig = params.config()?;
    let blockhash = config
        .recent_blockhash
        .map(|text| {
            text.parse()
                .map_err(|e| RpcError::invalid_params(format!("Invalid param: {e}")))
        })
        .transpose()?;
    let included = ledger
        .run(move |chain: &mut Chain| {
            let transaction = chain.airdrop(&to, lamports, blockhash);
            if let Some(err) = chain.simulate(transaction.clone()).err {
                return Err(err);
            }
            chain.include(transaction).map(|executed| executed.signature)
        })
        .await?;
    match included {
        Ok(signature) => Ok(Value::String(signature.to_string())),
        Err(err) => Err(RpcError::invalid_request(format!("airdrop request failed: {err}"))),
    }
}

pub(crate) async fn get_fee_for_message(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let data: String = params.required("data")?;
    let config: ContextConfig = params.config()?;
    let message: VersionedMessage = decode(&data, UiTransactionEncoding::Base64)?;
    let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    let transaction = VersionedTransaction { signatures, message };
    sanitized(&transaction)?;
    let (slot, fee) = ledger
        .run(move |chain| {
            let recent = chain.clock().is_recent(transaction.message.recent_blockhash());
            (
                chain.clock().slot(),
                recent.then(|| chain.simulate(transaction).meta.fee),
            )
        })
        .await?;
    check_context(config.min_context_slot, slot)?;
    with_context(slot, fee)
}

pub(crate) async fn get_transaction(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let signature = parse_signature(&params.required::<String>("signature")?)?;
    let config = params.optional::<RpcEncodingConfigWrapper<RpcTransactionConfig>>("config")?;
    let config = config.map(|c| c.convert_to_current()).unwrap_or_default();
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    let found = ledger
        .run(move |chain| chain.history().get(&signature).cloned())
        .await?;
    match found {
        None => Ok(Value::Null),
        Some(found) => {
            params.spend(weight(&found))?;
            to_json(confirmed_transaction(
                &found,
                encoding,
                config.max_supported_transaction_version,
            )?)
        }
    }
}

pub(crate) async fn get_signature_statuses(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let signatures: Vec<String> = params.required("signatures")?;
    // The whole history is at hand, so it makes no difference whether it should be searched.
    let _: Option<RpcSignatureStatusConfig> = params.optional("config")?;
    if signatures.len() > MAX_SIGNATURES {
        return Err(RpcError::invalid_params(format!(
            "Too many inputs provided; max {MAX_SIGNATURES}"
        )));
    }
    let signatures = signatures
        .iter()
        .map(|s| parse_signature(s))
        .collect::<Result<Vec<_>, _>>()?;
    let (slot, found) = ledger
        .run(move |chain| {
            let found: Vec<_> = signatures.iter().map(|s| chain.history().get(s).cloned()).collect();
            (chain.clock().slot(), found)
        })
        .await?;
    let statuses: Vec<_> = found
        .iter()
        .map(|found| found.as_ref().map(|executed| status(executed)))
        .collect();
    with_context(slot, statuses)
}

fn status(executed: &Executed) -> TransactionStatus {
    TransactionStatus {
        slot: executed.slot,
        confirmations: None,
        status: executed.meta.status.clone(),
        err: executed.meta.status.clone().err(),
        confirmation_status: Some(TransactionConfirmationStatus::Finalized),
    }
}

pub(crate) async fn get_signatures_for_address(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.address()?;
    let config: RpcSignaturesForAddressConfig = params.config()?;
    let before = config.before.as_deref().map(parse_signature).transpose()?;
    let until = config.until.as_deref().map(parse_signature).transpose()?;
    let limit = config.limit.unwrap_or(MAX_PAGE);
    if limit == 0 || limit > MAX_PAGE {
        return Err(RpcError::invalid_params(format!("Invalid limit; max {MAX_PAGE}")));
    }
    let found = ledger
        .run(move |chain| {
            check_context(config.min_context_slot, chain.clock().slot())?;
            Ok::<_, RpcError>(
                chain
                    .history()
                    .of_address(&address, before.as_ref(), until.as_ref(), limit),
            )
        })
        .await??;
    params.spend(found.len() * ENTRY_BYTES)?;
    let entries = found.iter().map(|executed| RpcConfirmedTransactionStatusWithSignature {
        signature: executed.signature.to_string(),
        slot: executed.slot,
        err: executed.meta.status.clone().err().map(Into::into),
        memo: None,
        block_time: Some(executed.block_time),
        confirmation_status: Some(TransactionConfirmationStatus::Finalized),
    });
    to_json(entries.collect::<Vec<_>>())
}

fn decode_transaction(data: &str, encoding: Option<UiTransactionEncoding>) -> Result<VersionedTransaction, RpcError> {
    let transaction: VersionedTransaction = decode(data, encoding.unwrap_or(UiTransactionEncoding::Base58))?;
    sanitized(&transaction)?;
    Ok(transaction)
}

fn sanitized(transaction: &VersionedTransaction) -> Result<(), RpcError> {
    match transaction.sanitize() {
        Ok(()) if !transaction.signatures.is_empty() => Ok(()),
        Ok(()) => Err(RpcError::invalid_params("invalid transaction: it has no signature")),
        Err(e) => Err(RpcError::invalid_params(format!("invalid transaction: {e}"))),
    }
}

fn verify(transaction: &VersionedTransaction) -> Result<(), RpcError> {
    if transaction.verify_with_results().iter().all(|valid| *valid) {
        Ok(())
    } else {
        Err(RpcError::signature_verification_failure())
    }
}

/// Reads the wire format. Its length is bounded first, so that nothing in it can ask for much memory.
fn decode<T: DeserializeOwned>(data: &str, encoding: UiTransactionEncoding) -> Result<T, RpcError> {
    let what = std::any::type_name::<T>();
    let too_large = |length: usize| {
        RpcError::invalid_params(format!(
            "{encoding} encoded {what} too large: {length} bytes (max: {MAX_TRANSACTION_BYTES})"
        ))
    };
    // Base58 takes 11 letters for 8 bytes; base64 takes fewer.
    if data.len() > MAX_TRANSACTION_BYTES * 11 / 8 {
        return Err(too_large(data.len()));
    }
    let invalid = |e: &dyn std::fmt::Display| RpcError::invalid_params(format!("invalid {encoding} encoding: {e}"));
    let wire = match encoding {
        UiTransactionEncoding::Base64 => BASE64_STANDARD.decode(data).map_err(|e| invalid(&e))?,
        UiTransactionEncoding::Base58 | UiTransactionEncoding::Binary => {
            bs58::decode(data).into_vec().map_err(|e| invalid(&e))?
        }
        _ => {
            let message = format!("unsupported encoding: {encoding}. Supported encodings: base58, base64");
            return Err(RpcError::invalid_params(message));
        }
    };
    if wire.len() > MAX_TRANSACTION_BYTES {
        return Err(too_large(wire.len()));
    }
    bincode::deserialize(&wire).map_err(|e| RpcError::invalid_params(format!("failed to deserialize {what}: {e}")))
}

/// The `logsNotification` value of a transaction.
pub(crate) fn logs(executed: &Executed) -> Value {
    json!({
        "signature": executed.signature.to_string(),
        "err": error_json(executed),
        "logs": executed.meta.log_messages,
    })
}

/// The error of a transaction, or null.
pub(crate) fn error_json(executed: &Executed) -> Value {
    let err = executed.meta.status.clone().err();
    err.map_or(Value::Null, |err| {
        to_json(solana_transaction_status_client_types::UiTransactionError::from(err)).unwrap_or(Value::Null)
    })
}
