//! JSON-RPC errors with the codes and words of a validator, see `solana_rpc_client_api::custom_error`.

use serde_json::{Value, json};
use solana_rpc_client_api::custom_error as code;

use crate::ledger::LedgerError;

/// The `error` member of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The body is no JSON.
    pub(crate) fn parse_error() -> Self {
        Self::new(-32700, "Parse error")
    }

    /// The body is JSON, but no request; or the request asks for what cannot be done.
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    pub(crate) fn method_not_found() -> Self {
        Self::new(-32601, "Method not found")
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    /// The transaction fails in simulation; `result` is an `RpcSimulateTransactionResult`.
    pub(crate) fn preflight_failure(message: String, result: Value) -> Self {
        Self {
            data: Some(result),
            ..Self::new(code::JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE, message)
        }
    }

    pub(crate) fn signature_verification_failure() -> Self {
        Self::new(
            code::JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE,
            "Transaction signature verification failure",
        )
    }

    pub(crate) fn block_not_available(slot: u64) -> Self {
        Self::new(
            code::JSON_RPC_SERVER_ERROR_BLOCK_NOT_AVAILABLE,
            format!("Block not available for slot {slot}"),
        )
    }

    pub(crate) fn unsupported_transaction_version(version: u8) -> Self {
        Self::new(
            code::JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION,
            format!(
                "Transaction version ({version}) is not supported by the requesting client. Please try the request again \
                 with the following configuration parameter: \"maxSupportedTransactionVersion\": {version}"
            ),
        )
    }

    pub(crate) fn min_context_slot_not_reached(slot: u64) -> Self {
        Self {
            data: Some(json!({ "contextSlot": slot })),
            ..Self::new(
                code::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
                "Minimum context slot has not been reached",
            )
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}

impl From<LedgerError> for RpcError {
    fn from(error: LedgerError) -> Self {
        Self::internal(error.to_string())
    }
}
