//! A node's JSON-RPC as a source.
//!
//! What there is is listed first, and then delivered in that order. A listed transaction that the node cannot give yet is an
//! error that passes, never one that is left out.

mod listing;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{request::RpcRequest, response::Response};
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionStatus, UiConfirmedBlock,
};
use tokio::sync::{Mutex, OnceCell};

pub use listing::Listing;

use super::{Commitment, Delivered, Listed, Signature, SourceError, Transaction, block::Blocks, show, wire};

/// How much a source asks for at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Signatures in one page; nodes give 1,000 at most.
    pub page: usize,
    /// Requests under way at once.
    pub parallel: usize,
    /// Transactions of one slot that are asked for one by one, at most; of more, their block is asked for as a whole.
    pub singly: usize,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page: 1_000,
            parallel: 16,
            singly: 32,
            timeout: Duration::from_secs(30),
        }
    }
}

/// The newest version of transactions that can be read here (SIMD-0385). A node refuses to give newer ones.
pub(super) const NEWEST_VERSION: u8 = 1;

/// Waits between the tries of one request. A listing may take thousands of them, and a hiccup shall not start it anew;
/// a node that is away for longer is the indexer's to wait for.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// Reads transactions of the program from one node.
pub struct RpcSource {
    rpc: RpcClient,
    limits: Limits,
    commitment: Commitment,
    /// What was told of before it is asked for.
    #[cfg(feature = "yellowstone")]
    pub(super) ahead: Option<Arc<super::ahead::Ahead>>,
}

impl std::fmt::Debug for RpcSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcSource")
            .field("url", &self.rpc.url())
            .field("limits", &self.limits)
            .field("commitment", &self.commitment)
            .finish()
    }
}

impl RpcSource {
    /// A source at `url`. Nothing is sent before the first question.
    pub fn new(url: &str, limits: Limits, commitment: Commitment) -> Self {
        Self {
            rpc: RpcClient::new_with_timeout_and_commitment(url.to_owned(), limits.timeout, commitment.config()),
            limits,
            commitment,
            #[cfg(feature = "yellowstone")]
            ahead: None,
        }
    }

    /// A listed transaction that was told of, and so need not be asked for.
    fn told_of(&self, listed: &Listed) -> Option<Transaction> {
        #[cfg(feature = "yellowstone")]
        return self.ahead.as_ref()?.take(listed);
        #[cfg(not(feature = "yellowstone"))]
        {
            let _ = listed;
            None
        }
    }

    /// How settled it is what this source reads.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// The newest slot that is settled enough.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot(&self) -> Result<u64, SourceError> {
        self.slot_at(self.commitment).await
    }

    /// The newest final slot.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn final_slot(&self) -> Result<u64, SourceError> {
        self.slot_at(Commitment::Finalized).await
    }

    async fn slot_at(&self, commitment: Commitment) -> Result<u64, SourceError> {
        self.ask(
            RpcRequest::GetSlot,
            json!([{ "commitment": commitment.config().commitment }]),
        )
        .await
    }

    /// The slot of a transaction that is settled enough, or nothing where the node does not know it as such.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot_of(&self, signature: &Signature) -> Result<Option<u64>, SourceError> {
        let status = self.status(signature).await?;
        let settled = status.filter(|status| status.satisfies_commitment(self.commitment.config()));
        Ok(settled.map(|status| status.slot))
    }

    /// What the node knows of a transaction, however settled it is.
    async fn status(&self, signature: &Signature) -> Result<Option<TransactionStatus>, SourceError> {
        let question = json!([[show(signature)], { "searchTransactionHistory": true }]);
        let statuses: Response<Vec<Option<TransactionStatus>>> =
            self.ask(RpcRequest::GetSignatureStatuses, question).await?;
        Ok(statuses.value.into_iter().next().flatten())
    }

    /// Delivers what is not settled enough yet, as far as the node gives it: some give a transaction before they give its block, so
    /// the blockhash is left out.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn deliver_pending(&self, pending: &[Listed]) -> Result<Vec<Delivered>, SourceError> {
        let given = futures_util::stream::iter(pending.iter().filter(|entry| !entry.failed))
            .map(async |entry| {
                let answer = self.answered(&show(&entry.signature)).await?;
                let transaction = answer.map(|answer| wire::transaction(&entry.signature, [0; 32], &answer));
                Ok(Delivered {
                    listed: *entry,
                    transaction: transaction.transpose()?.flatten(),
                })
            })
            .buffered(self.limits.parallel);
        given.try_collect().await
    }

    /// Delivers what was listed, in that order, with several requests under way.
    pub fn deliver<'a>(&'a self, listed: &'a [Listed]) -> impl Stream<Item = Result<Delivered, SourceError>> + 'a {
        let blockhashes = Arc::new(Blockhashes::default());
        let blocks = Arc::new(Blocks::with_more_than(self.limits.singly, listed));
        futures_util::stream::iter(listed)
            .map(move |entry| {
                let (blockhashes, blocks) = (Arc::clone(&blockhashes), Arc::clone(&blocks));
                async move {
                    let transaction = match entry.failed {
                        true => None,
                        false => self.succeeded(entry, &blockhashes, &blocks).await?,
                    };
                    Ok(Delivered {
                        listed: *entry,
                        transaction,
                    })
                }
            })
            .buffered(self.limits.parallel)
    }

    /// A transaction that is listed as one that succeeded, from whoever has it first.
    async fn succeeded(
        &self,
        listed: &Listed,
        blockhashes: &Blockhashes,
        blocks: &Blocks,
    ) -> Result<Option<Transaction>, SourceError> {
        if let Some(told) = self.told_of(listed) {
            return Ok(Some(told));
        }
        match blocks.transaction(listed, self).await? {
            Some(given) => Ok(given),
            None => self.transaction(listed, blockhashes).await,
        }
    }

    /// One request, tried a few times.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: RpcRequest, params: Value) -> Result<T, SourceError> {
        for wait in RETRIES {
            match self.rpc.send(request, params.clone()).await.map_err(SourceError::from) {
                Err(error) if error.is_passing() => tokio::time::sleep(wait).await,
                answer => return answer,
            }
        }
        Ok(self.rpc.send(request, params).await?)
    }

    async fn transaction(
        &self,
        listed: &Listed,
        blockhashes: &Blockhashes,
    ) -> Result<Option<Transaction>, SourceError> {
        let signature = show(&listed.signature);
        let answer = self.answered_soon(&signature).await?;
        let answer = answer.ok_or_else(|| SourceError::NotThereYet {
            signature: signature.clone(),
        })?;
        if answer.slot != listed.slot {
            // Its block was dropped after it was listed, and it stands in another one.
            return Err(SourceError::Moved { signature });
        }
        let blockhash = blockhashes.get(answer.slot, self).await?;
        wire::transaction(&listed.signature, blockhash, &answer)
    }

    /// What the node says of a transaction that it lists. Of several nodes behind one address not all have it yet: were one
    /// of those to end a pass, one with many transactions would hardly ever come to its end.
    async fn answered_soon(
        &self,
        signature: &str,
    ) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>, SourceError> {
        for wait in RETRIES {
            match self.answered(signature).await? {
                None => tokio::time::sleep(wait).await,
                answer => return Ok(answer),
            }
        }
        self.answered(signature).await
    }

    async fn answered(
        &self,
        signature: &str,
    ) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>, SourceError> {
        let config = json!({
            "encoding": "json", "commitment": self.commitment.config().commitment,
            "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        self.ask(RpcRequest::GetTransaction, json!([signature, config])).await
    }

    /// The hashes of these slots' blocks, in their order.
    ///
    /// # Errors
    /// Where the node does not answer, or does not have one of them.
    pub async fn blockhashes(
        &self,
        slots: impl IntoIterator<Item = u64>,
        commitment: Commitment,
    ) -> Result<Vec<[u8; 32]>, SourceError> {
        futures_util::stream::iter(slots)
            .map(|slot| self.blockhash(slot, commitment))
            .buffered(self.limits.parallel)
            .try_collect()
            .await
    }

    async fn blockhash(&self, slot: u64, commitment: Commitment) -> Result<[u8; 32], SourceError> {
        let config = json!({
            "encoding": "json", "transactionDetails": "none", "rewards": false,
            "commitment": commitment.config().commitment, "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        let block: Result<UiConfirmedBlock, _> = self.ask(RpcRequest::GetBlock, json!([slot, config])).await;
        let block = block.map_err(|error| error.about_block(slot))?;
        bytes(&block.blockhash).ok_or_else(|| SourceError::Nonsense(format!("blockhash {:?}", block.blockhash)))
    }
}

/// The blocks' hashes, which `getTransaction` does not tell, asked for once for each slot.
#[derive(Default)]
struct Blockhashes(Mutex<HashMap<u64, Arc<OnceCell<[u8; 32]>>>>);

impl Blockhashes {
    async fn get(&self, slot: u64, source: &RpcSource) -> Result<[u8; 32], SourceError> {
        let cell = Arc::clone(self.0.lock().await.entry(slot).or_default());
        cell.get_or_try_init(|| source.blockhash(slot, source.commitment))
            .await
            .copied()
    }
}

/// Base58 of exactly `N` bytes.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    bs58::decode(text).into_vec().ok()?.try_into().ok()
}
