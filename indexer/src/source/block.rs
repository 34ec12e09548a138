//! Whole blocks. Where many of the listed transactions stand in one slot, its block is asked for once instead of each of
//! them. What a block says of a transaction is what the node says of it alone; a block that the node does not give, or that
//! lacks one of them, only means that they are asked for one by one.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransactionWithStatusMeta,
};
use tokio::sync::OnceCell;

use super::{
    Listed, RpcSource, SourceError, Transaction,
    rpc::{NEWEST_VERSION, bytes},
    show, wire,
};

/// The slots of which whole blocks are asked for.
pub(super) struct Blocks(HashMap<u64, Slot>);

/// One of them, and what the node gave; nothing where it gave no block.
#[derive(Default)]
struct Slot {
    wanted: HashSet<String>,
    block: OnceCell<Option<Block>>,
}

struct Block {
    hash: [u8; 32],
    transactions: HashMap<String, EncodedConfirmedTransactionWithStatusMeta>,
}

/// What a node says of a block. Transactions of others are left as they came: there may be such among them as this version
/// cannot read.
#[derive(Deserialize)]
struct Answer {
    blockhash: String,
    #[serde(rename = "blockTime")]
    block_time: Option<i64>,
    transactions: Vec<Value>,
}

impl Blocks {
    /// The slots with more than so many of these transactions.
    pub(super) fn with_more_than(most: usize, listed: &[Listed]) -> Self {
        let mut slots = HashMap::<u64, Slot>::new();
        for entry in listed.iter().filter(|entry| !entry.failed) {
            let slot = slots.entry(entry.slot).or_default();
            slot.wanted.insert(show(&entry.signature));
        }
        slots.retain(|_, slot| slot.wanted.len() > most);
        Self(slots)
    }

    /// The transaction as its block has it, which says that it failed by nothing; or nothing at all where it is to be asked
    /// for alone.
    ///
    /// # Errors
    /// Where what the block says of it makes no sense.
    pub(super) async fn transaction(
        &self,
        entry: &Listed,
        source: &RpcSource,
    ) -> Result<Option<Option<Transaction>>, SourceError> {
        let Some(slot) = self.0.get(&entry.slot) else {
            return Ok(None);
        };
        let block = slot.block.get_or_init(async || match source.block(entry.slot).await {
            Ok(answer) => Block::read(entry.slot, answer, &slot.wanted),
            Err(error) => {
                tracing::debug!(slot = entry.slot, "no whole block: {error}");
                None
            }
        });
        let Some(block) = block.await else { return Ok(None) };
        match block.transactions.get(&show(&entry.signature)) {
            Some(answer) => wire::transaction(&entry.signature, block.hash, answer).map(Some),
            None => Ok(None),
        }
    }
}

impl Block {
    fn read(slot: u64, answer: Answer, wanted: &HashSet<String>) -> Option<Self> {
        let named = answer.transactions.into_iter().filter_map(|transaction| {
            let signature = transaction["transaction"]["signatures"][0].as_str()?;
            let signature = wanted.get(signature)?.clone();
            let transaction: EncodedTransactionWithStatusMeta = serde_json::from_value(transaction).ok()?;
            let confirmed = EncodedConfirmedTransactionWithStatusMeta {
                slot,
                transaction,
                block_time: answer.block_time,
            };
            Some((signature, confirmed))
        });
        Some(Self {
            transactions: named.collect(),
            hash: bytes(&answer.blockhash)?,
        })
    }
}

impl RpcSource {
    async fn block(&self, slot: u64) -> Result<Answer, SourceError> {
        let config = json!({
            "encoding": "json", "transactionDetails": "full", "rewards": false,
            "commitment": self.commitment().config().commitment, "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        self.ask(RpcRequest::GetBlock, json!([slot, config])).await
    }
}
