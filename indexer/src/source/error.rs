use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    custom_error::{
        JSON_RPC_SERVER_ERROR_BLOCK_CLEANED_UP as CLEANED_UP,
        JSON_RPC_SERVER_ERROR_LONG_TERM_STORAGE_SLOT_SKIPPED as SKIPPED_LONG_AGO,
        JSON_RPC_SERVER_ERROR_SLOT_SKIPPED as SKIPPED,
        JSON_RPC_SERVER_ERROR_TRANSACTION_HISTORY_NOT_AVAILABLE as NO_HISTORY,
        JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION as UNSUPPORTED_VERSION,
    },
    request::RpcError,
};

/// JSON-RPC codes: no such method, parameters that it does not take, and a node that keeps no transactions.
const REFUSALS: [i64; 3] = [-32601, -32602, NO_HISTORY];

/// HTTP status of a node that wants another key, or none of us.
const LOCKED_OUT: [u16; 2] = [401, 403];

/// What can go wrong with a node.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the RPC node does not answer as it should: {0}")]
    Rpc(#[source] Box<ClientError>),
    #[error("the RPC node lists transaction {signature} but does not have it yet")]
    NotThereYet { signature: String },
    #[error("the block of transaction {signature} was dropped after the RPC node listed it: it is listed again")]
    Moved { signature: String },
    #[error("the RPC node is behind the checkpoint (slot {slot}): it does not list that transaction yet")]
    Behind { slot: u64 },
    #[error("slot {slot} has no block, although a transaction is listed in it: its block was dropped, list again")]
    Skipped { slot: u64 },
    #[error(
        "the RPC node has thrown away the block of slot {slot}, which was not read yet: use one that keeps the whole ledger"
    )]
    ThrownAway { slot: u64 },
    #[error("the RPC node's answer makes no sense: {0}")]
    Nonsense(String),
    #[error(
        "the ledger does not have the transaction of the checkpoint ({signature}, slot {slot}): this is another ledger, or that block was dropped. Check --rpc, or index this ledger into an empty database"
    )]
    CheckpointLost { signature: String, slot: u64 },
    #[error(
        "the RPC node refuses what the indexer asks for, and will go on to: {0}. Check --rpc, its key and what it offers"
    )]
    Refused(#[source] Box<ClientError>),
    #[error(
        "the RPC node keeps no inner instructions, which carry the events (transaction {signature}): use one that does"
    )]
    NoInnerInstructions { signature: String },
    #[error("a transaction is of a version that this indexer cannot read: upgrade it, nothing was skipped ({0})")]
    UnsupportedVersion(String),
}

impl SourceError {
    /// Whether it goes away by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Rpc(_)
            | Self::NotThereYet { .. }
            | Self::Moved { .. }
            | Self::Behind { .. }
            | Self::Skipped { .. }
            | Self::Nonsense(_) => true,
            Self::CheckpointLost { .. }
            | Self::UnsupportedVersion(_)
            | Self::Refused(_)
            | Self::ThrownAway { .. }
            | Self::NoInnerInstructions { .. } => false,
        }
    }

    /// What a node's refusal to give the block of a slot means. A block that is not there yet is an error that passes;
    /// one that never was, or is no more, is told apart.
    pub(super) fn about_block(self, slot: u64) -> Self {
        match self {
            Self::Rpc(error) => match error.kind() {
                ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => match *code {
                    SKIPPED | SKIPPED_LONG_AGO => Self::Skipped { slot },
                    CLEANED_UP => Self::ThrownAway { slot },
                    _ => Self::Rpc(error),
                },
                _ => Self::Rpc(error),
            },
            other => other,
        }
    }
}

impl From<ClientError> for SourceError {
    fn from(error: ClientError) -> Self {
        match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError {
                code: UNSUPPORTED_VERSION,
                message,
                ..
            }) => Self::UnsupportedVersion(message.clone()),
            ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) if REFUSALS.contains(code) => {
                Self::Refused(Box::new(error))
            }
            ErrorKind::Reqwest(cause)
                if cause
                    .status()
                    .is_some_and(|status| LOCKED_OUT.contains(&status.as_u16())) =>
            {
                Self::Refused(Box::new(error))
            }
            _ => Self::Rpc(Box::new(error)),
        }
    }
}
