//! Accounts and transactions in the JSON of a validator, through the types that clients decode them with.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use solana_account::ReadableAccount;
use solana_account_decoder_client_types::{UiAccount, UiAccountData, UiAccountEncoding, UiDataSliceConfig};
use solana_message::VersionedMessage;
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, EncodedTransactionWithStatusMeta,
    TransactionBinaryEncoding, UiCompiledInstruction, UiMessage, UiRawMessage, UiTransaction, UiTransactionEncoding,
    UiTransactionStatusMeta,
};

use super::error::RpcError;
use crate::ledger::Executed;

/// The most bytes that are given as base58, which takes quadratic time.
const MAX_BASE58_BYTES: usize = 128;

/// How hard base64+zstd tries. Accounts are small.
const ZSTD_LEVEL: i32 = 1;

/// An account. Parsed JSON is not offered, so it falls back to base64 as a validator does for programs it does not know.
pub(crate) fn account(
    account: &impl ReadableAccount,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
) -> Result<UiAccount, RpcError> {
    let whole = account.data();
    let data = match slice {
        None => whole,
        Some(UiDataSliceConfig { offset, length }) => {
            let begin = offset.min(whole.len());
            &whole[begin..begin.saturating_add(length).min(whole.len())]
        }
    };
    let base58 = || {
        if data.len() > MAX_BASE58_BYTES {
            return Err(RpcError::invalid_request(
                "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
            ));
        }
        Ok(bs58::encode(data).into_string())
    };
    let data = match encoding {
        UiAccountEncoding::Binary => UiAccountData::LegacyBinary(base58()?),
        UiAccountEncoding::Base58 => UiAccountData::Binary(base58()?, encoding),
        UiAccountEncoding::Base64 | UiAccountEncoding::JsonParsed => {
            UiAccountData::Binary(BASE64_STANDARD.encode(data), UiAccountEncoding::Base64)
        }
        UiAccountEncoding::Base64Zstd => {
            let packed = zstd::encode_all(data, ZSTD_LEVEL).map_err(|e| RpcError::internal(e.to_string()))?;
            UiAccountData::Binary(BASE64_STANDARD.encode(packed), encoding)
        }
    };
    Ok(UiAccount {
        lamports: account.lamports(),
        data,
        owner: account.owner().to_string(),
        executable: account.executable(),
        rent_epoch: account.rent_epoch(),
        space: Some(whole.len() as u64),
    })
}

/// About how many bytes an account takes in an answer, before base64.
pub(crate) fn size(account: &impl ReadableAccount, slice: Option<UiDataSliceConfig>) -> usize {
    // Addresses, lamports and the names of the fields.
    const BESIDES: usize = 384;
    let length = account.data().len();
    let asked = slice.map_or(length, |slice| slice.length.min(length.saturating_sub(slice.offset)));
    BESIDES + asked
}

/// About how many bytes a transaction takes in an answer.
pub(crate) fn weight(executed: &Executed) -> usize {
    // The transaction itself, its balances and the names of the fields.
    const BESIDES: usize = 8 << 10;
    let logs = executed.meta.log_messages.iter().flatten().map(String::len);
    let inner = executed.meta.inner_instructions.iter().flatten();
    let calls = inner
        .flat_map(|inner| &inner.instructions)
        .map(|call| 2 * call.instruction.data.len() + 128);
    BESIDES + logs.sum::<usize>() + calls.sum::<usize>()
}

/// A transaction as `getTransaction` has it.
pub(crate) fn confirmed_transaction(
    executed: &Executed,
    encoding: UiTransactionEncoding,
    max_version: Option<u8>,
) -> Result<EncodedConfirmedTransactionWithStatusMeta, RpcError> {
    Ok(EncodedConfirmedTransactionWithStatusMeta {
        slot: executed.slot,
        transaction: transaction_with_meta(executed, encoding, max_version)?,
        block_time: Some(executed.block_time),
    })
}

/// A transaction as `getBlock` has it.
pub(crate) fn transaction_with_meta(
    executed: &Executed,
    encoding: UiTransactionEncoding,
    max_version: Option<u8>,
) -> Result<EncodedTransactionWithStatusMeta, RpcError> {
    let version = match (max_version, executed.transaction.version()) {
        (None, TransactionVersion::LEGACY) => None,
        (Some(_), TransactionVersion::LEGACY) => Some(TransactionVersion::LEGACY),
        (Some(max), TransactionVersion::Number(version)) if version <= max => Some(TransactionVersion::Number(version)),
        (_, TransactionVersion::Number(version)) => return Err(RpcError::unsupported_transaction_version(version)),
    };
    Ok(EncodedTransactionWithStatusMeta {
        transaction: transaction(&executed.transaction, encoding)?,
        meta: Some(UiTransactionStatusMeta::from(executed.meta.clone())),
        version,
    })
}

fn transaction(
    transaction: &VersionedTransaction,
    encoding: UiTransactionEncoding,
) -> Result<EncodedTransaction, RpcError> {
    let wire = || bincode::serialize(transaction).map_err(|e| RpcError::internal(e.to_string()));
    Ok(match encoding {
        UiTransactionEncoding::Binary => EncodedTransaction::LegacyBinary(bs58::encode(wire()?).into_string()),
        UiTransactionEncoding::Base58 => {
            EncodedTransaction::Binary(bs58::encode(wire()?).into_string(), TransactionBinaryEncoding::Base58)
        }
        UiTransactionEncoding::Base64 => {
            EncodedTransaction::Binary(BASE64_STANDARD.encode(wire()?), TransactionBinaryEncoding::Base64)
        }
        UiTransactionEncoding::Json => EncodedTransaction::Json(UiTransaction {
            signatures: transaction.signatures.iter().map(ToString::to_string).collect(),
            message: UiMessage::Raw(raw_message(&transaction.message)),
        }),
        UiTransactionEncoding::JsonParsed => {
            return Err(RpcError::invalid_params(
                "Invalid params: the sandbox does not parse instructions; ask for the encoding json or base64.",
            ));
        }
    })
}

fn raw_message(message: &VersionedMessage) -> UiRawMessage {
    UiRawMessage {
        header: *message.header(),
        account_keys: message.static_account_keys().iter().map(ToString::to_string).collect(),
        recent_blockhash: message.recent_blockhash().to_string(),
        // A top-level instruction is at height 1.
        instructions: message
            .instructions()
            .iter()
            .map(|i| UiCompiledInstruction::from(i, Some(1)))
            .collect(),
        address_table_lookups: match message {
            VersionedMessage::Legacy(_) => None,
            VersionedMessage::V0(message) => Some(message.address_table_lookups.iter().map(Into::into).collect()),
        },
    }
}

/// A value with the slot at which it was true.
pub(crate) fn with_context(slot: u64, value: impl serde::Serialize) -> Result<Value, RpcError> {
    let context = solana_rpc_client_api::response::RpcResponseContext::new(slot);
    Ok(json!({ "context": to_json(context)?, "value": to_json(value)? }))
}

/// A value of the client's types as JSON.
pub(crate) fn to_json(value: impl serde::Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(value).map_err(|e| RpcError::internal(e.to_string()))
}
