//! Where events come from: transactions of the program, oldest first, none left out.
//!
//! A source lists what came after a [`Checkpoint`] and then delivers it in that order, however many requests it has
//! under way. It reads at one [`Commitment`]; what it lists says whether it is final, because what is only confirmed can
//! still be dropped. What it delivers is free of any wire format, so that other sources can stand beside the RPC.

mod accounts;
#[cfg(feature = "yellowstone")]
mod ahead;
mod block;
mod error;
mod heads;
mod rpc;
mod socket;
mod wake;
mod wire;
#[cfg(feature = "yellowstone")]
mod yellowstone;

pub use accounts::ReadAccount;
pub use chartseal_websocket::WebSocket;
pub use error::SourceError;
pub use heads::Head;
pub(crate) use heads::head_in;
pub use rpc::{Limits, Listing, RpcSource};
pub use wake::Wake;
#[cfg(feature = "yellowstone")]
pub use yellowstone::Yellowstone;

use anchor_lang::prelude::Address;
use solana_commitment_config::CommitmentConfig;

/// How settled a transaction must be to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commitment {
    /// Two thirds of the stake voted for its block: usually within a second. It can still be dropped, and then what was
    /// stored of it is taken back.
    #[default]
    Confirmed,
    /// Its block stays, whatever happens. It costs some 13 seconds.
    Finalized,
}

impl Commitment {
    /// As a node's RPC calls it.
    #[must_use]
    pub fn config(self) -> CommitmentConfig {
        match self {
            Self::Confirmed => CommitmentConfig::confirmed(),
            Self::Finalized => CommitmentConfig::finalized(),
        }
    }

    /// Whether a transaction of this status, as the RPC names it, is settled enough. A node that states none lists what was
    /// asked for.
    fn is_met_by(self, status: Option<&str>) -> bool {
        match (self, status) {
            (_, None | Some("finalized")) | (Self::Confirmed, Some("confirmed")) => true,
            (_, Some(_)) => false,
        }
    }
}

/// A transaction's first signature, which names it.
pub type Signature = [u8; 64];

/// How far a ledger was read: all that the program did up to and including this transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub signature: Signature,
    pub slot: u64,
}

impl Checkpoint {
    /// What it means where the ledger does not have it.
    pub(crate) fn lost(&self) -> SourceError {
        SourceError::CheckpointLost {
            signature: show(&self.signature),
            slot: self.slot,
        }
    }
}

/// A transaction that mentions the program, as the node lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub signature: Signature,
    pub slot: u64,
    /// It failed on chain: what it did was undone.
    pub failed: bool,
    /// It is final: its block stays.
    pub settled: bool,
}

impl Listed {
    /// The checkpoint that stands once this transaction is stored.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            signature: self.signature,
            slot: self.slot,
        }
    }
}

/// A listed transaction with what it did; nothing where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub listed: Listed,
    pub transaction: Option<Transaction>,
}

/// A transaction that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub signature: Signature,
    pub slot: u64,
    pub blockhash: [u8; 32],
    /// Seconds since 1970, as the cluster says.
    pub block_time: Option<i64>,
    /// Its instructions in the order in which they ran, each followed by those that it called.
    pub calls: Vec<Call>,
}

/// One instruction that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which instruction of the transaction, from 0.
    pub outer: u16,
    /// Which inner instruction of that one, from 0; nothing for the outer one itself.
    pub inner: Option<u16>,
    /// Height of the call stack: 1 for an outer instruction, one more for each call.
    pub depth: u32,
    pub program: Address,
    pub accounts: Vec<Address>,
    pub data: Vec<u8>,
}

/// Base58, as people and nodes write signatures.
pub fn show(signature: &Signature) -> String {
    bs58::encode(signature).into_string()
}
