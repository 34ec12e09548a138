use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    request::RpcError,
};

/// JSON-RPC code: the transaction is of a version above the one that was asked for.
const UNSUPPORTED_VERSION: i64 = -32015;

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
    #[error("a transaction is of a version that this indexer cannot read: upgrade it, nothing was skipped ({0})")]
    UnsupportedVersion(String),
}

impl SourceError {
    /// Whether it goes away by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Rpc(_) | Self::NotThereYet { .. } | Self::Behind { .. } | Self::Nonsense(_) => true,
            Self::CheckpointLost { .. } | Self::UnsupportedVersion(_) => false,
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
            _ => Self::Rpc(Box::new(error)),
        }
    }
}
