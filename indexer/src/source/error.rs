use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    request::RpcError,
};

/// JSON-RPC code: the transaction is of a version above the one that was asked for.
const UNSUPPORTED_VERSION: i64 = -32015;

/// JSON-RPC codes: no such method, and parameters that it does not take.
const REFUSALS: [i64; 2] = [-32601, -32602];

/// HTTP status of a node that wants another key, or none of us.
const LOCKED_OUT: [u16; 2] = [401, 403];

/// What can go wrong with a node.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the RPC node does not answer as it should: {0}")]
    Rpc(#[source] Box<ClientError>),
    #[error("the RPC node lists transaction {signature} but does not have it yet")]
    NotThereYet { signature: String },
    #[error("the RPC node is behind the checkpoint (slot {slot}): it does not list that transaction yet")]
    Behind { slot: u64 },
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
            Self::Rpc(_) | Self::NotThereYet { .. } | Self::Behind { .. } | Self::Nonsense(_) => true,
            Self::CheckpointLost { .. }
            | Self::UnsupportedVersion(_)
            | Self::Refused(_)
            | Self::NoInnerInstructions { .. } => false,
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
