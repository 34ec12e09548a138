//! How a ledger is reached, when its answers are believed, and what its transactions may cost.

use std::time::Duration;

use chartseal_websocket::WebSocket;
use solana_commitment_config::CommitmentConfig;

use super::{PATIENCE, budget::MAX_PRIORITY_FEE};

/// What is chosen about a ledger. Begin with [`LedgerOptions::new`] and change what is to be different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Addresses of the JSON-RPC of nodes, of one cluster all of them. What one does not answer is asked of the next.
    pub urls: Vec<String>,
    /// Where a node tells of transactions by itself, so that they need not be asked for.
    pub websocket: WebSocket,
    /// The genesis hash of the cluster, where it is known beforehand. Otherwise the first node that answers says which it is.
    pub cluster: Option<[u8; 32]>,
    /// When an answer is believed.
    pub commitment: Commitment,
    /// The most that is paid for a compute unit beside the fee, in millionths of a lamport; 0 pays nothing.
    pub max_priority_fee: u64,
    /// How long a transaction's fate is asked for while no node answers.
    pub patience: Duration,
}

impl LedgerOptions {
    /// Nodes at these addresses; answers are believed once they are confirmed.
    #[must_use]
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            websocket: WebSocket::default(),
            cluster: None,
            commitment: Commitment::default(),
            max_priority_fee: MAX_PRIORITY_FEE,
            patience: PATIENCE,
        }
    }
}

/// When an answer is believed. What was merely executed by one node never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commitment {
    /// Once two thirds of the stake have voted for it, after about a second.
    #[default]
    Confirmed,
    /// Once it can no longer be undone, after about a quarter of a minute.
    Finalized,
}

impl From<Commitment> for CommitmentConfig {
    fn from(commitment: Commitment) -> Self {
        match commitment {
            Commitment::Confirmed => Self::confirmed(),
            Commitment::Finalized => Self::finalized(),
        }
    }
}
